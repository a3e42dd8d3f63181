/* chanlab.h - what the files of the native module share: the module's state, and what makes an object a queue member.
 *
 * One file per layer, each the mirror of the Python module of the same name in pylib/chanlab, which is the
 * specification; here only ownership and failure are documented. */
#ifndef CHANLAB_H
#define CHANLAB_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* links.c: base of all that can be queued.  A member is in one queue at a time. */
typedef struct Link {
    PyObject_HEAD
    struct Link *next, *prev; /* neighbours in a C queue, borrowed: the queue owns its members */
    PyObject *home;           /* the C queue it is in, borrowed: a queue that dies dismisses its members first */
    PyObject *queue; /* the Python queue it is in, owned, or NULL: with one queue hook in C and one in Python */
    char is_tasklet; /* a tasklet of the fused core, see core.h */
    char is_case;    /* a case of the fused core, see select.h, and */
    uint32_t stamp;  /* which select has looked at it last: here, where there is room on the way */
} Link;

typedef struct ModuleState {
    PyTypeObject *link_type;
    PyTypeObject *call_type;
    PyTypeObject *fiber_type;      /* NULL where there are no private stacks */
    PyObject *greenlet_getcurrent; /* greenlet.getcurrent, owned, or NULL */
    PyObject *str_next_greenlet;
    PyObject *set_function[2]; /* CPython's own sys.settrace and sys.setprofile, see tracing.c; owned */
    PyObject *loop_depths;     /* see depths.c; owned, or NULL */
    Py_ssize_t extra_index;    /* where code objects keep what it found; negative: nowhere */
} ModuleState;

/* Each adds its types to the module.  0, or -1 with an exception set. */
int chanlab_add_links(PyObject *module);
int chanlab_add_waitq(PyObject *module);
int chanlab_add_runq(PyObject *module);
int chanlab_add_tracing(PyObject *module);
int chanlab_add_depths(PyObject *module);
int chanlab_add_stack(PyObject *module);
int chanlab_add_fiber(PyObject *module);
int chanlab_add_arena(PyObject *module);
int chanlab_add_copies(PyObject *module);

/* The state of the module that the final heap type of `self` belongs to; NULL with TypeError when the module is gone.
 */
static inline ModuleState *state_of(PyObject *self) { return PyType_GetModuleState(Py_TYPE(self)); }

/* For what is to be inlined whatever the compiler thinks. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* links.c: how often a case of a blocked select may have left its queue, or its select, by other ways than select.c's.
 */
extern uint64_t links_disturbed __attribute__((visibility("hidden")));

/* `arg` as a Link, borrowed; NULL with TypeError when it is none. */
Link *link_check(PyObject *self, PyObject *arg);
/* `arg` as a Link that is in the queue `self`, borrowed; NULL with TypeError or RuntimeError. */
Link *link_member(PyObject *self, PyObject *arg);
/* `arg` as a Link that is in no queue, borrowed; NULL with TypeError or RuntimeError. */
Link *link_free(PyObject *self, PyObject *arg);
/* A member or NULL as a result of a method: a new reference, None for NULL. */
static inline PyObject *link_or_none(Link *node) { return Py_NewRef(node ? (PyObject *)node : Py_None); }

#endif
