/* select.c - wait for one of several operations.  Mirror of select() in pylib/select_proto.py.
 *
 *     look at all cases -> some are ready: draw one, commit it with the peer that waits there
 *                       -> none is:        post all of them, park
 *
 * and whoever meets a posted case completes the select: withdraws all, and lets its tasklet resume with the winner.
 * No code but this runs from the look to the deed.
 *
 * What a tasklet parks with is kept in its Fiber (`chosen`), where the collector sees it: the Offers that it has
 * posted, so that they die only when it goes on, or the case that it has committed in an operation that switches. */
#include "gochan.h"
#include "look.h"

#ifdef CHANLAB_CORE

/* Those of a met select's cases that are as good as the one that was met, borrowed: of use until other code runs. */
static struct {
    Py_ssize_t count;
    Case *cases[MOST_CASES];
} alike;

static inline int is_bomb(PyObject *value) { return Py_IS_TYPE(value, (PyTypeObject *)core.bomb); }

/* So many references to it come, or (negative) go, at once: at least one is left. */
static inline void more_references(PyObject *object, Py_ssize_t count)
{
#ifdef Py_REF_DEBUG /* then CPython counts all of them, too */
    for (; count > 0; count--)
        Py_INCREF(object);
    for (; count < 0; count++)
        Py_DECREF(object);
#else
    Py_SET_REFCNT(object, Py_REFCNT(object) + count);
#endif
}

/* -- meeting
 * ------------------------------------------------------------------------------------------------------------- */

/* The tasklet of a blocked select that this file has posted, borrowed; else NULL. */
static inline Tasklet *poster(Offers *offers, Scheduler *sched)
{
    Tasklet *task = (Tasklet *)offers->tasklet;
    if (!task || task->offers != (PyObject *)offers || task->sched != (PyObject *)sched || task->tempval != Py_None ||
        task->link.home || task->link.queue || !task->greenlet || !Py_IS_TYPE(task->greenlet, Py_TYPE(here.current)))
        return NULL;
    Fiber *stack = (Fiber *)task->greenlet;
    return stack->chosen == (PyObject *)offers && stack->phase == PARKED ? task : NULL;
}

/* Find those of the posted cases that wait in `queue`, `found` is the first of.  Whether all can be withdrawn here. */
static inline int find_alike(Offers *offers, WaitQueue *queue, Case *found)
{
    if (offers->count > MOST_CASES || offers->timer != Py_None)
        return 0;
    alike.cases[0] = found;
    alike.count = 1;
    if (offers->since == links_disturbed && !offers->alike)
        return 1;
    alike.count = 0;
    for (Py_ssize_t i = 0; i < offers->count; i++) {
        Case *c = offers->cases[i];
        PyObject *home = c->link.home;
        if (c->offers != (PyObject *)offers || !home || !Py_IS_TYPE(home, core.waitq_type))
            return 0;
        if (home == (PyObject *)queue)
            alike.cases[alike.count++] = c;
    }
    return 1;
}

/* Whether the case at the head of `queue` can be completed here, by somebody who sends `value` or (not sends) receives;
 * fills in the peer. */
static int find_select(Scheduler *sched, WaitQueue *queue, int sends, PyObject *value, Peer *peer)
{
    Case *found = (Case *)queue->head;
    if (!found->link.is_case || !found->offers || !Py_IS_TYPE(found->offers, core.offers_type))
        return 0;
    peer->offers = (Offers *)found->offers;
    peer->task = poster(peer->offers, sched);
    if (!peer->task || !find_alike(peer->offers, queue, found) || !alike.count)
        return 0;
    Case *winner = peer->winner =
        alike.cases[alike.count == 1 ? 0 : (Py_ssize_t)generator_below(&peer->state, (uint64_t)alike.count)];
    if (winner->ok != Py_None)
        return 0;
    if (sends)
        return winner->direction == core.minus_one && winner->value == Py_None && !is_bomb(value) &&
               value != core.CLOSED;
    return winner->direction == core.one && winner->value && !is_bomb(winner->value) &&
           !Py_IS_TYPE(winner->value, (PyTypeObject *)core.late);
}

