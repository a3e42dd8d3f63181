/* tasklet.c - creation, binding and start of a tasklet.  Mirror of pylib/chanlab/tasklet.py. */
#include "core.h"

#ifdef CHANLAB_CORE

/* t(...) as C does it; NULL when that is left to `__call__`. */
static vectorcallfunc setup;

/* The fields that are None and False as long as nothing is known of a tasklet. */
#define NONE_FIELDS(X)  X(channel) X(context) X(greenlet) X(label) X(offers) X(sched) X(stack) X(tempval)
#define FALSE_FIELDS(X) X(alive) X(atomic) X(block_trap) X(ignore_nesting)

/* Tasklets that are gone, for the next ones: their fields are as bare() leaves them, but for what they gave way to. */
enum { MOST_KEPT = 256 };
static struct {
    int count;
    Tasklet *tasks[MOST_KEPT];
} kept;

/* A tasklet of no scheduler and without a number.  New reference, or NULL. */
static Tasklet *bare(PyTypeObject *type)
{
    Tasklet *task;
    if (kept.count && type == core.tasklet_type) {
        task = kept.tasks[--kept.count];
        _Py_NewReference((PyObject *)task);
        PyObject_GC_Track(task);
        return task;
    }
    task = (Tasklet *)type->tp_alloc(type, 0);
    if (!task)
        return NULL;
    task->link.is_tasklet = 1;
    task->setup = setup;
#define NONE(name)  task->name = Py_NewRef(Py_None);
#define FALSE(name) task->name = Py_NewRef(Py_False);
    NONE_FIELDS(NONE)
    FALSE_FIELDS(FALSE)
    task->direction = Py_NewRef(core.zero);
    return task;
}

/* Takes and ignores any arguments: subclasses have constructors of their own.  New reference, or NULL. */
static PyObject *tasklet_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    static Py_ssize_t made;
    Tasklet *task = bare(type);
    PyObject *sched = !task ? NULL : my_sched ? Py_NewRef(my_sched) : PyObject_CallNoArgs(core.new_sched);
    if (!sched) {
        Py_XDECREF(task);
        return NULL;
    }
    put(&task->sched, sched);
    task->number = ++made;
    return (PyObject *)task;
}

/* tasklet(func) of a callable, without arguments: bound.  0, or -1 with an exception set. */
static int bind_plain(Tasklet *task, PyObject *func)
{
    PyObject *context = here.ts && here.ts == PyThreadState_Get() ? here.ts->context : NULL;
    context = context ? Py_NewRef(context) : PyObject_CallNoArgs(core.new_context);
    if (!context)
        return -1;
    put(&task->context, context);
    put(&task->tempval, Py_NewRef(func));
    return 0;
}

static int is_fresh(Tasklet *task)
{
    return task->tempval == Py_None && task->alive == Py_False && task->context == Py_None && !task->link.home &&
           !task->link.queue;
}

static int tasklet_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    Tasklet *task = (Tasklet *)self;
    if (!kwargs && PyTuple_GET_SIZE(args) == 1 && PyCallable_Check(PyTuple_GET_ITEM(args, 0)) && is_fresh(task))
        return bind_plain(task, PyTuple_GET_ITEM(args, 0));
    PyObject *result = call_twin_with(INIT, self, args, kwargs);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* tasklet(...): the same as new and init, without a tuple of arguments. */
static PyObject *tasklet_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    if (kwnames || nargs != 1 || !PyCallable_Check(args[0])) {
        PyObject *made = tasklet_new((PyTypeObject *)type, NULL, NULL);
        PyObject *result = made ? call_twin_vector(INIT, made, args, nargs, kwnames) : NULL;
        Py_XDECREF(result);
        if (!result)
            Py_CLEAR(made);
        return made;
    }
    Tasklet *task = (Tasklet *)tasklet_new((PyTypeObject *)type, NULL, NULL);
    if (task && bind_plain(task, args[0]) < 0)
        Py_CLEAR(task);
    return (PyObject *)task;
}

