/* core.h - the fused core: tasklet, channel and scheduler as C objects, and fast paths of what is done most.
 *
 * A fast path is for the plain case: one thread, nobody watches, no timer is due, nothing forbids to switch, a partner
 * that waits in a plain send or receive.  It first makes sure of all that, and changes nothing until it is sure that
 * nothing can fail.  Else it hands over to the Python twin of the operation, which works on the same objects, and so is
 * not only the specification but also the other half of the implementation.
 *
 * The fields are Python objects, None when empty and never NULL, so that the Python twins read and write them as they
 * do their own slots.  The types are given the rest of their methods by chanlab.hooks.graft(). */
#ifndef CHANLAB_CORE_H
#define CHANLAB_CORE_H

#include "swaps.h"

#ifdef CHANLAB_CORE
#include "queues.h"

struct Started;

typedef struct Tasklet {
    Link link;
    PyObject *block_trap, *channel, *direction, *greenlet, *sched, *tempval; /* what every operation needs */
    const char *after; /* where the Fiber of whom it gave way to last was, see note_successor() in sched.c; here, since
                          it takes no memory here, as it would in the Fiber */
    PyObject *alive, *atomic, *context, *ignore_nesting, *label, *offers, *stack;
    vectorcallfunc setup; /* t(...) */
    Py_ssize_t number;
    PyObject *func, *args, *kwargs;              /* what `_call` holds, owned; func is NULL when that is None */
    struct Tasklet *started_prev, *started_next; /* borrowed: a tasklet that is deallocated leaves the list first */
    struct Started *started_in;                  /* borrowed; NULL when it is in none */
    PyObject *weakrefs;
} Tasklet;

typedef struct Channel {
    PyObject_HEAD
    char kind; /* enum Kind */
    /* What select looks at comes first: it shall find it in one place. */
    PyObject *closing, *receivers, *senders, *preference, *schedule_all, *label, *number;
    PyObject *weakrefs;
} Channel;

/* ODD: somebody has given its class another _act, _post and so on; the rest is the Python twins'. */
enum Kind { ODD_KIND, STACKLESS, GO };

typedef struct Scheduler {
    PyObject_HEAD
    PyObject *alarm, *bottoms, *busy, *clock, *collecting, *current, *doomed, *failed, *hub, *idle, *in_callback,
        *locked, *main, *moving, *next_greenlet, *rng, *runq, *runs, *started, *switch_trap, *thread_id, *torn,
        *unsettled, *watchdog;
    PyObject *weakrefs;
    double look_at; /* when the clock must be looked at next */
    int odd;        /* which of the fields that plain_sched() is about are not as they are most of the time */
    int broken;     /* a script has changed who is the head of the ring */
} Scheduler;

/* What can be odd: there is a clock, which does not matter while it has nothing to say; anything else. */
enum { ODD_CLOCK = 1, ODD = 2 };

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
    GO_RECEIVE,
    GO_RECEIVE_OK,
    GO_NEXT,
    TWINS
};

/* What the fused core knows of the Python side.  There is one for the process: the hooks are chosen once. */
typedef struct Core {
    PyTypeObject *tasklet_type, *channel_type, *scheduler_type, *waitq_type, *case_type, *offers_type, *generator_type,
        *go_type, *buffer_type, *fiber_type, *runq_type, *started_type;
    Watch *watch;
    PyObject *bomb, *TaskletExit, *late; /* the types */
    PyObject *CLOSED, *DEFAULT;          /* constants of channel.py and select_proto.py; NULL before select is used */
    PyObject *channel_numbers;           /* an iterator */
    PyObject *zero, *one, *minus_one, *no_args; /* an empty tuple */
    PyObject *threading;                        /* the dict of that module, where new threads find what traces them */
    PyObject *new_context;                      /* function: the running Context, made if need be */
    PyObject *new_sched;                        /* function: this thread's scheduler, made if need be */
    PyObject *reap, *collect;                   /* functions, see forgotten.py */
    PyObject *twin[TWINS];                      /* the Python twins, see enum Twin */
    PyObject *str_explode, *str_exit, *str_end, *str_died, *str_end_run, *str_recover, *str_trace_hook,
        *str_profile_hook;
    int many; /* more than one thread uses tasklets: every operation needs the lock */
} Core;
extern Core core;

/* The scheduler of this thread, borrowed; NULL before the first use of tasklets and after the last. */
extern _Thread_local Scheduler *my_sched __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* scheduler.c: whether the clock must be looked at now. */
int clock_calls(const Scheduler *sched);

