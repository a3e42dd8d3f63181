/* fiberobject.c - a Fiber as Python sees it.
 *
 * It answers to what chanlab.switch asks of a greenlet (switch, throw, dead, parent, gr_frame, gr_context, and whether
 * it is true: begun and not over), and to what it asks of a Stack (stack.c). */
#include "core.h"
#include "guests.h"

#ifdef CHANLAB_CORE

/* -- the object -------------------------------------------------------------------------------------------------------
 */

/* prepare(run, parent): it will call run(); when that is over `parent` goes on, or who goes on after that: so at the
 * end of them all there must be a thread's own stack. */
static PyObject *fiber_prepare(PyObject *self, PyObject *args)
{
    Fiber *stack = (Fiber *)self;
    PyObject *run, *parent;
    if (!PyArg_ParseTuple(args, "OO!", &run, Py_TYPE(self), &parent))
        return NULL;
    if (stack->phase != FRESH || ((Fiber *)parent)->phase == FRESH || ((Fiber *)parent)->ts != PyThreadState_Get()) {
        PyErr_SetString(PyExc_RuntimeError,
                        stack->phase != FRESH ? "the stack is in use" : "no parent for a stack here");
        return NULL;
    }
    Py_XSETREF(stack->run, Py_NewRef(run));
    Py_XSETREF(stack->parent, (Fiber *)Py_NewRef(parent));
    Py_RETURN_NONE;
}

/* Fiber(), or Fiber(run, parent) with what prepare() takes. */
static PyObject *fiber_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *self = (PyObject *)fiber_made(type);
    PyObject *result = self && PyTuple_GET_SIZE(args) ? fiber_prepare(self, args) : NULL;
    Py_XDECREF(result);
    if (self && PyTuple_GET_SIZE(args) && !result)
        Py_CLEAR(self);
    return self;
}

static PyObject *fiber_switch(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Fiber *to = (Fiber *)self;
    if (!fiber_running(state_of(self)) || fiber_swap_to(to) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* throw(exception): switch, and raise it there. */
static PyObject *fiber_throw(PyObject *self, PyObject *exception)
{
    Fiber *to = (Fiber *)self;
    if (PyExceptionClass_Check(exception))
        exception = PyObject_CallNoArgs(exception);
    else
        Py_INCREF(exception);
    if (!exception)
        return NULL;
    if (to->phase == RUNNING || !PyExceptionInstance_Check(exception)) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
        return NULL;
    }
    Py_XSETREF(to->thrown, exception);
    to->odd = 1;
    return fiber_switch(self, NULL);
}

static int fiber_bool(PyObject *self)
{
    enum Phase phase = ((Fiber *)self)->phase;
    return phase == PARKED || phase == RUNNING;
}

static PyObject *fiber_get_dead(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Fiber *)self)->phase == OVER);
}

static PyObject *fiber_get_parent(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *parent = (PyObject *)((Fiber *)self)->parent;
    return Py_NewRef(parent ? parent : Py_None);
}

static int has_begun_here(const Fiber *fiber) { return fiber->phase != FRESH && fiber->ts == PyThreadState_Get(); }

/* fiber.parent = hub: of a tasklet's stack, to another hub of its thread. */
static int fiber_set_parent(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    Fiber *stack = (Fiber *)self, *hub = value && Py_IS_TYPE(value, Py_TYPE(self)) ? (Fiber *)value : NULL;
    if (!hub || !is_hub(hub) || !has_begun_here(hub) || !stack->parent || !is_hub(stack->parent) ||
        !has_begun_here(stack)) {
        PyErr_SetString(PyExc_ValueError, "a tasklet's stack needs a hub of its thread as its parent");
        return -1;
    }
    Py_SETREF(stack->parent, (Fiber *)Py_NewRef(hub));
    return 0;
}

