/* daemon.c - how daemon threads end when the interpreter does.
 *
 * Until CPython 3.14 a daemon thread that asks for the interpreter's lock while the interpreter is being taken down
 * calls pthread_exit(), which unwinds its C stack.  A thread that is inside a tasklet stands on a greenlet's stack
 * then, whose lower part has been put aside and holds something else meanwhile:
 *
 *     [ thread ... main tasklet's frames, moved away ][ hub ][ tasklet: pthread_exit() ]
 *                ^-- garbage to an unwinder, which runs greenlet's C++ destructors with it
 *
 * So the host does what CPython 3.14 does: such a thread stops here, and the process ends without it.
 */
#include <Python.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static int interpreter_ends(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

/* Takes the place of the C library's, for CPython, too. */
__attribute__((visibility("default"), noreturn)) void pthread_exit(void *result)
{
    while (interpreter_ends())
        pause();
    void (*libc_exit)(void *) = (void (*)(void *))dlsym(RTLD_NEXT, "pthread_exit");
    if (libc_exit)
        libc_exit(result);
    abort();
}