/* The select is decided: all its cases leave their queues.  The tasklet, which is in no queue now, resumes with the
 * winner.  Nothing dies: its Fiber has the Offers, and they keep the cases that nobody else has. */
static void complete(const Peer *peer, int sends, PyObject *value)
{
    Offers *offers = peer->offers;
    Py_ssize_t count = offers->count, kept = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        Case *c = offers->cases[i];
        WaitQueue *queue = (WaitQueue *)c->link.home;
        if (__builtin_expect(queue->length == 1, 1))
            waitq_unlink_alone(queue, &c->link);
        else
            waitq_unlink(queue, &c->link);
        c->offers = Py_None;
        if (__builtin_expect(Py_REFCNT(c) > 2, 1)) { /* somebody else has it, too */
            more_references((PyObject *)c, -2);
        } else {
            more_references((PyObject *)c, -1);
            offers->cases[kept++] = c;
        }
    }
    offers->count = kept;
    more_references(Py_None, count);
    more_references((PyObject *)offers, -count); /* the Fiber has one more */
    put(&peer->task->offers, Py_NewRef(Py_None));
    put(&peer->task->tempval, Py_NewRef(peer->winner));
    put(&peer->winner->ok, Py_NewRef(Py_True));
    if (sends)
        put(&peer->winner->value, Py_NewRef(value));
    Py_INCREF(peer->task); /* for the ring */
}

int find_peer(Scheduler *sched, Channel *ch, WaitQueue *queue, int sends, PyObject *value, Peer *peer)
{
    if (!queue->head->is_tasklet)
        return find_select(sched, queue, sends, value, peer);
    peer->offers = NULL;
    peer->task = plain_peer(ch, queue, sched);
    if (!peer->task)
        return 0;
    if (sends)
        return peer->task->tempval == Py_None;
    return peer->task->tempval && !is_bomb(peer->task->tempval);
}

PyObject *meet(const Peer *peer, WaitQueue *queue, int sends, PyObject *value)
{
    PyObject *received = Py_None;
    if (peer->offers) {
        if (!sends)
            received = peer->winner->value;
        Py_INCREF(received);
        complete(peer, sends, value);
        return received;
    }
    Tasklet *task = peer->task;
    if (sends) {
        put(&task->tempval, Py_NewRef(value));
        Py_INCREF(received);
    } else {
        received = task->tempval;
        task->tempval = Py_NewRef(Py_None);
    }
    take_out(queue, task);
    return received;
}

PyObject *send_to_select(Scheduler *sched, Channel *ch, PyObject *const *args)
{
    WaitQueue *queue = (WaitQueue *)ch->receivers;
    Generator *rng = generator_of(sched);
    int switches = ch->preference == core.minus_one;
    Peer peer = {.state = rng ? rng->state : 0};
    if (!rng || (switches && current_of(sched)->tempval != Py_None) || !find_select(sched, queue, 1, args[0], &peer) ||
        (switches && !can_switch(sched, peer.task)))
        return call_twin(SEND, (PyObject *)ch, args, 1);
    Tasklet *to = peer.task;
    rng->state = peer.state;
    complete(&peer, 1, args[0]);
    if (!switches) {
        join_end(ring_of(sched), to);
        Py_RETURN_NONE;
    }
    join_head(ring_of(sched), to);
    return park(sched, to, args + 1);
}

