/* twins.c - what the core knows of the Python side: the twins that it hands over to, and a few objects. */
#include "core.h"

#ifdef CHANLAB_CORE
Core core;

enum { MOST_ARGS = 8 };

/* Call it, while the running stack knows where the operands of the calling frame end: else a tasklet that parks in the
 * twin and is forgotten would be kept by the operands. */
static PyObject *call_from(PyObject *const *operands, PyObject *function, PyObject **args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    Fiber *stack = here.current;
    if (!stack || !operands || !fiber_on_own_stack(stack, here.ts))
        return PyObject_Vectorcall(function, args, nargs, kwnames);
    const Site site = {frames_innermost(), operands}, *outer = stack->site;
    stack->site = &site;
    PyObject *result = PyObject_Vectorcall(function, args, nargs, kwnames);
    stack->site = outer;
    return result;
}

PyObject *call_twin_vector(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t total = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject *few[MOST_ARGS + 1] = {NULL}, **all = few, *result;
    if (total > MOST_ARGS && !(all = PyMem_Malloc((total + 1) * sizeof(PyObject *))))
        return PyErr_NoMemory();
    all[0] = self;
    if (total)
        memcpy(all + 1, args, total * sizeof(PyObject *));
    result =
        call_from(args ? args + total : NULL, core.twin[which], self ? all : all + 1, nargs + (self != NULL), kwnames);
    if (all != few)
        PyMem_Free(all);
    return result;
}

PyObject *call_twin(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    return call_twin_vector(which, self, args, nargs, NULL);
}

PyObject *call_twin_with(enum Twin which, PyObject *self, PyObject *args, PyObject *kwargs)
{
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    PyObject *all = PyTuple_New(count + 1);
    if (!all)
        return NULL;
    PyTuple_SET_ITEM(all, 0, Py_NewRef(self));
    for (Py_ssize_t i = 0; i < count; i++)
        PyTuple_SET_ITEM(all, i + 1, Py_NewRef(PyTuple_GET_ITEM(args, i)));
    PyObject *result = PyObject_Call(core.twin[which], all, kwargs);
    Py_DECREF(all);
    return result;
}

/* core_knows(name=object, ...): the objects of the Python side that the core needs. */
static PyObject *core_knows(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static const struct {
        const char *name;
        PyObject **place;
    } known[] = {
        {"watch", (PyObject **)&core.watch},
        {"bomb", &core.bomb},
        {"TaskletExit", &core.TaskletExit},
        {"channel_numbers", &core.channel_numbers},
        {"threading", &core.threading},
        {"new_context", &core.new_context},
        {"new_sched", &core.new_sched},
        {"reap", &core.reap},
        {"collect", &core.collect},
        {"WaitQueue", (PyObject **)&core.waitq_type},
        {"send", &core.twin[SEND]},
        {"receive", &core.twin[RECEIVE]},
        {"__next__", &core.twin[NEXT]},
        {"schedule", &core.twin[SCHEDULE]},
        {"run", &core.twin[RUN]},
        {"run_all", &core.twin[RUN_ALL]},
        {"getcurrent", &core.twin[GETCURRENT]},
        {"__init__", &core.twin[INIT]},
        {"setup", &core.twin[SETUP]},
        {"late", &core.late},
        {"CLOSED", &core.CLOSED},
        {"DEFAULT", &core.DEFAULT},
        {"select", &core.twin[SELECT]},
        {"pri_select", &core.twin[PRI_SELECT]},
        {"selected", &core.twin[SELECTED]},
        {"receiveCase", &core.twin[RECEIVE_CASE]},
        {"sendCase", &core.twin[SEND_CASE]},
        {"go_receive", &core.twin[GO_RECEIVE]},
        {"go_receive_ok", &core.twin[GO_RECEIVE_OK]},
        {"go_next", &core.twin[GO_NEXT]},
    };
    PyObject *name, *object;
    Py_ssize_t position = 0;
    if (PyTuple_GET_SIZE(args) || !kwargs) {
        PyErr_SetString(PyExc_TypeError, "core_knows() takes keywords only");
        return NULL;
    }
    while (PyDict_Next(kwargs, &position, &name, &object)) {
        size_t i = 0;
        while (i < Py_ARRAY_LENGTH(known) && PyUnicode_CompareWithASCIIString(name, known[i].name))
            i++;
        if (i == Py_ARRAY_LENGTH(known)) {
            PyErr_Format(PyExc_TypeError, "the core knows nothing of '%U'", name);
            return NULL;
        }
        if (*known[i].place && *known[i].place != object) {
            PyErr_Format(PyExc_RuntimeError, "the core has another '%U'", name);
            return NULL;
        }
        Py_XSETREF(*known[i].place, Py_NewRef(object));
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"core_knows", (PyCFunction)(void *)core_knows, METH_VARARGS | METH_KEYWORDS, "What the core needs of Python."},
    {NULL, NULL, 0, NULL},
};

static int add_names(void)
{
    static const struct {
        PyObject **place;
        const char *text;
    } names[] = {
        {&core.str_explode, "explode"},
        {&core.str_exit, "exit"},
        {&core.str_end, "end"},
        {&core.str_died, "died"},
        {&core.str_end_run, "_end_run"},
        {&core.str_recover, "recover"},
        {&core.str_trace_hook, "_trace_hook"},
        {&core.str_profile_hook, "_profile_hook"},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(names); i++)
        if (!(*names[i].place = PyUnicode_InternFromString(names[i].text)))
            return -1;
    core.zero = PyLong_FromLong(0);
    core.one = PyLong_FromLong(1);
    core.minus_one = PyLong_FromLong(-1);
    core.no_args = PyTuple_New(0);
    return core.zero && core.one && core.minus_one && core.no_args ? 0 : -1;
}

int chanlab_add_twins(PyObject *module) { return add_names() < 0 ? -1 : PyModule_AddFunctions(module, functions); }
#endif
