/* green.c - a greenlet's stack for every fiber, through greenlet's C API: for machines without private stacks.
 *
 * greenlet copies the stack that is left away, and that of the next one back, so nobody runs out of memory for stacks;
 * but one who is started stands on the stack of who starts him, and inherits its depth of recursion.  Hence only the
 * hub starts greenlets: whoever wants to go on with a fresh one switches to the hub, and that goes on with
 * here.current,
 *
 *     me --> hub --> fresh one                  me --> one that has begun
 *
 * Anybody can get hold of a greenlet of ours (greenlet.getcurrent()) and switch to it, or throw at it.  Whoever finds
 * himself running although it is not his turn throws back at the one whose turn it is. */
#include "core.h"

#ifdef CHANLAB_GREENLETS
#include <greenlet.h>

#ifdef CHANLAB_SWAP
int on_greenlets;
#endif

/* How often a stack of ours has begun or gone on in this thread: tells a switch that failed at once from one that came
 * back. */
static _Thread_local unsigned long arrivals;

static PyObject *run_bottom; /* what all the greenlets call */

/* Whether the collector was on before a greenlet was started: it must not find work from there to the bottom, where
 * finalizers would run in the middle of a switch. */
static _Thread_local int collects;

static inline PyGreenlet *greenlet_of(const Fiber *fiber) { return (PyGreenlet *)fiber->greenlet; }

/* Steals a reference to `greenlet`, which must live for the whole call.  New reference, or NULL with an exception set.
 */
static inline PyObject *switch_to(PyObject *greenlet)
{
    PyObject *result = PyGreenlet_Switch((PyGreenlet *)greenlet, NULL, NULL);
    Py_DECREF(greenlet);
    return result;
}

/* Somebody else's greenlet has ended, or has been switched, on the stack of a tasklet whose turn it is not. */
static PyObject *throw_back(const Fiber *whose_turn)
{
    PyObject *text =
        PyUnicode_FromString("a greenlet has ended that another tasklet had made: it would go on with that "
                             "tasklet");
    PyObject *greenlet = Py_NewRef(whose_turn->greenlet);
    PyObject *result = text ? PyGreenlet_Throw((PyGreenlet *)greenlet, PyExc_RuntimeError, text, NULL) : NULL;
    Py_DECREF(greenlet);
    Py_XDECREF(text);
    return result;
}

/* `to` will not go on: its greenlet is dead, or cannot be switched to.  `me` runs on.  Returns -1 with an exception
 * set. */
static int stay(Fiber *me, PyObject *result)
{
    Fiber *to = here.current;
    to->phase = is_hub(me) ? OVER : PARKED; /* without a note of its frames: it may have run since it was last parked */
    me->phase = RUNNING;
    here.current = (Fiber *)Py_NewRef(me);
    Py_DECREF(to);
    if (result || !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "the greenlet of a tasklet is gone");
    Py_XDECREF(result);
    return -1;
}

static inline PyObject *way_to(const Fiber *to) { return to->at ? to->at : to->greenlet; }

/* Go on with `to`, which has not begun: the hub starts it, if that is parked.  New reference, or NULL with an exception
 * set. */
static PyObject *__attribute__((noinline)) start(const Fiber *me, const Fiber *to)
{
    Fiber *hub = to->parent;
    if (hub && is_hub(hub) && hub != me && hub->phase == PARKED)
        return switch_to(Py_NewRef(way_to(hub)));
    unsigned long before = arrivals;
    collects = PyGC_Disable();
    PyObject *result = switch_to(Py_NewRef(to->greenlet));
    if (arrivals == before && collects)
        PyGC_Enable(); /* it has not begun */
    return result;
}

/* Switch to `to`, which may have to begin.  New reference, or NULL with an exception set. */
static inline PyObject *go_on_with(const Fiber *me, const Fiber *to)
{
    return to->begun ? switch_to(Py_NewRef(way_to(to))) : start(me, to);
}

