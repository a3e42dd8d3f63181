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

static inline int is_hub(const Fiber *fiber) { return fiber->parent && !fiber->parent->parent; }

/* A new reference, or NULL with an exception set. */
static inline PyObject *switch_to(PyObject *greenlet)
{
    Py_INCREF(greenlet); /* greenlet wants its target to live for the whole call */
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
    to->phase = is_hub(me) ? OVER : PARKED;
    me->phase = RUNNING;
    here.current = (Fiber *)Py_NewRef(me);
    Py_DECREF(to);
    if (result || !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "the greenlet of a tasklet is gone");
    Py_XDECREF(result);
    return -1;
}

/* Where to switch in order to go on with `to`, borrowed. */
static PyObject *way_to(const Fiber *me, const Fiber *to)
{
    Fiber *hub = to->parent;
    if (!to->begun && hub && is_hub(hub) && hub != me && hub->phase == PARKED)
        to = hub;
    return to->at ? to->at : to->greenlet;
}

/* Switch to `to`, which may have to begin.  New reference, or NULL with an exception set. */
static inline PyObject *go_on_with(const Fiber *me, const Fiber *to)
{
    PyObject *way = way_to(me, to);
    if (to->begun || way != to->greenlet)
        return switch_to(way);
    unsigned long before = arrivals;
    collects = PyGC_Disable();
    PyObject *result = switch_to(way);
    if (arrivals == before && collects)
        PyGC_Enable(); /* it has not begun */
    return result;
}

/* The stack of `me` was left, and something has come back to it with `result`: until it is its turn.  What green_swap()
 * returns. */
static inline int wait_for_turn(Fiber *me, PyObject *result, unsigned long before)
{
    while (here.current != me) {
        if (arrivals == before) /* nobody has run */
            return stay(me, result);
        Py_XDECREF(result);
        PyErr_Clear();
        before = ++arrivals;
        result = is_hub(me) ? go_on_with(me, here.current) : throw_back(here.current);
    }
    arrivals++;
    if (!here.left) /* a greenlet of its own, in which it has gone on, has come back here: nobody else was left */
        here.left = (Fiber *)Py_NewRef(me);
    if (!result) /* by a trace function of greenlet's: it is ours to raise it, as if it had been thrown at us */
        fiber_throw_set(me);
    Py_XDECREF(result);
    return 0;
}

void green_leaves(Fiber *me)
{
    me->at = (PyObject *)PyGreenlet_GetCurrent();
    if (me->at == me->greenlet)
        Py_CLEAR(me->at); /* as nearly always */
}

int green_swap(Fiber *me, Fiber *to)
{
    if (me->parent && !me->frames.count)
        frames_park(&me->frames, state_of((PyObject *)me), me->operands ? frames_innermost() : NULL, me->operands);
    me->phase = PARKED;
    here.left = me;
    here.current = (Fiber *)Py_NewRef(to);
    to->phase = RUNNING;
    unsigned long before = arrivals;
    int plain = my_sched && my_sched->busy == Py_False;
    if (plain) /* greenlet's trace function must not use tasklets; resume() takes it back */
        put(&my_sched->busy, Py_NewRef(Py_True));
    int failed = wait_for_turn(me, go_on_with(me, to), before);
    if (failed && plain)
        put(&my_sched->busy, Py_NewRef(Py_False));
    frames_resume(&me->frames);
    if (me->at)
        Py_CLEAR(me->at);
    if (failed)
        here.left = NULL;
    return failed;
}

/* The bottom of every greenlet.  It returns to greenlet, which goes on with the greenlet's parent. */
static PyObject *bottom(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored))
{
    Fiber *me = here.current;
    PyObject *greenlet = (PyObject *)PyGreenlet_GetCurrent();
    int mine = greenlet && greenlet == me->greenlet && !me->begun;
    Py_XDECREF(greenlet);
    if (!mine)
        return PyErr_Format(PyExc_RuntimeError, "the greenlet of a tasklet is not to be started by hand");
    arrivals++;
    me->begun = 1;
    if (collects)
        PyGC_Enable();
    Fiber *to = fiber_live();
    me->phase = OVER;
    here.left = me;
    here.current = (Fiber *)Py_NewRef(to);
    to->phase = RUNNING;
    if (to->begun && !to->at && PyGreenlet_SetParent(greenlet_of(me), greenlet_of(to)) < 0)
        PyErr_Clear(); /* then the hub goes on with it */
    Py_RETURN_NONE;
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
