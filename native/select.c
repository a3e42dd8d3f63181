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

#ifdef CHANLAB_CORE

/* A list with more cases is the Python twin's. */
enum { MOST = 1024 };

/* What was seen of the cases.  One for the process: it is of use only until other code runs. */
static struct {
    uint32_t stamp; /* may come round: then a case seems to be listed twice, and Python looks */
    Py_ssize_t live, ready, alike;
    int some_send;
    Case *const *cases;    /* those that can happen: the list itself, or */
    Case *some[MOST];      /* these, */
    Py_ssize_t gaps[MOST]; /* when there are places of it that never happen; */
    Case *now[MOST];       /* those of them that can happen now, */
    Case *same[MOST];      /* and those of the peer's that are as good as the one that was met; all borrowed */
} seen;

static inline int is_bomb(PyObject *value) { return Py_IS_TYPE(value, (PyTypeObject *)core.bomb); }

/* -- looking
 * ------------------------------------------------------------------------------------------------------------- */

enum Look { TWIN, AGAIN, SEEN };

static inline int is_place(PyObject *value) { return !value || value == Py_None || PyLong_CheckExact(value); }
static inline int is_flag(PyObject *value) { return !value || value == Py_None || PyBool_Check(value); }

/* What has to be looked at in the list or tuple of a select, */
typedef struct Items {
    PyObject **array;
    Py_ssize_t count;
} Items;

/* and the first and last of them that still tell of an earlier select; -1 while there is none. */
typedef struct Stale {
    Py_ssize_t first, last;
} Stale;

/* Two neighbouring fields, which are looked at together. */
typedef uintptr_t Two __attribute__((vector_size(2 * sizeof(void *)), aligned(sizeof(void *)), may_alias));
#define NEIGHBOURS(type, first, second)                                                                                \
    _Static_assert(offsetof(type, second) == offsetof(type, first) + sizeof(void *), "see is_usual()")
NEIGHBOURS(Link, home, queue);
NEIGHBOURS(Case, offers, element);
NEIGHBOURS(Case, ok, guard);
NEIGHBOURS(Case, index, value);

/* What they are most of the time; `place` for each place: the index, and None. */
static struct {
    Two nones, none_true, place[MOST];
} usual __attribute__((aligned(16)));

static inline PyObject *index_of(Py_ssize_t place) { return (PyObject *)usual.place[place][0]; } /* borrowed */

/* Whether the case is as most are: neither posted nor in a queue, last selected from at the same place of a list,
 * without a trace of that, and with a guard that holds.  Then it is not in the list twice. */
static inline int is_usual(const Case *c, Two place, int sends)
{
    Two odd = *(const Two *)&c->link.home; /* and c->link.queue */
    odd |= *(const Two *)&c->offers ^ usual.nones;
    odd |= *(const Two *)&c->ok ^ usual.none_true;
    Two last = *(const Two *)&c->index ^ place;
    if (sends) /* a value to send may be anything */
        return !(odd[0] | odd[1] | last[0]);
    odd |= last;
    return !(odd[0] | odd[1]);
}

/* Whether the case is as most are but for what its last select has left in it. */
static inline int is_as_left(const Case *c, Two place)
{
    return c->offers == Py_None && !c->link.home && !c->link.queue && c->guard == Py_True &&
           c->index == (PyObject *)place[0] && c->element == Py_None && is_flag(c->ok);
}

static inline void note_stale(Stale *stale, Py_ssize_t place)
{
    if (stale->first < 0)
        stale->first = place;
    stale->last = place;
}

/* Whether the case, at `place`, is also elsewhere in the list, where it was selected from last. */
static inline int is_twice(const Case *c, const Items *items, Py_ssize_t place)
{
    int overflow;
    Py_ssize_t last = c->index && PyLong_CheckExact(c->index) ? PyLong_AsLongAndOverflow(c->index, &overflow) : -1;
    return last >= 0 && last < items->count && last != place && items->array[last] == (PyObject *)c;
}

enum Closer { UNKNOWN, NEVER, LIVE };

/* A case that is not as most are.  UNKNOWN: it is not such as this file is for; NEVER: it is, and cannot happen. */
static enum Closer look_closer(Case *c, const Items *items, Py_ssize_t place, Stale *stale)
{
    int elsewhere = c->index != index_of(place);
    if (c->offers != Py_None || c->link.home || c->link.queue || c->link.stamp == seen.stamp ||
        (elsewhere && is_twice(c, items, place)))
        return UNKNOWN;
    c->link.stamp = seen.stamp;
    if (elsewhere || c->element != Py_None || c->ok != Py_None ||
        (c->direction == core.minus_one && c->value != Py_None)) {
        if (!is_place(c->index) || !is_place(c->element) || !is_flag(c->ok))
            return UNKNOWN;
        note_stale(stale, place);
    }
    return c->guard == Py_True ? LIVE : c->guard == Py_False ? NEVER : UNKNOWN;
}

