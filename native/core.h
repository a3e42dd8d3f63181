/* core.h - the fused core: tasklet, channel and scheduler as C objects, and fast paths of what is done most.
 *
 * A fast path is for the plain case: one thread, nobody watches, no timer runs, nothing forbids to switch, a partner
 * that waits in a plain send or receive.  It first makes sure of all that, and changes nothing until it is sure that
 * nothing can fail.  Else it hands over to the Python twin of the operation, which works on the same objects, and so is
 * not only the specification but also the other half of the implementation.
 *
 * The fields are Python objects, None when empty and never NULL, so that the Python twins read and write them as they
 * do their own slots.  The types are given the rest of their methods by chanlab.hooks.graft(). */
#ifndef CHANLAB_CORE_H
#define CHANLAB_CORE_H

#include "private.h"

#ifdef CHANLAB_PRIVATE
#include "queues.h"

struct Started;

typedef struct Tasklet {
    Link link;
    PyObject *alive, *atomic, *block_trap, *channel, *context, *direction, *greenlet, *ignore_nesting, *label, *number,
        *offers, *sched, *stack, *tempval;
    PyObject *func, *args, *kwargs;              /* what `_call` holds, owned; func is NULL when that is None */
    struct Tasklet *started_prev, *started_next; /* borrowed: a tasklet that is deallocated leaves the list first */
    struct Started *started_in;                  /* borrowed; NULL when it is in none */
    PyObject *weakrefs;
} Tasklet;

typedef struct Channel {
    PyObject_HEAD
    PyObject *closing, *label, *number, *preference, *receivers, *schedule_all, *senders;
    PyObject *weakrefs;
    char plain; /* nobody has given its class another _act, _post and so on, see is_plain() */
} Channel;

typedef struct Scheduler {
    PyObject_HEAD
    PyObject *alarm, *bottoms, *busy, *clock, *collecting, *current, *doomed, *failed, *hub, *idle, *in_callback,
        *locked, *main, *moving, *next_greenlet, *rng, *runq, *runs, *started, *switch_trap, *thread_id, *watchdog;
    PyObject *weakrefs;
    int odd;    /* one of the fields that plain_sched() is about is not as it is most of the time, or: */
    int broken; /* a script has changed who is the head of the ring */
} Scheduler;

typedef struct Watch {
    PyObject_HEAD
    PyObject *callback, *error_handler, *schedule_callback, *trace;
    int odd; /* somebody watches */
} Watch;

enum Twin {
    SEND,
    RECEIVE,
    NEXT,
    SCHEDULE,
    RUN,
    RUN_ALL,
    GETCURRENT,
    INIT,
    SETUP,
    SELECT,
    PRI_SELECT,
    SELECTED,
    RECEIVE_CASE,
    SEND_CASE,
    TWINS
};

/* What the fused core knows of the Python side.  There is one for the process: the hooks are chosen once. */
typedef struct Core {
    PyTypeObject *tasklet_type, *channel_type, *scheduler_type, *waitq_type, *case_type, *offers_type, *generator_type;
    Watch *watch;
    PyObject *bomb, *TaskletExit, *late; /* the types */
    PyObject *CLOSED, *DEFAULT;          /* constants of channel.py and select_proto.py; NULL before select is used */
    PyObject *numbers, *channel_numbers; /* iterators */
    PyObject *zero, *one, *minus_one;
    PyObject *threading;      /* the dict of that module, where new threads find what traces them */
    PyObject *new_context;    /* function: the running Context, made if need be */
    PyObject *new_sched;      /* function: this thread's scheduler, made if need be */
    PyObject *reap, *collect; /* functions, see forgotten.py */
    PyObject *twin[16];       /* the Python twins, see enum Twin */
    PyObject *str_explode, *str_exit, *str_end, *str_died, *str_end_run, *str_trace_hook, *str_profile_hook;
    int many; /* more than one thread uses tasklets: every operation needs the lock */
} Core;
extern Core core;

/* The scheduler of this thread, borrowed; NULL before the first use of tasklets and after the last. */
extern _Thread_local Scheduler *my_sched __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* This thread's scheduler when nothing but the operation itself has to be cared for, else NULL. */
static inline Scheduler *plain_sched(void)
{
    Scheduler *sched = my_sched;
    Watch *watch = core.watch;
    return sched && !(sched->odd | watch->odd | core.many) && sched->busy == Py_False ? sched : NULL;
}

static inline RunQueue *ring_of(Scheduler *sched) { return (RunQueue *)sched->runq; }
static inline Tasklet *current_of(Scheduler *sched) { return (Tasklet *)sched->current; }

