/* select.h - cases, blocked selects and the generator of choices as C objects; see core.h for what holds of all. */
#ifndef CHANLAB_SELECT_H
#define CHANLAB_SELECT_H

#include "core.h"

#ifdef CHANLAB_CORE

typedef struct Case {
    Link link;
    PyObject *offers, *element, *ok, *guard; /* in this order, see is_usual() in look.c */
    PyObject *index, *value, *direction, *channel, *callback;
} Case;

/* A blocked select.  No script changes anything of it but `timer`. */
typedef struct Offers {
    PyObject_VAR_HEAD      /* for how many cases there is room */
        PyObject *tasklet; /* of the core's type, owned; NULL only while it is made */
    PyObject *timer;
    uint64_t since; /* links_disturbed when they were posted by select.c */
    int alike;      /* some of them wait in the same queue */
    Py_ssize_t count;
    Case *cases[]; /* owned, each of the core's type */
} Offers;

/* SplitMix64, see rng.py. */
typedef struct Generator {
    PyObject_HEAD
    uint64_t state;
} Generator;

static inline uint64_t generator_draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline uint64_t generator_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)((unsigned __int128)generator_draw(state) * n >> 64);
}

/* cases.c */
/* A case of this channel, direction and value, without a callback.  New reference, or NULL with MemoryError. */
PyObject *case_of(PyObject *channel, PyObject *direction, PyObject *value);
/* An empty Offers with room for so many cases, which the collector does not know yet: one that was kept, or NULL
 * without an exception. */
Offers *offers_kept(Py_ssize_t count);
/* The same, made anew, which may collect garbage and so run any code.  NULL with MemoryError. */
Offers *offers_made(Py_ssize_t count);
/* Let go of one that was never used. */
void offers_unused(Offers *offers);

/* Whom the running tasklet would meet, and what it has to know of him. */
typedef struct Peer {
    Tasklet *task;
    Offers *offers; /* NULL when he waits in a plain operation */
    Case *winner;   /* of his select */
    uint64_t state; /* of the generator, after the draws so far */
} Peer;

/* The generator of this thread, borrowed; NULL when a script has put something else in its place. */
static inline Generator *generator_of(Scheduler *sched)
{
    return sched->rng && Py_IS_TYPE(sched->rng, core.generator_type) ? (Generator *)sched->rng : NULL;
}

/* select.c */
/* Whether who waits first in `queue`, one of the channel's, can be met here by somebody who sends `value`, or (not
 * sends) receives; fills in the peer. */
int find_peer(Scheduler *sched, Channel *ch, WaitQueue *queue, int sends, PyObject *value, Peer *peer);
/* The value passes, and a reference to the peer, off all queues, goes to the caller.  What was received: a new
 * reference; None for a send. */
PyObject *meet(const Peer *peer, WaitQueue *queue, int sends, PyObject *value);
/* What a tasklet that parked in a select takes from it.  Steals references to both.  New reference, or NULL. */
PyObject *select_resumes(PyObject *chosen, PyObject *value);
#endif

#endif
