/* private.h - a C stack of a tasklet's own. */
#ifndef CHANLAB_PRIVATE_H
#define CHANLAB_PRIVATE_H

#include "state.h"

#ifdef CHANLAB_PRIVATE
#include "business.h"
#include "frames.h"
#include "tracing.h"

enum Phase { FRESH, PARKED, RUNNING, OVER };

typedef struct Private {
    PyObject_HEAD
    void *sp;                  /* its stack pointer while it is parked */
    char *boundary;            /* its memory, see slabs.h; NULL before and after, and for a thread's own stack */
    State state;               /* while it does not run */
    PyThreadState *ts;         /* its thread; NULL before it begins */
    struct Private *parent;    /* who goes on when it is over, owned; NULL for a thread's own stack */
    PyObject *run;             /* what it calls first, owned */
    PyObject *thrown;          /* the exception to raise when it goes on, owned; or NULL */
    Business business;         /* the tasklet's function */
    Frames frames;             /* its frames while it is parked; their root is known from its beginning on */
    Tracing tracing;           /* its tracing while it is parked */
    PyObject *const *operands; /* where its innermost frame's operands end while it is parked; NULL when not known */
    PyObject *chosen;          /* what it parked with in a select, see select.c; owned, or NULL */
    void *caller;              /* the frame on it that has called a Python twin through C, and */
    PyObject *const *caller_operands; /* where its operands end meanwhile; NULL when that is not known */
    PyObject *guests;                 /* the greenlets that were started on it, see guests.c; owned, or NULL */
    enum Phase phase;
    char odd; /* something was thrown at it, or its tracing was set, while it was parked */
#ifdef __SANITIZE_ADDRESS__
    void *fake; /* what AddressSanitizer keeps of it while it is parked, and its bounds as it knows them */
    const void *low;
    size_t size;
#endif
} Private;

/* AddressSanitizer wants to know which stack runs. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
static inline void before_swap(Private *me, Private *to, int for_good)
{
    if (to->boundary) {
        to->low = to->boundary - slab_below();
        to->size = slab_below();
    }
    __sanitizer_start_switch_fiber(for_good ? NULL : &me->fake, to->low, to->size);
}
static inline void after_swap(Private *me, Private *left)
{
    const void *low;
    size_t size;
    __sanitizer_finish_switch_fiber(me->fake, &low, &size);
    if (!left->boundary) {
        left->low = low;
        left->size = size;
    }
}
#else
static inline void before_swap(Private *me, Private *to, int for_good) { (void)me, (void)to, (void)for_good; }
static inline void after_swap(Private *me, Private *left) { (void)me, (void)left; }
#endif
#endif

#endif
