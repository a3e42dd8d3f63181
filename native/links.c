/* links.c - what makes an object a member of a queue.  Mirror of pylib/chanlab/links.py. */
#include "chanlab.h"

uint64_t links_disturbed;

Link *link_check(PyObject *self, PyObject *arg)
{
    ModuleState *state = state_of(self);
    if (!state || !PyObject_TypeCheck(arg, state->link_type)) {
        if (PyErr_Occurred())
            return NULL;
        PyErr_Format(PyExc_TypeError, "a queue holds Link objects, not %.200s", Py_TYPE(arg)->tp_name);
        return NULL;
    }
    return (Link *)arg;
}

Link *link_member(PyObject *self, PyObject *arg)
{
    Link *node = link_check(self, arg);
    if (node && node->home != self) {
        PyErr_SetString(PyExc_RuntimeError, "not in this queue");
        return NULL;
    }
    return node;
}

Link *link_free(PyObject *self, PyObject *arg)
{
    Link *node = link_check(self, arg);
    if (node && (node->home || node->queue)) {
        PyErr_SetString(PyExc_RuntimeError, "already in a queue");
        return NULL;
    }
    return node;
}

/* Takes and ignores any arguments: subclasses have constructors of their own.  New reference, or NULL. */
static PyObject *link_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    return type->tp_alloc(type, 0); /* all fields NULL: in no queue */
}

static int link_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Link *)self)->queue);
    return 0;
}

static int link_clear(PyObject *self)
{
    Py_CLEAR(((Link *)self)->queue);
    return 0;
}

/* A member of a C queue is never deallocated: the queue owns it. */
static void link_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, link_dealloc) /* a script can put a Link into `_queue`, and so make chains of any length */
        link_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyObject *link_get_queue(PyObject *self, void *Py_UNUSED(closure))
{
    Link *node = (Link *)self;
    PyObject *queue = node->home ? node->home : node->queue;
    if (queue && Py_REFCNT(queue) == 0) /* it is just dying, and has not come to dismissing this member */
        queue = NULL;
    return Py_NewRef(queue ? queue : Py_None);
}

/* For the Python queues only: what a C queue keeps to itself, no script may change. */
static int link_set_queue(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    Link *node = (Link *)self;
    if (node->home) {
        PyErr_SetString(PyExc_RuntimeError, "already in a queue");
        return -1;
    }
    if (value == Py_None)
        value = NULL;
    Py_XINCREF(value);
    Py_XSETREF(node->queue, value);
    return 0;
}

static PyGetSetDef link_getset[] = {
    {"_queue", link_get_queue, link_set_queue, "The queue that the object is in, or None.", NULL},
    {0},
};

static PyType_Slot link_slots[] = {
    {Py_tp_doc, "Base of all that can be queued."},
    {Py_tp_new, link_new},
    {Py_tp_dealloc, link_dealloc},
    {Py_tp_traverse, link_traverse},
    {Py_tp_clear, link_clear},
    {Py_tp_getset, link_getset},
    {0, NULL},
};

static PyType_Spec link_spec = {
    .name = "_chanlab.Link",
    .basicsize = sizeof(Link),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = link_slots,
};

int chanlab_add_links(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    state->link_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &link_spec, NULL);
    if (!state->link_type)
        return -1;
    return PyModule_AddType(module, state->link_type);
}
