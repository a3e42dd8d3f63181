/* channel.c - the rendezvous.  Mirror of pylib/chanlab/channel.py. */
#include "gochan.h"

#ifdef CHANLAB_CORE

static PyObject *channel_send(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Channel *ch = (Channel *)self;
    Scheduler *sched = plain_sched();
    if (ch->kind == GO && nargs == 1 && !kwnames)
        return go_send(ch, args);
    if (!sched || nargs != 1 || kwnames || ch->kind != STACKLESS || ch->schedule_all != Py_False)
        return call_twin_vector(SEND, self, args, nargs, kwnames);
    WaitQueue *receivers = (WaitQueue *)ch->receivers;
    if (!receivers->head) {
        Tasklet *to = can_wait(sched, ch, args[0]);
        if (!to)
            return call_twin_vector(SEND, self, args, nargs, kwnames);
        return wait_in(sched, ch, (WaitQueue *)ch->senders, core.one, args[0], to, args + 1);
    }
    if (!receivers->head->is_tasklet)
        return send_to_select(sched, ch, args);
    Tasklet *peer = plain_peer(ch, receivers, sched);
    int switches = ch->preference == core.minus_one;
    if (!peer || peer->tempval != Py_None ||
        (switches && (current_of(sched)->tempval != Py_None || !can_switch(sched, peer))))
        return call_twin_vector(SEND, self, args, nargs, kwnames);
    put(&peer->tempval, Py_NewRef(args[0]));
    take_out(receivers, peer);
    if (!switches) {
        join_end(ring_of(sched), peer);
        Py_RETURN_NONE;
    }
    join_head(ring_of(sched), peer);
    return park(sched, peer, args + 1);
}

/* receive(), and the next round of a `for` loop; `operands` is the top of the caller's operands, or NULL. */
static inline PyObject *receive(Channel *ch, enum Twin twin, PyObject *const *operands)
{
    Scheduler *sched = plain_sched();
    if (!sched || ch->kind != STACKLESS || ch->schedule_all != Py_False)
        return call_twin(twin, (PyObject *)ch, operands, 0);
    WaitQueue *senders = (WaitQueue *)ch->senders;
    if (!senders->head) {
        Tasklet *to = can_wait(sched, ch, Py_None);
        if (!to)
            return call_twin(twin, (PyObject *)ch, operands, 0);
        return wait_in(sched, ch, (WaitQueue *)ch->receivers, core.minus_one, Py_None, to, operands);
    }
    if (!senders->head->is_tasklet)
        return receive_from_select(sched, ch, twin, operands);
    Tasklet *peer = plain_peer(ch, senders, sched);
    int switches = ch->preference == core.one;
    if (!peer || !peer->tempval || Py_IS_TYPE(peer->tempval, (PyTypeObject *)core.bomb) ||
        (switches && (current_of(sched)->tempval != Py_None || !can_switch(sched, peer))))
        return call_twin(twin, (PyObject *)ch, operands, 0);
    PyObject *value = peer->tempval;
    peer->tempval = Py_NewRef(Py_None);
    take_out(senders, peer);
    if (!switches) {
        join_end(ring_of(sched), peer);
        return value;
    }
    put(&current_of(sched)->tempval, value);
    join_head(ring_of(sched), peer);
    return park(sched, peer, operands);
}

static PyObject *channel_receive(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs || kwnames)
        return call_twin_vector(RECEIVE, self, args, nargs, kwnames);
    return receive((Channel *)self, RECEIVE, args);
}

static PyObject *channel_next(PyObject *self)
{
    Channel *ch = (Channel *)self;
    if (!((WaitQueue *)ch->senders)->head)
        frames_learn(PyType_GetModuleState(core.channel_type)); /* while Python code may run */
    return receive(ch, NEXT, NULL);
}

/* Whether a class has the attribute of that name from `base`. */
static int has_own(PyTypeObject *type, PyTypeObject *base, const char *name)
{
    PyObject *here_ = PyObject_GetAttrString((PyObject *)type, name);
    PyObject *own = PyObject_GetAttrString((PyObject *)base, name);
    int same = here_ && here_ == own;
    Py_XDECREF(here_);
    Py_XDECREF(own);
    PyErr_Clear();
    return same;
}

/* The kind of a channel of this class: does it in all that matters here what one of the core's own does? */
static enum Kind kind_of(PyTypeObject *type)
{
    static const char *const names[] = {"_act", "_post", "_ready", "_commit", "_comes", "_check_send", "_is_nil"};
    PyTypeObject *base = PyType_IsSubtype(type, core.go_type) ? core.go_type : core.channel_type;
    for (size_t i = 0; type != base && i < Py_ARRAY_LENGTH(names); i++)
        if (!has_own(type, base, names[i]))
            return ODD_KIND;
    return base == core.go_type ? GO : STACKLESS;
}

