/* private.h - the `private` variant of the switch hook: every fiber has a C stack of its own. */
#ifndef CHANLAB_PRIVATE_H
#define CHANLAB_PRIVATE_H

#include "fiber.h"

#if defined(CHANLAB_CORE) && defined(CHANLAB_SWAP)

/* Give a fresh fiber its memory, and park it.  0, or -1 with MemoryError. */
int private_begin(Fiber *self, PyThreadState *ts);
/* It is over, and nobody runs on its memory any more. */
void private_end(Fiber *self);

/* AddressSanitizer wants to know which stack runs. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
static inline void before_swap(Fiber *me, Fiber *to, int for_good)
{
    if (to->parent) { /* it is not a thread's own */
        to->low = (char *)to->frames.root - slab_below();
        to->size = slab_below();
    }
    __sanitizer_start_switch_fiber(for_good ? NULL : &me->fake, to->low, to->size);
}
static inline void after_swap(Fiber *me, Fiber *left)
{
    const void *low;
    size_t size;
    __sanitizer_finish_switch_fiber(me->fake, &low, &size);
    if (!left->parent) {
        left->low = low;
        left->size = size;
    }
}
#else
static inline void before_swap(Fiber *me, Fiber *to, int for_good) { (void)me, (void)to, (void)for_good; }
static inline void after_swap(Fiber *me, Fiber *left) { (void)me, (void)left; }
#endif

/* Leave the stack that runs, `me`, PARKED or OVER, and go on with `to`, which is parked.  Returns when somebody comes
 * back. */
static inline void private_swap(Fiber *me, Fiber *to, PyThreadState *ts, enum Phase left_as)
{
    state_save(&me->state, ts);
    me->phase = (unsigned char)left_as;
    here.left = me;
    here.current = (Fiber *)Py_NewRef(to);
    to->phase = RUNNING;
    state_load(&to->state, ts);
    before_swap(me, to, left_as == OVER);
    chanlab_swap(&me->sp, to->sp);
}
#endif

#endif
