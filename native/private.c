/* private.c - a C stack of a fiber's own: where it lies, how it begins and ends. */
#include "private.h"

#if defined(CHANLAB_CORE) && defined(CHANLAB_SWAP)

/* The bottom of every stack. */
static void bottom(void)
{
#if PY_VERSION_HEX < 0x030D0000
    _PyCFrame cframe;
    state_enter(here.ts, &cframe);
#endif
    Fiber *to = fiber_live();
    private_swap(here.current, to, here.ts, OVER);
    abort(); /* nobody swaps to it */
}

int private_begin(Fiber *self, PyThreadState *ts)
{
    char *boundary = slab_take();
    if (!boundary) {
        PyErr_NoMemory();
        return -1;
    }
    self->frames.root = boundary;
    self->ts = ts;
    state_begin(&self->state, ts, boundary);
    self->sp = first_sp(boundary, bottom);
    self->phase = PARKED;
    return 0;
}

void private_end(Fiber *self) { slab_give(self->frames.root); }
#endif
