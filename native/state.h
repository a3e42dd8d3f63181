/* state.h - what CPython keeps of a running stack in the thread's state: saved and loaded at each swap of C stacks.
 *
 * The fields are public but differ from version to version, so this knows 3.11 to 3.14 and is compiled for one of
 * them; fiberobject.c refuses to run under another. */
#ifndef CHANLAB_STATE_H
#define CHANLAB_STATE_H

#include "chanlab.h"
#include "slabs.h"
#include "swap.h"

#if PY_VERSION_HEX >= 0x030E0000 && defined(__GLIBC__)
#include <pthread.h>
#endif

/* Whether this CPython is one of them. */
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030F0000 && !defined(Py_GIL_DISABLED)
#define CHANLAB_KNOWS_CPYTHON 1
#endif

#ifdef CHANLAB_KNOWS_CPYTHON
/* Where the frames of a stack begin: no other stack has the same. */
static inline void *root_of(const _PyStackChunk *chunk)
{
    while (chunk && chunk->previous)
        chunk = chunk->previous;
    return (void *)chunk;
}
#endif

#if defined(CHANLAB_HAVE_GREENLET_H) && defined(CHANLAB_KNOWS_CPYTHON) &&                                              \
    !(defined(CHANLAB_MONO) && defined(CHANLAB_SWAP))
#define CHANLAB_GREENLETS 1
#endif

/* The core is there on private stacks or on greenlets. */
#if (defined(CHANLAB_SWAP) || defined(CHANLAB_GREENLETS)) && defined(CHANLAB_KNOWS_CPYTHON)
#define CHANLAB_CORE 1

/* Whether all the frames of a parked stack are where they were, and lead from one to the next: from 3.12 on some lie on
 * the C stack, where greenlet puts another one's meanwhile. */
#define FRAMES_STAY_ON_GREENLETS (PY_VERSION_HEX < 0x030C0000)

/* The part of the thread's state that belongs to one stack, while that stack does not run. */
typedef struct State {
#if PY_VERSION_HEX < 0x030D0000
    union {
        _PyCFrame *cframe;
        struct _PyInterpreterFrame *frame; /* with a greenlet, whose _PyCFrame is moved away: the innermost one; NULL
                                              while it runs, as it may be PARKED again without this being noted */
    };
#else
    struct _PyInterpreterFrame *frame;
#endif
    _PyErr_StackItem *exc_info; /* the exceptions being handled, innermost first */
    _PyErr_StackItem exc_state; /* the outermost of them */
    PyObject *context;          /* the contextvars.Context, owned, or NULL */
    _PyStackChunk *chunk;       /* the memory of its Python frames, */
    PyObject **top, **limit;    /* how far that is used, and where it ends */
    int depth;                  /* how many calls deep it is: the limit itself may be changed meanwhile */
#if PY_VERSION_HEX < 0x030C0000
    int trash_nesting;
#elif PY_VERSION_HEX < 0x030D0000
    int trash_nesting, c_left;
#elif PY_VERSION_HEX < 0x030E0000
    int c_left;
    PyObject *trash;
#else
    PyObject *trash, *executor;
    char *lowest; /* where the C stack ends that CPython is to protect; NULL when it is to find out, */
    size_t size;  /* and how large it is */
#endif
} State;

#if PY_VERSION_HEX < 0x030C0000
#define RECURSION_LEFT(ts)  ((ts)->recursion_remaining)
#define RECURSION_LIMIT(ts) ((ts)->recursion_limit)
#else
#define RECURSION_LEFT(ts)  ((ts)->py_recursion_remaining)
#define RECURSION_LIMIT(ts) ((ts)->py_recursion_limit)
#endif

/* Where CPython's innermost frame of a parked stack is found. */
#if PY_VERSION_HEX < 0x030D0000
#define PARKED_TOP cframe->current_frame
#else
#define PARKED_TOP frame
#endif

