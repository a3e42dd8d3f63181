/* swap.h - leaving one C stack for another.
 *
 * chanlab_swap(&saved, sp) pushes what the calling convention lets a callee rely on, notes the stack pointer in
 * `saved`, takes the stack pointer `sp` that an earlier swap has noted (or first_sp() has made up), pops, and returns
 * there.  It does not keep the floating point control words: a tasklet that changes them changes them for all. */
#ifndef CHANLAB_SWAP_H
#define CHANLAB_SWAP_H

#include <patchlevel.h>
#include <stdint.h>
#include <string.h>

#if defined(CHANLAB_NO_PRIVATE) /* as on a machine that this does not know */
#elif PY_VERSION_HEX >= 0x030E0000 && PY_VERSION_HEX < 0x030E02F0
#define CHANLAB_UNPROTECTED 1 /* CPython takes every other stack for an overflow, and cannot be told */
#elif defined(__x86_64__) && defined(__linux__)
#define CHANLAB_SWAP 1
enum { SWAP_WORDS = 6, SWAP_ENTRY = 6 }; /* rbp rbx r12-r15, and then the address that ret takes */
#elif defined(__aarch64__) && defined(__linux__)
#define CHANLAB_SWAP 1
enum { SWAP_WORDS = 20, SWAP_ENTRY = 11 }; /* x19-x30 and d8-d15; x30, the link register, is the twelfth */
#endif

#ifdef CHANLAB_SWAP
void chanlab_swap(void **saved, void *sp);

/* The stack pointer for the first swap to a stack that ends at `top`: it enters `entry`, which must not return. */
static inline void *first_sp(char *top, void (*entry)(void))
{
    void **sp = (void **)((uintptr_t)top & ~(uintptr_t)15);
#ifdef __x86_64__
    *--sp = NULL; /* where entry would return to; so that the stack is aligned as after a call */
    *--sp = (void *)entry;
#endif
    sp -= SWAP_WORDS;
    memset(sp, 0, SWAP_WORDS * sizeof(void *));
#ifdef __aarch64__
    sp[SWAP_ENTRY] = (void *)entry;
#endif
    return sp;
}
#endif

#endif