/* This thread's scheduler when the tasklet is bound, has no arguments yet, and belongs to it; else NULL. */
static inline Scheduler *plain_setup(const Tasklet *task)
{
    Scheduler *sched = plain_sched();
    return sched && task->sched == (PyObject *)sched && task->alive == Py_False && task->tempval &&
                   task->tempval != Py_None && !task->func && task->greenlet == Py_None && task->channel == Py_None &&
                   task->offers == Py_None && !task->link.home && !task->link.queue
               ? sched
               : NULL;
}

/* Give it its arguments and make it runnable.  Steals references to them; `kwargs` may be NULL.  New reference. */
static inline PyObject *set_up(Scheduler *sched, Tasklet *task, PyObject *args, PyObject *kwargs)
{
    task->func = task->tempval;
    task->args = args;
    task->kwargs = kwargs;
    task->tempval = Py_NewRef(Py_None);
    put(&task->alive, Py_NewRef(Py_True));
    join_end(ring_of(sched), (Tasklet *)Py_NewRef(task));
    return Py_NewRef(task);
}

/* setup(*args, **kwargs). */
static PyObject *tasklet_setup(PyObject *self, PyObject *args, PyObject *kwargs)
{
    Scheduler *sched = plain_setup((Tasklet *)self);
    if (!sched)
        return call_twin_with(SETUP, self, args, kwargs);
    return set_up(sched, (Tasklet *)self, Py_NewRef(args), Py_XNewRef(kwargs));
}

/* t(...): the same without keywords. */
static PyObject *quick_setup(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    Scheduler *sched = kwnames ? NULL : plain_setup((Tasklet *)self);
    if (!sched)
        return call_twin_vector(SETUP, self, args, nargs, kwnames);
    if (!nargs)
        return set_up(sched, (Tasklet *)self, Py_NewRef(core.no_args), NULL);
    PyObject *tuple = PyTuple_New(nargs); /* may collect garbage */
    if (!tuple)
        return NULL;
    for (Py_ssize_t i = 0; i < nargs; i++)
        PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
    if ((sched = plain_setup((Tasklet *)self)))
        return set_up(sched, (Tasklet *)self, tuple, NULL);
    Py_DECREF(tuple);
    return call_twin_vector(SETUP, self, args, nargs, NULL);
}

/* What it will call from now on; steals the references.  The old ones are dropped last, as that may run any code. */
static void set_call(Tasklet *task, PyObject *func, PyObject *args, PyObject *kwargs)
{
    PyObject *old[] = {task->func, task->args, task->kwargs};
    task->func = func;
    task->args = args;
    task->kwargs = kwargs;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(old); i++)
        Py_XDECREF(old[i]);
}

/* `_call`: (func, args, kwargs) until the first run, else None. */
static PyObject *tasklet_get_call(PyObject *self, void *Py_UNUSED(closure))
{
    Tasklet *task = (Tasklet *)self;
    if (!task->func)
        Py_RETURN_NONE;
    PyObject *kwargs = task->kwargs ? Py_NewRef(task->kwargs) : PyDict_New();
    PyObject *call = kwargs ? PyTuple_Pack(3, task->func, task->args, kwargs) : NULL;
    Py_XDECREF(kwargs);
    return call;
}

static int tasklet_set_call(PyObject *self, PyObject *call, void *Py_UNUSED(closure))
{
    Tasklet *task = (Tasklet *)self;
    PyObject *func = NULL, *args = NULL, *kwargs = NULL;
    if (call && call != Py_None &&
        (!PyTuple_Check(call) ||
         !PyArg_ParseTuple(call, "OO!O!", &func, &PyTuple_Type, &args, &PyDict_Type, &kwargs))) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "a call is a function, a tuple and a dict");
        return -1;
    }
    set_call(task, Py_XNewRef(func), Py_XNewRef(args), Py_XNewRef(kwargs));
    return 0;
}

