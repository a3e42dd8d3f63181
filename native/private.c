/* private.c - the `private` variant of the switch hook: every tasklet has a C stack of its own.
 *
 * A Private stands for such a stack.  It answers to what chanlab.switch asks of a greenlet (switch, throw, dead,
 * parent, gr_frame, gr_context, and whether it is true: begun and not over), and to what it asks of a Stack (stack.c).
 * The thread's own stack has a Private, too.
 *
 *     here.current    whose stack runs; owns a reference
 *     here.left       whose stack was just left; the one that goes on drops that reference, since nobody can on a stack
 *                     that he is leaving
 *
 * No other stack than the running one is ever written to, except by whoever makes it. */
#include "core.h"
#include "guests.h"

#ifdef CHANLAB_PRIVATE

/* One for each OS thread, and there is no faster way to tell it. */
_Thread_local Here here __attribute__((tls_model("initial-exec"), visibility("hidden")));

static Private *new_private(PyTypeObject *type) { return (Private *)type->tp_alloc(type, 0); /* all NULL, and FRESH */ }

/* The stack that runs in this thread, borrowed; NULL with an exception set.  At the first question it is the thread's
 * own; `known` says that no greenlet runs there. */
static Private *current(ModuleState *state, int known)
{
    PyThreadState *ts = PyThreadState_Get();
    if (here.ts != ts) {
        Private *self = new_private(state->private_type);
        if (!self)
            return NULL;
        self->phase = RUNNING;
        self->ts = ts;
        if (known)
            self->frames.root = root_of(ts->datastack_chunk);
        here.ts = ts;
        here.current = self;
        here.left = NULL;
    }
    return here.current;
}

/* Let go of a stack that was left, now that another one runs. */
void private_let_go(Private *left)
{
    if (left->phase == OVER) {
        Py_CLEAR(left->state.context);
        slab_give(left->boundary);
        left->boundary = NULL;
        left->frames.root = NULL;
    }
    Py_DECREF(left);
}

void private_raise(Private *me)
{
    PyObject *exception = me->thrown;
    me->thrown = NULL;
    PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
}

/* First of all on the stack that goes on.  0, or -1 with an exception set: the one that was thrown at it. */
static int arrive(void)
{
    Private *left = here.left;
    after_swap(here.current, left);
    here.left = NULL;
    private_let_go(left); /* may run any code, and even switch */
    Private *me = here.current;
    if (!me->thrown)
        return 0;
    private_raise(me);
    return -1;
}

/* The running stack is over.  Its parent goes on, and gets its exception. */
void __attribute__((noreturn)) private_leave_for_good(int failed)
{
    Private *to = here.current->parent;
    if (here.current->guests)
        guests_leave(here.current);
    while (to->phase != PARKED) /* a thread's own stack is always there */
        to = to->parent;
    if (failed) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyErr_NormalizeException(&type, &value, &traceback);
        if (traceback)
            PyException_SetTraceback(value, traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
        Py_XSETREF(to->thrown, value);
        to->odd = 1;
    }
    private_leave_to(to);
}

/* The running stack is over, and `to`, which is parked, goes on. */
void __attribute__((noreturn)) private_leave_to(Private *to)
{
    PyThreadState *ts = here.ts;
    Private *me = here.current;
    state_save(&me->state, ts);
    me->phase = OVER;
    here.left = me;
    here.current = (Private *)Py_NewRef(to);
    to->phase = RUNNING;
    state_load(&to->state, ts);
    before_swap(me, to, 1);
    chanlab_swap(&me->sp, to->sp);
    abort(); /* nobody swaps to it */
}

/* The bottom of every stack. */
static void bottom(void)
{
#if PY_VERSION_HEX < 0x030D0000
    _PyCFrame cframe;
    state_enter(here.ts, &cframe);
#endif
    if (!here.current->run)
        core_life(); /* does not return */
    PyObject *result = arrive() < 0 ? NULL : PyObject_CallNoArgs(here.current->run);
    Py_XDECREF(result);
    private_leave_for_good(!result);
}

/* Give a fresh stack its memory.  0, or -1 with MemoryError. */
static int begin(Private *self, PyThreadState *ts)
{
    char *boundary = slab_take();
    if (!boundary) {
        PyErr_NoMemory();
        return -1;
    }
    self->boundary = self->frames.root = boundary;
    self->ts = ts;
    state_begin(&self->state, ts, boundary);
    self->sp = first_sp(boundary, bottom);
    self->phase = PARKED;
    return 0;
}

