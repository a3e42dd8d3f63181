/* sched.c - who runs, who comes next.  Mirror of pylib/chanlab/sched.py (and of schedule() in stackless.py).
 *
 * park() is the one place where tasklets leave their stacks and come back: the processor predicts the return of a swap
 * by where the last one came from, and is right only if all come from one place and go back through the same call. That
 * halves the cost of a switch.  Hence also METH_FASTCALL | METH_KEYWORDS for whatever may park, and park() called last,
 * but for run().  On greenlets, which copy what lies on the C stack, it is the frames from the bottom of a stack to
 * there that count: they are kept small. */
#include "core.h"
#include "guests.h"
#include "select.h"

#ifdef CHANLAB_CORE
_Thread_local Scheduler *my_sched __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* -- switching
 * ------------------------------------------------------------------------------------------------------------- */

/* Whether code runs that is traced or profiled, or a trace function itself. */
static inline int is_traced(PyThreadState *ts) { return ts->c_tracefunc || ts->c_profilefunc || ts->tracing; }

/* Whether threading.settrace() or setprofile() has something for those who start. */
static inline int thread_hooks(void)
{
    return PyDict_GetItem(core.threading, core.str_trace_hook) != Py_None ||
           PyDict_GetItem(core.threading, core.str_profile_hook) != Py_None;
}

#if PY_VERSION_HEX < 0x030E0000
#if defined(__clang__) || defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* 3.12 and 3.13 have the tag still */
#endif
/* A number that changes whenever the dict does. */
static uint64_t version_of(PyObject *dict) { return ((PyDictObject *)dict)->ma_version_tag; }
#if defined(__clang__) || defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* The same, asked only when the module has changed. */
static int starts_traced(void)
{
    static uint64_t untraced; /* the module's version when it had nothing */
    if (untraced == version_of(core.threading))
        return 0;
    if (!thread_hooks())
        untraced = version_of(core.threading);
    return untraced != version_of(core.threading);
}
#else
static inline int starts_traced(void) { return thread_hooks(); }
#endif

/* Whether a tasklet without a stack only has to be given one. */
static inline int may_start(const Tasklet *to) { return to->func && to->stack == Py_None && !starts_traced(); }

/* Give a tasklet that has not begun its stack.  Whether it can begin here. */
static int __attribute__((noinline)) can_start(Scheduler *sched, Tasklet *to)
{
    if (!may_start(to) || ((Fiber *)sched->hub)->phase != PARKED)
        return 0;
    if (fiber_for(to, sched) == 0)
        return 1;
    PyErr_Clear(); /* MemoryError: the Python twin will meet it, too, and knows what to do */
    return 0;
}

/* Whether the running tasklet can give the processor to `to`, as far as the stacks do not matter. */
static inline int can_hand_over(Scheduler *sched, const Tasklet *to)
{
    Fiber *me = (Fiber *)current_of(sched)->greenlet;
    return me == here.current && me->ts == here.ts && !is_traced(me->ts) && fiber_on_own_stack(me, me->ts) &&
           to->sched == (PyObject *)sched && to->link.is_tasklet;
}

int can_switch(Scheduler *sched, Tasklet *to)
{
    if (!can_hand_over(sched, to))
        return 0;
    if (to->greenlet == Py_None)
        return can_start(sched, to);
    return to->greenlet && Py_IS_TYPE(to->greenlet, Py_TYPE(here.current)) && ((Fiber *)to->greenlet)->phase == PARKED;
}

/* The running tasklet takes what it resumes with.  New reference. */
static inline PyObject *take_tempval(Scheduler *sched)
{
    Tasklet *me = current_of(sched);
    PyObject *value = me->tempval ? me->tempval : Py_NewRef(Py_None); /* a script may have deleted it */
    me->tempval = Py_NewRef(Py_None);
    return value;
}

/* Raise the exception that was fetched, now that `result` is there, which is dropped; or the one that was raised in its
 * place.  Steals all of them.  0, or -1 when there is no result. */
