/* guests.h - greenlets of the program's own on private stacks. */
#ifndef CHANLAB_GUESTS_H
#define CHANLAB_GUESTS_H

#include "fiber.h"

#ifdef CHANLAB_CORE
/* The stack is over: so are the greenlets on it, which are killed.  Called on that stack. */
void guests_leave(Fiber *home);
#endif
int chanlab_add_guests(PyObject *module);

#endif