/* How many can happen now, and how many never will; whether there may be some of the others that send. */
typedef struct Gaze {
    Py_ssize_t ready, never;
    int some_send;
} Gaze;

/* The item at `place` will never happen. */
static inline int leave_out(Py_ssize_t place, Gaze *gaze)
{
    seen.gaps[gaze->never++] = place;
    return 1;
}

/* Look at any item.  Whether it is such as this file is for. */
static int __attribute__((noinline)) look_at(const Items *items, Py_ssize_t place, Gaze *gaze, Stale *stale)
{
    Case *c = (Case *)items->array[place];
    if (!Py_IS_TYPE(c, core.case_type))
        return (PyObject *)c == Py_None && leave_out(place, gaze);
    int sends = c->direction == core.one;
    if (!sends && c->direction != core.minus_one)
        return 0;
    enum Closer saw = look_closer(c, items, place, stale);
    if (saw != LIVE || c->channel == Py_None)
        return saw != UNKNOWN && leave_out(place, gaze);
    Channel *ch = (Channel *)c->channel;
    if (!ch || !PyObject_TypeCheck(c->channel, core.channel_type) || ch->kind == ODD_KIND || ch->closing != Py_False)
        return 0;
    gaze->some_send |= sends;
    if (is_ready(ch, (enum Kind)ch->kind, sends))
        seen.now[gaze->ready++] = c;
    return 1;
}

/* Look at the items from `place` on as long as they are cases of channels of this kind and direction, and as most are,
 * or were before their last select.  Returns the place of the first that is not.  Compiled for each kind and direction,
 * and calls nothing, so that all it needs stays in registers: what one of many cases costs is instructions. */
static inline Py_ssize_t look_at_run(const Items *items, Py_ssize_t place, Gaze *gaze, Stale *stale, enum Kind kind,
                                     int sends)
{
    PyTypeObject *case_type = core.case_type, *type = kind == GO ? core.go_type : core.channel_type;
    PyObject **array = items->array, *direction = sends ? core.one : core.minus_one, *no = Py_False;
    Py_ssize_t count = items->count, ready = gaze->ready;
    const Two *index = usual.place + place;
    for (; place < count; place++, index++) {
        Case *c = (Case *)array[place];
        if (!Py_IS_TYPE(c, case_type) || c->direction != direction)
            break;
        Channel *ch = (Channel *)c->channel;
        if (!ch || !Py_IS_TYPE(ch, type) || ch->closing != no)
            break;
        if (!is_usual(c, *index, sends)) {
            if (!is_as_left(c, *index))
                break;
            note_stale(stale, place);
        }
        if (is_ready(ch, kind, sends))
            seen.now[ready++] = c;
    }
    gaze->ready = ready;
    gaze->some_send |= sends;
    return place;
}

#define LOOK_AT(name, kind, sends)                                                                                     \
    static Py_ssize_t __attribute__((noinline)) name(const Items *items, Py_ssize_t place, Gaze *gaze, Stale *stale)   \
    {                                                                                                                  \
        return look_at_run(items, place, gaze, stale, kind, sends);                                                    \
    }
LOOK_AT(look_at_receives, STACKLESS, 0)
LOOK_AT(look_at_sends, STACKLESS, 1)
LOOK_AT(look_at_go_receives, GO, 0)
LOOK_AT(look_at_go_sends, GO, 1)

/* Those that can happen, when there are others. */
static void __attribute__((noinline)) close_ranks(const Items *items, Py_ssize_t gaps)
{
    Py_ssize_t live = 0, gap = 0;
    for (Py_ssize_t i = 0; i < items->count; i++) {
        if (gap < gaps && seen.gaps[gap] == i)
            gap++;
        else
            seen.some[live++] = (Case *)items->array[i];
    }
}

