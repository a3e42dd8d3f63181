/* scheduler.c - the object that stands for a thread's tasklets: its fields, and which of them the core may follow. */
#include "core.h"

#ifdef CHANLAB_CORE
#include <math.h>
#include <time.h>

/* Those on which it depends whether a fast path can be taken are set through set_state(); those that the core follows
 * without a look, through scheduler_setattro(). */
/* clang-format off */
#define SCHEDULER_STATES(X) X(clock) X(collecting) X(in_callback) X(moving) X(switch_trap) X(watchdog)
#define SCHEDULER_POINTERS(X) X(busy) X(current) X(doomed) X(hub) X(main) X(runq) X(runs) X(started)
#define SCHEDULER_SLOTS(X) \
    X(alarm) X(bottoms) X(failed) X(idle) X(locked) X(next_greenlet) X(rng) X(thread_id) X(torn) X(unsettled)
#define SCHEDULER_FIELDS(X) SCHEDULER_SLOTS(X) SCHEDULER_POINTERS(X) SCHEDULER_STATES(X)
/* clang-format on */

void scheduler_states(Scheduler *sched)
{
    int odd = sched->collecting != Py_False || sched->in_callback != Py_False || sched->moving != Py_None ||
              sched->switch_trap != core.zero || sched->watchdog != Py_None || sched->broken;
    sched->odd = (odd ? ODD : 0) | (sched->clock != Py_None ? ODD_CLOCK : 0);
}

