/* frames.c - the references that a parked tasklet's Python frames own.
 *
 * CPython's collector looks for cycles by counting references.  It cannot see what a suspended greenlet's frames refer
 * to, so a tasklet that waits on a channel which only its own frame knows would stay for ever:
 *
 *     tasklet --> stack --(frames)--> channel --> queue of waiters --> tasklet
 *
 * The frames themselves are in memory of CPython's (the chunks of its data stack), and stay there unchanged while the
 * tasklet is parked; so we note where they are when it is parked: only the innermost one where each leads to the next
 * (on private stacks, and on greenlets in CPython 3.11, unless a Python twin parks), else the hundred innermost ones.
 * No public header describes a frame: this is the one file that includes an internal one, for the versions whose frames
 * it knows.  Elsewhere it sees no frames, and such tasklets live on until the program ends.
 *
 * To leave a reference out is safe: the collector takes what it points to for referred to from outside.  To visit one
 * that is not there, or is visited by somebody else, would free what is in use.  Hence:
 *   - only frames inside the data stack are visited (from 3.12 on others lie on the C stack, where greenlet puts
 *     something else meanwhile; what a generator's frame owns is left to the generator);
 *   - the operands of a frame count only when it says how many there are, which is while a Python function that it has
 *     called without help from C runs; or when it stands in a `for` loop over a channel, see operands_in_loop().  3.14
 *     always says. */
#if defined(__clang__) || defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-parameter" /* CPython's inline functions */
#endif
#include "frames.h"

#include "state.h"

#ifdef CHANLAB_KNOWS_CPYTHON
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe.h>
#include <internal/pycore_stackref.h>
#endif
#undef Py_BUILD_CORE
#include <opcode.h>

#include "depths.h"

struct Known {
    _PyInterpreterFrame *frame;
    int references; /* how many of its locals and operands are owned by it now */
};

/* Before 3.11.2 a frame that is being torn down could still be walked (CPython's issue 99729). */
#define OLDEST 0x030B02F0

int frames_known(void) { return Py_Version >= OLDEST && (Py_Version >> 16) == (PY_VERSION_HEX >> 16); }

void frames_begin(Frames *frames)
{
    frames_end(frames);
    if (frames_known())
        frames->root = root_of(PyThreadState_Get()->datastack_chunk);
}

int frames_run(const Frames *frames)
{
    PyThreadState *ts = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
    for (; ts; ts = PyThreadState_Next(ts))
        if (root_of(ts->datastack_chunk) == frames->root)
            return 1;
    return 0;
}

static _PyInterpreterFrame *innermost(PyThreadState *ts)
{
#if PY_VERSION_HEX >= 0x030D0000
    return ts->current_frame;
#else
    return ts->cframe->current_frame;
#endif
}

static int in_data_stack(const void *frame, const _PyStackChunk *chunk)
{
    for (; chunk; chunk = chunk->previous)
        if ((const char *)frame > (const char *)chunk && (const char *)frame < (const char *)chunk + chunk->size)
            return 1;
    return 0;
}

#if PY_VERSION_HEX >= 0x030E0000
static PyCodeObject *code_of(_PyInterpreterFrame *frame) { return _PyFrame_GetCode(frame); }

/* How many of a parked frame's locals and operands are owned by it: CPython notes where they end whenever a frame calls
 * anything. */
static int references_of(_PyInterpreterFrame *frame, ModuleState *Py_UNUSED(state),
                         PyObject *const *Py_UNUSED(operands))
{
    return frame->stackpointer ? (int)(frame->stackpointer - frame->localsplus) : code_of(frame)->co_nlocalsplus;
}

static int references_below(_PyInterpreterFrame *frame, _PyInterpreterFrame *Py_UNUSED(inner), ModuleState *state)
{
    return references_of(frame, state, NULL);
}

