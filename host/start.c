/* How the process comes to chanlab_main().

   Embedding libpython, it is what every main() does. But Debian's libpython runs Python code a tenth slower than its
   python3, whose objects alone were optimised as a whole. So where that can be done (host/linkage.cmake), the program
   is a copy of the distribution's own interpreter, to which a line is added, "needs libchanlab.so", in front of the C
   library. Its start code then finds our __libc_start_main() instead of the C library's, and we put our main in the
   place of CPython's:

       _start (CPython's) --main--> __libc_start_main (ours) --chanlab_main--> __libc_start_main (the C library's)

   From there on there is no difference: we configure and run the interpreter that is in the same program. */
#include "start.h"

#ifndef CHANLAB_IN_INTERPRETER

int main(int argc, char **argv) { return chanlab_main(argc, argv); }

#else

#include <dlfcn.h>
#include <stdlib.h>

typedef int main_function(int argc, char **argv, char **environment);
typedef int start_function(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                           void (*ld_fini)(void), void *stack_end);

static int main_instead(int argc, char **argv, char **environment)
{
    (void)environment;
    return chanlab_main(argc, argv);
}

start_function __libc_start_main __attribute__((visibility("default")));

/* Called once, by the program's first instructions. Does not return. */
int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*ld_fini)(void), void *stack_end)
{
    (void)main;
    start_function *next = (start_function *)dlsym(RTLD_NEXT, "__libc_start_main");
    if (next == NULL) {
        abort(); /* no C library that we know: the trial at build time has found it */
    }
    return next(main_instead, argc, argv, init, fini, ld_fini, stack_end);
}

#endif