int __attribute__((noinline)) clock_calls(const Scheduler *sched)
{
    struct timespec now;
    if (isinf(sched->look_at))
        return sched->look_at < 0;
    clock_gettime(CLOCK_MONOTONIC, &now); /* as time.monotonic() does */
    return sched->look_at <= (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* `closure` is the offset of the field. */
PyObject *core_get_field(PyObject *self, void *closure)
{
    return Py_NewRef(*(PyObject **)((char *)self + (size_t)closure));
}

static int set_state(PyObject *self, PyObject *value, void *closure)
{
    PyObject **field = (PyObject **)((char *)self + (size_t)closure), *old = *field;
    *field = Py_NewRef(value ? value : Py_None);
    scheduler_states((Scheduler *)self);
    Py_DECREF(old);
    return 0;
}

/* Those fields, and what each of them must be. */
static PyTypeObject *flag_type = &PyBool_Type, *list_type = &PyList_Type;
static struct {
    const char *text;
    size_t offset;
    PyTypeObject **type;
    int once;       /* we set it once */
    PyObject *name; /* as any attribute's, interned */
} pointers[] = {
    {"busy", offsetof(Scheduler, busy), &flag_type, 0, NULL},
    {"current", offsetof(Scheduler, current), &core.tasklet_type, 0, NULL},
    {"doomed", offsetof(Scheduler, doomed), &list_type, 1, NULL},
    {"hub", offsetof(Scheduler, hub), &core.fiber_type, 0, NULL},
    {"main", offsetof(Scheduler, main), &core.tasklet_type, 1, NULL},
    {"runq", offsetof(Scheduler, runq), &core.runq_type, 1, NULL},
    {"runs", offsetof(Scheduler, runs), &list_type, 1, NULL},
    {"started", offsetof(Scheduler, started), &core.started_type, 1, NULL},
};

/* Our operations end with the running tasklet at the head of the ring.  If not, then some script has meddled with it,
 * and every operation is left to the Python twins from now on. */
static int has_no_head(const Scheduler *sched)
{
    return sched->busy == Py_False && sched->runq != Py_None && sched->current != Py_None &&
           ((RunQueue *)sched->runq)->head != &((Tasklet *)sched->current)->link;
}

/* Whether a field of a scheduler may be set to this. */
static int fits(const Scheduler *sched, PyObject *value, const PyTypeObject *type)
{
    if (!value || !PyObject_TypeCheck(value, (PyTypeObject *)type))
        return value == Py_None && type == core.fiber_type && sched != my_sched; /* a thread that ends has no hub */
    return type != core.fiber_type || ((Fiber *)value)->parent;
}

static int scheduler_setattro(PyObject *self, PyObject *name, PyObject *value)
{
    Scheduler *sched = (Scheduler *)self;
    size_t i = 0;
    while (i < Py_ARRAY_LENGTH(pointers) && pointers[i].name != name)
        i++;
    if (i == Py_ARRAY_LENGTH(pointers))
        return PyObject_GenericSetAttr(self, name, value);
    PyObject **field = (PyObject **)((char *)self + pointers[i].offset), *old = *field;
    if (!fits(sched, value, *pointers[i].type)) {
        PyErr_Format(PyExc_TypeError, "a scheduler's %s is a %.200s", pointers[i].text, (*pointers[i].type)->tp_name);
        return -1;
    }
    *field = Py_NewRef(value);
    if ((pointers[i].once && old != Py_None) || has_no_head(sched)) {
        sched->broken = 1;
        scheduler_states(sched);
    }
    Py_DECREF(old);
    return 0;
}

static PyObject *scheduler_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Scheduler *sched = (Scheduler *)type->tp_alloc(type, 0);
#define NONE(name) sched->name = Py_NewRef(Py_None);
    if (sched) {
        SCHEDULER_FIELDS(NONE)
        scheduler_states(sched);
    }
    return (PyObject *)sched;
}

static int scheduler_traverse(PyObject *self, visitproc visit, void *arg)
{
    Scheduler *sched = (Scheduler *)self;
    Py_VISIT(Py_TYPE(self));
#define VISIT(name) Py_VISIT(sched->name);
    SCHEDULER_FIELDS(VISIT)
    return 0;
}

static int scheduler_clear(PyObject *self)
{
    Scheduler *sched = (Scheduler *)self;
    if (sched == my_sched)
        my_sched = NULL;
#define EMPTY(name)                                                                                                    \
    if (sched->name)                                                                                                   \
        put(&sched->name, Py_NewRef(Py_None));
    SCHEDULER_FIELDS(EMPTY)
    return 0;
}

static void scheduler_dealloc(PyObject *self)
{
    Scheduler *sched = (Scheduler *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (sched->weakrefs)
        PyObject_ClearWeakRefs(self);
    scheduler_clear(self);
#define DROP(name) Py_CLEAR(sched->name);
    SCHEDULER_FIELDS(DROP)
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef scheduler_methods[] = {
    {"run", (PyCFunction)(void *)scheduler_run, METH_FASTCALL, "Let all others run until the ring is empty."},
    {0},
};

static PyMemberDef scheduler_members[] = {
#define MEMBER(name) PUBLIC_FIELD(Scheduler, name),
    SCHEDULER_SLOTS(MEMBER)
#define FINAL_MEMBER(name) {#name, T_OBJECT_EX, offsetof(Scheduler, name), READONLY, NULL},
        SCHEDULER_POINTERS(FINAL_MEMBER){"broken", T_INT, offsetof(Scheduler, broken), READONLY, NULL},
    {"look_at", T_DOUBLE, offsetof(Scheduler, look_at), 0, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Scheduler, weakrefs), READONLY, NULL},
    {0},
};

static PyGetSetDef scheduler_getset[] = {
#define STATE(name) {#name, core_get_field, set_state, NULL, (void *)offsetof(Scheduler, name)},
    SCHEDULER_STATES(STATE){0},
};

static PyType_Slot scheduler_slots[] = {
    {Py_tp_getset, scheduler_getset},     {Py_tp_new, scheduler_new},           {Py_tp_dealloc, scheduler_dealloc},
    {Py_tp_traverse, scheduler_traverse}, {Py_tp_clear, scheduler_clear},       {Py_tp_methods, scheduler_methods},
    {Py_tp_members, scheduler_members},   {Py_tp_setattro, scheduler_setattro}, {0, NULL},
};

static PyType_Spec scheduler_spec = {
    .name = "chanlab.sched.Scheduler",
    .basicsize = sizeof(Scheduler),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = scheduler_slots,
};

int scheduler_is_whole(PyObject *sched)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(pointers); i++)
        if (*(PyObject **)((char *)sched + pointers[i].offset) == Py_None)
            return 0;
    return 1;
}

int chanlab_add_scheduler(PyObject *module)
{
    for (size_t i = 0; i < Py_ARRAY_LENGTH(pointers); i++)
        if (!(pointers[i].name = PyUnicode_InternFromString(pointers[i].text)))
            return -1;
    core.scheduler_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &scheduler_spec, NULL);
    core.runq_type = (PyTypeObject *)PyObject_GetAttrString(module, "RunQueue");
    if (!core.scheduler_type || !core.runq_type)
        return -1;
    return PyModule_AddObjectRef(module, "Scheduler", (PyObject *)core.scheduler_type);
}
#endif
