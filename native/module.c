/* module.c - the module `_chanlab`: one multi-phase source, built into the host and importable by plain python3. */
#include "chanlab.h"

#ifndef CHANLAB_VERSION
#error "CHANLAB_VERSION comes from the build"
#endif

/* The hooks that have a C twin here, in the order of chanlab.hooks.HOOKS. */
static const char *const hooks[] = {"waitq", "runq", "channel", "select", "sched", "switch", "spawn", "arena"};

/* 0, or -1 with an exception set. */
static int add_hooks(PyObject *module)
{
    Py_ssize_t count = Py_ARRAY_LENGTH(hooks);
    PyObject *names = PyTuple_New(count);
    int failed = -1;
    if (!names)
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyUnicode_FromString(hooks[i]);
        if (!name)
            goto done;
        PyTuple_SET_ITEM(names, i, name);
    }
    failed = PyModule_AddObjectRef(module, "hooks", names);
done:
    Py_DECREF(names);
    return failed;
}

static int module_exec(PyObject *module)
{
    if (PyModule_AddStringConstant(module, "version", CHANLAB_VERSION) < 0 || add_hooks(module) < 0)
        return -1;
    if (chanlab_add_links(module) < 0 || chanlab_add_waitq(module) < 0 || chanlab_add_runq(module) < 0 ||
        chanlab_add_tracing(module) < 0 || chanlab_add_depths(module) < 0 || chanlab_add_stack(module) < 0 ||
        chanlab_add_fiber(module) < 0 || chanlab_add_arena(module) < 0 || chanlab_add_copies(module) < 0) {
        if (!PyErr_Occurred()) /* CPython forgets to say so when a type's name finds no memory */
            PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    ModuleState *state = PyModule_GetState(module);
    Py_VISIT(state->link_type);
    Py_VISIT(state->call_type);
    Py_VISIT(state->fiber_type);
    Py_VISIT(state->greenlet_getcurrent);
    Py_VISIT(state->set_function[0]);
    Py_VISIT(state->set_function[1]);
    Py_VISIT(state->loop_depths);
    return 0;
}

static int module_clear(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    Py_CLEAR(state->link_type);
    Py_CLEAR(state->call_type);
    Py_CLEAR(state->fiber_type);
    Py_CLEAR(state->greenlet_getcurrent);
    Py_CLEAR(state->str_next_greenlet);
    Py_CLEAR(state->set_function[0]);
    Py_CLEAR(state->set_function[1]);
    Py_CLEAR(state->loop_depths);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_chanlab",
    .m_doc = "The C twins of chanlab's layers; see chanlab.hooks for which of them run.",
    .m_size = sizeof(ModuleState),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__chanlab(void) { return PyModuleDef_Init(&module_def); }
