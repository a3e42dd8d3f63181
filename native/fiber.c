/* fiber.c - what stands for a C stack, a tasklet's, the hub's, or the thread's own: how it begins, is left, goes on and
 * ends.  Python sees it as fiberobject.c shows it.
 *
 *     here.current    whose stack runs; owns a reference
 *     here.left       whose stack was just left; the one that goes on drops that reference, since nobody can on a stack
 *                     that he is leaving
 *
 * No other stack than the running one is ever written to, except by whoever makes it. */
#include "core.h"
#include "guests.h"

#ifdef CHANLAB_CORE

/* One for each OS thread, and there is no faster way to tell it. */
_Thread_local Here here __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Fibers that are over, for the next ones. */
enum { MOST_KEPT = 256 };
static struct {
    int count;
    Fiber *fibers[MOST_KEPT];
} kept;

Fiber *fiber_made(PyTypeObject *type)
{
    if (!kept.count)
        return (Fiber *)type->tp_alloc(type, 0);
    Fiber *self = kept.fibers[--kept.count]; /* as bury() has left it: what is owned is NULL */
    self->sp = NULL;
    self->after_sp = NULL;
    self->steady = 0;
#ifdef __SANITIZE_ADDRESS__
    self->fake = NULL;
#endif
    self->state.context = NULL;
    self->tracing = (Tracing){0};
    self->operands = NULL;
    self->phase = FRESH;
    self->odd = self->begun = self->wants = 0;
    _Py_NewReference((PyObject *)self);
    PyObject_GC_Track(self);
    return self;
}

int fiber_kept(Fiber *self)
{
    if (self->phase != OVER || kept.count == MOST_KEPT)
        return 0;
    kept.fibers[kept.count++] = self;
    return 1;
}

Fiber *fiber_running(ModuleState *state)
{
    PyThreadState *ts = PyThreadState_Get();
    if (here.ts != ts) {
        Fiber *self = fiber_made(state->fiber_type);
        if (!self)
            return NULL;
        self->phase = RUNNING;
        self->ts = ts;
        if (!on_greenlets) /* else nobody asks for it */
            state_of_thread(&self->state);
#ifdef CHANLAB_GREENLETS
        if (on_greenlets && green_thread_begins(self) < 0) {
            Py_DECREF(self);
            return NULL;
        }
#endif
        here.ts = ts;
        here.current = self;
        here.left = NULL;
    }
    return here.current;
}

void fiber_end(Fiber *self)
{
    Py_CLEAR(self->state.context);
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        green_end(self);
#endif
#ifdef CHANLAB_SWAP
    if (!on_greenlets)
        private_end(self);
#endif
    self->frames.root = NULL;
}

void fiber_throw_set(Fiber *to)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    Py_XSETREF(to->thrown, value);
    to->odd = 1;
}

void fiber_raise(Fiber *me)
{
    PyObject *exception = me->thrown;
    me->thrown = NULL;
    PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
}

/* First of all on the stack that goes on.  0, or -1 with an exception set: the one that was thrown at it. */
static int arrive(void)
{
    Fiber *left = here.left;
    fiber_arrives(here.current, left);
    fiber_let_go(left); /* may run any code, and even switch */
    Fiber *me = here.current;
    if (!me->thrown)
        return 0;
    fiber_raise(me);
    return -1;
}

Fiber *fiber_parent_goes_on(void)
{
    Fiber *to = here.current->parent;
    if (here.current->guests)
        guests_leave(here.current);
    while (to->phase != PARKED) /* a thread's own stack is always there */
        to = to->parent;
    if (PyErr_Occurred())
        fiber_throw_set(to);
    return to;
}

/* The life of a stack that Python code made. */
static Fiber *live_in_python(void)
{
    if (arrive() == 0) {
        PyObject *result = PyObject_CallNoArgs(here.current->run);
        Py_XDECREF(result);
    }
    return fiber_parent_goes_on();
}

Fiber *fiber_live(void) { return here.current->run ? live_in_python() : core_life(); }

/* The Context that a tasklet begins in, borrowed; NULL for none. */
static inline PyObject *context_of(const Tasklet *task)
{
    return task->context && PyContext_CheckExact(task->context) ? task->context : NULL;
}

/* What the tasklet will call is what the stack runs. */
static inline void hand_over_business(Fiber *self, Tasklet *task)
{
    self->business = (Business){task->func, task->args, task->kwargs, NULL};
    task->func = task->args = task->kwargs = NULL;
}

