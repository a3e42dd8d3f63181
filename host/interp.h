/* The embedded CPython. Everything that knows PyConfig is in interp.c. */
#ifndef CHANLAB_INTERP_H
#define CHANLAB_INTERP_H

struct options;
struct places;

enum { INTERP_READY = -1 };

/* Starts CPython as the options say: sys.path begins with pylib, sys.executable is the host.
   Returns INTERP_READY, or the exit code after CPython or this function has said why; nothing is
   left to stop then. */
int interp_start(const struct options *options, const struct places *places);

/* Makes sure that greenlet can be found, without importing it: that would cost every start
   several milliseconds. Returns 0, or -1 after a complaint. */
int interp_need_greenlet(const struct options *options, const struct places *places);

/* Imports the (all but empty) package chanlab, before the script's directory comes first in sys.path: what stackless is
   made of must not depend on the names of the script's neighbours. Returns INTERP_READY or the exit code. */
int interp_claim_package(void);

/* Imports chanlab.hooks, which checks the list of hooks, and has it tell at the end when `flags` were
   in vain. Returns INTERP_READY or the exit code. */
int interp_check_hooks(const char *flags);

/* greenlet's version in memory that the caller frees; NULL if it cannot be imported. */
char *interp_greenlet_version(void);

/* X.Y.Z of the CPython that runs, in memory that the caller frees; NULL without memory. */
char *interp_python_version(void);

/* Runs the program named on the command line and stops CPython. Returns the exit code. On Ctrl-C
   it does not return but ends the process by SIGINT, as python3 does. */
int interp_run(void);

/* Stops CPython without running anything. */
void interp_stop(void);

#endif