static PyObject *tasklet_get_direction(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((Tasklet *)self)->direction);
}

/* Nothing but an int: to let go of that runs no code, wherever the core does it. */
static int tasklet_set_direction(PyObject *self, PyObject *direction, void *Py_UNUSED(closure))
{
    if (!direction || !PyLong_CheckExact(direction)) {
        PyErr_SetString(PyExc_TypeError, "a direction is 1 or -1");
        return -1;
    }
    put(&((Tasklet *)self)->direction, Py_NewRef(direction));
    return 0;
}

static int tasklet_traverse(PyObject *self, visitproc visit, void *arg)
{
    Tasklet *task = (Tasklet *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(task->link.queue);
    Py_VISIT(task->channel);
    Py_VISIT(task->context);
    Py_VISIT(task->greenlet);
    Py_VISIT(task->label);
    Py_VISIT(task->offers);
    Py_VISIT(task->sched);
    Py_VISIT(task->stack);
    Py_VISIT(task->tempval);
    Py_VISIT(task->func);
    Py_VISIT(task->args);
    Py_VISIT(task->kwargs);
    return 0;
}

/* A field stays an object even now: a finalizer may still look at it. */
static int tasklet_clear(PyObject *self)
{
    Tasklet *task = (Tasklet *)self;
    PyObject **fields[] = {&task->channel, &task->context, &task->greenlet,
                           &task->offers,  &task->stack,   &task->tempval};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(fields); i++)
        if (*fields[i])
            put(fields[i], Py_NewRef(Py_None));
    set_call(task, NULL, NULL, NULL);
    return 0;
}

/* Nobody refers to it any more.  One that has begun and is not over is killed first, see forgotten.py. */
static void tasklet_finalize(PyObject *self)
{
    Tasklet *task = (Tasklet *)self;
    task->link.stamp = 1; /* CPython calls no finalizer a second time: it is not used again */
    if (task->alive != Py_True || !task->greenlet || task->greenlet == Py_None || !task->sched ||
        !Py_IS_TYPE(task->sched, core.scheduler_type) || ((Scheduler *)task->sched)->main == self)
        return;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *result = PyObject_CallFunctionObjArgs(core.collect, task->sched, self, NULL);
    if (!result)
        PyErr_WriteUnraisable(self);
    Py_XDECREF(result);
    PyErr_Restore(type, value, traceback);
}

/* Whether the type has another finalizer, or the tasklet needs the one it has. */
static inline int needs_finalizer(Tasklet *task)
{
    return Py_TYPE(task)->tp_finalize != tasklet_finalize || task->alive == Py_True;
}

/* Whether nothing dies with it but itself. */
static inline int dies_alone(const Tasklet *task)
{
    return !task->func && !task->args && !task->kwargs && !task->link.queue && task->tempval == Py_None &&
           task->greenlet == Py_None && task->stack == Py_None && task->channel == Py_None && task->offers == Py_None &&
           task->label == Py_None && task->context && Py_REFCNT(task->context) > 1;
}

/* Keep it, or give it back, with all its fields empty. */
static void let_go(Tasklet *task, PyTypeObject *type)
{
#define EMPTY(name)                                                                                                    \
    if (task->name != Py_None)                                                                                         \
        put(&task->name, Py_NewRef(Py_None));
#define DENY(name)                                                                                                     \
    if (task->name != Py_False)                                                                                        \
        put(&task->name, Py_NewRef(Py_False));
    NONE_FIELDS(EMPTY)
    FALSE_FIELDS(DENY)
    put(&task->direction, Py_NewRef(core.zero));
    if (type == core.tasklet_type && kept.count < MOST_KEPT && !task->link.stamp) {
        kept.tasks[kept.count++] = task;
        return;
    }
#define DROP(name) Py_DECREF(task->name);
    NONE_FIELDS(DROP)
    FALSE_FIELDS(DROP)
    Py_DECREF(task->direction);
    type->tp_free(task);
    Py_DECREF(type);
}

