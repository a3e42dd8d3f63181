/* fiber.h - what stands for a tasklet's C stack. */
#ifndef CHANLAB_FIBER_H
#define CHANLAB_FIBER_H

#include "state.h"

#ifdef CHANLAB_CORE
#include "business.h"
#include "frames.h"
#include "tracing.h"

enum Wants { WANTS_VALUE = 1, WANTS_PAIR, WANTS_NEXT };
enum Phase { FRESH, PARKED, RUNNING, OVER };

/* A frame that has called a Python twin through C, and where its operands end meanwhile. */
typedef struct Site {
    void *caller;
    PyObject *const *operands;
} Site;

typedef struct Fiber {
    PyObject_HEAD
    union {
        struct {                  /* with a private stack: */
            void *sp;             /* its stack pointer while it is parked */
            const char *after_sp; /* that of whom it gave way to last, see note_successor() */
        };
        struct {                /* with a greenlet: */
            PyObject *greenlet; /* owned; NULL before and after */
            PyObject *at;       /* another one in which it is parked, owned; NULL when there is none */
        };
    };
    /* What every swap needs stands together: */
    unsigned char phase;       /* enum Phase */
    unsigned char steady;      /* it gave way to the same one twice (who that is, the Tasklet knows), */
    unsigned char after_lines; /* whose frames end so many cache lines above after_sp */
    char odd;                  /* something was thrown at it, or its tracing was set, while it was parked */
    char begun;                /* with a greenlet: it has begun */
    char wants;                /* enum Wants: how it parked in a receive from a Go channel */
    PyThreadState *ts;         /* its thread; NULL before it begins */
    PyObject *const *operands; /* where its innermost frame's operands end while it is parked; NULL when not known */
    Frames frames; /* its frames while it is parked; their root is known from its beginning on, but for greenlets */
    State state;   /* while it does not run */

    PyObject *thrown;        /* the exception to raise when it goes on, owned; or NULL */
    PyObject *chosen;        /* what it parked with in a select, see select.c; owned, or NULL */
    struct Fiber *parent;    /* who goes on when it is over, owned; NULL for a thread's own stack */
    PyObject *run;           /* what it calls first, owned */
    Business business;       /* the tasklet's function */
    Tracing tracing;         /* its tracing while it is parked */
    const struct Site *site; /* where the frame on it stands that has called a Python twin through C; or NULL */
    PyObject *guests;        /* the greenlets that were started on it, see guests.c; owned, or NULL */
#ifdef __SANITIZE_ADDRESS__
    void *fake; /* what AddressSanitizer keeps of it while it is parked, and its bounds as it knows them */
    const void *low;
    size_t size;
#endif
} Fiber;

typedef struct Here {
    PyThreadState *ts;
    Fiber *current, *left;
} Here;
extern _Thread_local Here here __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Whether fibers are greenlets: it is chosen once, with the hooks. */
#if !defined(CHANLAB_GREENLETS)
enum { on_greenlets = 0 };
#elif !defined(CHANLAB_SWAP)
enum { on_greenlets = 1 };
#else
extern int on_greenlets __attribute__((visibility("hidden")));
#endif

/* Whether only a thread's own stack is above it: those of the tasklets are below it. */
static inline int is_hub(const Fiber *fiber) { return fiber->parent && !fiber->parent->parent; }
/* The whole life of the stack that runs, called at its bottom.  Returns who goes on, borrowed: a parked one. */
Fiber *fiber_live(void);
/* A FRESH one, of the Fiber type, that has nothing yet.  New reference, or NULL with MemoryError. */
Fiber *fiber_made(PyTypeObject *type);
/* It is being deallocated and owns nothing.  Whether its memory is kept, with its reference to its type. */
int fiber_kept(Fiber *self);
/* The stack that runs in this thread, borrowed; NULL with MemoryError.  At first it is the thread's own. */
Fiber *fiber_running(ModuleState *state);
/* Whether the running code is on its fiber's own stack, `me`: not in a greenlet that was made there.  -1 with an
 * exception set. */
int fiber_stack_is_own(ModuleState *state, Fiber *me);
/* Park the stack that runs and go on with `to`.  0 when somebody comes back, or -1 with an exception set. */
int fiber_swap_to(Fiber *to);
#endif

#endif