PyObject *receive_from_select(Scheduler *sched, Channel *ch, enum Twin twin, PyObject *const *operands)
{
    WaitQueue *queue = (WaitQueue *)ch->senders;
    Tasklet *me = current_of(sched);
    Generator *rng = generator_of(sched);
    int switches = ch->preference == core.one;
    Peer peer = {.state = rng ? rng->state : 0};
    if (!rng || (switches && me->tempval != Py_None) || !find_select(sched, queue, 0, NULL, &peer) ||
        (switches && !can_switch(sched, peer.task)))
        return call_twin(twin, (PyObject *)ch, operands, 0);
    Tasklet *to = peer.task;
    rng->state = peer.state;
    PyObject *value = Py_NewRef(peer.winner->value);
    complete(&peer, 0, NULL);
    if (!switches) {
        join_end(ring_of(sched), to);
        return value;
    }
    put(&me->tempval, value);
    join_head(ring_of(sched), to);
    return park(sched, to, operands);
}

/* -- select
 * -------------------------------------------------------------------------------------------------------------- */

/* What select returns when it has resumed with `value` and `chosen` is the case that it had committed, or None when
 * somebody else has decided it.  Steals references to both. */
static PyObject *selected(PyObject *chosen, PyObject *value)
{
    PyObject *both[] = {chosen, value};
    PyObject *result = call_twin(SELECTED, NULL, both, 2);
    Py_DECREF(chosen);
    Py_DECREF(value);
    return result;
}

/* The chosen case has happened.  Steals a reference to `value`, borrows the case. */
static inline PyObject *happened(Case *c, PyObject *value)
{
    Py_INCREF(c);
    if (c->callback != Py_None || value == core.CLOSED || (c->direction != core.one && c->direction != core.minus_one))
        return selected((PyObject *)c, value);
    int sends = c->direction == core.one;
    put(&c->ok, Py_NewRef(Py_True));
    if (sends)
        Py_DECREF(value);
    else
        put(&c->value, value);
    return (PyObject *)c;
}

PyObject *select_resumes(PyObject *chosen, PyObject *value)
{
    PyObject *result;
    if (PyObject_TypeCheck(chosen, core.case_type))
        result = happened((Case *)chosen, value);
    else if (Py_IS_TYPE(value, core.case_type) && ((Case *)value)->callback == Py_None)
        result = value;
    else
        result = selected(Py_NewRef(Py_None), value);
    Py_DECREF(chosen);
    return result;
}

/* Remember what the running tasklet parks with.  Steals a reference to it. */
static inline void parks_with(PyObject *chosen)
{
    here.current->chosen = chosen;
    here.current->odd = 1; /* so that it is asked for, see resume_oddly() */
}

/* Make a case happen that needs no partner, on a Go channel with a buffer.  `state` is the generator's after the draws
 * so far.  The same as commit(). */
static PyObject *commit_alone(Scheduler *sched, Case *chosen, uint64_t *state)
{
    Channel *ch = (Channel *)chosen->channel;
    PyObject *value = Py_None;
    if (chosen->direction == core.one) {
        if (chosen->value == core.CLOSED)
            return NULL;
        if (go_put(ch, chosen->value) < 0) {
            PyErr_Clear(); /* the Python twin will meet it, too */
            return NULL;
        }
        Py_INCREF(value);
    } else if (!(value = go_take(sched, ch, state))) {
        return NULL;
    }
    generator_of(sched)->state = *state;
    return happened(chosen, value);
}

/* What a select comes to.  With neither of them nothing has changed and the Python twin must do it, or else an
 * exception is set. */
typedef struct Outcome {
    PyObject *result; /* what it returns, a new reference; or NULL */
    Tasklet *to;      /* who goes on, borrowed, when there is nothing left to do but to park; or NULL */
} Outcome;
#define TO_TWIN           ((Outcome){NULL, NULL})
#define RETURNS(object)   ((Outcome){(object), NULL})
#define PARKS_FOR(object) ((Outcome){NULL, (object)})

