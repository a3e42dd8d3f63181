/* rng.c - the generator of select's choices.  Mirror of Generator in pylib/chanlab/rng.py. */
#include "select.h"

#ifdef CHANLAB_CORE

static int generator_set_state(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    if (!value || !PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "the state of a Generator is an int");
        return -1;
    }
    uint64_t state = PyLong_AsUnsignedLongLongMask(value);
    if (state == UINT64_MAX && PyErr_Occurred())
        return -1;
    ((Generator *)self)->state = state;
    return 0;
}

static PyObject *generator_get_state(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(((Generator *)self)->state);
}

static int generator_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"seed", NULL};
    PyObject *seed;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Generator", names, &seed))
        return -1;
    return generator_set_state(self, seed, NULL);
}

static PyObject *draw(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromUnsignedLongLong(generator_draw(&((Generator *)self)->state));
}

/* Any int, also one that is larger than what is drawn. */
static PyObject *below(PyObject *self, PyObject *n)
{
    PyObject *drawn = draw(self, NULL);
    PyObject *product = drawn ? PyNumber_Multiply(drawn, n) : NULL;
    PyObject *bits = product ? PyLong_FromLong(64) : NULL;
    PyObject *result = bits ? PyNumber_Rshift(product, bits) : NULL;
    Py_XDECREF(drawn);
    Py_XDECREF(product);
    Py_XDECREF(bits);
    return result;
}

static void generator_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"draw", draw, METH_NOARGS, "The next 64 random bits, as an int."},
    {"below", below, METH_O, "An int from 0 to n - 1, each equally likely."},
    {0},
};

static PyGetSetDef getset[] = {
    {"state", generator_get_state, generator_set_state, "64 bits, as an int.", NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "SplitMix64; `seed` is any integer, taken modulo 2**64."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, generator_init},
    {Py_tp_dealloc, generator_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "chanlab.rng.Generator",
    .basicsize = sizeof(Generator),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

int chanlab_add_rng(PyObject *module)
{
    core.generator_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return core.generator_type ? PyModule_AddObjectRef(module, "Generator", (PyObject *)core.generator_type) : -1;
}
#endif
