/* cases.c - the objects of a select: its cases, and what it posts.  Mirror of `case` and Offers in select_proto.py. */
#include "select.h"

#ifdef CHANLAB_CORE

/* -- a case
 * -------------------------------------------------------------------------------------------------------------- */

/* Every field of a case that Python sees. */
#define CASE_FIELDS(X) X(offers) X(callback) X(channel) X(direction) X(element) X(guard) X(index) X(ok) X(value)

/* Takes and ignores any arguments, which are for __init__.  New reference, or NULL. */
static PyObject *case_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Case *c = (Case *)type->tp_alloc(type, 0);
    if (!c)
        return NULL;
    c->link.is_case = 1;
#define NONE(name) c->name = Py_NewRef(Py_None);
    CASE_FIELDS(NONE)
    return (PyObject *)c;
}

PyObject *case_of(PyObject *channel, PyObject *direction, PyObject *value)
{
    Case *c = (Case *)case_new(core.case_type, NULL, NULL);
    if (!c)
        return NULL;
    put(&c->channel, Py_NewRef(channel));
    put(&c->direction, Py_NewRef(direction));
    put(&c->value, Py_NewRef(value));
    put(&c->guard, Py_NewRef(Py_True));
    return (PyObject *)c;
}

static int case_traverse(PyObject *self, visitproc visit, void *arg)
{
    Case *c = (Case *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(c->link.queue);
#define VISIT(name) Py_VISIT(c->name);
    CASE_FIELDS(VISIT)
    return 0;
}

/* A field stays an object even now: a finalizer may still look at it. */
static int case_clear(PyObject *self)
{
    Case *c = (Case *)self;
    Py_CLEAR(c->link.queue);
#define EMPTY(name)                                                                                                    \
    if (c->name)                                                                                                       \
        put(&c->name, Py_NewRef(Py_None));
    CASE_FIELDS(EMPTY)
    return 0;
}

/* A member of a C queue is never deallocated: the queue owns it. */
static void case_dealloc(PyObject *self)
{
    Case *c = (Case *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (type->tp_finalize && PyObject_CallFinalizerFromDealloc(self) < 0)
        return;
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, case_dealloc) /* a case can be the value of a case, and so make chains of any length */
        Py_CLEAR(c->link.queue);
#define DROP(name) Py_CLEAR(c->name);
    CASE_FIELDS(DROP)
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyObject *case_get_offers(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *offers = ((Case *)self)->offers;
    return Py_NewRef(offers ? offers : Py_None);
}

static int case_set_offers(PyObject *self, PyObject *offers, void *Py_UNUSED(closure))
{
    links_disturbed++;
    put(&((Case *)self)->offers, Py_NewRef(offers ? offers : Py_None));
    return 0;
}

static PyGetSetDef case_getset[] = {
    {"_offers", case_get_offers, case_set_offers, "The blocked select that it is posted by, or None.", NULL},
    {0},
};

static PyMemberDef case_members[] = {
    PUBLIC_FIELD(Case, callback), PUBLIC_FIELD(Case, channel), PUBLIC_FIELD(Case, direction),
    PUBLIC_FIELD(Case, element),  PUBLIC_FIELD(Case, guard),   PUBLIC_FIELD(Case, index),
    PUBLIC_FIELD(Case, ok),       PUBLIC_FIELD(Case, value),   {0},
};

static PyType_Slot case_slots[] = {
    {Py_tp_new, case_new},
    {Py_tp_dealloc, case_dealloc},
    {Py_tp_traverse, case_traverse},
    {Py_tp_clear, case_clear},
    {Py_tp_members, case_members},
    {Py_tp_getset, case_getset},
    {0, NULL},
};

static PyType_Spec case_spec = {
    .name = "select_proto.case",
    .basicsize = sizeof(Case),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = case_slots,
};

/* -- a blocked select
 * ---------------------------------------------------------------------------------------------------- */

enum { FEW = 8, MANY = 64, KEPT = 64 };

/* Those that are over are kept for the next one, because making one may collect garbage: [0] with room for FEW cases,
 * [1] for MANY. */
static struct {
    int count;
    Offers *offers[KEPT];
} kept[2];

static inline int size_class(Py_ssize_t count) { return count <= FEW ? 0 : count <= MANY ? 1 : 2; }

Offers *offers_kept(Py_ssize_t count)
{
    int class = size_class(count);
    if (class > 1 || !kept[class].count)
        return NULL;
    Offers *offers = kept[class].offers[--kept[class].count];
    _Py_NewReference((PyObject *)offers);
    return offers;
}

Offers *offers_made(Py_ssize_t count)
{
    int class = size_class(count);
    Offers *offers = PyObject_GC_NewVar(Offers, core.offers_type, class == 0 ? FEW : class == 1 ? MANY : count);
    if (!offers)
        return NULL;
    offers->tasklet = NULL;
    offers->timer = Py_NewRef(Py_None);
    offers->count = 0;
    offers->alike = 0;
    return offers;
}

/* Keep it, or give it back.  It is empty, and the collector does not know it. */
static void put_away(Offers *offers)
{
    int class = size_class(Py_SIZE(offers));
    if (class < 2 && kept[class].count < KEPT) {
        offers->alike = 0;
        kept[class].offers[kept[class].count++] = offers;
        return;
    }
    PyTypeObject *type = Py_TYPE(offers);
    Py_XDECREF(offers->timer);
    PyObject_GC_Del(offers);
    Py_DECREF(type);
}

void offers_unused(Offers *offers) { put_away(offers); }

static void offers_empty(Offers *offers)
{
    while (offers->count)
        Py_DECREF(offers->cases[--offers->count]);
    Py_CLEAR(offers->tasklet);
    if (offers->timer != Py_None)
        Py_XSETREF(offers->timer, Py_NewRef(Py_None));
}

static void offers_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    offers_empty((Offers *)self);
    put_away((Offers *)self);
}

static int offers_traverse(PyObject *self, visitproc visit, void *arg)
{
    Offers *offers = (Offers *)self;
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = 0; i < offers->count; i++)
        Py_VISIT(offers->cases[i]);
    Py_VISIT(offers->tasklet);
    Py_VISIT(offers->timer);
    return 0;
}

