/* look.h - what select() sees of its cases. */
#ifndef CHANLAB_LOOK_H
#define CHANLAB_LOOK_H

#include "select.h"

#ifdef CHANLAB_CORE

/* A list with more cases is the Python twin's. */
enum { MOST_CASES = 1024 };

/* What was seen of the cases.  One for the process: it is of use only until other code runs. */
typedef struct Seen {
    uint32_t stamp; /* may come round: then a case seems to be listed twice, and Python looks */
    Py_ssize_t live, ready;
    int some_send;               /* whether there may be some of the live ones that send */
    Case *const *cases;          /* those that can happen: the list itself, or */
    Case *some[MOST_CASES];      /* these, */
    Py_ssize_t gaps[MOST_CASES]; /* when there are places of it that never happen; */
    Case *now[MOST_CASES];       /* and those of them that can happen now; all borrowed */
} Seen;
extern Seen seen __attribute__((visibility("hidden")));

/* TWIN: the cases are not such as C is for; AGAIN: other code may have run; SEEN: what was seen is true. */
enum Look { TWIN, AGAIN, SEEN };

/* Look at a list or tuple of cases, and let them forget their earlier select. */
enum Look look(PyObject *cases);
/* Before the first look.  0, or -1 with MemoryError. */
int look_begins(void);
#endif

#endif
