/* tracing.h - a tasklet's trace and profile function, and a tracer's view without the package's own frames. */
#ifndef CHANLAB_TRACING_H
#define CHANLAB_TRACING_H

#include "chanlab.h"

/* What sys.settrace() and sys.setprofile() have set for a stack, while that stack is parked.  All zero: nothing. */
typedef struct Tracing {
    Py_tracefunc trace, profile;             /* CPython's caller of the function, or a C tracer */
    PyObject *trace_object, *profile_object; /* the function, owned, or NULL */
    int depth; /* how many trace functions it is inside of: they are not traced themselves */
} Tracing;

/* Take the running stack's tracing off the thread and return it: the caller owns the references. */
Tracing tracing_suspend(void);
/* Give the thread the tracing of the stack that goes on, and release it. */
void tracing_restore(Tracing *tracing);
void tracing_clear(Tracing *tracing);

/* The function that will trace (or profile) a parked stack.  New reference, None when there is none. */
PyObject *tracing_get(const Tracing *tracing, int profile);
/* 0, or -1 with an exception set.  `function` None takes it away. */
int tracing_set(Tracing *tracing, ModuleState *state, int profile, PyObject *function);

#endif
