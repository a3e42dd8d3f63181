/* slabs.c - the memory of private stacks: mapped many at a time, guarded one by one, and used again.
 *
 * Address space is plenty and pages are touched one by one, so each stack is as large as the deepest recursion that
 * CPython allows may need.  The pool belongs to the process; CPython's lock guards it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "slabs.h"

#include "chanlab.h"
#include "swap.h"

#ifdef CHANLAB_SWAP
#include <sys/mman.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)0)
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13: a guard page that costs no mapping */
#endif

#if defined(Py_DEBUG) || defined(__SANITIZE_ADDRESS__)
enum { FRAME_FACTOR = 4 }; /* unoptimised code has larger frames */
#else
enum { FRAME_FACTOR = 1 };
#endif
/* CPython 3.11 counts C and Python calls together, so a recursion of C calls goes as deep as sys.getrecursionlimit()
 * says: up to 1.7 MB were seen at 1000.  Later ones count C calls apart, see state_begin(). */
#define STACK_SIZE ((size_t)FRAME_FACTOR * (PY_VERSION_HEX < 0x030C0000 ? 2 : 1) * 1024 * 1024)

enum { ABOVE = 16 * 1024, FEWEST = 16, MOST = 1024 };

/* Where many tasklets take turns, the same few lines of each stack are wanted again and again.  If the stacks lay at
 * multiples of a power of two, their addresses would meet in a few sets of the processor's caches for translations
 * while the other sets lie idle.  So they lie an odd number of pages further apart than they are large. */
enum { PAGES_BETWEEN = 17 };

/* For the same reason the boundaries do not all lie at the same place of their page: else the stacks of some hundred
 * tasklets fill the few lines of the caches that these places can be in.  Each lies so much further up than the one
 * before, and round and round, between three and six eighths of a page: there is room below for the C stack of a plain
 * tasklet that waits, and above for its frames. */
enum { SHIFT = 5 * 64, LOWEST_EIGHTH = 3, EIGHTHS = 3 };

/* With mprotect() each guard page costs two of the mappings that a process may have (65,530 by default). */
enum { MOST_PROTECTED = 16 * 1024 };

typedef struct Free {
    struct Free *next;
} Free; /* lies at the boundary, in the page that has been touched */

static struct {
    Free *free;
    char *fresh, *end;        /* the part of the last slab that has not been used yet */
    size_t page, pitch, slab; /* the size of a page, how far stacks lie apart, how many the next slab will have */
    SlabCounts counts;
    int cannot_install; /* MADV_GUARD_INSTALL is unknown here */
    size_t protected;
} pool;

/* Fewer at a time where address space is scarce.  0, or -1 when there is none for a single stack. */
static int grow(void)
{
    size_t count = pool.slab ? pool.slab : FEWEST;
    char *slab = MAP_FAILED;
    pool.page = (size_t)sysconf(_SC_PAGESIZE);
    pool.pitch = STACK_SIZE + PAGES_BETWEEN * pool.page;
    for (; count > 0 && slab == MAP_FAILED; count /= 2) {
        pool.slab = count;
        slab = mmap(NULL, count * pool.pitch, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    }
    if (slab == MAP_FAILED)
        return -1;
    madvise(slab, pool.slab * pool.pitch, MADV_NOHUGEPAGE); /* else one touch would take 2 MiB */
    if (madvise(slab, pool.page, -1) == 0) /* qemu's emulation of a kernel says yes to any advice, and does nothing */
        pool.cannot_install = 1;
    pool.fresh = slab;
    pool.end = slab + pool.slab * pool.pitch;
    pool.slab = pool.slab < MOST ? 2 * pool.slab : MOST;
    return 0;
}

static void guard(char *low)
{
    if (!pool.cannot_install) {
        if (madvise(low, pool.page, MADV_GUARD_INSTALL) == 0)
            return;
        pool.cannot_install = 1;
    }
    if (pool.protected < MOST_PROTECTED && mprotect(low, pool.page, PROT_NONE) == 0)
        pool.protected ++;
    else
        pool.counts.unguarded++;
}

char *slab_take(void)
{
    char *boundary;
    if (pool.free) {
        boundary = (char *)pool.free;
        pool.free = pool.free->next;
        ASAN_UNPOISON_MEMORY_REGION(boundary - slab_below(), slab_below() + ABOVE);
        return boundary;
    }
    if (pool.fresh == pool.end && grow() < 0)
        return NULL;
    guard(pool.fresh);
    pool.fresh += pool.pitch;
    pool.counts.stacks++;
    size_t eighth = pool.page / 8;
    return pool.fresh - ABOVE - pool.page + LOWEST_EIGHTH * eighth + pool.counts.stacks * SHIFT % (EIGHTHS * eighth);
}

void slab_give(char *boundary)
{
    Free *free = (Free *)boundary;
    free->next = pool.free;
    pool.free = free;
}

size_t slab_above(void) { return ABOVE; }

size_t slab_below(void) { return STACK_SIZE - ABOVE - 2 * pool.page; }

/* None of those that CPython counts was seen to take more than half of that. */
int slab_c_calls(void) { return (int)(slab_below() / (2048 * FRAME_FACTOR)); }

SlabCounts slab_counts(void)
{
    pool.counts.bytes = pool.pitch;
    return pool.counts;
}
#endif
