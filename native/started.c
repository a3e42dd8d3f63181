/* started.c - the tasklets of a scheduler that have started and not ended.  Mirror of pylib/chanlab/started.py.
 *
 * A list through the tasklets themselves; it owns none of them. */
#include "core.h"

#ifdef CHANLAB_CORE

typedef struct Started {
    PyObject_HEAD
    Tasklet *first, *last;
    Py_ssize_t length;
} Started;

static void join(Started *list, Tasklet *task)
{
    task->started_in = list;
    task->started_next = NULL;
    task->started_prev = list->last;
    if (list->last)
        list->last->started_next = task;
    else
        list->first = task;
    list->last = task;
    list->length++;
}

void started_discard(Tasklet *task)
{
    Started *list = task->started_in;
    if (!list)
        return;
    if (task->started_prev)
        task->started_prev->started_next = task->started_next;
    else
        list->first = task->started_next;
    if (task->started_next)
        task->started_next->started_prev = task->started_prev;
    else
        list->last = task->started_prev;
    task->started_in = NULL;
    task->started_prev = task->started_next = NULL;
    list->length--;
}

void started_add(Scheduler *sched, Tasklet *task)
{
    if (!task->started_in)
        join((Started *)sched->started, task);
}

static int is_tasklet(PyObject *object)
{
    if (core.tasklet_type && PyObject_TypeCheck(object, core.tasklet_type))
        return 1;
    PyErr_Format(PyExc_TypeError, "a tasklet is needed, not %.200s", Py_TYPE(object)->tp_name);
    return 0;
}

static PyObject *list_add(PyObject *self, PyObject *task)
{
    if (!is_tasklet(task))
        return NULL;
    if (!((Tasklet *)task)->started_in)
        join((Started *)self, (Tasklet *)task);
    Py_RETURN_NONE;
}

static PyObject *list_discard(PyObject *self, PyObject *task)
{
    if (!is_tasklet(task))
        return NULL;
    if (((Tasklet *)task)->started_in == (Started *)self)
        started_discard((Tasklet *)task);
    Py_RETURN_NONE;
}

static PyObject *list_owner(PyObject *self, PyObject *stack)
{
    for (Tasklet *task = ((Started *)self)->first; task; task = task->started_next)
        if (task->greenlet == stack)
            return Py_NewRef(task);
    Py_RETURN_NONE;
}

static PyObject *list_tasks(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *tasks = PyList_New(0);
    if (!tasks)
        return NULL;
    for (Tasklet *task = ((Started *)self)->first; task; task = task->started_next)
        if (Py_REFCNT(task) > 0 && PyList_Append(tasks, (PyObject *)task) < 0) {
            Py_DECREF(tasks);
            return NULL;
        }
    return tasks;
}

static Py_ssize_t list_length(PyObject *self) { return ((Started *)self)->length; }

static void list_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    while (((Started *)self)->first)
        started_discard(((Started *)self)->first);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef list_methods[] = {
    {"add", list_add, METH_O, "It has started; or it is being forgotten, but will be killed before."},
    {"discard", list_discard, METH_O, "It has ended.  Nothing happens when it is not there."},
    {"owner", list_owner, METH_O, "Whose stack that is; None when it is nobody's here."},
    {"tasks", list_tasks, METH_NOARGS, "All of them that are not just being forgotten."},
    {0},
};

static PyType_Slot list_slots[] = {
    {Py_tp_doc, "A set of tasklets."}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, list_dealloc},
    {Py_tp_methods, list_methods},     {Py_sq_length, list_length},    {0, NULL},
};

static PyType_Spec list_spec = {
    .name = "_chanlab.Started",
    .basicsize = sizeof(Started),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = list_slots,
};

int chanlab_add_started(PyObject *module)
{
    core.started_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &list_spec, NULL);
    return core.started_type ? PyModule_AddType(module, core.started_type) : -1;
}
#endif
