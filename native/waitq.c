/* waitq.c - a channel's queue of waiters.  Mirror of pylib/chanlab/waitq.py.
 *
 *     head                        tail
 *     [a] <-> [b] <-> [c]         the queue owns one reference to each member; the links are borrowed */
#include "queues.h"

static PyObject *waitq_append(PyObject *self, PyObject *arg)
{
    Link *node = link_free(self, arg);
    if (!node)
        return NULL;
    waitq_link((WaitQueue *)self, (Link *)Py_NewRef(node));
    Py_RETURN_NONE;
}

static PyObject *waitq_popleft(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    WaitQueue *q = (WaitQueue *)self;
    Link *node = q->head;
    if (!node)
        Py_RETURN_NONE;
    waitq_unlink(q, node);
    links_disturbed += (uint64_t)node->is_case;
    return (PyObject *)node; /* the queue's reference */
}

static PyObject *waitq_remove(PyObject *self, PyObject *arg)
{
    Link *node = link_member(self, arg);
    if (!node)
        return NULL;
    waitq_unlink((WaitQueue *)self, node);
    links_disturbed += (uint64_t)node->is_case;
    Py_DECREF(node);
    Py_RETURN_NONE;
}

static PyObject *waitq_after(PyObject *self, PyObject *arg)
{
    Link *node = link_member(self, arg);
    return node ? link_or_none(node->next) : NULL;
}

static PyObject *waitq_before(PyObject *self, PyObject *arg)
{
    Link *node = link_member(self, arg);
    return node ? link_or_none(node->prev) : NULL;
}

static PyObject *waitq_get_head(PyObject *self, void *Py_UNUSED(closure))
{
    return link_or_none(((WaitQueue *)self)->head);
}

static Py_ssize_t waitq_length(PyObject *self) { return ((WaitQueue *)self)->length; }

/* An iterator over the members as they are now.  New reference, or NULL. */
static PyObject *waitq_iter(PyObject *self)
{
    WaitQueue *q = (WaitQueue *)self;
    PyObject *members = PyList_New(0), *result = NULL; /* may collect garbage: only then look at the queue */
    if (!members)
        return NULL;
    for (Link *node = q->head; node; node = node->next)
        if (PyList_Append(members, (PyObject *)node) < 0)
            goto done;
    result = PyObject_GetIter(members);
done:
    Py_DECREF(members);
    return result;
}

static int waitq_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (Link *node = ((WaitQueue *)self)->head; node; node = node->next)
        Py_VISIT(node);
    return 0;
}

/* Dropping a member may run any code, so each is out of the queue before it is dropped. */
static int waitq_clear(PyObject *self)
{
    WaitQueue *q = (WaitQueue *)self;
    Link *node;
    while ((node = q->head)) {
        waitq_unlink(q, node);
        links_disturbed += (uint64_t)node->is_case;
        Py_DECREF(node);
    }
    return 0;
}

static void waitq_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (((WaitQueue *)self)->weakrefs)
        PyObject_ClearWeakRefs(self);
    waitq_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef waitq_methods[] = {
    {"append", waitq_append, METH_O, "Join at the tail."},
    {"popleft", waitq_popleft, METH_NOARGS, "Take the head out and return it; None when empty."},
    {"remove", waitq_remove, METH_O, "Leave from any place."},
    {"after", waitq_after, METH_O, "The next member behind this one, None at the end."},
    {"before", waitq_before, METH_O, "The member in front of this one, None at the head."},
    {0},
};

static PyGetSetDef waitq_getset[] = {
    {"head", waitq_get_head, NULL, "The first member, None when empty.", NULL},
    {0},
};

static PyMemberDef waitq_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(WaitQueue, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot waitq_slots[] = {
    {Py_tp_doc, "FIFO of Link objects."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, waitq_dealloc},
    {Py_tp_traverse, waitq_traverse},
    {Py_tp_clear, waitq_clear},
    {Py_tp_methods, waitq_methods},
    {Py_tp_getset, waitq_getset},
    {Py_tp_members, waitq_members},
    {Py_tp_iter, waitq_iter},
    {Py_sq_length, waitq_length},
    {0, NULL},
};

static PyType_Spec waitq_spec = {
    .name = "_chanlab.WaitQueue",
    .basicsize = sizeof(WaitQueue),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = waitq_slots,
};

int chanlab_add_waitq(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &waitq_spec, NULL);
    if (!type)
        return -1;
    int failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}