static int offers_clear(PyObject *self)
{
    offers_empty((Offers *)self);
    return 0;
}

/* Offers(tasklet, cases): `cases` is a list of them. */
static PyObject *offers_new(PyTypeObject *Py_UNUSED(type), PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"tasklet", "cases", NULL};
    PyObject *tasklet, *list;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!:Offers", names, core.tasklet_type, &tasklet, &PyList_Type,
                                     &list))
        return NULL;
    PyObject *cases = PyList_AsTuple(list); /* nobody changes that one */
    Offers *offers = cases ? offers_made(PyTuple_GET_SIZE(cases)) : NULL;
    for (Py_ssize_t i = 0; offers && i < PyTuple_GET_SIZE(cases); i++) {
        PyObject *c = PyTuple_GET_ITEM(cases, i);
        if (!PyObject_TypeCheck(c, core.case_type)) {
            PyErr_Format(PyExc_TypeError, "Offers are of cases, not %.200s", Py_TYPE(c)->tp_name);
            Py_CLEAR(offers);
        } else {
            offers->cases[offers->count++] = (Case *)Py_NewRef(c);
        }
    }
    Py_XDECREF(cases);
    if (offers) {
        offers->tasklet = Py_NewRef(tasklet);
        PyObject_GC_Track(offers);
    }
    return (PyObject *)offers;
}

static PyObject *offers_get_cases(PyObject *self, void *Py_UNUSED(closure))
{
    Offers *offers = (Offers *)self;
    PyObject *list = PyList_New(offers->count);
    for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list); i++)
        PyList_SET_ITEM(list, i, Py_NewRef(i < offers->count ? (PyObject *)offers->cases[i] : Py_None));
    return list;
}

static PyMemberDef offers_members[] = {
    {"tasklet", T_OBJECT, offsetof(Offers, tasklet), READONLY, NULL},
    PUBLIC_FIELD(Offers, timer),
    {0},
};

static PyGetSetDef offers_getset[] = {
    {"cases", offers_get_cases, NULL, "The cases, as a new list.", NULL},
    {0},
};

static PyType_Slot offers_slots[] = {
    {Py_tp_new, offers_new},
    {Py_tp_dealloc, offers_dealloc},
    {Py_tp_traverse, offers_traverse},
    {Py_tp_clear, offers_clear},
    {Py_tp_members, offers_members},
    {Py_tp_getset, offers_getset},
    {0, NULL},
};

static PyType_Spec offers_spec = {
    .name = "select_proto.Offers",
    .basicsize = offsetof(Offers, cases),
    .itemsize = sizeof(Case *),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = offers_slots,
};

int chanlab_add_cases(PyObject *module)
{
    ModuleState *state = PyModule_GetState(module);
    PyObject *bases = PyTuple_Pack(1, state->link_type);
    if (!bases)
        return -1;
    core.case_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &case_spec, bases);
    Py_DECREF(bases);
    core.offers_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &offers_spec, NULL);
    if (!core.case_type || !core.offers_type)
        return -1;
    return PyModule_AddObjectRef(module, "case", (PyObject *)core.case_type) < 0
               ? -1
               : PyModule_AddObjectRef(module, "Offers", (PyObject *)core.offers_type);
}
#endif
