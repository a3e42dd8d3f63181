/* select.h - cases, blocked selects and the generator of choices as C objects; see core.h for what holds of all. */
#ifndef CHANLAB_SELECT_H
#define CHANLAB_SELECT_H

#include "core.h"

#ifdef CHANLAB_PRIVATE

typedef struct Case {
    Link link;
    PyObject *offers, *callback, *channel, *direction, *element, *guard, *index, *ok, *value;
    uint64_t stamp; /* of the select that has looked at it last */
} Case;

/* A blocked select.  No script changes anything of it but `timer`. */
typedef struct Offers {
    PyObject_VAR_HEAD      /* for how many cases there is room */
        PyObject *tasklet; /* of the core's type, owned; NULL only while it is made */
    PyObject *timer;
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

/* select.c */
/* What a tasklet that parked in a select takes from it.  Steals references to both.  New reference, or NULL. */
PyObject *select_resumes(PyObject *chosen, PyObject *value);
#endif

#endif
