/* frames.h - the Python frames of a parked tasklet, as CPython's collector has to see them. */
#ifndef CHANLAB_FRAMES_H
#define CHANLAB_FRAMES_H

#include "chanlab.h"

/* What is known of the frames of a stack. */
typedef struct Frames {
    void *root; /* the memory that its frames begin in: no other stack has the same; or NULL.  Of a private stack it is
                   the only address of all of its memory, which is given back by it: so nobody changes it */
    struct Known *known; /* its frames while it is parked, innermost first; owned */
    int count, room;     /* how many there are, and how many there is room for */
} Frames;

/* Whether this CPython's frames are known, so that the functions below do anything. */
int frames_known(void);
/* Remember which stack runs now. */
void frames_begin(Frames *frames);
/* The stack is about to be parked.  The operands of the frame `caller`, if that is not NULL, end at `operands`. Nothing
 * happens when it is another stack that runs. */
void frames_park(Frames *frames, ModuleState *state, void *caller, PyObject *const *operands);
/* Whether some thread is just running this stack: then what was noted when it was last parked is out of date. */
int frames_run(const Frames *frames);
/* The innermost frame of this thread, to be compared only; NULL where they are not known. */
void *frames_innermost(void);
/* It goes on. */
static inline void frames_resume(Frames *frames) { frames->count = 0; }
/* Nothing is known any more. */
void frames_end(Frames *frames);

/* The innermost frame is about to be parked in the next round of a `for` loop: find out how many operands it holds. The
 * first time for a loop that runs Python code. */
void frames_learn(ModuleState *state);
/* Visit what the frames own, but for those of generators, of a stack that is parked with `top` as CPython's innermost
 * frame, all in place.  When `operands` is not NULL the innermost one's operands end there. */
int frames_visit_parked(ModuleState *state, void *top, PyObject *const *operands, visitproc visit, void *arg);

/* Visit every reference that the parked frames own, as a tp_traverse does.  Some may be left out, which keeps what they
 * refer to alive; none is visited twice, and none at all of a stack that runs. */
int frames_visit(const Frames *frames, visitproc visit, void *arg);

#endif
