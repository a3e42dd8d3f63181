/* tasklet.c - creation, binding and start of a tasklet.  Mirror of pylib/chanlab/tasklet.py. */
#include "core.h"

#ifdef CHANLAB_PRIVATE

/* A tasklet of no scheduler and without a number.  New reference, or NULL. */
static Tasklet *bare(PyTypeObject *type)
{
    Tasklet *task = (Tasklet *)type->tp_alloc(type, 0);
    if (!task)
        return NULL;
    task->link.is_tasklet = 1;
    PyObject **none[] = {&task->channel, &task->context, &task->greenlet, &task->label,
                         &task->offers,  &task->stack,   &task->tempval};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(none); i++)
        *none[i] = Py_NewRef(Py_None);
    PyObject **no[] = {&task->alive, &task->atomic, &task->block_trap, &task->ignore_nesting};
    for (size_t i = 0; i < Py_ARRAY_LENGTH(no); i++)
        *no[i] = Py_NewRef(Py_False);
    task->direction = Py_NewRef(core.zero);
    return task;
}

/* Takes and ignores any arguments: subclasses have constructors of their own.  New reference, or NULL. */
static PyObject *tasklet_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Tasklet *task = bare(type);
    if (!task)
        return NULL;
    task->sched = my_sched ? Py_NewRef(my_sched) : PyObject_CallNoArgs(core.new_sched);
    task->number = task->sched ? PyIter_Next(core.numbers) : NULL;
    if (!task->number)
        Py_CLEAR(task);
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

/* setup(*args, **kwargs), and t(...). */
static PyObject *tasklet_setup(PyObject *self, PyObject *args, PyObject *kwargs)
{
    Tasklet *task = (Tasklet *)self;
    Scheduler *sched = plain_sched();
    if (!sched || task->sched != (PyObject *)sched || task->alive != Py_False || task->tempval == Py_None ||
        !task->tempval || task->greenlet != Py_None || task->channel != Py_None || task->offers != Py_None ||
        task->link.home || task->link.queue)
        return call_twin_with(SETUP, self, args, kwargs);
    Py_XSETREF(task->func, task->tempval);
    task->tempval = Py_NewRef(Py_None);
    Py_XSETREF(task->args, Py_NewRef(args));
    Py_XSETREF(task->kwargs, Py_XNewRef(kwargs));
    put(&task->alive, Py_NewRef(Py_True));
    RunQueue *ring = ring_of(sched);
    runq_link(ring, ring->head->prev, (Link *)Py_NewRef(task));
    return Py_NewRef(self);
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
    Py_XSETREF(task->func, Py_XNewRef(func));
    Py_XSETREF(task->args, Py_XNewRef(args));
    Py_XSETREF(task->kwargs, Py_XNewRef(kwargs));
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
    Py_CLEAR(task->func);
    Py_CLEAR(task->args);
    Py_CLEAR(task->kwargs);
    return 0;
}

/* Nobody refers to it any more.  One that has begun and is not over is killed first, see forgotten.py. */
static void tasklet_finalize(PyObject *self)
{
    Tasklet *task = (Tasklet *)self;
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

static void tasklet_dealloc(PyObject *self)
{
    Tasklet *task = (Tasklet *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (type->tp_finalize && PyObject_CallFinalizerFromDealloc(self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, tasklet_dealloc) if (task->weakrefs) PyObject_ClearWeakRefs(self);
    started_discard(task);
    Py_XDECREF(task->alive);
    Py_XDECREF(task->atomic);
    Py_XDECREF(task->block_trap);
    Py_XDECREF(task->channel);
    Py_XDECREF(task->context);
    Py_XDECREF(task->direction);
    Py_XDECREF(task->greenlet);
    Py_XDECREF(task->ignore_nesting);
    Py_XDECREF(task->label);
    Py_XDECREF(task->number);
    Py_XDECREF(task->offers);
    Py_XDECREF(task->sched);
    Py_XDECREF(task->stack);
    Py_XDECREF(task->tempval);
    Py_XDECREF(task->func);
    Py_XDECREF(task->args);
    Py_XDECREF(task->kwargs);
    Py_XDECREF(task->link.queue);
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMethodDef tasklet_methods[] = {
    {"setup", (PyCFunction)(void *)tasklet_setup, METH_VARARGS | METH_KEYWORDS,
     "Give the bound function its arguments and make the tasklet runnable; `t(...)` is the same.  Returns it."},
    {0},
};

static PyGetSetDef tasklet_getset[] = {
    {"_call", tasklet_get_call, tasklet_set_call, NULL, NULL},
    {0},
};

static PyMemberDef tasklet_members[] = {
    FIELD(Tasklet, alive),
    FIELD(Tasklet, atomic),
    FIELD(Tasklet, block_trap),
    FIELD(Tasklet, channel),
    FIELD(Tasklet, context),
    FIELD(Tasklet, direction),
    FIELD(Tasklet, greenlet),
    FIELD(Tasklet, ignore_nesting),
    FIELD(Tasklet, label),
    FIELD(Tasklet, number),
    FIELD(Tasklet, offers),
    FIELD(Tasklet, sched),
    FIELD(Tasklet, stack),
    FIELD(Tasklet, tempval),
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Tasklet, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot tasklet_slots[] = {
    {Py_tp_new, tasklet_new},
    {Py_tp_init, tasklet_init},
    {Py_tp_call, tasklet_setup},
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
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = tasklet_slots,
};

/* quick_tasklets(): let tasklet(func) go the short way.  It is asked for once the type has all its methods. */
static PyObject *quick_tasklets(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    core.tasklet_type->tp_vectorcall = tasklet_vectorcall;
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
