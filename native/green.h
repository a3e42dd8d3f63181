/* green.h - the `greenlet` variant of the switch hook: a fiber's stack is a greenlet's. */
#ifndef CHANLAB_GREEN_H
#define CHANLAB_GREEN_H

#include "fiber.h"

#ifdef CHANLAB_GREENLETS

/* The greenlet of the thread itself becomes that of its fiber.  0, or -1 with an exception set. */
int green_thread_begins(Fiber *self);
/* Give a fresh fiber its greenlet, and park it.  0, or -1 with an exception set. */
int green_begin(Fiber *self, PyThreadState *ts);
/* It is over, and another one runs. */
void green_end(Fiber *self);
/* The code that runs is about to leave the stack of `me`, and is perhaps not in its own greenlet. */
void green_leaves(Fiber *me);
/* Leave the stack that runs, `me`, and go on with `to`, which is parked.  0 when somebody comes back; -1 with an
 * exception set, and nothing has changed, when it was not possible. */
int green_swap(Fiber *me, Fiber *to);
/* Whether the code that runs is in the greenlet of `me`; then the root of its frames is known from now on. */
int green_on_own_stack(Fiber *me, PyThreadState *ts);
/* CPython's innermost frame of a parked one, when the others can be found from there now; else NULL. */
void *green_top(const Fiber *self);
/* The innermost frame of a parked one, and its context (`name` is gr_frame or gr_context): a new reference, or NULL. */
PyObject *green_get(Fiber *self, const char *name);
/* Its context from now on.  0, or -1 with an exception set. */
int green_set_context(Fiber *self, PyObject *context);
#endif

#endif