/* Make one of the cases happen that are ready: the first, or one of all. */
static inline Outcome commit(Scheduler *sched, int first)
{
    Tasklet *me = current_of(sched);
    Generator *rng = generator_of(sched);
    if (!rng || me->tempval != Py_None)
        return TO_TWIN;
    Peer peer = {.state = rng->state};
    Case *chosen = seen.now[first || seen.ready == 1 ? 0 : generator_below(&peer.state, (uint64_t)seen.ready)];
    int sends = chosen->direction == core.one;
    Channel *ch = (Channel *)chosen->channel;
    WaitQueue *queue = (WaitQueue *)(sends ? ch->receivers : ch->senders);
    PyObject *value = sends ? chosen->value : NULL;
    int switches = ch->preference == (sends ? core.minus_one : core.one);
    if (ch->schedule_all != Py_False ||
        (sends && (!value || is_bomb(value) || Py_IS_TYPE(value, (PyTypeObject *)core.late))))
        return TO_TWIN;
    if (is_alone(ch, sends))
        return RETURNS(commit_alone(sched, chosen, &peer.state));
    if (!find_peer(sched, ch, queue, sends, value, &peer) || (switches && !can_switch(sched, peer.task)))
        return TO_TWIN;
    Tasklet *to = peer.task;
    rng->state = peer.state;
    PyObject *received = meet(&peer, queue, sends, value);
    if (!switches) {
        join_end(ring_of(sched), to);
        return RETURNS(happened(chosen, received));
    }
    put(&me->tempval, received);
    join_head(ring_of(sched), to);
    parks_with(Py_NewRef(chosen));
    return PARKS_FOR(to);
}

/* The case joins others in a queue. */
static void __attribute__((noinline)) join_others(Offers *offers, WaitQueue *queue, Case *c)
{
    offers->alike |= queue->tail->is_case && ((Case *)queue->tail)->offers == (PyObject *)offers;
    waitq_link(queue, &c->link);
}

/* All the cases join their queues. */
static inline void join_queues(Offers *offers, Py_ssize_t count, int some_send)
{
    memcpy(offers->cases, seen.cases, (size_t)count * sizeof(Case *));
    for (Py_ssize_t i = 0; i < count; i++) {
        Case *c = seen.cases[i];
        Channel *ch = (Channel *)c->channel;
        int sends = some_send && c->direction == core.one;
        WaitQueue *queue = (WaitQueue *)(sends ? ch->senders : ch->receivers);
        if (__builtin_expect(!queue->tail, 1))
            waitq_link_alone(queue, &c->link);
        else
            join_others(offers, queue, c);
        c->offers = (PyObject *)offers; /* in the place of None, as look() has seen */
        more_references((PyObject *)c, 2);
    }
}

/* Offer all the cases.  Steals a reference to `offers`, which are empty. */
static inline Outcome post(Scheduler *sched, Offers *offers)
{
    Tasklet *me = current_of(sched);
    RunQueue *ring = ring_of(sched);
    Tasklet *to = ring->length > 1 ? (Tasklet *)me->link.next : successor(sched);
    if (me->block_trap != Py_False || me->tempval != Py_None || me->offers != Py_None || !to ||
        !can_switch(sched, to) || here.current->chosen) {
        offers_unused(offers);
        return TO_TWIN;
    }
    if (seen.some_send)
        join_queues(offers, seen.live, 1);
    else
        join_queues(offers, seen.live, 0);
    more_references((PyObject *)offers, seen.live);
    more_references(Py_None, -seen.live);
    offers->count = seen.live;
    offers->since = links_disturbed;
    runq_unlink(ring, &me->link);
    offers->tasklet = (PyObject *)me; /* the ring's reference */
    PyObject_GC_Track(offers);
    put(&me->offers, Py_NewRef(offers));
    parks_with((PyObject *)offers);
    if (!ring->head)
        runq_link(ring, NULL, (Link *)Py_NewRef(to));
    return PARKS_FOR(to);
}

/* So often a select looks anew, because other code may have run. */
enum { MOST_LOOKS = 10 };

