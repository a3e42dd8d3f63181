/* gochan.c - Go's channels.  Mirror of pylib/gochan.py.
 *
 * The plain case is an open channel, or a closed one that is received from, with the preference that it was made with:
 * whoever could go on at a meeting does, so that only who waits switches. */
#include "gochan.h"

#ifdef CHANLAB_CORE

/* -- the buffer
 * ---------------------------------------------------------------------------------------------------------- */

/* Make room for one more.  0, or -1 with MemoryError. */
static int make_room(Buffer *buffer)
{
    enum { LEAST = 4 };
    if (buffer->count < buffer->room)
        return 0;
    Py_ssize_t room = buffer->room ? 2 * buffer->room : LEAST;
    PyObject **items = PyMem_New(PyObject *, room);
    if (!items) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < buffer->count; i++)
        items[i] = buffer->items[(buffer->first + i) % buffer->room];
    PyMem_Free(buffer->items);
    buffer->items = items;
    buffer->first = 0;
    buffer->room = room;
    return 0;
}

/* There is room.  Steals a reference to `value`. */
static void push(Buffer *buffer, PyObject *value)
{
    Py_ssize_t at = buffer->first + buffer->count++;
    buffer->items[at < buffer->room ? at : at - buffer->room] = value;
}

/* The oldest; there is one.  The buffer's reference goes to the caller. */
static PyObject *pop(Buffer *buffer)
{
    PyObject *value = buffer->items[buffer->first];
    if (++buffer->first == buffer->room)
        buffer->first = 0;
    buffer->count--;
    return value;
}

static PyObject *buffer_append(PyObject *self, PyObject *value)
{
    if (make_room((Buffer *)self) < 0)
        return NULL;
    push((Buffer *)self, Py_NewRef(value));
    Py_RETURN_NONE;
}

static PyObject *buffer_popleft(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    if (!((Buffer *)self)->count) {
        PyErr_SetString(PyExc_IndexError, "pop from an empty buffer");
        return NULL;
    }
    return pop((Buffer *)self);
}

static PyObject *buffer_extend(PyObject *self, PyObject *values)
{
    PyObject *iterator = PyObject_GetIter(values), *value;
    while (iterator && (value = PyIter_Next(iterator))) {
        PyObject *result = buffer_append(self, value);
        Py_DECREF(value);
        if (!result)
            break;
        Py_DECREF(result);
    }
    Py_XDECREF(iterator);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* buffer[i], counted from the oldest.  New reference, or NULL with IndexError. */
static PyObject *buffer_item(PyObject *self, Py_ssize_t i)
{
    Buffer *buffer = (Buffer *)self;
    if (i < 0 || i >= buffer->count) {
        PyErr_SetString(PyExc_IndexError, "buffer index out of range");
        return NULL;
    }
    return Py_NewRef(buffer->items[(buffer->first + i) % buffer->room]);
}

/* del buffer[0], and nothing else.  0, or -1 with IndexError or TypeError. */
static int buffer_delete(PyObject *self, Py_ssize_t i, PyObject *value)
{
    if (value || i) {
        PyErr_SetString(PyExc_TypeError, "only the oldest value can be taken out of a buffer");
        return -1;
    }
    PyObject *oldest = buffer_popleft(self, NULL);
    Py_XDECREF(oldest);
    return oldest ? 0 : -1;
}

/* buffer += values.  New reference to the buffer, or NULL. */
static PyObject *buffer_add(PyObject *self, PyObject *values)
{
    PyObject *result = buffer_extend(self, values);
    Py_XDECREF(result);
    return result ? Py_NewRef(self) : NULL;
}

static Py_ssize_t buffer_length(PyObject *self) { return ((Buffer *)self)->count; }

/* An iterator over the values as they are now.  New reference, or NULL. */
static PyObject *buffer_iter(PyObject *self)
{
    Buffer *buffer = (Buffer *)self;
    PyObject *values = PyList_New(0), *result = NULL; /* may collect garbage: only then look at the buffer */
    if (!values)
        return NULL;
    for (Py_ssize_t i = 0; i < buffer->count; i++)
        if (PyList_Append(values, buffer->items[(buffer->first + i) % buffer->room]) < 0)
            goto done;
    result = PyObject_GetIter(values);
done:
    Py_DECREF(values);
    return result;
}

static int buffer_traverse(PyObject *self, visitproc visit, void *arg)
{
    Buffer *buffer = (Buffer *)self;
    Py_VISIT(Py_TYPE(self));
    for (Py_ssize_t i = 0; i < buffer->count; i++)
        Py_VISIT(buffer->items[(buffer->first + i) % buffer->room]);
    return 0;
}

/* Dropping a value may run any code, so each is out of the buffer before it is dropped. */
static int buffer_clear(PyObject *self)
{
    while (((Buffer *)self)->count)
        Py_DECREF(pop((Buffer *)self));
    return 0;
}

static void buffer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, buffer_dealloc) /* channels in buffers of channels make chains of any length */
        buffer_clear(self);
    PyMem_Free(((Buffer *)self)->items);
    type->tp_free(self);
    Py_DECREF(type);
    Py_TRASHCAN_END
}