static int raise_after(PyObject *result, PyObject *type, PyObject *value, PyObject *traceback)
{
    if (result) {
        Py_DECREF(result);
        PyErr_Restore(type, value, traceback);
        return 0;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return -1;
}

/* The tasklet that goes on takes what it resumes with; only then may other code run. */
static inline PyObject *resume(Scheduler *sched)
{
    Fiber *left = here.left;
    PyObject *value = take_tempval(sched);
    fiber_arrives(here.current, left);
    if (sched->busy != Py_False) /* whoever left was in the middle of a Python twin */
        put(&sched->busy, Py_NewRef(Py_False));
    fiber_let_go(left);
    return value;
}

/* Whose stack runs goes on although it was to be another one's turn.  NULL, with the exception that is set, and the
 * ring as it was. */
static PyObject *__attribute__((noinline)) stay(Scheduler *sched)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    Py_CLEAR(here.current->chosen);
    here.current->wants = 0;
    put(&sched->busy, Py_NewRef(Py_True));
    put(&sched->torn, Py_NewRef(Py_True)); /* an interrupt may tear recover() apart */
    raise_after(PyObject_CallMethodNoArgs((PyObject *)sched, core.str_recover), type, value, traceback);
    return NULL;
}

/* The rest of it, which there seldom is: another thread's lock, tracing that was set meanwhile, tasklets to kill, an
 * exception, a select that is to end.  Steals a reference to `value`. */
static PyObject *__attribute__((noinline)) resume_oddly(Scheduler *sched, PyObject *value)
{
    Fiber *stack = here.current;
    PyObject *chosen = stack->chosen;
    enum Wants wants = (enum Wants)stack->wants;
    stack->wants = 0;
    stack->chosen = NULL; /* what follows may run any code here, and select again */
    PyObject *result =
        sched->locked == core.zero ? Py_NewRef(Py_None) : PyObject_CallMethodNoArgs((PyObject *)sched, core.str_exit);
    stack->odd = 0;
    if (stack->tracing.trace || stack->tracing.profile)
        tracing_restore(&stack->tracing);
    if (result && PyList_GET_SIZE(sched->doomed))
        Py_SETREF(result, PyObject_CallOneArg(core.reap, (PyObject *)sched));
    if (result && stack->thrown) {
        fiber_raise(stack);
        Py_CLEAR(result);
        /* The hub may have ended with it, when it was another one's turn. */
        if (current_of(sched)->greenlet != (PyObject *)stack) {
            put(&current_of(sched)->tempval, value);
            value = stay(sched);
        }
    }
    if (result && Py_IS_TYPE(value, (PyTypeObject *)core.bomb))
        Py_SETREF(result, PyObject_CallMethodNoArgs(value, core.str_explode)); /* which raises */
    if (!result)
        Py_CLEAR(value);
    Py_XDECREF(result);
    if (chosen && value)
        return select_resumes(chosen, value);
    Py_XDECREF(chosen);
    return wants && value ? go_delivers(wants, value) : value;
}

static inline int is_odd(Scheduler *sched, PyObject *value)
{
    Fiber *stack = here.current;
    return sched->locked != core.zero || PyList_GET_SIZE(sched->doomed) || stack->odd ||
           Py_IS_TYPE(value, (PyTypeObject *)core.bomb) || value == core.CLOSED;
}

/* Most of the time of a switch among many is spent waiting for memory.  So what the next switch will want is fetched a
 * switch ahead: what belongs to whom `to` gave way to the last time, when that was twice the same one, as in a chain of
 * filters; else what belongs to whoever is behind it in the ring.  The former's addresses are only that: he may be
 * gone, so nobody looks what is there. */
enum { FIBER_LINES = 3, C_LINES = 6, FRAME_LINES = 3 }; /* what is touched first; fewer help less, more no more */

ALWAYS_INLINE void fetch_stack(const char *sp, const char *top)
{
    fetch(sp, C_LINES);
    fetch(top - FRAME_LINES * CACHE_LINE, FRAME_LINES);
}

