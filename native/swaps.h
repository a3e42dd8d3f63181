/* swaps.h - from one fiber's stack to another's, in whichever variant of the switch hook runs. */
#ifndef CHANLAB_SWAPS_H
#define CHANLAB_SWAPS_H

#include "green.h"
#include "private.h"

#ifdef CHANLAB_CORE

/* Give a fresh fiber, which has a parent, its stack, and park it.  0, or -1 with an exception set. */
static inline int fiber_begin(Fiber *self, PyThreadState *ts)
{
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        return green_begin(self, ts);
#endif
#ifdef CHANLAB_SWAP
    return private_begin(self, ts);
#endif
}

enum { CACHE_LINE = 64 };

/* Have the processor fetch so many cache lines from `start` on, without waiting for them; there need be nothing.  GCC
 * drops calls of what only fetches, unless it must inline it. */
ALWAYS_INLINE void fetch(const char *start, int lines)
{
    for (int i = 0; i < lines; i++)
        __builtin_prefetch(start + i * CACHE_LINE);
}

/* Leave the stack that runs, `me`, and go on with `to`, which is parked.  0 when somebody comes back; -1 with an
 * exception set, and nothing has changed, when it was not possible. */
static inline int fiber_swap(Fiber *me, Fiber *to, PyThreadState *ts)
{
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        return green_swap(me, to);
#endif
#ifdef CHANLAB_SWAP
    private_swap(me, to, ts, PARKED);
#else
    (void)ts;
#endif
    return 0;
}

/* First of all on the stack that goes on: `left` was left. */
static inline void fiber_arrives(Fiber *me, Fiber *left)
{
#ifdef CHANLAB_SWAP
    if (!on_greenlets)
        after_swap(me, left);
#else
    (void)me, (void)left;
#endif
    here.left = NULL;
}

/* Whether the running code is on its fiber's own stack, as far as can be told at once. */
static inline int fiber_on_own_stack(Fiber *me, PyThreadState *ts)
{
#ifdef CHANLAB_GREENLETS
    if (on_greenlets && (here.left || !me->frames.root))
        return !here.left && green_on_own_stack(me, ts);
#endif
    if ((void *)ts->datastack_chunk == me->frames.root)
        return 1;
    return me->frames.root && root_of(ts->datastack_chunk) == me->frames.root;
}
#endif

#endif