/* Visit one of them.  Not every one is a reference: some are ints, and some are borrowed. */
#define VISIT(reference)                                                                                               \
    do {                                                                                                               \
        if (!PyStackRef_IsNullOrInt(reference) && PyStackRef_RefcountOnObject(reference))                              \
            Py_VISIT(PyStackRef_AsPyObjectBorrow(reference));                                                          \
    } while (0)
#else
#define VISIT(reference) Py_VISIT(reference)

static PyCodeObject *code_of(_PyInterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    return (PyCodeObject *)frame->f_executable;
#else
    return frame->f_code;
#endif
}

/* The index of the instruction at which a frame stands when that is a FOR_ITER, else -1. */
static int loop_of(_PyInterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030D0000
    _Py_CODEUNIT *at = frame->instr_ptr;
#else
    _Py_CODEUNIT *at = frame->prev_instr;
#endif
    PyCodeObject *code = code_of(frame);
    ptrdiff_t index = at - _PyCode_CODE(code);
    if (index < 0 || index >= Py_SIZE(code))
        return -1;
    return _Py_OPCODE(*at) == FOR_ITER ? (int)index : -1;
}

/* How many operands a frame holds that stands in a `for` loop whose next round `inner` is to deliver, a channel's
 * __next__(); 0 when that is not so.  The channel itself must be the last of them. */
static int operands_in_loop(_PyInterpreterFrame *frame, _PyInterpreterFrame *inner, ModuleState *state)
{
    PyCodeObject *code = code_of(frame);
#if PY_VERSION_HEX >= 0x030D0000
    _Py_CODEUNIT *at = frame->instr_ptr;
#else
    _Py_CODEUNIT *at = frame->prev_instr;
#endif
    if (!inner || code_of(inner)->co_argcount < 1 || _Py_OPCODE(*at) != FOR_ITER)
        return 0;
    int depth = depth_at(state, code, (int)(at - _PyCode_CODE(code)));
    PyObject **operands = frame->localsplus + code->co_nlocalsplus;
    return depth > 0 && depth <= code->co_stacksize && operands[depth - 1] == inner->localsplus[0] ? depth : 0;
}

/* How many locals and operands a frame has whose operands end there; without the operands when they end elsewhere. */
static int operands_below(_PyInterpreterFrame *frame, PyObject *const *operands)
{
    PyCodeObject *code = code_of(frame);
    ptrdiff_t count = operands - frame->localsplus;
    if (count < code->co_nlocalsplus || count > code->co_nlocalsplus + code->co_stacksize)
        return code->co_nlocalsplus;
    return (int)count;
}

/* How many of a parked frame's locals and operands are owned by it.  CPython notes that only while a Python function
 * runs that was called without help from C. */
static int references_of(_PyInterpreterFrame *frame, ModuleState *state, PyObject *const *operands)
{
    PyCodeObject *code = code_of(frame);
    if (frame->stacktop >= 0)
        return frame->stacktop;
    if (operands)
        return operands_below(frame, operands);
    int loop = loop_of(frame);
    int depth = loop >= 0 ? depth_known_at(state, code, loop) : 0;
    return operands_below(frame, frame->localsplus + code->co_nlocalsplus + (depth > 0 ? depth : 0));
}

/* The same for a frame that has called `inner`, perhaps with help from C. */
static int references_below(_PyInterpreterFrame *frame, _PyInterpreterFrame *inner, ModuleState *state)
{
    if (frame->stacktop >= 0)
        return frame->stacktop;
    return code_of(frame)->co_nlocalsplus + operands_in_loop(frame, inner, state);
}
#endif

/* 0 when there is no room. */
static int note(Frames *frames, _PyInterpreterFrame *frame, int references)
{
    if (frames->count == frames->room) {
        int room = frames->room ? 2 * frames->room : 8;
        struct Known *known = PyMem_Realloc(frames->known, room * sizeof(struct Known));
        if (!known)
            return 0;
        frames->known = known;
        frames->room = room;
    }
    frames->known[frames->count++] = (struct Known){frame, references};
    return 1;
}