/* What is to be done when no case is ready; NOTHING_PLAIN: not even looked here. */
enum Otherwise { WAIT, GIVE_UP, ASK_TWIN, NOTHING_PLAIN };

/* select() of these cases. */
static Outcome __attribute__((noinline)) select_plainly(PyObject *cases, int first, enum Otherwise otherwise)
{
    Offers *offers = NULL;
    for (int i = 0; i < MOST_LOOKS; i++) {
        Scheduler *sched = plain_sched();
        enum Look saw = sched ? look(cases) : TWIN;
        if (saw == AGAIN)
            continue;
        if (saw == SEEN && !seen.ready && otherwise == WAIT) {
            if (offers && Py_SIZE(offers) < seen.live)
                break;
            if (!offers && !(offers = offers_kept(seen.live))) {
                offers = offers_made(seen.live); /* may run other code */
                if (!offers)
                    PyErr_Clear(); /* the Python twin will meet it, too, and knows what to do */
                if (!offers)
                    break;
                continue;
            }
            return post(sched, offers);
        }
        if (offers)
            offers_unused(offers);
        if (saw == TWIN || (!seen.ready && otherwise == ASK_TWIN))
            return TO_TWIN;
        return seen.ready ? commit(sched, first) : RETURNS(Py_NewRef(core.DEFAULT));
    }
    if (offers)
        offers_unused(offers);
    return TO_TWIN;
}

/* Whether that is a time to wait, and more than none. */
static int is_time(PyObject *timeout)
{
    if (PyFloat_CheckExact(timeout))
        return PyFloat_AS_DOUBLE(timeout) > 0;
    int overflow;
    return PyLong_CheckExact(timeout) && PyLong_AsLongAndOverflow(timeout, &overflow) > 0;
}

/* What the arguments after the cases say: default=False, timeout=None. */
static inline enum Otherwise otherwise(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *default_ = nargs > 1 ? args[1] : Py_False, *timeout = nargs > 2 ? args[2] : Py_None;
    if (nargs < 1 || nargs > 3)
        return NOTHING_PLAIN;
    for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        if (nargs < 2 && PyUnicode_CompareWithASCIIString(name, "default") == 0)
            default_ = args[nargs + i];
        else if (nargs < 3 && PyUnicode_CompareWithASCIIString(name, "timeout") == 0)
            timeout = args[nargs + i];
        else
            return NOTHING_PLAIN;
    }
    if ((default_ != Py_True && default_ != Py_False) || (timeout != Py_None && !is_time(timeout)))
        return NOTHING_PLAIN;
    return default_ == Py_True ? GIVE_UP : timeout == Py_None ? WAIT : ASK_TWIN;
}

static inline PyObject *select_as(enum Twin twin, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    enum Otherwise how = otherwise(args, nargs, kwnames);
    Outcome outcome = how == NOTHING_PLAIN ? TO_TWIN : select_plainly(args[0], twin == PRI_SELECT, how);
    if (outcome.to)
        return park(my_sched, outcome.to, args + nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0));
    if (outcome.result || PyErr_Occurred())
        return outcome.result;
    return call_twin_vector(twin, NULL, args, nargs, kwnames);
}

static PyObject *select_(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return select_as(SELECT, args, nargs, kwnames);
}

static PyObject *pri_select(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return select_as(PRI_SELECT, args, nargs, kwnames);
}

static PyMethodDef functions[] = {
    {"select", (PyCFunction)(void *)select_, METH_FASTCALL | METH_KEYWORDS,
     "select(cases, default=False, timeout=None)\n--\n\nWait until one of the cases can go on, make it happen, and "
     "return it (or its callback's result); see the Python twin in select_proto.py."},
    {"pri_select", (PyCFunction)(void *)pri_select, METH_FASTCALL | METH_KEYWORDS,
     "pri_select(cases, default=False, timeout=None)\n--\n\nselect(), but of several cases that are ready the first in "
     "the list happens."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_select(PyObject *module)
{
    if (look_begins() < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
#endif