/* The running tasklet, `mine`, gives way to one whose stack is `to`: note it for the next time. */
static inline void note_successor(Tasklet *mine, Fiber *me, const Fiber *to)
{
    const char *sp = to->sp, *top = (const char *)to->state.top;
    size_t lines = ((size_t)(top - sp) + CACHE_LINE - 1) / CACHE_LINE;
    me->steady = mine->after == (const char *)to && lines <= UCHAR_MAX;
    mine->after = (const char *)to;
    me->after_sp = sp;
    me->after_lines = (unsigned char)lines;
}

ALWAYS_INLINE void look_ahead(const Tasklet *to, const Fiber *target)
{
    const Tasklet *next = (const Tasklet *)to->link.next;
    if (target->steady) {
        fetch(to->after, FIBER_LINES);
        fetch_stack(target->after_sp, target->after_sp + target->after_lines * CACHE_LINE);
    } else if (next->link.is_tasklet && next->greenlet && Py_IS_TYPE(next->greenlet, Py_TYPE(here.current))) {
        const Fiber *fiber = (const Fiber *)next->greenlet;
        fetch_stack(fiber->sp, (const char *)fiber->state.top);
    }
}

/* The running tasklet gives way to `to`.  Returns who it was, borrowed: the ring or a queue holds it. */
static inline Tasklet *give_way(Scheduler *sched, Tasklet *to, PyObject *const *operands)
{
    Tasklet *mine = current_of(sched);
    put(&sched->current, Py_NewRef(to));
    here.current->operands = operands;
    return mine;
}

/* Somebody has given way to the tasklet whose stack runs now.  Returns what park() does. */
static inline PyObject *go_on(Scheduler *sched)
{
    PyObject *value = resume(sched);
    if (is_odd(sched, value))
        return resume_oddly(sched, value);
    here.current->wants = 0; /* it has come: CLOSED, when a program sends it by other ways, is a value */
    return value;
}

#ifdef CHANLAB_GREENLETS
/* park() on a greenlet.  A small frame, as greenlet copies it at every switch. */
static PyObject *__attribute__((noinline)) park_greenlet(Scheduler *sched, Tasklet *to, PyObject *const *operands)
{
    give_way(sched, to, operands);
    return green_swap(here.current, (Fiber *)to->greenlet) < 0 ? stay(sched) : go_on(sched);
}
#endif

PyObject *__attribute__((noinline)) park(Scheduler *sched, Tasklet *to, PyObject *const *operands)
{
#ifdef CHANLAB_GREENLETS
    if (on_greenlets)
        return park_greenlet(sched, to, operands);
#endif
#ifdef CHANLAB_SWAP
    Fiber *me = here.current, *target = (Fiber *)to->greenlet;
    Tasklet *mine = give_way(sched, to, operands);
    if (ring_of(sched)->length > 2) { /* the stacks of two are at hand anyway */
        note_successor(mine, me, target);
        look_ahead(to, target);
    }
    private_swap(me, target, here.ts, PARKED);
    return go_on(sched);
#endif
}

/* Whom the innermost run() or the end of the ring wakes: borrowed; NULL when it takes more thought. */
static Tasklet *whom_to_wake(Scheduler *sched)
{
    if (sched->clock != Py_None)
        return NULL; /* the thread may have to wait for it */
    Py_ssize_t depth = PyList_GET_SIZE(sched->runs);
    Tasklet *wake = (Tasklet *)(depth ? PyList_GET_ITEM(sched->runs, depth - 1) : sched->main);
    if (!PyObject_TypeCheck((PyObject *)wake, core.tasklet_type)) /* a script may have put it into the list */
        return NULL;
    if (wake->alive != Py_True || wake->channel != Py_None || wake->offers != Py_None || wake->link.home)
        return NULL;
    return wake;
}

Tasklet *successor(Scheduler *sched)
{
    Tasklet *wake = whom_to_wake(sched);
    return wake == current_of(sched) ? NULL : wake;
}

/* -- schedule and run
 * ------------------------------------------------------------------------------------------------------ */

