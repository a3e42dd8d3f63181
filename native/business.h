/* business.h - what a stack runs. */
#ifndef CHANLAB_BUSINESS_H
#define CHANLAB_BUSINESS_H

#include "chanlab.h"

/* Who owns what a tasklet runs?  Not its C stack, since what that owns keeps everything it knows alive for the
 * collector.  So the object that stands for the stack owns it and shows it, and the Call, which is on the C stack, only
 * borrows it; should the object be gone before the C stack is, the Call inherits.  All zero: no business. */
typedef struct Business {
    PyObject *function, *args, *kwargs; /* owned */
    struct Call *call;                  /* borrowed; NULL before and after */
} Business;

/* What will run function(*args, **kwargs) when it is called, once.  New reference; NULL with RuntimeError when the
 * stack has a business already. */
PyObject *business_begin(Business *business, ModuleState *state, PyObject *function, PyObject *args, PyObject *kwargs);
/* Part with the Call, if there is one still. */
void business_end(Business *business);
/* Let go of what it runs, when there is no Call: the core's own way to run it needs none. */
static inline void business_let_go(Business *business)
{
    Py_CLEAR(business->function);
    Py_CLEAR(business->args);
    Py_CLEAR(business->kwargs);
}
/* As a tp_traverse does. */
int business_visit(const Business *business, visitproc visit, void *arg);
/* Make the type of Calls.  0, or -1 with an exception set. */
int business_add(ModuleState *state, PyObject *module);

#endif