/* This thread's scheduler when nothing but the operation itself has to be cared for, else NULL. */
static inline Scheduler *plain_sched(void)
{
    Scheduler *sched = my_sched;
    if (!sched || (core.watch->odd | core.many) || sched->busy != Py_False)
        return NULL;
    if (!sched->odd)
        return sched;
    return sched->odd == ODD_CLOCK && !clock_calls(sched) ? sched : NULL;
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

/* The tasklet at the head of `queue`, a queue of this channel and known to have one, when it waits there plainly and in
 * this thread; else NULL. */
static inline Tasklet *plain_peer(Channel *ch, WaitQueue *queue, Scheduler *sched)
{
    Tasklet *peer = (Tasklet *)queue->head;
    return peer->sched == (PyObject *)sched && peer->channel == (PyObject *)ch ? peer : NULL;
}

/* The peer leaves the channel's queue, whose reference to it goes to the caller.  That runs no other code, as the
 * caller has the channel. */
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

/* Whether the running tasklet can wait at this channel here, with `value`: who goes on then, borrowed.  NULL when the
 * Python twin must do it. */
static inline Tasklet *can_wait(Scheduler *sched, const Channel *ch, const PyObject *value)
{
    Tasklet *me = current_of(sched);
    RunQueue *ring = ring_of(sched);
    if (me->block_trap != Py_False || ch->closing != Py_False || me->tempval != Py_None || me->channel != Py_None)
        return NULL;
    Tasklet *to = ring->length > 1 ? (Tasklet *)me->link.next : successor(sched);
    if (ring->length == 1 && Py_IS_TYPE(value, (PyTypeObject *)core.bomb))
        return NULL; /* see refill() in sched.py */
    return to && can_switch(sched, to) ? to : NULL;
}

/* The running tasklet waits in `queue`, with `value`, and `to` goes on, as can_wait() has said.  Returns what park()
 * does. */
static inline PyObject *wait_in(Scheduler *sched, Channel *ch, WaitQueue *queue, PyObject *direction, PyObject *value,
                                Tasklet *to, PyObject *const *operands)
{
    Tasklet *me = current_of(sched);
    RunQueue *ring = ring_of(sched);
    put(&me->tempval, Py_NewRef(value));
    put(&me->channel, Py_NewRef(ch));
    put(&me->direction, Py_NewRef(direction));
    runq_unlink(ring, &me->link); /* its reference goes from the ring to the queue */
    waitq_link(queue, &me->link);
    if (!ring->head)
        runq_link(ring, NULL, (Link *)Py_NewRef(to));
    return park(sched, to, operands);
}

/* twins.c: call the Python twin of a method (self not NULL) or function.  `args` may be NULL when there are none and
 * nobody knows where they would be among the operands of the calling frame.  New reference, or NULL. */
PyObject *call_twin(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *call_twin_vector(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *call_twin_with(enum Twin which, PyObject *self, PyObject *args, PyObject *kwargs);

/* select.c: a plain operation, in the plain case, that meets what is no tasklet.  What it returns. */
PyObject *send_to_select(Scheduler *sched, Channel *ch, PyObject *const *args);
PyObject *receive_from_select(Scheduler *sched, Channel *ch, enum Twin twin, PyObject *const *operands);

/* started.c */
void started_add(Scheduler *sched, Tasklet *task);
void started_discard(Tasklet *task);

/* scheduler.c */
/* One of the fields has changed on which it depends whether a fast path can be taken. */
void scheduler_states(Scheduler *sched);
/* Whether a scheduler has all that the core looks for in it. */
int scheduler_is_whole(PyObject *sched);
/* The getter of any object's field; `closure` is its offset.  New reference. */
PyObject *core_get_field(PyObject *self, void *closure);
/* sched.c: Scheduler.run(). */
PyObject *scheduler_run(PyObject *self, PyObject *const *args, Py_ssize_t nargs);

int chanlab_add_started(PyObject *module);
int chanlab_add_scheduler(PyObject *module);
int chanlab_add_watch(PyObject *module);
int chanlab_add_green(PyObject *module);
int chanlab_add_tasklet(PyObject *module);
int chanlab_add_channel(PyObject *module);
int chanlab_add_gochan(PyObject *module);
int chanlab_add_sched(PyObject *module);
int chanlab_add_twins(PyObject *module);
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

/* fiber.c: what the core does with stacks. */
/* A stack for `task`, which has not begun; it becomes its `_greenlet` and `_stack`.  0, or -1 with MemoryError. */
int fiber_for(Tasklet *task, Scheduler *sched);
/* Whether the running stack, at whose bottom its tasklet has just ended, is like one that `hub` has just made: nobody
 * but that tasklet knows it, and nothing is left on it. */
int fiber_is_as_new(const Fiber *stack, const PyObject *hub);
/* It is to run `task` now.  Returns the Context that ran on it, which is the caller's; or NULL if that runs on. */
PyObject *fiber_begin_again(Fiber *stack, Tasklet *task);
/* It is over, and nobody runs on its stack any more. */
void fiber_end(Fiber *self);
/* Let go of a stack that was left, now that another one runs. */
static inline void fiber_let_go(Fiber *left)
{
    if (left->phase == OVER)
        fiber_end(left);
    Py_DECREF(left);
}
/* The exception that is set is thrown at a stack instead. */
void fiber_throw_set(Fiber *to);
/* Raise what was thrown at the stack that runs. */
void fiber_raise(Fiber *me);
/* gochan.c: what a tasklet that was parked in a receive from a Go channel makes of what it resumes with.  Steals a
 * reference to `value`.  New reference, or NULL: StopIteration, MemoryError. */
PyObject *go_delivers(enum Wants wants, PyObject *value);

/* The running stack is over, and nobody else is to go on: its parent does, with the exception that is set, if any.
 * Returns it, borrowed. */
Fiber *fiber_parent_goes_on(void);

/* sched.c: the whole life of a tasklet that the core starts, and of its heirs.  Returns who goes on, borrowed. */
Fiber *core_life(void);
#endif

#endif
