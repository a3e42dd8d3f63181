/* watch.c - who watches what happens.  Mirror of pylib/chanlab/watch.py. */
#include "core.h"

#ifdef CHANLAB_CORE

static PyObject *watch_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Watch *watch = (Watch *)type->tp_alloc(type, 0);
    if (watch) {
        watch->callback = Py_NewRef(Py_None);
        watch->error_handler = Py_NewRef(Py_None);
        watch->schedule_callback = Py_NewRef(Py_None);
        watch->trace = Py_NewRef(Py_None);
    }
    return (PyObject *)watch;
}

static int watch_traverse(PyObject *self, visitproc visit, void *arg)
{
    Watch *watch = (Watch *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(watch->callback);
    Py_VISIT(watch->error_handler);
    Py_VISIT(watch->schedule_callback);
    Py_VISIT(watch->trace);
    return 0;
}

static void watch_dealloc(PyObject *self)
{
    Watch *watch = (Watch *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(watch->callback);
    Py_XDECREF(watch->error_handler);
    Py_XDECREF(watch->schedule_callback);
    Py_XDECREF(watch->trace);
    type->tp_free(self);
    Py_DECREF(type);
}

static int watch_set(PyObject *self, PyObject *value, void *closure)
{
    Watch *watch = (Watch *)self;
    PyObject **field = (PyObject **)((char *)self + (size_t)closure), *old = *field;
    *field = Py_NewRef(value ? value : Py_None);
    watch->odd = watch->callback != Py_None || watch->schedule_callback != Py_None || watch->trace != Py_None;
    Py_DECREF(old);
    return 0;
}

static PyMemberDef watch_members[] = {
    PUBLIC_FIELD(Watch, error_handler),
    {0},
};

static PyGetSetDef watch_getset[] = {
    {"callback", core_get_field, watch_set, NULL, (void *)offsetof(Watch, callback)},
    {"schedule_callback", core_get_field, watch_set, NULL, (void *)offsetof(Watch, schedule_callback)},
    {"trace", core_get_field, watch_set, NULL, (void *)offsetof(Watch, trace)},
    {0},
};

static PyType_Slot watch_slots[] = {
    {Py_tp_new, watch_new},         {Py_tp_dealloc, watch_dealloc}, {Py_tp_traverse, watch_traverse},
    {Py_tp_members, watch_members}, {Py_tp_getset, watch_getset},   {0, NULL},
};

static PyType_Spec watch_spec = {
    .name = "chanlab.watch.Watch",
    .basicsize = sizeof(Watch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = watch_slots,
};

int chanlab_add_watch(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &watch_spec, NULL);
    int failed = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    return failed;
}
#endif