int private_for(Tasklet *task, Scheduler *sched)
{
    int collects = PyGC_Disable(); /* finalizers might change what the caller has looked at */
    Private *self = new_private(Py_TYPE(sched->hub));
    if (collects)
        PyGC_Enable();
    if (!self)
        return -1;
    if (begin(self, here.ts) < 0) {
        Py_DECREF(self);
        return -1;
    }
    self->parent = (Private *)Py_NewRef(sched->hub);
    self->state.context = task->context && PyContext_CheckExact(task->context) ? Py_NewRef(task->context) : NULL;
    self->business = (Business){task->func, task->args, task->kwargs, NULL};
    task->func = task->args = task->kwargs = NULL;
    put(&task->greenlet, (PyObject *)self);
    put(&task->stack, Py_NewRef(self));
    return 0;
}

/* Park the stack that runs and go on with `to`.  0 when somebody comes back, or -1 with an exception set. */
static int __attribute__((noinline)) swap_to(Private *to)
{
    PyThreadState *ts = PyThreadState_Get();
    Private *me = here.current;
    if (to == me)
        return 0;
    if (to->phase == FRESH && begin(to, ts) < 0)
        return -1;
    if (here.ts != ts || to->ts != ts || to->phase != PARKED) {
        PyErr_SetString(PyExc_RuntimeError, to->phase == OVER ? "the stack is over" : "a stack of another thread");
        return -1;
    }
    state_save(&me->state, ts);
    me->operands = NULL;
    me->phase = PARKED;
    here.left = me;
    here.current = (Private *)Py_NewRef(to);
    to->phase = RUNNING;
    state_load(&to->state, ts);
    before_swap(me, to, 0);
    chanlab_swap(&me->sp, to->sp);
    return arrive();
}

/* Whether the running code is on its Private's own stack: not in a greenlet that was made there.  -1 with an exception
 * set.  A greenlet has frames of its own, which begin elsewhere. */
static int on_its_own_stack(ModuleState *state, Private *me)
{
    void *chunk = here.ts->datastack_chunk;
    if (chunk == me->frames.root || root_of(chunk) == me->frames.root)
        return 1;
    if (me->frames.root)
        return 0;
    PyObject *greenlet = PyObject_CallNoArgs(state->greenlet_getcurrent);
    PyObject *parent = greenlet ? PyObject_GetAttrString(greenlet, "parent") : NULL;
    int own = parent ? parent == Py_None : -1;
    Py_XDECREF(greenlet);
    Py_XDECREF(parent);
    if (own > 0)
        me->frames.root = root_of(chunk);
    return own;
}

/* -- the object -------------------------------------------------------------------------------------------------------
 */

/* prepare(run, parent): it will call run(); when that is over `parent` goes on. */
static PyObject *private_prepare(PyObject *self, PyObject *args)
{
    Private *stack = (Private *)self;
    PyObject *run, *parent;
    if (!PyArg_ParseTuple(args, "OO!", &run, Py_TYPE(self), &parent))
        return NULL;
    if (stack->phase != FRESH) {
        PyErr_SetString(PyExc_RuntimeError, "the stack is in use");
        return NULL;
    }
    Py_XSETREF(stack->run, Py_NewRef(run));
    Py_XSETREF(stack->parent, (Private *)Py_NewRef(parent));
    Py_RETURN_NONE;
}

/* Private(), or Private(run, parent) with what prepare() takes. */
static PyObject *private_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(kwargs))
{
    PyObject *self = (PyObject *)new_private(type);
    PyObject *result = self && PyTuple_GET_SIZE(args) ? private_prepare(self, args) : NULL;
    Py_XDECREF(result);
    if (self && PyTuple_GET_SIZE(args) && !result)
        Py_CLEAR(self);
    return self;
}