/* Look at those from `place` on that are as most are and alike.  Returns the place of the first that is not. */
static inline Py_ssize_t look_along(const Items *items, Py_ssize_t place, Gaze *gaze, Stale *stale)
{
    Case *c = (Case *)items->array[place];
    if (!Py_IS_TYPE(c, core.case_type) || !c->channel)
        return place;
    int sends = c->direction == core.one;
    if (Py_IS_TYPE(c->channel, core.go_type))
        return sends ? look_at_go_sends(items, place, gaze, stale) : look_at_go_receives(items, place, gaze, stale);
    return sends ? look_at_sends(items, place, gaze, stale) : look_at_receives(items, place, gaze, stale);
}

/* Look at all.  Whether all are such as this file is for. */
static int look_at_all(const Items *items, Stale *stale)
{
    Gaze gaze = {0, 0, 0};
    Py_ssize_t place = 0;
    seen.stamp++;
    while (place < items->count) {
        Py_ssize_t before = place;
        place = look_along(items, place, &gaze, stale);
        if (place == before && !look_at(items, place++, &gaze, stale))
            return 0;
    }
    seen.cases = gaze.never ? seen.some : (Case *const *)items->array;
    if (gaze.never)
        close_ranks(items, gaze.never);
    seen.live = items->count - gaze.never;
    seen.ready = gaze.ready;
    seen.some_send = gaze.some_send;
    return 1;
}

/* Whether to let go of `value` runs no code, whoever else refers to it. */
static inline int dies_quietly(PyObject *value)
{
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyFloat_CheckExact(value) ||
           PyBytes_CheckExact(value) || Py_REFCNT(value) > 1;
}

enum { MOST_DROPPED = 8 };

/* Let the cases forget their earlier select.  Whether other code may have run. */
static int renew(const Items *items, const Stale *stale)
{
    PyObject *dropped[MOST_DROPPED];
    int count = 0;
    for (Py_ssize_t i = stale->first; i <= stale->last && count < MOST_DROPPED; i++) {
        Case *c = (Case *)items->array[i];
        if ((PyObject *)c == Py_None)
            continue;
        put(&c->index, Py_NewRef(index_of(i)));
        put(&c->element, Py_NewRef(Py_None));
        put(&c->ok, Py_NewRef(Py_None));
        if (c->direction != core.minus_one || c->value == Py_None)
            continue;
        PyObject *old = c->value;
        c->value = Py_NewRef(Py_None);
        if (!old || dies_quietly(old))
            Py_XDECREF(old);
        else
            dropped[count++] = old;
    }
    for (int i = 0; i < count; i++)
        Py_DECREF(dropped[i]);
    return count > 0;
}

static enum Look look(PyObject *cases)
{
    Items items;
    Stale stale = {-1, -1};
    if (PyList_CheckExact(cases))
        items.array = ((PyListObject *)cases)->ob_item;
    else if (PyTuple_CheckExact(cases))
        items.array = ((PyTupleObject *)cases)->ob_item;
    else
        return TWIN;
    items.count = Py_SIZE(cases);
    if (items.count > MOST || !look_at_all(&items, &stale) || !seen.live)
        return TWIN;
    return stale.first >= 0 && renew(&items, &stale) ? AGAIN : SEEN;
}

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
    if (offers->count > MOST || offers->timer != Py_None)
        return 0;
    seen.same[0] = found;
    seen.alike = 1;
    if (offers->since == links_disturbed && !offers->alike)
        return 1;
    seen.alike = 0;
    for (Py_ssize_t i = 0; i < offers->count; i++) {
        Case *c = offers->cases[i];
        PyObject *home = c->link.home;
        if (c->offers != (PyObject *)offers || !home || !Py_IS_TYPE(home, core.waitq_type))
            return 0;
        if (home == (PyObject *)queue)
            seen.same[seen.alike++] = c;
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
    if (!peer->task || !find_alike(peer->offers, queue, found) || !seen.alike)
        return 0;
    Case *winner = peer->winner =
        seen.same[seen.alike == 1 ? 0 : (Py_ssize_t)generator_below(&peer->state, (uint64_t)seen.alike)];
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
        c->offers = (PyObject *)offers; /* in the place of None, see is_usual() */
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
    usual.nones = (Two){(uintptr_t)Py_None, (uintptr_t)Py_None};
    usual.none_true = (Two){(uintptr_t)Py_None, (uintptr_t)Py_True};
    for (Py_ssize_t i = 0; i < MOST; i++) {
        PyObject *index = PyLong_FromSsize_t(i); /* kept for good */
        if (!index)
            return -1;
        usual.place[i] = (Two){(uintptr_t)index, (uintptr_t)Py_None};
    }
    return PyModule_AddFunctions(module, functions);
}
#endif
