/* copies.c - the `arena` hook's second half: a cache for greenlet's copies of stacks.
 *
 * greenlet asks for memory for a copy of some 2 KB at every switch, and gives that of another one back, which malloc()
 * takes hundreds of instructions for.  It comes from PyMem_Malloc(), whose allocator may be wrapped: this keeps what
 * was given back for the next who wants as much.
 *
 * Whatever is handed out comes from the allocator below and may be given back to it, so nothing is lost but time when
 * somebody takes the wrapper off, or when a block is not known any more.  It has no Python twin. */
#include "chanlab.h"

/* From 3.12 on interpreters may run at once, each with a lock of its own: then nothing guards this. */
#if PY_VERSION_HEX < 0x030C0000

/* Sizes that are kept: what is smaller CPython keeps itself.  They are rounded up to a multiple of STEP bytes. */
enum { SMALLEST = 513, LARGEST = 8192, STEP = 64, MOST = 32, SLOTS = 4096 };

typedef struct Kept {
    struct Kept *next;
} Kept;

typedef struct Shelf {
    Kept *kept; /* blocks of one size that nobody uses */
    int count;
} Shelf;

/* Of the process, like the allocator itself; CPython's lock guards it. */
static struct {
    PyMemAllocatorEx below;
    Shelf shelves[LARGEST / STEP + 1]; /* by their size in steps */
    void *blocks[SLOTS];               /* those in use, the last one whose address led to a slot, */
    unsigned char sizes[SLOTS];        /* and how large it is, in steps */
} cache;

/* Neighbours of the usual size, two tasklets' copies, do not meet in a slot, and share a line of the processor's cache.
 */
static inline size_t slot_of(const void *block) { return ((uintptr_t)block >> 10) % SLOTS; }

static void *copies_malloc(void *Py_UNUSED(ctx), size_t size)
{
    if (size < SMALLEST || size > LARGEST)
        return cache.below.malloc(cache.below.ctx, size);
    size_t steps = (size + STEP - 1) / STEP;
    Shelf *shelf = &cache.shelves[steps];
    void *block = shelf->kept;
    if (block) {
        shelf->kept = shelf->kept->next;
        shelf->count--;
    } else {
        block = cache.below.malloc(cache.below.ctx, steps * STEP);
    }
    size_t slot = slot_of(block);
    cache.blocks[slot] = block;
    cache.sizes[slot] = (unsigned char)steps;
    return block;
}

static void copies_free(void *Py_UNUSED(ctx), void *block)
{
    size_t slot = slot_of(block);
    Shelf *shelf = cache.blocks[slot] == block && block ? &cache.shelves[cache.sizes[slot]] : NULL;
    if (shelf)
        cache.blocks[slot] = NULL;
    if (!shelf || shelf->count >= MOST) {
        cache.below.free(cache.below.ctx, block);
        return;
    }
    ((Kept *)block)->next = shelf->kept;
    shelf->kept = block;
    shelf->count++;
}

static void *copies_realloc(void *ctx, void *block, size_t size)
{
    if (!block)
        return copies_malloc(ctx, size);
    size_t slot = slot_of(block);
    if (cache.blocks[slot] == block)
        cache.blocks[slot] = NULL;
    return cache.below.realloc(cache.below.ctx, block, size);
}

static void *copies_calloc(void *Py_UNUSED(ctx), size_t count, size_t size)
{
    return cache.below.calloc(cache.below.ctx, count, size);
}

/* keep_copies(): from now on. */
static PyObject *keep_copies(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    if (!cache.below.malloc) {
        PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &cache.below);
        PyMemAllocatorEx wrapped = {NULL, copies_malloc, copies_calloc, copies_realloc, copies_free};
        PyMem_SetAllocator(PYMEM_DOMAIN_MEM, &wrapped);
    }
    Py_RETURN_NONE;
}

/* kept_copies(): how many blocks are kept now. */
static PyObject *kept_copies(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    long count = 0;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(cache.shelves); i++)
        count += cache.shelves[i].count;
    return PyLong_FromLong(count);
}

#else
static PyObject *keep_copies(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { Py_RETURN_NONE; }
static PyObject *kept_copies(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored)) { return PyLong_FromLong(0); }
#endif

static PyMethodDef functions[] = {
    {"keep_copies", keep_copies, METH_NOARGS, "Keep the memory of greenlet's copies of stacks, from now on."},
    {"kept_copies", kept_copies, METH_NOARGS, "How many blocks are kept now."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_copies(PyObject *module) { return PyModule_AddFunctions(module, functions); }