static PyObject *private_switch(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Private *to = (Private *)self;
    if (to->phase == FRESH && !(to->parent && to->run)) {
        PyErr_SetString(PyExc_RuntimeError, "the stack has nothing to run");
        return NULL;
    }
    if (!current(state_of(self), 0) || swap_to(to) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* throw(exception): switch, and raise it there. */
static PyObject *private_throw(PyObject *self, PyObject *exception)
{
    Private *to = (Private *)self;
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
    return private_switch(self, NULL);
}

static int private_bool(PyObject *self)
{
    enum Phase phase = ((Private *)self)->phase;
    return phase == PARKED || phase == RUNNING;
}

static PyObject *private_get_dead(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((Private *)self)->phase == OVER);
}

static PyObject *private_get_parent(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *parent = (PyObject *)((Private *)self)->parent;
    return Py_NewRef(parent ? parent : Py_None);
}

/* The innermost Python frame of a parked stack; None for others. */
static PyObject *private_get_frame(PyObject *self, void *Py_UNUSED(closure))
{
    Private *stack = (Private *)self;
    PyThreadState *ts = PyThreadState_Get();
    if (stack->phase != PARKED || stack->ts != ts)
        Py_RETURN_NONE;
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

static PyObject *private_get_context(PyObject *self, void *Py_UNUSED(closure))
{
    Private *stack = (Private *)self;
    PyThreadState *ts = PyThreadState_Get();
    if (stack->phase == RUNNING && stack->ts != ts) {
        PyErr_SetString(PyExc_ValueError, "a stack that runs in another thread");
        return NULL;
    }
    PyObject *context = stack->phase == RUNNING ? ts->context : stack->state.context;
    return Py_NewRef(context ? context : Py_None);
}

static int private_set_context(PyObject *self, PyObject *context, void *Py_UNUSED(closure))
{
    Private *stack = (Private *)self;
    PyThreadState *ts = PyThreadState_Get();
    if (!context || context == Py_None)
        context = NULL;
    else if (!PyContext_CheckExact(context)) {
        PyErr_Format(PyExc_TypeError, "a contextvars.Context is needed, not %.200s", Py_TYPE(context)->tp_name);
        return -1;
    }
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

/* park(): the stack is about to be left.  Remember its frames, and take its tracing off the thread. */
static PyObject *private_park(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Private *stack = (Private *)self;
    Tracing on = tracing_suspend();
    tracing_clear(&stack->tracing);
    stack->tracing = on;
    if (stack->boundary)
        frames_park(&stack->frames, state_of(self), stack->caller, stack->caller_operands);
    Py_RETURN_NONE;
}

/* resume(): the stack goes on. */
static PyObject *private_resume(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Private *stack = (Private *)self;
    frames_resume(&stack->frames);
    tracing_restore(&stack->tracing);
    Py_RETURN_NONE;
}

/* start(stack, function, args, kwargs): what will run them when it is called, once, on this stack. */
static PyObject *private_start(PyObject *self, PyObject *arguments)
{
    Private *stack = (Private *)self;
    ModuleState *state = state_of(self);
    PyObject *same, *function, *args, *kwargs;
    if (!state || !PyArg_ParseTuple(arguments, "OOO!O!", &same, &function, &PyTuple_Type, &args, &PyDict_Type, &kwargs))
        return NULL;
    PyObject *call = business_begin(&stack->business, state, function, args, kwargs);
    if (call)
        frames_begin(&stack->frames);
    return call;
}

static PyObject *private_get_tracing(PyObject *self, void *closure)
{
    return tracing_get(&((Private *)self)->tracing, closure != NULL);
}

static int private_set_tracing(PyObject *self, PyObject *function, void *closure)
{
    ((Private *)self)->odd = 1;
    return tracing_set(&((Private *)self)->tracing, state_of(self), closure != NULL, function ? function : Py_None);
}

/* -- ownership
 * ----------------------------------------------------------------------------------------------------------- */

static int private_traverse(PyObject *self, visitproc visit, void *arg)
{
    Private *stack = (Private *)self;
    Py_VISIT(Py_TYPE(self));
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
    if (stop || stack->phase != PARKED || !stack->boundary)
        return stop;
    if (stack->frames.count)
        return frames_visit(&stack->frames, visit, arg);
    return frames_visit_parked(state_of(self), stack->state.PARKED_TOP, stack->operands, visit, arg);
}

/* Frames cannot be cleared: whoever finds the tasklet unreachable kills it first. */
static int private_clear(PyObject *self)
{
    Private *stack = (Private *)self;
    tracing_clear(&stack->tracing);
    Py_CLEAR(stack->thrown);
    Py_CLEAR(stack->chosen);
    return 0;
}

/* A stack that is parked still will never go on: nobody knows it any more.  What its frames own is lost with it, and
 * so is its memory.  (That happens to tasklets that survive being killed, when the program ends.) */
static void private_dealloc(PyObject *self)
{
    Private *stack = (Private *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    business_end(&stack->business);
    Py_CLEAR(stack->business.function); /* the core's own way to run it needs no Call */
    Py_CLEAR(stack->business.args);
    Py_CLEAR(stack->business.kwargs);
    frames_end(&stack->frames);
    private_clear(self);
    if (stack->phase == FRESH)
        Py_CLEAR(stack->state.context);
    Py_CLEAR(stack->run);
    Py_CLEAR(stack->guests);
    Py_CLEAR(stack->parent);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef private_methods[] = {
    {"prepare", private_prepare, METH_VARARGS, "What it calls first, and who goes on when that is over."},
    {"switch", private_switch, METH_NOARGS, "Park the stack that runs, and go on with this one."},
    {"throw", private_throw, METH_O, "switch(), and raise this exception there."},
    {"park", private_park, METH_NOARGS, "The stack is about to be left."},
    {"resume", private_resume, METH_NOARGS, "The stack goes on."},
    {"start", private_start, METH_VARARGS, "What runs function(*args, **kwargs) as this stack's only business."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef private_getset[] = {
    {"dead", private_get_dead, NULL, "Whether it has begun and is over.", NULL},
    {"parent", private_get_parent, NULL, "Who goes on when it is over; None for a thread's own stack.", NULL},
    {"gr_frame", private_get_frame, NULL, "The innermost Python frame of a parked stack, else None.", NULL},
    {"gr_context", private_get_context, private_set_context, "The contextvars.Context that it runs in, or None.", NULL},
    {"trace", private_get_tracing, private_set_tracing, "The trace function of a parked stack, or None.", NULL},
    {"profile", private_get_tracing, private_set_tracing, "The profile function of a parked stack, or None.", ""},
    {0},
};

static PyType_Slot private_slots[] = {
    {Py_tp_doc, "A C stack of its own."}, {Py_tp_new, private_new},     {Py_tp_dealloc, private_dealloc},
    {Py_tp_traverse, private_traverse},   {Py_tp_clear, private_clear}, {Py_tp_methods, private_methods},
    {Py_tp_getset, private_getset},       {Py_nb_bool, private_bool},   {0, NULL},
};

static PyType_Spec private_spec = {
    .name = "_chanlab.Private",
    .basicsize = sizeof(Private),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = private_slots,
};

/* -- the thread
 * ---------------------------------------------------------------------------------------------------------- */

/* getcurrent(): the Private whose stack runs, or the greenlet that runs on top of it. */
static PyObject *getcurrent(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    ModuleState *state = PyModule_GetState(module);
    Private *me = current(state, 0);
    if (!me)
        return NULL;
    int own = on_its_own_stack(state, me);
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
    if (!failed && !Py_IS_TYPE(next, state->private_type)) {
        PyErr_SetString(PyExc_TypeError, "next_greenlet must be a Private");
        failed = -1;
    }
    Py_DECREF(next); /* its tasklet, or the thread, holds it still */
    if (failed || !current(state, 0))
        return NULL;
    failed = swap_to((Private *)next);
    if (my_sched && my_sched->busy != Py_True) /* a fast path came here, and the Python twin that goes on is not done */
        put(&my_sched->busy, Py_NewRef(Py_True));
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

/* thread_begins(): the Private of the thread's own stack, on which the caller runs. */
static PyObject *thread_begins(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    return Py_XNewRef(current(PyModule_GetState(module), 0));
}

/* thread_ends(): forget this thread. */
static PyObject *thread_ends(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (here.ts == PyThreadState_Get() && !here.current->boundary) {
        here.ts = NULL;
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
    SlabCounts counts = slab_counts();
    return Py_BuildValue("{s:n,s:n,s:n}", "stacks", (Py_ssize_t)counts.stacks, "bytes", (Py_ssize_t)counts.bytes,
                         "unguarded", (Py_ssize_t)counts.unguarded);
}

static PyMethodDef functions[] = {
    {"getcurrent", getcurrent, METH_NOARGS, "The Private whose stack runs, or the greenlet on top of it."},
    {"switch_next", switch_next, METH_O, "Switch to sched.next_greenlet."},
    {"thread_begins", thread_begins, METH_NOARGS, "The Private of this thread's own stack."},
    {"thread_ends", thread_ends, METH_NOARGS, "Forget this thread."},
    {"use_greenlet", use_greenlet, METH_O, "greenlet.getcurrent, for stacks on which greenlets run."},
    {"stacks", stacks, METH_NOARGS, "How many private stacks there are."},
    {NULL, NULL, 0, NULL},
};

/* Why there are no private stacks here; NULL when there are. */
static const char *obstacle(void)
{
    if (core.scheduler_type)
        return "in use by another instance of the module";
    if ((Py_Version >> 16) != (PY_VERSION_HEX >> 16))
        return "compiled for another minor version of CPython than runs";
    return NULL;
}

int chanlab_add_private(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    if (obstacle())
        return PyModule_AddStringConstant(module, "no_private", obstacle());
    state->private_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &private_spec, NULL);
    state->str_next_greenlet = PyUnicode_InternFromString("next_greenlet");
    if (!state->private_type || !state->str_next_greenlet || PyModule_AddType(module, state->private_type) < 0)
        return -1;
    if (PyModule_AddStringConstant(module, "no_private", "") < 0 || PyModule_AddFunctions(module, functions) < 0)
        return -1;
    if (chanlab_add_started(module) < 0 || chanlab_add_guests(module) < 0 || chanlab_add_sched(module) < 0)
        return -1;
    if (chanlab_add_tasklet(module) < 0 || chanlab_add_channel(module) < 0 || chanlab_add_rng(module) < 0)
        return -1;
    return chanlab_add_cases(module) < 0 ? -1 : chanlab_add_select(module);
}

#else

int chanlab_add_private(PyObject *module)
{
    return PyModule_AddStringConstant(module, "no_private",
                                      "written for CPython 3.11 to 3.13 with the GIL, on Linux, x86-64 and aarch64");
}

#endif