int fiber_for(Tasklet *task, Scheduler *sched)
{
    int quiet = kept.count && !on_greenlets;   /* then nothing is allocated */
    int collects = quiet ? 0 : PyGC_Disable(); /* finalizers might change what the caller has looked at */
    Fiber *self = fiber_made(Py_TYPE(sched->hub));
    int failed = 1;
    if (self) {
        self->parent = (Fiber *)Py_NewRef(sched->hub);
        self->state.context = Py_XNewRef(context_of(task));
        failed = fiber_begin(self, here.ts) < 0;
    }
    if (collects)
        PyGC_Enable();
    if (failed) {
        Py_XDECREF(self);
        return -1;
    }
    hand_over_business(self, task);
    put(&task->greenlet, (PyObject *)self);
    put(&task->stack, Py_NewRef(self));
    return 0;
}

int fiber_is_as_new(const Fiber *stack, const PyObject *hub)
{
    enum { KNOWN_TO_ITS_TASKLET_AND_AS_CURRENT = 3 };
    if (Py_REFCNT(stack) != KNOWN_TO_ITS_TASKLET_AND_AS_CURRENT || stack->parent != (const Fiber *)hub)
        return 0;
#ifdef CHANLAB_GREENLETS
    if (on_greenlets && stack->at) /* somebody may know its greenlet, and will find that it goes on: no harm in that */
        return 0;
#endif
    return !stack->odd && !stack->run && !stack->thrown && !stack->chosen && !stack->guests &&
           !stack->business.function && !stack->business.call && !stack->tracing.trace && !stack->tracing.profile;
}

PyObject *fiber_begin_again(Fiber *stack, Tasklet *task)
{
    PyThreadState *ts = here.ts;
    PyObject *context = context_of(task), *old = ts->context;
    stack->steady = 0; /* what it knows is of the tasklet before */
    hand_over_business(stack, task);
    if (context == old)
        return NULL;
    ts->context = Py_XNewRef(context);
    ts->context_ver++;
    return old;
}

/* A greenlet has frames of its own, which begin elsewhere. */
int fiber_stack_is_own(ModuleState *state, Fiber *me)
{
    void *chunk = here.ts->datastack_chunk;
    if (chunk == me->frames.root || root_of(chunk) == me->frames.root)
        return 1;
    if (me->frames.root)
        return 0;
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        return green_on_own_stack(me, here.ts);
#endif
    PyObject *greenlet = PyObject_CallNoArgs(state->greenlet_getcurrent);
    PyObject *parent = greenlet ? PyObject_GetAttrString(greenlet, "parent") : NULL;
    int own = parent ? parent == Py_None : -1;
    Py_XDECREF(greenlet);
    Py_XDECREF(parent);
    if (own > 0)
        me->frames.root = root_of(chunk);
    return own;
}

/* Give a FRESH one that Python code made its stack.  0, or -1 with an exception set. */
static int begin(Fiber *self, PyThreadState *ts)
{
    const char *lacks = !self->parent || !self->run ? "the stack has nothing to run"
                        : self->parent->ts != ts    ? "a stack of another thread"
                                                    : NULL;
    if (lacks)
        PyErr_SetString(PyExc_RuntimeError, lacks);
    return lacks ? -1 : fiber_begin(self, ts);
}

int __attribute__((noinline)) fiber_swap_to(Fiber *to)
{
    PyThreadState *ts = PyThreadState_Get();
    Fiber *me = here.current;
    if (to == me)
        return 0;
    if (here.left) { /* somebody's code runs as greenlet's trace function */
        PyErr_SetString(PyExc_RuntimeError, "tasklets cannot be switched in the middle of a switch");
        return -1;
    }
    /* A greenlet of the program's own would be taken along.  (The hub of a thread is made before my_sched is known,
     * perhaps in one.) */
    int own = my_sched ? fiber_stack_is_own(state_of((PyObject *)me), me) : 1;
    if (own == 0)
        PyErr_SetString(PyExc_RuntimeError, "a greenlet cannot leave the stack that it was started on");
    if (own <= 0 || (to->phase == FRESH && begin(to, ts) < 0))
        return -1;
    if (here.ts != ts || to->ts != ts || to->phase != PARKED) {
        PyErr_SetString(PyExc_RuntimeError, to->phase == OVER ? "the stack is over" : "a stack of another thread");
        return -1;
    }
    me->operands = NULL;
    if (me->parent) /* a Python twin may stand between its innermost frames and here */
        frames_park(&me->frames, state_of((PyObject *)me), me->site ? me->site->caller : NULL,
                    me->site ? me->site->operands : NULL);
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        green_leaves(me);
#endif
    int failed = fiber_swap(me, to, ts);
    frames_resume(&me->frames);
    return failed < 0 ? -1 : arrive();
}
#endif