/* The innermost Python frame of a parked stack; None for others. */
static PyObject *fiber_get_frame(PyObject *self, void *Py_UNUSED(closure))
{
    Fiber *stack = (Fiber *)self;
    PyThreadState *ts = PyThreadState_Get();
    if (stack->phase != PARKED || stack->ts != ts)
        Py_RETURN_NONE;
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        return green_get(stack, "gr_frame");
#endif
#if PY_VERSION_HEX < 0x030D0000
#define TOP cframe
#else
#define TOP    current_frame
#define cframe frame
#endif
    int collects = PyGC_Disable(); /* nobody shall see the thread meanwhile */
    void *top = ts->TOP;
    ts->TOP = stack->state.cframe;
    PyObject *frame = (PyObject *)PyThreadState_GetFrame(ts);
    ts->TOP = top;
#undef cframe
    if (collects)
        PyGC_Enable();
    return frame ? frame : Py_NewRef(Py_None);
}

static PyObject *fiber_get_context(PyObject *self, void *Py_UNUSED(closure))
{
    Fiber *stack = (Fiber *)self;
    PyThreadState *ts = PyThreadState_Get();
    if (stack->phase == RUNNING && stack->ts != ts) {
        PyErr_SetString(PyExc_ValueError, "a stack that runs in another thread");
        return NULL;
    }
#ifdef CHANLAB_GREENLETS
    if (on_greenlets && stack->phase == PARKED)
        return green_get(stack, "gr_context");
#endif
    PyObject *context = stack->phase == RUNNING ? ts->context : stack->state.context;
    return Py_NewRef(context ? context : Py_None);
}

static int fiber_set_context(PyObject *self, PyObject *context, void *Py_UNUSED(closure))
{
    Fiber *stack = (Fiber *)self;
    PyThreadState *ts = PyThreadState_Get();
    if (!context || context == Py_None)
        context = NULL;
    else if (!PyContext_CheckExact(context)) {
        PyErr_Format(PyExc_TypeError, "a contextvars.Context is needed, not %.200s", Py_TYPE(context)->tp_name);
        return -1;
    }
#ifdef CHANLAB_GREENLETS
    if (on_greenlets && stack->phase == PARKED)
        return green_set_context(stack, context ? context : Py_None);
#endif
    Py_XINCREF(context);
    if (stack->phase != RUNNING) {
        Py_XSETREF(stack->state.context, context);
    } else if (stack->ts == ts) {
        PyObject *old = ts->context;
        ts->context = context;
        ts->context_ver++;
        Py_XDECREF(old);
    } else {
        PyErr_SetString(PyExc_ValueError, "a stack that runs in another thread");
        Py_XDECREF(context);
        return -1;
    }
    return 0;
}

/* -- what chanlab.switch asks of a Stack
 * --------------------------------------------------------------------------------- */

/* park(): the stack is about to be left.  Take its tracing off the thread. */
static PyObject *fiber_park(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Fiber *stack = (Fiber *)self;
    Tracing on = tracing_suspend();
    tracing_clear(&stack->tracing);
    stack->tracing = on;
    Py_RETURN_NONE;
}

/* resume(): the stack goes on. */
static PyObject *fiber_resume(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    tracing_restore(&((Fiber *)self)->tracing);
    Py_RETURN_NONE;
}

/* start(stack, function, args, kwargs): what will run them when it is called, once, on this stack. */
static PyObject *fiber_start(PyObject *self, PyObject *arguments)
{
    Fiber *stack = (Fiber *)self;
    ModuleState *state = state_of(self);
    PyObject *same, *function, *args, *kwargs;
    if (!state || !PyArg_ParseTuple(arguments, "OOO!O!", &same, &function, &PyTuple_Type, &args, &PyDict_Type, &kwargs))
        return NULL;
    PyObject *call = business_begin(&stack->business, state, function, args, kwargs);
    if (call && on_greenlets) /* a private stack has known where its frames begin since it had its memory */
        frames_begin(&stack->frames);
    return call;
}

static PyObject *fiber_get_tracing(PyObject *self, void *closure)
{
    return tracing_get(&((Fiber *)self)->tracing, closure != NULL);
}