/* The running stack is about to be left: its context goes along. */
static inline void state_save(State *state, PyThreadState *ts)
{
    state->exc_info = ts->exc_info;
    state->context = ts->context;
    state->chunk = ts->datastack_chunk;
    state->top = ts->datastack_top;
    state->limit = ts->datastack_limit;
    state->depth = RECURSION_LIMIT(ts) - RECURSION_LEFT(ts);
#if PY_VERSION_HEX < 0x030C0000
    state->cframe = ts->cframe;
    state->trash_nesting = ts->trash_delete_nesting;
#elif PY_VERSION_HEX < 0x030D0000
    state->cframe = ts->cframe;
    state->trash_nesting = ts->trash.delete_nesting;
    state->c_left = ts->c_recursion_remaining;
#elif PY_VERSION_HEX < 0x030E0000
    state->frame = ts->current_frame;
    state->trash = ts->delete_later;
    state->c_left = ts->c_recursion_remaining;
#else
    state->frame = ts->current_frame;
    state->trash = ts->delete_later;
    state->executor = ts->current_executor;
#endif
}

/* The stack goes on.  Nothing may be traced just now: in 3.11 that is a flag on the stack that is left. */
static inline void state_load(State *state, PyThreadState *ts)
{
    ts->exc_info = state->exc_info;
    if (ts->context != state->context) {
        ts->context = state->context;
        ts->context_ver++;
    }
    ts->datastack_chunk = state->chunk;
    ts->datastack_top = state->top;
    ts->datastack_limit = state->limit;
    RECURSION_LEFT(ts) = RECURSION_LIMIT(ts) - state->depth;
#if PY_VERSION_HEX < 0x030C0000
    ts->cframe = state->cframe;
    ts->trash_delete_nesting = state->trash_nesting;
#elif PY_VERSION_HEX < 0x030D0000
    ts->cframe = state->cframe;
    ts->trash.delete_nesting = state->trash_nesting;
    ts->c_recursion_remaining = state->c_left;
#elif PY_VERSION_HEX < 0x030E0000
    ts->current_frame = state->frame;
    ts->delete_later = state->trash;
    ts->c_recursion_remaining = state->c_left;
#else
    ts->current_frame = state->frame;
    ts->delete_later = state->trash;
    ts->current_executor = state->executor;
    if (state->lowest)
        PyUnstable_ThreadState_SetStackProtection(ts, state->lowest, state->size); /* fails for tiny ones only */
    else
        PyUnstable_ThreadState_ResetStackProtection(ts); /* slow */
#endif
}

/* The state of the stack that a thread has from its beginning. */
static inline void state_of_thread(State *state)
{
    (void)state;
#if PY_VERSION_HEX >= 0x030E0000 && defined(__GLIBC__)
    pthread_attr_t attributes;
    size_t guard, size;
    void *lowest;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    if (pthread_attr_getguardsize(&attributes, &guard) == 0 &&
        pthread_attr_getstack(&attributes, &lowest, &size) == 0 && guard < size) { /* as CPython works it out */
        state->lowest = (char *)lowest + guard;
        state->size = size - guard;
    }
    pthread_attr_destroy(&attributes);
#endif
}

/* The state of a stack that has not begun: no frame, no exception, and the memory above `boundary` for its frames.
 * CPython frees any chunk of frames but the first, which has no `previous`; so it never frees this one. */
static inline void state_begin(State *state, PyThreadState *ts, char *boundary)
{
    PyObject *context = state->context; /* may have been given to it already */
    _PyStackChunk *chunk = (_PyStackChunk *)boundary;
    chunk->previous = NULL;
    chunk->size = slab_above();
    chunk->top = 0;
    *state = (State){
        .context = context,
        .chunk = chunk,
        .top = &chunk->data[1], /* CPython leaves the first entry of a first chunk free, too */
        .limit = (PyObject **)(boundary + slab_above()),
    };
    state->exc_info = &state->exc_state;
#if PY_VERSION_HEX < 0x030D0000
    state->cframe = &ts->root_cframe; /* until it has one of its own, see state_enter() */
#else
    (void)ts;
#endif
#if PY_VERSION_HEX >= 0x030E0000
    state->lowest = boundary - slab_below();
    state->size = slab_below();
#elif PY_VERSION_HEX >= 0x030C0000
    state->c_left = slab_c_calls();
#endif
}

#if PY_VERSION_HEX < 0x030D0000
/* First of all on a new stack: `cframe` lies at its bottom. */
static inline void state_enter(PyThreadState *ts, _PyCFrame *cframe)
{
    memset(cframe, 0, sizeof *cframe);
    cframe->previous = &ts->root_cframe;
    ts->cframe = cframe;
}
#endif
#endif

#endif