/* schedule(retval): give way to the next runnable tasklet. */
static PyObject *schedule(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Scheduler *sched = plain_sched();
    if (!sched || nargs > 1 || kwnames)
        return call_twin_vector(SCHEDULE, NULL, args, nargs, kwnames);
    Tasklet *me = current_of(sched), *to = (Tasklet *)me->link.next;
    if (to == me || me->tempval != Py_None || !can_switch(sched, to))
        return call_twin(SCHEDULE, NULL, args, nargs);
    put(&me->tempval, Py_NewRef(nargs ? args[0] : (PyObject *)me));
    ring_of(sched)->head = &to->link;
    return park(sched, to, args + nargs);
}

/* The running tasklet comes back from run(). */
static int end_run(Scheduler *sched)
{
    Py_ssize_t depth = PyList_GET_SIZE(sched->runs);
    if (depth && PyList_GET_ITEM(sched->runs, depth - 1) == sched->current)
        return PyList_SetSlice(sched->runs, depth - 1, depth, NULL);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    return raise_after(PyObject_CallMethodNoArgs((PyObject *)sched, core.str_end_run), type, value, traceback);
}

/* Scheduler.run(): let all others run until the ring is empty. */
PyObject *scheduler_run(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    Scheduler *sched = plain_sched();
    if ((PyObject *)sched != self || nargs)
        return call_twin(RUN, self, args, nargs);
    Tasklet *me = current_of(sched), *to = (Tasklet *)me->link.next;
    if (to == me || me->tempval != Py_None || !can_switch(sched, to))
        return call_twin(RUN, self, NULL, 0);
    if (PyList_Append(sched->runs, (PyObject *)me) < 0)
        return NULL;
    RunQueue *ring = ring_of(sched);
    runq_unlink(ring, &me->link); /* sched.runs holds it */
    Py_DECREF(me);
    ring->head = &to->link;
    PyObject *result = park(sched, to, args);
    if (result)
        Py_SETREF(result, Py_NewRef(Py_None));
    if (end_run(sched) < 0)
        Py_CLEAR(result);
    return result;
}

/* run(): the same for this thread. */
static PyObject *run(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (!my_sched || nargs || kwnames)
        return call_twin_vector(RUN_ALL, NULL, args, nargs, kwnames);
    return scheduler_run((PyObject *)my_sched, args, 0);
}

/* getcurrent(): the tasklet that runs in this thread. */
static PyObject *getcurrent(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return my_sched ? Py_NewRef(my_sched->current) : call_twin(GETCURRENT, NULL, NULL, 0);
}

/* -- the life of a tasklet
 * --------------------------------------------------------------------------------------------------- */

/* The running tasklet has ended with an exception: let the scheduler see what becomes of it.  0, or -1 with another
 * one. */