static int fiber_set_tracing(PyObject *self, PyObject *function, void *closure)
{
    ((Fiber *)self)->odd = 1;
    return tracing_set(&((Fiber *)self)->tracing, state_of(self), closure != NULL, function ? function : Py_None);
}

/* -- ownership
 * ----------------------------------------------------------------------------------------------------------- */

static int fiber_traverse(PyObject *self, visitproc visit, void *arg)
{
    Fiber *stack = (Fiber *)self;
    Py_VISIT(Py_TYPE(self));
    if (on_greenlets && !stack->parent)
        Py_VISIT(stack->greenlet); /* greenlet asks when the thread ends: a reference unseen it takes for a lost one */
    Py_VISIT(stack->parent);
    Py_VISIT(stack->run);
    Py_VISIT(stack->guests);
    Py_VISIT(stack->thrown);
    Py_VISIT(stack->chosen);
    Py_VISIT(stack->tracing.trace_object);
    Py_VISIT(stack->tracing.profile_object);
    if (stack->phase == FRESH || stack->phase == PARKED)
        Py_VISIT(stack->state.context);
    if (stack->phase == PARKED)
        Py_VISIT(stack->state.exc_state.exc_value);
    int stop = business_visit(&stack->business, visit, arg);
    if (stop || stack->phase != PARKED || !stack->parent)
        return stop;
    if (stack->frames.count)
        return frames_visit(&stack->frames, visit, arg);
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        return frames_visit_parked(state_of(self), green_top(stack), stack->operands, visit, arg);
#endif
    return frames_visit_parked(state_of(self), stack->state.PARKED_TOP, stack->operands, visit, arg);
}

/* Frames cannot be cleared: whoever finds the tasklet unreachable kills it first. */
static int fiber_clear(PyObject *self)
{
    Fiber *stack = (Fiber *)self;
    if (stack->tracing.trace_object || stack->tracing.profile_object)
        tracing_clear(&stack->tracing);
    Py_CLEAR(stack->thrown);
    Py_CLEAR(stack->chosen);
    return 0;
}

/* A stack that is parked still will never go on: nobody knows it any more.  What its frames own is lost with it, and
 * so is its memory.  (That happens to tasklets that survive being killed, when the program ends.) */
static void bury(PyObject *self)
{
    Fiber *stack = (Fiber *)self;
    PyTypeObject *type = Py_TYPE(self);
    business_end(&stack->business);
    if (stack->business.function) /* it has never come to its end */
        business_let_go(&stack->business);
    if (stack->frames.known)
        frames_end(&stack->frames);
    stack->frames.root = NULL;
    fiber_clear(self);
    if (stack->phase == FRESH)
        Py_CLEAR(stack->state.context);
    Py_CLEAR(stack->run);
    Py_CLEAR(stack->guests);
    Py_CLEAR(stack->parent);
    if (on_greenlets && !(stack->phase == PARKED && stack->begun)) /* greenlet would unwind it */
        Py_CLEAR(stack->greenlet);
    if (!fiber_kept(stack)) {
        type->tp_free(self);
        Py_DECREF(type);
    }
}

static void fiber_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    if (!((Fiber *)self)->run) { /* as all that the core makes */
        bury(self);
        return;
    }
    Py_TRASHCAN_BEGIN(self, fiber_dealloc) /* a script can make chains of any length */
        bury(self);
    Py_TRASHCAN_END
}