/* It is the turn of `me`, who goes on with `result`. */
static inline void take_turn(Fiber *me, PyObject *result)
{
    arrivals++;
    if (!here.left) /* a greenlet of its own, in which it has gone on, has come back here: nobody else was left */
        here.left = (Fiber *)Py_NewRef(me);
    if (!result) /* by a trace function of greenlet's: it is ours to raise it, as if it had been thrown at us */
        fiber_throw_set(me);
    Py_XDECREF(result);
}

/* The stack of `me` was left, and something has come back to it with `result` although it is not its turn: wait for it.
 * What green_swap() returns. */
static int __attribute__((noinline)) wait_for_turn(Fiber *me, PyObject *result, unsigned long before)
{
    do {
        if (arrivals == before && here.left) /* nobody has gone on since somebody left: the switch has failed */
            return stay(me, result);
        Py_XDECREF(result);
        PyErr_Clear();
        before = ++arrivals;
        result = is_hub(me) ? go_on_with(me, here.current) : throw_back(here.current);
    } while (here.current != me);
    take_turn(me, result);
    return 0;
}

void green_leaves(Fiber *me)
{
    me->at = (PyObject *)PyGreenlet_GetCurrent();
    if (me->at == me->greenlet)
        Py_CLEAR(me->at); /* as nearly always */
}

/* What the collector is to know while `me` is parked.  forget_frames() takes it back when it goes on, as stay() may
 * mark it PARKED again after it has run. */
#if FRAMES_STAY_ON_GREENLETS
static inline void note_frames(Fiber *me)
{
    me->state.frame = fiber_on_own_stack(me, me->ts) ? me->ts->cframe->current_frame : NULL;
}

void *green_top(const Fiber *self) { return frames_run(&self->frames) ? NULL : self->state.frame; }
#else
static inline void note_frames(Fiber *me)
{
    if (me->parent)
        frames_park(&me->frames, state_of((PyObject *)me), me->operands ? frames_innermost() : NULL, me->operands);
}

void *green_top(const Fiber *Py_UNUSED(self)) { return NULL; }
#endif

static inline void forget_frames(Fiber *me)
{
    frames_resume(&me->frames);
    me->state.frame = NULL;
}

/* Note that `me` leaves its stack, and `to` goes on.  Whether that has made the scheduler busy: greenlet's trace
 * function must not use tasklets; resume() takes it back. */
static inline int leave(Fiber *me, Fiber *to)
{
    if (!me->frames.count) /* else fiber_swap_to() has seen to them */
        note_frames(me);
    me->phase = PARKED;
    here.left = me;
    here.current = (Fiber *)Py_NewRef(to);
    to->phase = RUNNING;
    int plain = my_sched && my_sched->busy == Py_False;
    if (plain)
        put(&my_sched->busy, Py_NewRef(Py_True));
    return plain;
}

/* The switch has failed.  Returns -1. */
static int __attribute__((noinline)) go_on_as_before(Fiber *me, int plain)
{
    if (plain)
        put(&my_sched->busy, Py_NewRef(Py_False));
    forget_frames(me);
    Py_CLEAR(me->at);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    Fiber *left = here.left;
    here.left = NULL;
    fiber_let_go(left); /* whoever would have gone on would have done that */
    PyErr_Restore(type, value, traceback);
    return -1;
}

/* A small frame, as greenlet copies it at every switch: what is rare is done by functions of their own. */
int green_swap(Fiber *me, Fiber *to)
{
    int plain = leave(me, to);
    unsigned long before = arrivals;
    PyObject *result = go_on_with(me, to);
    if (here.current == me)
        take_turn(me, result);
    else if (wait_for_turn(me, result, before) < 0)
        return go_on_as_before(me, plain);
    forget_frames(me);
    if (me->at)
        Py_CLEAR(me->at);
    return 0;
}

