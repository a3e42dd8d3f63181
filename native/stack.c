/* stack.c - what a parked tasklet's stack carries besides its C stack, which is greenlet's: its frames, for the
 * collector, and its tracing.  Mirror of pylib/chanlab/stack.py; used whenever this module is there, whatever the
 * hooks, since Python alone can do only half of it. */
#include "business.h"
#include "frames.h"
#include "tracing.h"

typedef struct Stack {
    PyObject_HEAD
    PyObject *greenlet; /* in whose memory the frames are, owned; NULL before and after */
    Business business;
    Frames frames;   /* known while it is parked */
    Tracing tracing; /* the same */
} Stack;

/* park(): the stack is about to be left.  Remember its frames, and take its tracing off the thread. */
static PyObject *stack_park(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Stack *stack = (Stack *)self;
    Tracing on = tracing_suspend();
    tracing_clear(&stack->tracing);
    stack->tracing = on;
    frames_park(&stack->frames, state_of(self), NULL, NULL);
    Py_RETURN_NONE;
}

/* resume(): the stack goes on. */
static PyObject *stack_resume(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    Stack *stack = (Stack *)self;
    frames_resume(&stack->frames);
    tracing_restore(&stack->tracing);
    Py_RETURN_NONE;
}

/* start(greenlet, function, args, kwargs): what will run them when it is called, once, in this greenlet. */
static PyObject *stack_start(PyObject *self, PyObject *arguments)
{
    Stack *stack = (Stack *)self;
    ModuleState *state = state_of(self);
    PyObject *greenlet, *function, *args, *kwargs;
    if (!state ||
        !PyArg_ParseTuple(arguments, "OOO!O!", &greenlet, &function, &PyTuple_Type, &args, &PyDict_Type, &kwargs))
        return NULL;
    PyObject *call = business_begin(&stack->business, state, function, args, kwargs);
    if (!call)
        return NULL;
    frames_begin(&stack->frames);
    Py_XSETREF(stack->greenlet, Py_NewRef(greenlet));
    return call;
}

static int stack_traverse(PyObject *self, visitproc visit, void *arg)
{
    Stack *stack = (Stack *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(stack->tracing.trace_object);
    Py_VISIT(stack->tracing.profile_object);
    if (!stack->business.call) /* it is over, and so are its frames */
        return 0;
    int stop = business_visit(&stack->business, visit, arg);
    return stop ? stop : frames_visit(&stack->frames, visit, arg);
}

/* The frames cannot be cleared: whoever finds the tasklet unreachable kills it first. */
static int stack_clear(PyObject *self)
{
    tracing_clear(&((Stack *)self)->tracing);
    return 0;
}

static void stack_dealloc(PyObject *self)
{
    Stack *stack = (Stack *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    business_end(&stack->business);
    frames_end(&stack->frames);
    stack_clear(self);
    Py_CLEAR(stack->greenlet); /* which unwinds its frames, if they are still there */
    type->tp_free(self);
    Py_DECREF(type);
}

/* `closure` is not NULL for the profile function. */
static PyObject *stack_get_tracing(PyObject *self, void *closure)
{
    return tracing_get(&((Stack *)self)->tracing, closure != NULL);
}

static int stack_set_tracing(PyObject *self, PyObject *function, void *closure)
{
    return tracing_set(&((Stack *)self)->tracing, state_of(self), closure != NULL, function ? function : Py_None);
}

static PyMethodDef stack_methods[] = {
    {"park", stack_park, METH_NOARGS, "The stack is about to be left."},
    {"resume", stack_resume, METH_NOARGS, "The stack goes on."},
    {"start", stack_start, METH_VARARGS, "What runs function(*args, **kwargs) as this stack's only business."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef stack_getset[] = {
    {"trace", stack_get_tracing, stack_set_tracing, "The trace function of a parked stack, or None.", NULL},
    {"profile", stack_get_tracing, stack_set_tracing, "The profile function of a parked stack, or None.", ""},
    {0},
};

static PyType_Slot stack_slots[] = {
    {Py_tp_doc, "What a tasklet's stack carries while it is parked."},
    {Py_tp_dealloc, stack_dealloc},
    {Py_tp_traverse, stack_traverse},
    {Py_tp_clear, stack_clear},
    {Py_tp_methods, stack_methods},
    {Py_tp_getset, stack_getset},
    {0, NULL},
};

static PyType_Spec stack_spec = {
    .name = "_chanlab.Stack",
    .basicsize = sizeof(Stack),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = stack_slots,
};

int chanlab_add_stack(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    PyObject *stack_type = PyType_FromModuleAndSpec(module, &stack_spec, NULL);
    int failed =
        stack_type && business_add(state, module) == 0 ? PyModule_AddType(module, (PyTypeObject *)stack_type) : -1;
    Py_XDECREF(stack_type);
    return failed < 0 ? failed : PyModule_AddIntConstant(module, "sees_frames", frames_known());
}