static PyMethodDef fiber_methods[] = {
    {"prepare", fiber_prepare, METH_VARARGS, "What it calls first, and who goes on when that is over."},
    {"switch", fiber_switch, METH_NOARGS, "Park the stack that runs, and go on with this one."},
    {"throw", fiber_throw, METH_O, "switch(), and raise this exception there."},
    {"park", fiber_park, METH_NOARGS, "The stack is about to be left."},
    {"resume", fiber_resume, METH_NOARGS, "The stack goes on."},
    {"start", fiber_start, METH_VARARGS, "What runs function(*args, **kwargs) as this stack's only business."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef fiber_getset[] = {
    {"dead", fiber_get_dead, NULL, "Whether it has begun and is over.", NULL},
    {"parent", fiber_get_parent, fiber_set_parent, "Who goes on when it is over; None for a thread's own stack.", NULL},
    {"gr_frame", fiber_get_frame, NULL, "The innermost Python frame of a parked stack, else None.", NULL},
    {"gr_context", fiber_get_context, fiber_set_context, "The contextvars.Context that it runs in, or None.", NULL},
    {"trace", fiber_get_tracing, fiber_set_tracing, "The trace function of a parked stack, or None.", NULL},
    {"profile", fiber_get_tracing, fiber_set_tracing, "The profile function of a parked stack, or None.", ""},
    {0},
};

static PyType_Slot fiber_slots[] = {
    {Py_tp_doc, "A C stack of its own."}, {Py_tp_new, fiber_new},     {Py_tp_dealloc, fiber_dealloc},
    {Py_tp_traverse, fiber_traverse},     {Py_tp_clear, fiber_clear}, {Py_tp_methods, fiber_methods},
    {Py_tp_getset, fiber_getset},         {Py_nb_bool, fiber_bool},   {0, NULL},
};

static PyType_Spec fiber_spec = {
    .name = "_chanlab.Fiber",
    .basicsize = sizeof(Fiber),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = fiber_slots,
};

/* -- the thread
 * ---------------------------------------------------------------------------------------------------------- */

/* getcurrent(): the Fiber whose stack runs, or the greenlet that runs on top of it. */
static PyObject *getcurrent(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    ModuleState *state = PyModule_GetState(module);
    Fiber *me = fiber_running(state);
    if (!me)
        return NULL;
    int own = fiber_stack_is_own(state, me);
    if (own < 0)
        return NULL;
    return own ? Py_NewRef(me) : PyObject_CallNoArgs(state->greenlet_getcurrent);
}

/* switch_next(sched): switch to sched.next_greenlet.  While the caller is parked nobody here refers to that. */
static PyObject *switch_next(PyObject *module, PyObject *sched)
{
    ModuleState *state = PyModule_GetState(module);
    PyObject *next = PyObject_GetAttr(sched, state->str_next_greenlet);
    if (!next)
        return NULL;
    int failed = PyObject_SetAttr(sched, state->str_next_greenlet, Py_None);
    if (!failed && (!Py_IS_TYPE(next, state->fiber_type) || Py_REFCNT(next) == 1)) {
        PyErr_SetString(PyExc_TypeError, "next_greenlet must be a tasklet's Fiber, or a thread's");
        failed = -1;
    }
    Py_DECREF(next); /* who has it holds it still */
    if (failed || !fiber_running(state))
        return NULL;
    failed = fiber_swap_to((Fiber *)next);
    if (my_sched && my_sched->busy != Py_True) /* a fast path came here, and the Python twin that goes on is not done */
        put(&my_sched->busy, Py_NewRef(Py_True));
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* thread_begins(): the Fiber of the thread's own stack, on which the caller runs. */
static PyObject *thread_begins(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    return Py_XNewRef(fiber_running(PyModule_GetState(module)));
}

/* thread_ends(): forget this thread. */
static PyObject *thread_ends(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (here.ts == PyThreadState_Get() && !here.current->parent) {
        here.ts = NULL;
#ifdef CHANLAB_GREENLETS
        if (on_greenlets) /* greenlet will ask the collector who refers to it, which does not tell while it collects */
            Py_CLEAR(here.current->greenlet);
#endif
        Py_CLEAR(here.current);
    }
    Py_RETURN_NONE;
}

/* use_greenlet(getcurrent): greenlet's own function. */
static PyObject *use_greenlet(PyObject *module, PyObject *function)
{
    ModuleState *state = PyModule_GetState(module);
    Py_XSETREF(state->greenlet_getcurrent, Py_NewRef(function));
    Py_RETURN_NONE;
}

/* stacks(): {"stacks": how many there are, "bytes": the size of each, "unguarded": how many have no guard page}. */
static PyObject *stacks(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    SlabCounts counts = {0};
#ifdef CHANLAB_SWAP
    counts = slab_counts();
#endif
    return Py_BuildValue("{s:n,s:n,s:n}", "stacks", (Py_ssize_t)counts.stacks, "bytes", (Py_ssize_t)counts.bytes,
                         "unguarded", (Py_ssize_t)counts.unguarded);
}

static PyMethodDef functions[] = {
    {"getcurrent", getcurrent, METH_NOARGS, "The Fiber whose stack runs, or the greenlet on top of it."},
    {"switch_next", switch_next, METH_O, "Switch to sched.next_greenlet."},
    {"thread_begins", thread_begins, METH_NOARGS, "The Fiber of this thread's own stack."},
    {"thread_ends", thread_ends, METH_NOARGS, "Forget this thread."},
    {"use_greenlet", use_greenlet, METH_O, "greenlet.getcurrent, for stacks on which greenlets run."},
    {"stacks", stacks, METH_NOARGS, "How many private stacks there are."},
    {NULL, NULL, 0, NULL},
};

/* Why there is no core here; NULL when there is. */
static const char *obstacle(void)
{
    if (core.scheduler_type)
        return "in use by another instance of the module";
    if ((Py_Version >> 16) != (PY_VERSION_HEX >> 16))
        return "compiled for another minor version of CPython than runs";
    return NULL;
}

/* Say why these kinds of stacks are not to be had: "" when they are.  0, or -1 with an exception set. */
static int add_reasons(PyObject *module, const char *no_private, const char *no_greenlets)
{
    return PyModule_AddStringConstant(module, "no_private", no_private) < 0
               ? -1
               : PyModule_AddStringConstant(module, "no_greenlets", no_greenlets);
}

#if defined(CHANLAB_SWAP)
#define NO_PRIVATE ""
#elif defined(CHANLAB_UNPROTECTED)
#define NO_PRIVATE "CPython 3.14 has what it takes since 3.14.2 only"
#elif defined(CHANLAB_NO_PRIVATE)
#define NO_PRIVATE "left out of this build (CHANLAB_PRIVATE=OFF)"
#else
#define NO_PRIVATE "written for Linux on x86-64 and aarch64"
#endif
#if defined(CHANLAB_GREENLETS)
#define NO_GREENLETS ""
#elif defined(CHANLAB_MONO)
#define NO_GREENLETS "left out of this build (CHANLAB_MONO)"
#else
#define NO_GREENLETS "left out of this build: greenlet.h was not there"
#endif

int chanlab_add_fiber(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    if (obstacle())
        return add_reasons(module, obstacle(), obstacle());
    state->fiber_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &fiber_spec, NULL);
    core.fiber_type = state->fiber_type; /* of the process, see obstacle() */
    state->str_next_greenlet = PyUnicode_InternFromString("next_greenlet");
    if (!state->fiber_type || !state->str_next_greenlet || PyModule_AddType(module, state->fiber_type) < 0)
        return -1;
    if (add_reasons(module, NO_PRIVATE, NO_GREENLETS) < 0 || PyModule_AddFunctions(module, functions) < 0)
        return -1;
#ifdef CHANLAB_GREENLETS
    if (chanlab_add_green(module) < 0)
        return -1;
#endif
    if (chanlab_add_started(module) < 0 || chanlab_add_guests(module) < 0 || chanlab_add_sched(module) < 0)
        return -1;
    if (chanlab_add_tasklet(module) < 0 || chanlab_add_channel(module) < 0 || chanlab_add_gochan(module) < 0 ||
        chanlab_add_rng(module) < 0)
        return -1;
    return chanlab_add_cases(module) < 0 ? -1 : chanlab_add_select(module);
}

#else

int chanlab_add_fiber(PyObject *module)
{
    static const char reason[] = "written for CPython 3.11 to 3.14 with the GIL";
    return PyModule_AddStringConstant(module, "no_private", reason) < 0
               ? -1
               : PyModule_AddStringConstant(module, "no_greenlets", reason);
}

#endif
