/* arena.c - the `arena` hook: a cache for CPython's chunks of frames.
 *
 * A new greenlet, and a call that does not fit into the last chunk of a stack's frames, makes CPython map a chunk of
 * 16 KiB and unmap it soon after, which takes microseconds.  The chunks come from the arena allocator, which may be
 * wrapped: this keeps some that were given back for the next who wants one.  It has no Python twin, and nobody can tell
 * but by the time. */
#include "chanlab.h"

enum { CHUNK = 16 * 1024, MOST = 1024 }; /* 16 MiB at most are kept */

typedef struct Kept {
    struct Kept *next;
} Kept;

/* Of the process, like the allocator itself; CPython's lock guards it. */
static struct {
    PyObjectArenaAllocator below;
    Kept *kept;
    int count;
} cache;

static void *cache_alloc(void *Py_UNUSED(ctx), size_t size)
{
    Kept *chunk = cache.kept;
    if (size != CHUNK || !chunk)
        return cache.below.alloc(cache.below.ctx, size);
    cache.kept = chunk->next;
    cache.count--;
    return chunk;
}

static void cache_free(void *Py_UNUSED(ctx), void *memory, size_t size)
{
    if (size != CHUNK || cache.count >= MOST) {
        cache.below.free(cache.below.ctx, memory, size);
        return;
    }
    Kept *chunk = memory;
    chunk->next = cache.kept;
    cache.kept = chunk;
    cache.count++;
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