/* receiveCase() and sendCase(value): what the Python twin imports first is there from then on. */
static PyObject *channel_receive_case(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    if (!core.late)
        return call_twin(RECEIVE_CASE, self, NULL, 0);
    return case_of(self, core.minus_one, Py_None);
}

static PyObject *channel_send_case(PyObject *self, PyObject *value)
{
    if (!core.late || ((Channel *)self)->kind == ODD_KIND)
        return call_twin(SEND_CASE, self, &value, 1);
    return case_of(self, core.one, value);
}

/* Takes and ignores any arguments: subclasses have constructors of their own.  New reference, or NULL.  What may
 * collect garbage, and so run any code, comes first: from tp_alloc() on the channel is to be found (gc.get_objects()).
 */
static PyObject *channel_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    enum Kind kind = kind_of(type);
    PyObject *senders = core.waitq_type->tp_alloc(core.waitq_type, 0);
    PyObject *receivers = senders ? core.waitq_type->tp_alloc(core.waitq_type, 0) : NULL;
    PyObject *number = receivers ? PyIter_Next(core.channel_numbers) : NULL;
    Channel *ch = number ? (Channel *)type->tp_alloc(type, 0) : NULL;
    if (!ch) {
        Py_XDECREF(senders);
        Py_XDECREF(receivers);
        Py_XDECREF(number);
        return NULL;
    }
    ch->kind = (char)kind;
    ch->senders = senders;
    ch->receivers = receivers;
    ch->number = number;
    ch->closing = Py_NewRef(Py_False);
    ch->schedule_all = Py_NewRef(Py_False);
    ch->label = Py_NewRef(Py_None);
    ch->preference = Py_NewRef(core.minus_one);
    return (PyObject *)ch;
}

static int channel_traverse(PyObject *self, visitproc visit, void *arg)
{
    Channel *ch = (Channel *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(ch->label);
    Py_VISIT(ch->number);
    Py_VISIT(ch->preference);
    Py_VISIT(ch->senders);
    Py_VISIT(ch->receivers);
    return 0;
}

/* Nothing to clear: a cycle through a channel goes through its queues, which are cleared. */
static void channel_dealloc(PyObject *self)
{
    Channel *ch = (Channel *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, channel_dealloc) /* channels that are sent over channels make chains of any length */
        if (ch->weakrefs) PyObject_ClearWeakRefs(self);
    Py_XDECREF(ch->closing);
    Py_XDECREF(ch->label);
    Py_XDECREF(ch->number);
    Py_XDECREF(ch->preference);
    Py_XDECREF(ch->schedule_all);
    Py_XDECREF(ch->senders);
    Py_XDECREF(ch->receivers);
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMethodDef channel_methods[] = {
    {"send", (PyCFunction)(void *)channel_send, METH_FASTCALL | METH_KEYWORDS,
     "send($self, value)\n--\n\nPass `value` to a receiver, waiting for one if need be."},
    {"receive", (PyCFunction)(void *)channel_receive, METH_FASTCALL | METH_KEYWORDS,
     "receive($self)\n--\n\nReturn the value of a sender, waiting for one if need be; raises what was sent by "
     "send_exception()."},
    {"receiveCase", channel_receive_case, METH_NOARGS, "A case that receives from this channel (Francis)."},
    {"sendCase", channel_send_case, METH_O,
     "sendCase($self, value)\n--\n\nA case that sends `value`, maybe a select_proto.late one, over this channel "
     "(Francis)."},
    {0},
};

static PyMemberDef channel_members[] = {
    FIELD(Channel, closing),
    FIELD(Channel, label),
    FIELD(Channel, number),
    FIELD(Channel, preference),
    FINAL_FIELD(Channel, receivers),
    FIELD(Channel, schedule_all),
    FINAL_FIELD(Channel, senders),
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Channel, weakrefs), READONLY, NULL},
    {0},
};

static PyType_Slot channel_slots[] = {
    {Py_tp_new, channel_new},
    {Py_tp_dealloc, channel_dealloc},
    {Py_tp_traverse, channel_traverse},
    {Py_tp_iternext, channel_next},
    {Py_tp_methods, channel_methods},
    {Py_tp_members, channel_members},
    {0, NULL},
};

static PyType_Spec channel_spec = {
    .name = "stackless.channel",
    .basicsize = sizeof(Channel),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = channel_slots,
};

int chanlab_add_channel(PyObject *module)
{
    core.channel_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &channel_spec, NULL);
    return core.channel_type ? PyModule_AddObjectRef(module, "channel", (PyObject *)core.channel_type) : -1;
}
#endif
