/* runq.c - the run queue of one scheduler.  Mirror of pylib/chanlab/runq.py.
 *
 *            head
 *       .--> [a] --> [b] --> [c] --.     the ring owns one reference to each member; the links are borrowed
 *       '--------------------------' */
#include "core.h"
#include "queues.h"

/* The head of a ring is about to change by a method.  The core relies on its being the running tasklet; if that is to
 * be so no longer, and outside of all operations, then some script does it, and every operation is left to the Python
 * twins from now on. */
static inline void head_moves(PyObject *self)
{
#ifdef CHANLAB_CORE
    if (my_sched && my_sched->runq == self && my_sched->busy == Py_False)
        my_sched->broken = 1, my_sched->odd |= ODD;
#else
    (void)self;
#endif
}

static PyObject *runq_append(PyObject *self, PyObject *arg)
{
    RunQueue *q = (RunQueue *)self;
    Link *node = link_free(self, arg);
    if (!node)
        return NULL;
    runq_link(q, q->head ? q->head->prev : NULL, (Link *)Py_NewRef(node));
    Py_RETURN_NONE;
}

static PyObject *runq_insert_next(PyObject *self, PyObject *arg)
{
    RunQueue *q = (RunQueue *)self;
    Link *node = link_free(self, arg);
    if (!node)
        return NULL;
    runq_link(q, q->head, (Link *)Py_NewRef(node));
    Py_RETURN_NONE;
}

static PyObject *runq_remove(PyObject *self, PyObject *arg)
{
    Link *node = link_member(self, arg);
    if (!node)
        return NULL;
    if (node == ((RunQueue *)self)->head)
        head_moves(self);
    runq_unlink((RunQueue *)self, node);
    Py_DECREF(node);
    Py_RETURN_NONE;
}

static PyObject *runq_rotate(PyObject *self, PyObject *arg)
{
    Link *node = link_member(self, arg);
    if (!node)
        return NULL;
    if (node != ((RunQueue *)self)->head)
        head_moves(self);
    ((RunQueue *)self)->head = node;
    Py_RETURN_NONE;
}

static PyObject *runq_after(PyObject *self, PyObject *arg)
{
    Link *node = link_member(self, arg);
    return node ? Py_NewRef(node->next) : NULL;
}

static PyObject *runq_before(PyObject *self, PyObject *arg)
{
    Link *node = link_member(self, arg);
    return node ? Py_NewRef(node->prev) : NULL;
}

static PyObject *runq_get_head(PyObject *self, void *Py_UNUSED(closure))
{
    return link_or_none(((RunQueue *)self)->head);
}

static Py_ssize_t runq_length(PyObject *self) { return ((RunQueue *)self)->length; }

/* An iterator over the members as they are now, from the head.  New reference, or NULL. */
static PyObject *runq_iter(PyObject *self)
{
    RunQueue *q = (RunQueue *)self;
    PyObject *members = PyList_New(0), *result = NULL; /* may collect garbage: only then look at the ring */
    if (!members)
        return NULL;
    Link *node = q->head;
    for (Py_ssize_t i = q->length; i > 0; i--, node = node->next)
        if (PyList_Append(members, (PyObject *)node) < 0)
            goto done;
    result = PyObject_GetIter(members);
done:
    Py_DECREF(members);
    return result;
}

static int runq_traverse(PyObject *self, visitproc visit, void *arg)
{
    RunQueue *q = (RunQueue *)self;
    Link *node = q->head;
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = q->length; i > 0; i--, node = node->next)
        Py_VISIT(node);
    return 0;
}

/* Dropping a member may run any code, so each is out of the ring before it is dropped. */
static int runq_clear(PyObject *self)
{
    RunQueue *q = (RunQueue *)self;
    Link *node;
    while ((node = q->head)) {
        runq_unlink(q, node);
        Py_DECREF(node);
    }
    return 0;
}

static void runq_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (((RunQueue *)self)->weakrefs)
        PyObject_ClearWeakRefs(self);
    runq_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef runq_methods[] = {
    {"append", runq_append, METH_O, "Join in the last place."},
    {"insert_next", runq_insert_next, METH_O, "Join right after the head."},
    {"remove", runq_remove, METH_O, "Leave the ring; when the head leaves, its successor is the new head."},
    {"rotate", runq_rotate, METH_O, "Make this member the head; everybody keeps his place in the ring."},
    {"after", runq_after, METH_O, "The successor in the ring: itself when alone."},
    {"before", runq_before, METH_O, "The predecessor in the ring: itself when alone."},
    {0},
};

static PyGetSetDef runq_getset[] = {
    {"head", runq_get_head, NULL, "The member that runs, None when empty.", NULL},
    {0},
};

static PyMemberDef runq_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(RunQueue, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot runq_slots[] = {
    {Py_tp_doc, "Ring of Link objects with a head."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, runq_dealloc},
    {Py_tp_traverse, runq_traverse},
    {Py_tp_clear, runq_clear},
    {Py_tp_methods, runq_methods},
    {Py_tp_getset, runq_getset},
    {Py_tp_members, runq_members},
    {Py_tp_iter, runq_iter},
    {Py_sq_length, runq_length},
    {0, NULL},
};

static PyType_Spec runq_spec = {
    .name = "_chanlab.RunQueue",
    .basicsize = sizeof(RunQueue),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = runq_slots,
};

int chanlab_add_runq(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &runq_spec, NULL);
    if (!type)
        return -1;
    int failed = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return failed;
}