/* The greenlet that begins is that of the stack whose turn it is.  0, or -1 with an exception set: somebody has started
 * it by hand. */
static int __attribute__((noinline)) begins(void)
{
    Fiber *me = here.current;
    PyObject *greenlet = (PyObject *)PyGreenlet_GetCurrent();
    int mine = greenlet && greenlet == me->greenlet && !me->begun;
    Py_XDECREF(greenlet);
    if (!mine) {
        PyErr_SetString(PyExc_RuntimeError, "the greenlet of a tasklet is not to be started by hand");
        return -1;
    }
    arrivals++;
    me->begun = 1;
    if (collects)
        PyGC_Enable();
    return 0;
}

/* It is over, and returns to greenlet, which goes on with the greenlet's parent.  A new reference to None. */
static PyObject *__attribute__((noinline)) ends(Fiber *to)
{
    Fiber *me = here.current;
    me->phase = OVER;
    here.left = me;
    here.current = (Fiber *)Py_NewRef(to);
    to->phase = RUNNING;
    if (to->begun && !to->at && PyGreenlet_SetParent(greenlet_of(me), greenlet_of(to)) < 0)
        PyErr_Clear(); /* then the hub goes on with it */
    Py_RETURN_NONE;
}

/* The bottom of every greenlet.  A small frame, as greenlet copies it at every switch. */
static PyObject *bottom(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    return begins() < 0 ? NULL : ends(fiber_live());
}

int green_thread_begins(Fiber *self)
{
    PyGreenlet *at = PyGreenlet_GetCurrent(), *parent;
    while (at && (parent = PyGreenlet_GetParent(at)))
        Py_SETREF(at, parent);
    self->greenlet = (PyObject *)at;
    self->begun = 1;
    return at ? 0 : -1;
}

int green_begin(Fiber *self, PyThreadState *ts)
{
    PyObject *context = self->state.context;
    self->greenlet = (PyObject *)PyGreenlet_New(run_bottom, greenlet_of(self->parent));
    if (!self->greenlet || (context && green_set_context(self, context) < 0)) {
        Py_CLEAR(self->greenlet);
        return -1;
    }
    Py_CLEAR(self->state.context);
    self->state.frame = NULL;
    self->ts = ts;
    self->phase = PARKED;
    return 0;
}

void green_end(Fiber *self)
{
    /* The hub holds the one that it has started last; that must not keep all whom those went on with who died since. */
    if (Py_REFCNT(self->greenlet) > 1 && PyGreenlet_SetParent(greenlet_of(self), greenlet_of(self->parent)) < 0)
        PyErr_Clear();
    Py_CLEAR(self->greenlet);
}

int green_on_own_stack(Fiber *me, PyThreadState *ts)
{
    PyObject *greenlet = (PyObject *)PyGreenlet_GetCurrent();
    int own = greenlet && greenlet == me->greenlet;
    Py_XDECREF(greenlet);
    if (own)
        me->frames.root = root_of(ts->datastack_chunk);
    return own;
}

PyObject *green_get(Fiber *self, const char *name) { return PyObject_GetAttrString(self->greenlet, name); }

int green_set_context(Fiber *self, PyObject *context)
{
    return PyObject_SetAttrString(self->greenlet, "gr_context", context);
}

/* run_on_greenlets(): all fibers are greenlets from now on.  Before the first one is made. */
static PyObject *run_on_greenlets(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    static PyMethodDef definition = {"bottom", bottom, METH_VARARGS, NULL};
    PyGreenlet_Import();
    if (!_PyGreenlet_API || (!run_bottom && !(run_bottom = PyCFunction_New(&definition, NULL))))
        return NULL;
#ifdef CHANLAB_SWAP
    on_greenlets = 1;
#endif
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"run_on_greenlets", run_on_greenlets, METH_NOARGS, "Fibers are greenlets from now on."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_green(PyObject *module) { return PyModule_AddFunctions(module, functions); }
#endif