static PyMethodDef buffer_methods[] = {
    {"append", buffer_append, METH_O, "Put a value in."},
    {"extend", buffer_extend, METH_O, "Put each of the values in."},
    {"popleft", buffer_popleft, METH_NOARGS, "Take the oldest value out and return it.  IndexError when empty."},
    {0},
};

static PyType_Slot buffer_slots[] = {
    {Py_tp_doc, "FIFO of values."},    {Py_tp_new, PyType_GenericNew},     {Py_tp_dealloc, buffer_dealloc},
    {Py_tp_traverse, buffer_traverse}, {Py_tp_clear, buffer_clear},        {Py_tp_methods, buffer_methods},
    {Py_tp_iter, buffer_iter},         {Py_sq_length, buffer_length},      {Py_sq_item, buffer_item},
    {Py_sq_ass_item, buffer_delete},   {Py_sq_inplace_concat, buffer_add}, {0, NULL},
};

static PyType_Spec buffer_spec = {
    .name = "_chanlab.Buffer",
    .basicsize = sizeof(Buffer),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = buffer_slots,
};

/* -- the operations
 * ------------------------------------------------------------------------------------------------------ */

static inline int is_bomb(PyObject *value) { return Py_IS_TYPE(value, (PyTypeObject *)core.bomb); }

int go_put(Channel *ch, PyObject *value)
{
    if (make_room(buffer_of(ch)) < 0)
        return -1;
    push(buffer_of(ch), Py_NewRef(value));
    return 0;
}

PyObject *go_take(Scheduler *sched, Channel *ch, uint64_t *state)
{
    Buffer *buffer = buffer_of(ch);
    WaitQueue *senders = (WaitQueue *)ch->senders;
    if (is_bomb(buffer->items[buffer->first]))
        return NULL;
    if (!senders->head)
        return pop(buffer);
    Peer peer = {.state = *state};
    if (!find_peer(sched, ch, senders, 0, NULL, &peer))
        return NULL;
    *state = peer.state;
    PyObject *value = pop(buffer);
    push(buffer, meet(&peer, senders, 0, NULL));
    join_end(ring_of(sched), peer.task);
    return value;
}

/* Meet who waits in `queue`, who joins the end of the ring.  What was received, None for a send: new reference.  NULL
 * without an exception, and nothing has changed, when the Python twin must do it. */
static PyObject *go_meet(Scheduler *sched, Channel *ch, WaitQueue *queue, int sends, PyObject *value)
{
    Generator *rng = generator_of(sched);
    Peer peer = {.state = rng ? rng->state : 0};
    if ((!rng && !queue->head->is_tasklet) || !find_peer(sched, ch, queue, sends, value, &peer))
        return NULL;
    if (rng)
        rng->state = peer.state;
    PyObject *received = meet(&peer, queue, sends, value);
    join_end(ring_of(sched), peer.task);
    return received;
}