static void tasklet_dealloc(PyObject *self)
{
    Tasklet *task = (Tasklet *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (needs_finalizer(task) && PyObject_CallFinalizerFromDealloc(self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    if (task->weakrefs)
        PyObject_ClearWeakRefs(self);
    started_discard(task);
    if (dies_alone(task)) {
        let_go(task, type);
        return;
    }
    Py_TRASHCAN_BEGIN(self, tasklet_dealloc) /* tasklets that only others' stacks know make chains of any length */
        Py_CLEAR(task->func);
    Py_CLEAR(task->args);
    Py_CLEAR(task->kwargs);
    Py_CLEAR(task->link.queue);
    let_go(task, type);
    Py_TRASHCAN_END
}

static PyMethodDef tasklet_methods[] = {
    {"setup", (PyCFunction)(void *)tasklet_setup, METH_VARARGS | METH_KEYWORDS,
     "Give the bound function its arguments and make the tasklet runnable; `t(...)` is the same.  Returns it."},
    {0},
};

static PyGetSetDef tasklet_getset[] = {
    {"_call", tasklet_get_call, tasklet_set_call, NULL, NULL},
    {"_direction", tasklet_get_direction, tasklet_set_direction, NULL, NULL},
    {0},
};

static PyMemberDef tasklet_members[] = {
    FIELD(Tasklet, alive),
    FIELD(Tasklet, atomic),
    FIELD(Tasklet, block_trap),
    FIELD(Tasklet, channel),
    FIELD(Tasklet, context),
    FIELD(Tasklet, greenlet),
    FIELD(Tasklet, ignore_nesting),
    FIELD(Tasklet, label),
    FIELD(Tasklet, offers),
    FIELD(Tasklet, sched),
    FIELD(Tasklet, stack),
    FIELD(Tasklet, tempval),
    {"_number", T_PYSSIZET, offsetof(Tasklet, number), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Tasklet, weakrefs), READONLY, NULL},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Tasklet, setup), READONLY, NULL},
    {0},
};

static PyType_Slot tasklet_slots[] = {
    {Py_tp_new, tasklet_new},
    {Py_tp_init, tasklet_init},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_dealloc, tasklet_dealloc},
    {Py_tp_finalize, tasklet_finalize},
    {Py_tp_traverse, tasklet_traverse},
    {Py_tp_clear, tasklet_clear},
    {Py_tp_methods, tasklet_methods},
    {Py_tp_getset, tasklet_getset},
    {Py_tp_members, tasklet_members},
    {0, NULL},
};

static PyType_Spec tasklet_spec = {
    .name = "stackless.tasklet",
    .basicsize = sizeof(Tasklet),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .slots = tasklet_slots,
};

/* quick_tasklets(): let tasklet(func) go the short way.  It is asked for once the type has all its methods. */
static PyObject *quick_tasklets(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    core.tasklet_type->tp_vectorcall = tasklet_vectorcall;
    setup = quick_setup;
    Py_RETURN_NONE;
}

/* bare_tasklet(): for main, which is there before its scheduler can be asked for. */
static PyObject *bare_tasklet(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return (PyObject *)bare(core.tasklet_type);
}

static PyMethodDef functions[] = {
    {"bare_tasklet", bare_tasklet, METH_NOARGS, "A tasklet of no scheduler."},
    {"quick_tasklets", quick_tasklets, METH_NOARGS, "Let tasklet(func) go the short way."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_tasklet(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    PyObject *bases = PyTuple_Pack(1, state->link_type);
    if (!bases)
        return -1;
    core.tasklet_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &tasklet_spec, bases);
    Py_DECREF(bases);
    if (!core.tasklet_type || PyModule_AddObjectRef(module, "tasklet", (PyObject *)core.tasklet_type) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
#endif
