/* frames.c - the references that a parked tasklet's Python frames own.
 *
 * CPython's collector looks for cycles by counting references.  It cannot see what a suspended greenlet's frames refer
 * to, so a tasklet that waits on a channel which only its own frame knows would stay for ever:
 *
 *     tasklet --> stack --(frames)--> channel --> queue of waiters --> tasklet
 *
 * The frames themselves are in memory of CPython's (the chunks of its data stack), and stay there unchanged while the
 * tasklet is parked; so we can walk them.  No public header describes a frame: this is the one file that includes an
 * internal one, for the versions whose frames it knows.  Elsewhere it sees no frames, and such tasklets live on until
 * the program ends.
 *
 * To leave a reference out is safe: the collector takes what it points to for referred to from outside.  To visit one
 * that is not there, or is visited by somebody else, would free what is in use.  Hence:
 *   - only frames inside the data stack are looked at (on 3.12 and 3.13 others may lie on the C stack, where greenlet
 *     has put something else meanwhile; a generator's frame is visited by the generator);
 *   - the operands of a frame only when it says how many there are, which is while a call that needs no C stack runs.
 */
#if defined(__clang__) || defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-parameter" /* CPython's inline functions */
#endif
#include "frames.h"

#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
#define FRAMES_KNOWN  1
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#undef Py_BUILD_CORE
#endif

#ifdef FRAMES_KNOWN

/* Before 3.11.2 a frame that is being torn down could still be walked (CPython's issue 99729). */
#define OLDEST 0x030B02F0

static void *root_of(const _PyStackChunk *chunk)
{
    while (chunk && chunk->previous)
        chunk = chunk->previous;
    return (void *)chunk;
}

int frames_known(void) { return Py_Version >= OLDEST && (Py_Version >> 16) == (PY_VERSION_HEX >> 16); }

void frames_begin(Frames *frames)
{
    *frames = (Frames){0};
    if (frames_known())
        frames->root = root_of(PyThreadState_Get()->datastack_chunk);
}

void frames_park(Frames *frames)
{
    PyThreadState *ts = PyThreadState_Get();
    if (!frames->root || root_of(ts->datastack_chunk) != frames->root)
        return;
    frames->chunk = ts->datastack_chunk;
#if PY_VERSION_HEX >= 0x030D0000
    frames->top = ts->current_frame;
#else
    frames->top = ts->cframe->current_frame;
#endif
}

/* Whether some thread is just running this stack: then what was noted when it was last parked is out of date. */
static int runs(const Frames *frames)
{
    PyThreadState *ts = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; ts; ts = PyThreadState_Next(ts))
        if (root_of(ts->datastack_chunk) == frames->root)
            return 1;
    return 0;
}

static int in_data_stack(const void *frame, const _PyStackChunk *chunk)
{
    for (; chunk; chunk = chunk->previous)
        if ((const char *)frame > (const char *)chunk && (const char *)frame < (const char *)chunk + chunk->size)
            return 1;
    return 0;
}

static PyCodeObject *code_of(_PyInterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    return (PyCodeObject *)frame->f_executable;
#else
    return frame->f_code;
#endif
}

static int visit_frame(_PyInterpreterFrame *frame, visitproc visit, void *arg)
{
    PyCodeObject *code = code_of(frame);
    int count = frame->stacktop < 0 ? code->co_nlocalsplus : frame->stacktop;
    Py_VISIT(frame->frame_obj);
    Py_VISIT(frame->f_locals);
#if PY_VERSION_HEX >= 0x030C0000
    Py_VISIT(frame->f_funcobj);
#else
    Py_VISIT(frame->f_func);
#endif
    Py_VISIT(code);
    for (int i = 0; i < count; i++)
        Py_VISIT(frame->localsplus[i]);
    return 0;
}

int frames_visit(const Frames *frames, visitproc visit, void *arg)
{
    if (!frames->top || runs(frames))
        return 0;
    for (_PyInterpreterFrame *frame = frames->top; frame; frame = frame->previous) {
        if (!in_data_stack(frame, frames->chunk)) {
#if PY_VERSION_HEX < 0x030C0000
            if (frame->owner == FRAME_OWNED_BY_GENERATOR) /* 3.11 has no others outside */
                continue;
#endif
            break;
        }
        if (frame->owner != FRAME_OWNED_BY_THREAD)
            break;
        int stop = visit_frame(frame, visit, arg);
        if (stop)
            return stop;
    }
    return 0;
}

#else /* another CPython */

int frames_known(void) { return 0; }

void frames_begin(Frames *frames) { *frames = (Frames){0}; }

void frames_park(Frames *Py_UNUSED(frames)) {}

int frames_visit(const Frames *Py_UNUSED(frames), visitproc Py_UNUSED(visit), void *Py_UNUSED(arg)) { return 0; }

#endif