/* This thread's scheduler when the plain case is to be had on this channel, else NULL. */
static inline Scheduler *plain_go(Channel *ch)
{
    Scheduler *sched =
        ch->kind == GO && ch->preference == core.zero && ch->schedule_all == Py_False ? plain_sched() : NULL;
    return sched && core.CLOSED ? sched : NULL;
}

PyObject *go_send(Channel *ch, PyObject *const *args)
{
    Scheduler *sched = plain_go(ch);
    PyObject *result = NULL;
    if (!sched || ch->closing != Py_False || is_bomb(args[0]) || args[0] == core.CLOSED)
        return call_twin(SEND, (PyObject *)ch, args, 1);
    if (((WaitQueue *)ch->receivers)->head) {
        result = go_meet(sched, ch, (WaitQueue *)ch->receivers, 1, args[0]);
    } else if (buffer_of(ch)->count < ((GoChannel *)ch)->most) {
        result = go_put(ch, args[0]) < 0 ? NULL : Py_NewRef(Py_None);
    } else {
        Tasklet *to = can_wait(sched, ch, args[0]);
        if (to)
            return wait_in(sched, ch, (WaitQueue *)ch->senders, core.one, args[0], to, args + 1);
    }
    return result || PyErr_Occurred() ? result : call_twin(SEND, (PyObject *)ch, args, 1);
}

PyObject *go_delivers(enum Wants wants, PyObject *value)
{
    int is_value = value != core.CLOSED;
    if (wants == WANTS_NEXT && is_value)
        return value;
    if (wants == WANTS_NEXT) {
        Py_DECREF(value);
        PyErr_SetNone(PyExc_StopIteration);
        return NULL;
    }
    if (!is_value)
        Py_SETREF(value, Py_NewRef(Py_None));
    if (wants == WANTS_VALUE)
        return value;
    PyObject *pair = PyTuple_Pack(2, value, is_value ? Py_True : Py_False);
    Py_DECREF(value);
    return pair;
}

/* receive(), receive_ok(), and the next round of a `for` loop; `operands` is the top of the caller's operands, or
 * NULL. */
static PyObject *go_receive(Channel *ch, enum Wants wants, enum Twin twin, PyObject *const *operands)
{
    Scheduler *sched = plain_go(ch);
    PyObject *value = NULL;
    if (!sched)
        return call_twin(twin, (PyObject *)ch, operands, 0);
    if (buffer_of(ch)->count) {
        Generator *rng = generator_of(sched);
        uint64_t none, *state = rng ? &rng->state : &none;
        if (rng || !((WaitQueue *)ch->senders)->head || ((WaitQueue *)ch->senders)->head->is_tasklet)
            value = go_take(sched, ch, state);
    } else if (((WaitQueue *)ch->senders)->head) {
        value = go_meet(sched, ch, (WaitQueue *)ch->senders, 0, NULL);
    } else if (ch->closing == Py_True) {
        value = Py_NewRef(core.CLOSED);
    } else {
        Tasklet *to = can_wait(sched, ch, Py_None);
        if (!to)
            return call_twin(twin, (PyObject *)ch, operands, 0);
        here.current->wants = (char)wants;
        here.current->odd |= wants == WANTS_PAIR;
        return wait_in(sched, ch, (WaitQueue *)ch->receivers, core.minus_one, Py_None, to, operands);
    }
    return value ? go_delivers(wants, value) : call_twin(twin, (PyObject *)ch, operands, 0);
}

static PyObject *go_channel_receive(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs || kwnames)
        return call_twin_vector(GO_RECEIVE, self, args, nargs, kwnames);
    return go_receive((Channel *)self, WANTS_VALUE, GO_RECEIVE, args);
}

static PyObject *go_channel_receive_ok(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (nargs || kwnames)
        return call_twin_vector(GO_RECEIVE_OK, self, args, nargs, kwnames);
    return go_receive((Channel *)self, WANTS_PAIR, GO_RECEIVE_OK, args);
}

