/* frames.h - the Python frames of a parked tasklet, as CPython's collector has to see them. */
#ifndef CHANLAB_FRAMES_H
#define CHANLAB_FRAMES_H

#include "chanlab.h"

/* Where the frames of a stack are.  All pointers are borrowed from CPython, all NULL where its frames are unknown. */
typedef struct Frames {
    void *root;  /* the first chunk of memory that its frames are in: no other stack has the same */
    void *chunk; /* the last one, while it is parked */
    void *top;   /* the innermost frame, while it is parked */
} Frames;

/* Whether this CPython's frames are known, so that the functions below do anything. */
int frames_known(void);
/* Remember which stack runs now. */
void frames_begin(Frames *frames);
/* The stack is about to be parked.  Nothing happens when it is another one that runs. */
void frames_park(Frames *frames);

/* Visit every reference that the parked frames own, as a tp_traverse does.  Some may be left out, which keeps what they
 * refer to alive; none is visited twice, and none at all of a stack that runs. */
int frames_visit(const Frames *frames, visitproc visit, void *arg);

#endif