static int died(Scheduler *sched, Fiber *stack)
{
    if (PyErr_ExceptionMatches(core.TaskletExit)) {
        PyErr_Clear();
        business_let_go(&stack->business);
        return 0;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback)
        PyException_SetTraceback(value, traceback);
    PyErr_SetHandledException(value);
    business_let_go(&stack->business);
    PyObject *result = PyObject_CallMethodOneArg((PyObject *)sched, core.str_died, value);
    PyErr_SetHandledException(NULL);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* The running tasklet's function is over, with a result or an exception.  What it was called with dies here, while the
 * tasklet is still current: finalizers may use channels, and even switch.  Steals a reference to the result.  0, or -1
 * with an exception set. */
static inline int over(Scheduler *sched, Fiber *stack, PyObject *result)
{
    if (!result)
        return died(sched, stack);
    Py_DECREF(result);
    business_let_go(&stack->business);
    return 0;
}

/* Whether a tasklet that has not begun can have the stack of the running one, which is over. */
static int can_inherit(Scheduler *sched, const Tasklet *to)
{
    return to->greenlet == Py_None && can_hand_over(sched, to) && may_start(to) &&
           fiber_is_as_new(here.current, sched->hub);
}

/* Who goes on now that the running tasklet is over, borrowed: it is in the ring, and parked, or it inherits the stack.
 * NULL, and nothing has changed, when the Python twin must find out. */
static Tasklet *heir(Scheduler *sched)
{
    Tasklet *me = current_of(sched);
    if (!plain_sched() || sched->failed != Py_None || &me->link != ring_of(sched)->head || is_traced(here.ts))
        return NULL;
    if (me->alive != Py_True ||
        me->stack != me->greenlet) /* to let go of what a script has put there may run any code */
        return NULL;
    if (here.current->parent != (Fiber *)sched->hub) /* the Python twin gives it the one that lives */
        return NULL;
    RunQueue *ring = ring_of(sched);
    Tasklet *to = ring->length > 1 ? (Tasklet *)me->link.next : successor(sched);
    if (!to || !(can_inherit(sched, to) || can_switch(sched, to)))
        return NULL;
    runq_unlink(ring, &me->link);
    Py_DECREF(me); /* sched.current holds it still */
    if (!ring->head)
        runq_link(ring, NULL, (Link *)Py_NewRef(to));
    return to;
}

/* The running tasklet is over: hand over to the heir, or let the Python twin choose whom the hub goes on with.  Returns
 * who goes on, borrowed; NULL when the hub does, with an exception set when it is to see to that. */
static Fiber *end(Scheduler *sched, Tasklet *to)
{
    if (!to) {
        PyObject *result = PyObject_CallMethodNoArgs((PyObject *)sched, core.str_end);
        Py_XDECREF(result);
        return NULL;
    }
    Tasklet *me = current_of(sched);
    Fiber *stack = (Fiber *)me->greenlet;
    started_discard(me);
    put(&me->alive, Py_NewRef(Py_False));
    me->greenlet = Py_NewRef(Py_None);
    put(&me->stack, Py_NewRef(Py_None));
    put(&sched->busy, Py_NewRef(Py_True));
    Fiber *next = (Fiber *)to->greenlet;
    sched->current = Py_NewRef(to);
    /* Whoever goes on drops the last reference to our stack.  That to the tasklet is dropped here: its finalizer does
     * nothing, as it is not alive, but what it owns may have others, which find that a switch is going on. */
    Py_INCREF(next);
    Py_DECREF(stack);
    Py_DECREF(me);
    stack->chosen = (PyObject *)next;           /* until our stack is let go */
    return next->phase == PARKED ? next : NULL; /* no longer when one of those finalizers has switched there by hand */
}

static inline void swap_objects(PyObject **one, PyObject **other)
{
    PyObject *object = *one;
    *one = *other;
    *other = object;
}

/* The running tasklet is over, and the heir begins on its stack: a chain of tasklets that never park has one stack, and
 * no switch.  Returns what resume() does, or NULL with the exception that was sent to the heir. */
static PyObject *inherit(Scheduler *sched, Fiber *stack, Tasklet *to)
{
    Tasklet *me = current_of(sched);
    started_discard(me);
    put(&me->alive, Py_NewRef(Py_False));
    swap_objects(&me->greenlet, &to->greenlet);
    swap_objects(&me->stack, &to->stack);
    PyObject *context = fiber_begin_again(stack, to);
    started_add(sched, to);
    put(&sched->busy, Py_NewRef(Py_True)); /* as in end() */
    sched->current = Py_NewRef(to);
    Py_DECREF(me);
    Py_XDECREF(context);
    put(&sched->busy, Py_NewRef(Py_False));
    PyObject *value = take_tempval(sched);
    return is_odd(sched, value) ? resume_oddly(sched, value) : value;
}

/* Call what the running stack is to run.  New reference, or NULL with an exception set. */
static inline PyObject *run_business(const Business *business)
{
    vectorcallfunc call = business->kwargs ? NULL : PyVectorcall_Function(business->function);
    return call ? call(business->function, &PyTuple_GET_ITEM(business->args, 0),
                       (size_t)PyTuple_GET_SIZE(business->args), NULL)
                : PyObject_Call(business->function, business->args, business->kwargs);
}

/* The running tasklet is over, and so are all that inherit its stack and are killed before they begin.  Steals a
 * reference to the result of its function, NULL with an exception.  Returns who goes on, borrowed; NULL when that is an
 * heir, whose business the stack is to run now. */
static Fiber *__attribute__((noinline)) give_over(Scheduler *sched, PyObject *result)
{
    Fiber *stack = here.current;
    while (1) {
        int failed = over(sched, stack, result);
        if (stack->guests)
            guests_leave(stack);
        Tasklet *to = failed < 0 ? NULL : heir(sched);
        if (!to || to->greenlet != Py_None) {
            Fiber *next = failed < 0 ? NULL : end(sched, to);
            return next ? next : fiber_parent_goes_on();
        }
        PyObject *value = inherit(sched, stack, to);
        if (value) {
            Py_DECREF(value);
            return NULL;
        }
        result = NULL;
    }
}

/* The first one begins.  Returns what give_over() does. */
static Fiber *__attribute__((noinline)) begin(Scheduler *sched)
{
    started_add(sched, current_of(sched));
    PyObject *value = resume(sched);
    if (is_odd(sched, value))
        value = resume_oddly(sched, value);
    if (!value)
        return give_over(sched, NULL);
    Py_DECREF(value);
    return NULL;
}

/* A small frame, as greenlet copies it at every switch. */
Fiber *core_life(void)
{
    Scheduler *sched = my_sched;
    Fiber *to = begin(sched);
    while (!to)
        to = give_over(sched, run_business(&here.current->business));
    return to;
}

/* -- what the Python side tells the core
 * ------------------------------------------------------------------------------------------ */

/* thread_has(sched): this thread's scheduler from now on; None: it has none any more. */
static PyObject *thread_has(PyObject *Py_UNUSED(module), PyObject *sched)
{
    if (sched != Py_None && (!Py_IS_TYPE(sched, core.scheduler_type) || !scheduler_is_whole(sched))) {
        PyErr_SetString(PyExc_TypeError, "a Scheduler is needed, and one that was initialised");
        return NULL;
    }
    my_sched = sched == Py_None ? NULL : (Scheduler *)sched;
    Py_RETURN_NONE;
}

/* around_collection(phase, info): the mirror of that in forgotten.py, which takes no depth of recursion in Python. */
static PyObject *around_collection(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Scheduler *sched = my_sched;
    if (!sched || nargs != 2 || !PyUnicode_Check(args[0]))
        Py_RETURN_NONE;
    int starts = PyUnicode_CompareWithASCIIString(args[0], "start") == 0;
    put(&sched->collecting, PyBool_FromLong(starts));
    scheduler_states(sched);
    if (!starts && PyList_Check(sched->doomed) && PyList_GET_SIZE(sched->doomed))
        return PyObject_CallOneArg(core.reap, (PyObject *)sched);
    Py_RETURN_NONE;
}

/* many_threads(flag): whether every operation needs the lock. */
static PyObject *many_threads(PyObject *Py_UNUSED(module), PyObject *flag)
{
    core.many = flag == Py_True;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"schedule", (PyCFunction)(void *)schedule, METH_FASTCALL | METH_KEYWORDS,
     "schedule(retval=<the caller>)\n--\n\nGive way to the next runnable tasklet.  Returns `retval`, by default the "
     "caller itself."},
    {"run", (PyCFunction)(void *)run, METH_FASTCALL | METH_KEYWORDS,
     "run(timeout=0, threadblock=False, soft=False, ignore_nesting=False, totaltimeout=False)\n--\n\nRun all other "
     "tasklets until none is runnable; see the Python twin in stackless.py."},
    {"current_tasklet", getcurrent, METH_NOARGS, "getcurrent()\n--\n\nThe tasklet that runs in this thread."},
    {"thread_has", thread_has, METH_O, "This thread's scheduler from now on, or None."},
    {"around_collection", (PyCFunction)(void *)around_collection, METH_FASTCALL, "For gc.callbacks."},
    {"many_threads", many_threads, METH_O, "Whether more than one thread uses tasklets."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_sched(PyObject *module)
{
    return chanlab_add_twins(module) < 0 || chanlab_add_scheduler(module) < 0 || chanlab_add_watch(module) < 0
               ? -1
               : PyModule_AddFunctions(module, functions);
}
#endif
