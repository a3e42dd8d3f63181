/* arena.c - the `arena` hook: a cache for CPython's chunks of frames.
 *
 * A new greenlet, and a call that does not fit into the last chunk of a stack's frames, makes CPython map a chunk of
 * 16 KiB and unmap it soon after, which takes microseconds.  The chunks come from the arena allocator, which may be
 * wrapped: this keeps some that were given back for the next who wants one.  It has no Python twin, and nobody can tell
 * but by the time. */
#include "chanlab.h"

#include <stdatomic.h>

enum { CHUNK = 16 * 1024, MOST = 1024 }; /* 16 MiB at most are kept */

typedef struct Kept {
    struct Kept *next;
} Kept;

/* Of the process, like the allocator itself. */
static struct {
    PyObjectArenaAllocator below;
    Kept *kept;
    int count;
    atomic_flag taken;
} cache = {.taken = ATOMIC_FLAG_INIT};

/* Up to 3.11 CPython's lock guards the cache.  Later interpreters may run at once, each with a lock of its own: whoever
 * finds the cache taken goes without it. */
#if PY_VERSION_HEX < 0x030C0000
static inline int take(void) { return 1; }
static inline void give(void) {}
#else
static inline int take(void) { return !atomic_flag_test_and_set_explicit(&cache.taken, memory_order_acquire); }
static inline void give(void) { atomic_flag_clear_explicit(&cache.taken, memory_order_release); }
#endif

/* A chunk that was kept, or NULL. */
static Kept *fetch_kept(void)
{
    if (!take())
        return NULL;
    Kept *chunk = cache.kept;
    if (chunk) {
        cache.kept = chunk->next;
        cache.count--;
    }
    give();
    return chunk;
}

/* Whether it is kept now. */
static int keep(Kept *chunk)
{
    if (!take())
        return 0;
    int room = cache.count < MOST;
    if (room) {
        chunk->next = cache.kept;
        cache.kept = chunk;
        cache.count++;
    }
    give();
    return room;
}

static void *cache_alloc(void *Py_UNUSED(ctx), size_t size)
{
    Kept *chunk = size == CHUNK ? fetch_kept() : NULL;
    return chunk ? chunk : cache.below.alloc(cache.below.ctx, size);
}

static void cache_free(void *Py_UNUSED(ctx), void *memory, size_t size)
{
    if (size != CHUNK || !keep(memory))
        cache.below.free(cache.below.ctx, memory, size);
}

/* keep_chunks(): from now on. */
static PyObject *keep_chunks(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (!cache.below.alloc) {
        PyObject_GetArenaAllocator(&cache.below);
        PyObjectArenaAllocator wrapped = {NULL, cache_alloc, cache_free};
        PyObject_SetArenaAllocator(&wrapped);
    }
    Py_RETURN_NONE;
}

/* kept_chunks(): how many are kept now. */
static PyObject *kept_chunks(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLong(cache.count);
}

static PyMethodDef functions[] = {
    {"keep_chunks", keep_chunks, METH_NOARGS, "Keep chunks of frames for the next who wants one, from now on."},
    {"kept_chunks", kept_chunks, METH_NOARGS, "How many chunks of frames are kept now."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_arena(PyObject *module) { return PyModule_AddFunctions(module, functions); }