static PyObject *go_channel_next(PyObject *self)
{
    Channel *ch = (Channel *)self;
    if (!buffer_of(ch)->count && !((WaitQueue *)ch->senders)->head)
        frames_learn(PyType_GetModuleState(core.channel_type)); /* while Python code may run */
    return go_receive(ch, WANTS_NEXT, GO_NEXT, NULL);
}

/* -- the object
 * ---------------------------------------------------------------------------------------------------------- */

/* The size of a new channel's buffer, from its arguments: a new reference to an int, and what it is.  NULL with
 * TypeError or ValueError. */
static PyObject *size_of(PyObject *args, PyObject *kwargs, Py_ssize_t *most)
{
    const Py_ssize_t largest = (Py_ssize_t)1 << 48;
    PyObject *given = PyTuple_GET_SIZE(args) ? PyTuple_GET_ITEM(args, 0) : NULL;
    if (!given && kwargs)
        given = PyDict_GetItemString(kwargs, "size");
    PyObject *size = given ? PyNumber_Index(given) : Py_NewRef(core.zero);
    if (!size)
        return NULL;
    *most = PyLong_AsSsize_t(size);
    if (*most >= 0 && *most <= largest)
        return size;
    PyErr_SetString(PyExc_ValueError, "makechan: size out of range");
    Py_DECREF(size);
    return NULL;
}

/* New reference, or NULL. */
static PyObject *go_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    Py_ssize_t most;
    PyObject *size = size_of(args, kwargs, &most);
    PyObject *buffer = size ? core.buffer_type->tp_alloc(core.buffer_type, 0) : NULL;
    PyObject *self = buffer ? core.channel_type->tp_new(type, args, kwargs) : NULL;
    GoChannel *ch = (GoChannel *)self;
    if (!ch) {
        Py_XDECREF(size);
        Py_XDECREF(buffer);
        return NULL;
    }
    ch->size = size;
    ch->most = most;
    ch->buffer = buffer;
    put(&ch->channel.preference, Py_NewRef(core.zero));
    return self;
}

static int go_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((GoChannel *)self)->buffer);
    return core.channel_type->tp_traverse(self, visit, arg);
}

static void go_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, go_dealloc) /* as in channel.c */
        Py_CLEAR(((GoChannel *)self)->buffer);
    Py_CLEAR(((GoChannel *)self)->size);
    PyObject_GC_Track(self);
    core.channel_type->tp_dealloc(self);
    Py_TRASHCAN_END
}

static PyMethodDef go_methods[] = {
    {"receive", (PyCFunction)(void *)go_channel_receive, METH_FASTCALL | METH_KEYWORDS,
     "receive($self)\n--\n\nReturn the next value, waiting for one if need be; None at once when it is closed and "
     "drained."},
    {"receive_ok", (PyCFunction)(void *)go_channel_receive_ok, METH_FASTCALL | METH_KEYWORDS,
     "receive_ok($self)\n--\n\n(the next value, True), waiting for one if need be; (None, False) when it is closed and "
     "drained."},
    {0},
};

static PyMemberDef go_members[] = {
    FINAL_FIELD(GoChannel, buffer),
    FINAL_FIELD(GoChannel, size),
    {0},
};

static PyType_Slot go_slots[] = {
    {Py_tp_new, go_new},
    {Py_tp_dealloc, go_dealloc},
    {Py_tp_traverse, go_traverse},
    {Py_tp_iternext, go_channel_next},
    {Py_tp_methods, go_methods},
    {Py_tp_members, go_members},
    {0, NULL},
};

static PyType_Spec go_spec = {
    .name = "gochan.chan",
    .basicsize = sizeof(GoChannel),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = go_slots,
};

int chanlab_add_gochan(PyObject *module)
{
    PyObject *bases = PyTuple_Pack(1, core.channel_type);
    if (!bases)
        return -1;
    core.buffer_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &buffer_spec, NULL);
    core.go_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &go_spec, bases);
    Py_DECREF(bases);
    if (!core.buffer_type || !core.go_type || PyModule_AddType(module, core.buffer_type) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "chan", (PyObject *)core.go_type);
}
#endif
