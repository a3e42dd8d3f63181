/* The host's main(), by a name of its own: who calls it depends on how the host is linked. See start.c. */
#ifndef CHANLAB_START_H
#define CHANLAB_START_H

/* Runs the whole program. Returns the exit code. */
int chanlab_main(int argc, char **argv);

#endif
