/* slabs.h - the memory of private stacks.
 *
 *   low                                                     boundary              high
 *   | guard page |  ... the C stack grows down ... <--------|--> Python frames grow up |
 *                                        '---- one page ----'
 *
 * The boundary lies well within a page, so that a tasklet which does little touches one page only: its C stack's
 * upper part and CPython's first chunk of frames share it. */
#ifndef CHANLAB_SLABS_H
#define CHANLAB_SLABS_H

#include <stddef.h>

/* The boundary of a stack that nobody uses; NULL when there is no memory.  The page it lies in may hold anything. */
char *slab_take(void);
/* Nobody uses it any more. */
void slab_give(char *boundary);
/* How many bytes of frames there are from the boundary up, and of C stack below it. */
size_t slab_above(void);
size_t slab_below(void);

/* How many nested C calls of the interpreter a stack has room for. */
int slab_c_calls(void);

typedef struct SlabCounts {
    size_t stacks, bytes; /* how many stacks have been made, and how many bytes of address space each has */
    size_t unguarded;     /* how many of them are without a guard page, for want of a kernel that allows so many */
} SlabCounts;
SlabCounts slab_counts(void);

#endif
