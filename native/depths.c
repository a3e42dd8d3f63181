/* depths.c - how many operands a frame holds where it stands.
 *
 * CPython does not keep the number while a call of C code runs, but it follows from the code alone.  Python works it
 * out once for each code object (chanlab.depths.loop_depths(), on the standard library's dis); the code object carries
 * it along from then on, as an array with an entry for each code unit, and so it goes when the code goes. */
#include "depths.h"

#if PY_VERSION_HEX < 0x030C0000
#define PyUnstable_Eval_RequestCodeExtraIndex _PyEval_RequestCodeExtraIndex
#define PyUnstable_Code_GetExtra              _PyCode_GetExtra
#define PyUnstable_Code_SetExtra              _PyCode_SetExtra
#endif

/* Ask Python.  An array for PyMem_Free(), or NULL, without an exception. */
static unsigned short *work_out(ModuleState *state, PyCodeObject *code)
{
    PyObject *depths = PyObject_CallOneArg(state->loop_depths, (PyObject *)code);
    Py_ssize_t size = Py_SIZE(code) * (Py_ssize_t)sizeof(unsigned short);
    unsigned short *array = NULL;
    if (depths && PyBytes_Check(depths) && PyBytes_GET_SIZE(depths) == size && (array = PyMem_Malloc(size)))
        memcpy(array, PyBytes_AS_STRING(depths), size);
    Py_XDECREF(depths);
    PyErr_Clear();
    return array;
}

int depth_at(ModuleState *state, PyCodeObject *code, int index)
{
    void *depths = NULL;
    if (!state || !state->loop_depths || state->extra_index < 0 || index < 0 || index >= Py_SIZE(code))
        return -1;
    if (PyUnstable_Code_GetExtra((PyObject *)code, state->extra_index, &depths) < 0)
        PyErr_Clear();
    if (!depths) {
        depths = work_out(state, code);
        if (depths && PyUnstable_Code_SetExtra((PyObject *)code, state->extra_index, depths) < 0) {
            PyErr_Clear();
            PyMem_Free(depths);
            depths = NULL;
        }
    }
    return depths ? ((unsigned short *)depths)[index] : -1;
}

int depth_known_at(ModuleState *state, PyCodeObject *code, int index)
{
    void *depths = NULL;
    if (!state || state->extra_index < 0 || index < 0 || index >= Py_SIZE(code))
        return -1;
    if (PyUnstable_Code_GetExtra((PyObject *)code, state->extra_index, &depths) < 0)
        PyErr_Clear();
    return depths ? ((unsigned short *)depths)[index] : -1;
}

/* use_loop_depths(function): function(code) returns the depths as bytes, one unsigned short for each code unit. */
static PyObject *use_loop_depths(PyObject *module, PyObject *function)
{
    ModuleState *state = PyModule_GetState(module);
    Py_XSETREF(state->loop_depths, Py_NewRef(function));
    Py_RETURN_NONE;
}

static PyMethodDef depths_methods[] = {
    {"use_loop_depths", use_loop_depths, METH_O, "Who tells how many operands there are at each instruction."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_depths(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    state->extra_index = PyUnstable_Eval_RequestCodeExtraIndex(PyMem_Free);
    return PyModule_AddFunctions(module, depths_methods);
}