/* So many at most: who parks deep down in a recursion shall not have to pay for all of it. */
enum { MOST_FRAMES = 100 };

void frames_park(Frames *frames, ModuleState *state, void *caller, PyObject *const *operands)
{
    PyThreadState *ts = PyThreadState_Get();
    frames->count = 0;
    if (!frames_known() || !frames->root || root_of(ts->datastack_chunk) != frames->root)
        return;
    _PyInterpreterFrame *frame = innermost(ts);
    for (_PyInterpreterFrame *inner = NULL; frame && frames->count < MOST_FRAMES; frame = frame->previous) {
        if (!in_data_stack(frame, ts->datastack_chunk))
            continue;
        if (frame->owner != FRAME_OWNED_BY_THREAD)
            break;
        int called = inner && !(frame == caller && operands);
        int references = called ? references_below(frame, inner, state)
                                : references_of(frame, state, frame == caller ? operands : NULL);
        if (!note(frames, frame, references))
            break;
        inner = frame;
    }
}

void frames_end(Frames *frames)
{
    PyMem_Free(frames->known);
    *frames = (Frames){0};
}

static int visit_frame(const struct Known *known, visitproc visit, void *arg)
{
    _PyInterpreterFrame *frame = known->frame;
    Py_VISIT(frame->frame_obj);
    Py_VISIT(frame->f_locals);
#if PY_VERSION_HEX >= 0x030C0000
    VISIT(frame->f_funcobj);
#else
    VISIT(frame->f_func);
#endif
#if PY_VERSION_HEX >= 0x030E0000
    VISIT(frame->f_executable);
#else
    VISIT(code_of(frame));
#endif
    for (int i = 0; i < known->references; i++)
        VISIT(frame->localsplus[i]);
    return 0;
}

void *frames_innermost(void) { return innermost(PyThreadState_Get()); }

void frames_learn(ModuleState *state)
{
#if PY_VERSION_HEX < 0x030E0000
    _PyInterpreterFrame *frame = innermost(PyThreadState_Get());
    if (!frame || frame->owner != FRAME_OWNED_BY_THREAD)
        return;
    int loop = loop_of(frame);
    if (loop >= 0 && depth_known_at(state, code_of(frame), loop) < 0)
        depth_at(state, code_of(frame), loop);
#else
    (void)state; /* it is known */
#endif
}

/* Whether the interpreter is being taken down.  Then a daemon thread that was running a stack is no thread any more:
 * its data stack is gone, and frames_run() does not know it. */
static int ends(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

int frames_visit_parked(ModuleState *state, void *top, PyObject *const *operands, visitproc visit, void *arg)
{
    if (!frames_known() || ends())
        return 0;
    for (_PyInterpreterFrame *frame = top; frame; frame = frame->previous, operands = NULL) {
        if (frame->owner != FRAME_OWNED_BY_THREAD) /* a generator's; or CPython's own, between two calls from C */
            continue;
        struct Known known = {frame, references_of(frame, state, operands)};
        int stop = visit_frame(&known, visit, arg);
        if (stop)
            return stop;
    }
    return 0;
}

int frames_visit(const Frames *frames, visitproc visit, void *arg)
{
    if (!frames->count || ends() || frames_run(frames))
        return 0;
    for (int i = 0; i < frames->count; i++) {
        int stop = visit_frame(&frames->known[i], visit, arg);
        if (stop)
            return stop;
    }
    return 0;
}

#else /* another CPython */

int frames_known(void) { return 0; }

void frames_begin(Frames *frames) { frames_end(frames); }

void frames_park(Frames *Py_UNUSED(frames), ModuleState *Py_UNUSED(state), void *Py_UNUSED(caller),
                 PyObject *const *Py_UNUSED(operands))
{
}

void *frames_innermost(void) { return NULL; }

void frames_end(Frames *frames) { *frames = (Frames){0}; }

int frames_visit(const Frames *Py_UNUSED(frames), visitproc Py_UNUSED(visit), void *Py_UNUSED(arg)) { return 0; }

#endif
