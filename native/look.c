/* look.c - which cases of a select can happen now, which later, and which never.  Mirror of the first half of select()
 * in pylib/select_proto.py.
 *
 * What many cases cost is instructions, so those that are as most are take one test each (is_usual()); a case that is
 * not is looked at closer. */
#include "look.h"

#include "gochan.h"

#ifdef CHANLAB_CORE

Seen seen;

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
    Two nones, none_true, place[MOST_CASES];
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

enum Look look(PyObject *cases)
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
    if (items.count > MOST_CASES || !look_at_all(&items, &stale) || !seen.live)
        return TWIN;
    return stale.first >= 0 && renew(&items, &stale) ? AGAIN : SEEN;
}

int look_begins(void)
{
    usual.nones = (Two){(uintptr_t)Py_None, (uintptr_t)Py_None};
    usual.none_true = (Two){(uintptr_t)Py_None, (uintptr_t)Py_True};
    for (Py_ssize_t i = 0; i < MOST_CASES; i++) {
        PyObject *index = PyLong_FromSsize_t(i); /* kept for good */
        if (!index)
            return -1;
        usual.place[i] = (Two){(uintptr_t)index, (uintptr_t)Py_None};
    }
    return 0;
}
#endif
