/* business.c - what a stack runs, and who owns that. */
#include "business.h"

typedef struct Call {
    PyObject_HEAD
    Business *business;                 /* borrowed, NULL when that is gone */
    PyObject *function, *args, *kwargs; /* inherited from it then, else NULL */
} Call;

PyObject *business_begin(Business *business, ModuleState *state, PyObject *function, PyObject *args, PyObject *kwargs)
{
    if (business->call || business->function) {
        PyErr_SetString(PyExc_RuntimeError, "the stack is in use");
        return NULL;
    }
    Call *call = PyObject_New(Call, state->call_type);
    if (!call)
        return NULL;
    call->business = business;
    call->function = call->args = call->kwargs = NULL;
    *business = (Business){Py_NewRef(function), Py_NewRef(args), Py_NewRef(kwargs), call};
    return (PyObject *)call;
}

void business_end(Business *business)
{
    Call *call = business->call;
    if (!call)
        return;
    call->function = business->function;
    call->args = business->args;
    call->kwargs = business->kwargs;
    call->business = NULL;
    *business = (Business){0};
}

int business_visit(const Business *business, visitproc visit, void *arg)
{
    Py_VISIT(business->function);
    Py_VISIT(business->args);
    Py_VISIT(business->kwargs);
    return 0;
}

static PyObject *call_call(PyObject *self, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Business *business = ((Call *)self)->business;
    if (!business) {
        PyErr_SetString(PyExc_RuntimeError, "the stack is gone");
        return NULL;
    }
    return PyObject_Call(business->function, business->args, business->kwargs);
}

static void call_dealloc(PyObject *self)
{
    Call *call = (Call *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (call->business)
        business_end(call->business);
    Py_XDECREF(call->function);
    Py_XDECREF(call->args);
    Py_XDECREF(call->kwargs);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot call_slots[] = {
    {Py_tp_doc, "The call of a tasklet's function."},
    {Py_tp_dealloc, call_dealloc},
    {Py_tp_call, call_call},
    {0, NULL},
};

static PyType_Spec call_spec = {
    .name = "_chanlab.Call",
    .basicsize = sizeof(Call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = call_slots,
};

int business_add(ModuleState *state, PyObject *module)
{
    state->call_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &call_spec, NULL);
    return state->call_type ? 0 : -1;
}