/* Put `value` into a field.  Steals a reference to it. */
static inline void put(PyObject **field, PyObject *value)
{
    PyObject *old = *field;
    *field = value;
    Py_XDECREF(old);
}

/* The peer joins the end of the ring, which takes over the caller's reference. */
static inline void join_end(RunQueue *ring, Tasklet *peer) { runq_link(ring, ring->head->prev, &peer->link); }

/* The peer joins right after the head, and becomes the head. */
static inline void join_head(RunQueue *ring, Tasklet *peer)
{
    runq_link(ring, ring->head, &peer->link);
    ring->head = &peer->link;
}

/* The tasklet at the head of `queue`, known to be one, when it waits there plainly and in this thread; else NULL. */
static inline Tasklet *plain_peer(WaitQueue *queue, Scheduler *sched)
{
    Tasklet *peer = (Tasklet *)queue->head;
    return peer->sched == (PyObject *)sched && peer->channel != Py_None ? peer : NULL;
}

/* The peer leaves the channel's queue, whose reference to it goes to the caller. */
static inline void take_out(WaitQueue *queue, Tasklet *peer)
{
    waitq_unlink(queue, &peer->link);
    put(&peer->channel, Py_NewRef(Py_None));
}

/* sched.c */
/* Whether the running tasklet can be parked here and `to`, which is or will be in the ring, can go on: then it has a
 * stack. */
int can_switch(Scheduler *sched, Tasklet *to);
/* Go on with `to`, the head of the ring, when can_switch() has said so.  Returns what the caller resumes with: a new
 * reference, or NULL with the exception that was sent to it. */
PyObject *park(Scheduler *sched, Tasklet *to, PyObject *const *operands);
/* Who would run if the running tasklet left the ring, borrowed; it joins the ring when that is empty.  NULL when it
 * cannot be told here. */
Tasklet *successor(Scheduler *sched);

/* Call the Python twin of a method (self not NULL) or function.  `args` may be NULL when there are none and nobody
 * knows where they would be among the operands of the calling frame.  New reference, or NULL. */
PyObject *call_twin(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *call_twin_vector(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *call_twin_with(enum Twin which, PyObject *self, PyObject *args, PyObject *kwargs);

/* select.c: a plain operation, in the plain case, that meets what is no tasklet.  What it returns. */
PyObject *send_to_select(Scheduler *sched, Channel *ch, PyObject *const *args);
PyObject *receive_from_select(Scheduler *sched, Channel *ch, enum Twin twin, PyObject *const *operands);

/* started.c */
void started_add(Scheduler *sched, Tasklet *task);
void started_discard(Tasklet *task);

int chanlab_add_started(PyObject *module);
int chanlab_add_tasklet(PyObject *module);
int chanlab_add_channel(PyObject *module);
int chanlab_add_sched(PyObject *module);
int chanlab_add_rng(PyObject *module);
int chanlab_add_cases(PyObject *module);
int chanlab_add_select(PyObject *module);

/* A member of type T_OBJECT_EX: CPython's specialised instructions know no other. */
#define FIELD(type, name)                                                                                              \
    {                                                                                                                  \
        "_" #name, T_OBJECT_EX, offsetof(type, name), 0, NULL                                                          \
    }
#define FINAL_FIELD(type, name)                                                                                        \
    {                                                                                                                  \
        "_" #name, T_OBJECT_EX, offsetof(type, name), READONLY, NULL                                                   \
    }
#define PUBLIC_FIELD(type, name)                                                                                       \
    {                                                                                                                  \
#name, T_OBJECT_EX, offsetof(type, name), 0, NULL                                                              \
    }

/* private.c: what the core does with stacks. */
typedef struct Here {
    PyThreadState *ts;
    Private *current, *left;
} Here;
extern _Thread_local Here here __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A stack for `task`, which has not begun; it becomes its `_greenlet` and `_stack`.  0, or -1 with MemoryError. */
int private_for(Tasklet *task, Scheduler *sched);
void private_let_go(Private *left);
/* Raise what was thrown at the stack that runs. */
void private_raise(Private *me);
void __attribute__((noreturn)) private_leave_for_good(int failed);
void __attribute__((noreturn)) private_leave_to(Private *to);
/* Whether the running code is on its Private's own stack, as far as can be told at once. */
static inline int private_on_own_stack(const Private *me, const PyThreadState *ts)
{
    return (void *)ts->datastack_chunk == me->frames.root ||
           (me->frames.root && root_of(ts->datastack_chunk) == me->frames.root);
}
/* The bottom of a tasklet's stack in the fused core; sched.c. */
void core_life(void);
#endif

#endif
