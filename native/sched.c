/* sched.c - who runs, who comes next.  Mirror of pylib/chanlab/sched.py (and of schedule() in stackless.py).
 *
 * park() is the one place where tasklets leave their stacks and come back: the processor predicts the return of a swap
 * by where the last one came from, and is right only if all come from one place and go back through the same call. That
 * halves the cost of a switch.  Hence also METH_FASTCALL | METH_KEYWORDS for whatever may park, and park() called last.
 */
#include "core.h"
#include "guests.h"
#include "select.h"

#ifdef CHANLAB_PRIVATE

Core core;
_Thread_local Scheduler *my_sched __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* -- the Python twins
 * ---------------------------------------------------------------------------------------------------- */

enum { MOST_ARGS = 8 };

/* Call it, while the running stack knows where the operands of the calling frame end: else a tasklet that parks in the
 * twin and is forgotten would be kept by the operands. */
static PyObject *call_from(PyObject *const *operands, PyObject *function, PyObject **args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    Private *stack = here.current;
    if (!stack || !operands || !private_on_own_stack(stack, here.ts))
        return PyObject_Vectorcall(function, args, nargs, kwnames);
    void *caller = stack->caller;
    PyObject *const *caller_operands = stack->caller_operands;
    stack->caller = frames_innermost();
    stack->caller_operands = operands;
    PyObject *result = PyObject_Vectorcall(function, args, nargs, kwnames);
    stack->caller = caller;
    stack->caller_operands = caller_operands;
    return result;
}

PyObject *call_twin_vector(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    Py_ssize_t total = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject *few[MOST_ARGS + 1] = {NULL}, **all = few, *result;
    if (total > MOST_ARGS && !(all = PyMem_Malloc((total + 1) * sizeof(PyObject *))))
        return PyErr_NoMemory();
    all[0] = self;
    if (total)
        memcpy(all + 1, args, total * sizeof(PyObject *));
    result =
        call_from(args ? args + total : NULL, core.twin[which], self ? all : all + 1, nargs + (self != NULL), kwnames);
    if (all != few)
        PyMem_Free(all);
    return result;
}

PyObject *call_twin(enum Twin which, PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    return call_twin_vector(which, self, args, nargs, NULL);
}

PyObject *call_twin_with(enum Twin which, PyObject *self, PyObject *args, PyObject *kwargs)
{
    Py_ssize_t count = PyTuple_GET_SIZE(args);
    PyObject *all = PyTuple_New(count + 1);
    if (!all)
        return NULL;
    PyTuple_SET_ITEM(all, 0, Py_NewRef(self));
    for (Py_ssize_t i = 0; i < count; i++)
        PyTuple_SET_ITEM(all, i + 1, Py_NewRef(PyTuple_GET_ITEM(args, i)));
    PyObject *result = PyObject_Call(core.twin[which], all, kwargs);
    Py_DECREF(all);
    return result;
}

/* -- switching
 * ------------------------------------------------------------------------------------------------------------- */

/* Whether code runs that is traced or profiled, or a trace function itself. */
static inline int is_traced(PyThreadState *ts) { return ts->c_tracefunc || ts->c_profilefunc || ts->tracing; }

/* Whether threading.settrace() or setprofile() has something for those who start. */
static int starts_traced(void)
{
    return PyDict_GetItem(core.threading, core.str_trace_hook) != Py_None ||
           PyDict_GetItem(core.threading, core.str_profile_hook) != Py_None;
}

/* Give a tasklet that has not begun its stack.  Whether it can begin here. */
static int __attribute__((noinline)) can_start(Scheduler *sched, Tasklet *to)
{
    if (!to->func || to->stack != Py_None || starts_traced())
        return 0;
    if (private_for(to, sched) == 0)
        return 1;
    PyErr_Clear(); /* MemoryError: the Python twin will meet it, too, and knows what to do */
    return 0;
}

int can_switch(Scheduler *sched, Tasklet *to)
{
    Private *me = (Private *)current_of(sched)->greenlet;
    if (me != here.current || me->ts != here.ts || is_traced(me->ts) || !private_on_own_stack(me, me->ts))
        return 0;
    if (to->sched != (PyObject *)sched || !to->link.is_tasklet)
        return 0;
    if (to->greenlet == Py_None)
        return can_start(sched, to);
    return to->greenlet && Py_IS_TYPE(to->greenlet, Py_TYPE(me)) && ((Private *)to->greenlet)->phase == PARKED;
}

/* The tasklet that goes on takes what it resumes with; only then may other code run. */
static inline PyObject *resume(Scheduler *sched)
{
    Tasklet *me = current_of(sched);
    Private *left = here.left;
    PyObject *value = me->tempval ? me->tempval : Py_NewRef(Py_None); /* a script may have deleted it */
    me->tempval = Py_NewRef(Py_None);
    after_swap(here.current, left);
    here.left = NULL;
    if (sched->busy != Py_False) /* whoever left was in the middle of a Python twin */
        put(&sched->busy, Py_NewRef(Py_False));
    private_let_go(left);
    return value;
}

/* The rest of it, which there seldom is: another thread's lock, tracing that was set meanwhile, tasklets to kill, an
 * exception, a select that is to end.  Steals a reference to `value`. */
static PyObject *__attribute__((noinline)) resume_oddly(Scheduler *sched, PyObject *value)
{
    Private *stack = here.current;
    PyObject *chosen = stack->chosen;
    stack->chosen = NULL; /* what follows may run any code here, and select again */
    PyObject *result =
        sched->locked == core.zero ? Py_NewRef(Py_None) : PyObject_CallMethodNoArgs((PyObject *)sched, core.str_exit);
    stack->odd = 0;
    if (stack->tracing.trace || stack->tracing.profile)
        tracing_restore(&stack->tracing);
    if (result && PyList_GET_SIZE(sched->doomed))
        Py_SETREF(result, PyObject_CallOneArg(core.reap, (PyObject *)sched));
    if (result && stack->thrown) {
        private_raise(stack);
        Py_CLEAR(result);
    }
    if (result && Py_IS_TYPE(value, (PyTypeObject *)core.bomb))
        Py_SETREF(result, PyObject_CallMethodNoArgs(value, core.str_explode)); /* which raises */
    if (!result)
        Py_CLEAR(value);
    Py_XDECREF(result);
    if (chosen && value)
        return select_resumes(chosen, value);
    Py_XDECREF(chosen);
    return value;
}

static inline int is_odd(Scheduler *sched, PyObject *value)
{
    Private *stack = here.current;
    return sched->locked != core.zero || PyList_GET_SIZE(sched->doomed) || stack->odd ||
           Py_IS_TYPE(value, (PyTypeObject *)core.bomb);
}

PyObject *__attribute__((noinline)) park(Scheduler *sched, Tasklet *to, PyObject *const *operands)
{
    Private *me = here.current, *target = (Private *)to->greenlet;
    PyThreadState *ts = here.ts;
    put(&sched->current, Py_NewRef(to)); /* the ring or a queue holds the one that leaves */
    state_save(&me->state, ts);
    me->operands = operands;
    me->phase = PARKED;
    here.left = me;
    here.current = (Private *)Py_NewRef(target);
    target->phase = RUNNING;
    state_load(&target->state, ts);
    before_swap(me, target, 0);
    chanlab_swap(&me->sp, target->sp);
    PyObject *value = resume(sched);
    return is_odd(sched, value) ? resume_oddly(sched, value) : value;
}

/* Whom the innermost run() or the end of the ring wakes: borrowed; NULL when it takes more thought. */
static Tasklet *whom_to_wake(Scheduler *sched)
{
    Py_ssize_t depth = PyList_GET_SIZE(sched->runs);
    Tasklet *wake = (Tasklet *)(depth ? PyList_GET_ITEM(sched->runs, depth - 1) : sched->main);
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
    PyObject *result = PyObject_CallMethodNoArgs((PyObject *)sched, core.str_end_run);
    if (!result)
        return -1;
    Py_DECREF(result);
    PyErr_Restore(type, value, traceback);
    return 0;
}

/* Scheduler.run(): let all others run until the ring is empty. */
static PyObject *scheduler_run(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
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
static int died(Scheduler *sched)
{
    if (PyErr_ExceptionMatches(core.TaskletExit)) {
        PyErr_Clear();
        return 0;
    }
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback)
        PyException_SetTraceback(value, traceback);
    PyErr_SetHandledException(value);
    PyObject *result = PyObject_CallMethodOneArg((PyObject *)sched, core.str_died, value);
    PyErr_SetHandledException(NULL);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Who goes on now that the running tasklet is over, borrowed: it is in the ring, and parked.  NULL, and nothing has
 * changed, when the Python twin must find out. */
static Tasklet *heir(Scheduler *sched)
{
    Tasklet *me = current_of(sched);
    if (!plain_sched() || sched->failed != Py_None || &me->link != ring_of(sched)->head || is_traced(here.ts))
        return NULL;
    RunQueue *ring = ring_of(sched);
    Tasklet *to = ring->length > 1 ? (Tasklet *)me->link.next : successor(sched);
    if (!to || !can_switch(sched, to))
        return NULL;
    runq_unlink(ring, &me->link);
    Py_DECREF(me); /* sched.current holds it still */
    if (!ring->head)
        runq_link(ring, NULL, (Link *)Py_NewRef(to));
    return to;
}

/* The running tasklet is over: hand over to the next one, or let the Python twin choose whom the hub goes on with. */
static void __attribute__((noreturn)) end(Scheduler *sched)
{
    Tasklet *to = heir(sched);
    if (!to) {
        PyObject *result = PyObject_CallMethodNoArgs((PyObject *)sched, core.str_end);
        Py_XDECREF(result);
        private_leave_for_good(!result);
    }
    Tasklet *me = current_of(sched);
    Private *stack = (Private *)me->greenlet;
    started_discard(me);
    put(&me->alive, Py_NewRef(Py_False));
    me->greenlet = Py_NewRef(Py_None);
    put(&me->stack, Py_NewRef(Py_None));
    put(&sched->busy, Py_NewRef(Py_True));
    Private *next = (Private *)to->greenlet;
    sched->current = Py_NewRef(to);
    /* Whoever goes on drops the last reference to our stack.  That to the tasklet is dropped here: its finalizer does
     * nothing, as it is not alive, but what it owns may have others, which find that a switch is going on. */
    Py_DECREF(stack);
    Py_DECREF(me);
    private_leave_to(next);
}

void core_life(void)
{
    Scheduler *sched = my_sched;
    Tasklet *me = current_of(sched);
    Private *stack = here.current;
    started_add(sched, me);
    PyObject *value = resume(sched), *result = NULL;
    if (is_odd(sched, value))
        value = resume_oddly(sched, value);
    if (value) {
        Py_DECREF(value);
        Business *business = &stack->business;
        if (!business->kwargs)
            result = PyObject_Vectorcall(business->function, &PyTuple_GET_ITEM(business->args, 0),
                                         PyTuple_GET_SIZE(business->args), NULL);
        else
            result = PyObject_Call(business->function, business->args, business->kwargs);
    }
    int failed = result ? 0 : died(sched);
    Py_XDECREF(result);
    if (stack->guests)
        guests_leave(stack);
    if (failed < 0)
        private_leave_for_good(1); /* the hub sees to it */
    end(sched);
}

/* -- the objects
 * --------------------------------------------------------------------------------------------------------------- */

/* Those on which it depends whether a fast path can be taken are set through set_state(). */
/* clang-format off */
#define SCHEDULER_STATES(X) X(clock) X(collecting) X(in_callback) X(moving) X(switch_trap) X(watchdog)
#define SCHEDULER_SLOTS(X) \
    X(alarm) X(bottoms) X(busy) X(current) X(doomed) X(failed) X(hub) X(idle) X(locked) X(main) X(next_greenlet) \
    X(rng) X(runq) X(runs) X(started) X(thread_id)
#define SCHEDULER_FIELDS(X) SCHEDULER_SLOTS(X) SCHEDULER_STATES(X)
/* clang-format on */

static void look_at_states(Scheduler *sched)
{
    sched->odd = sched->clock != Py_None || sched->collecting != Py_False || sched->in_callback != Py_False ||
                 sched->moving != Py_None || sched->switch_trap != core.zero || sched->watchdog != Py_None ||
                 sched->broken;
}

/* `closure` is the offset of the field. */
static PyObject *get_state(PyObject *self, void *closure)
{
    return Py_NewRef(*(PyObject **)((char *)self + (size_t)closure));
}

static int set_state(PyObject *self, PyObject *value, void *closure)
{
    PyObject **field = (PyObject **)((char *)self + (size_t)closure), *old = *field;
    *field = Py_NewRef(value ? value : Py_None);
    look_at_states((Scheduler *)self);
    Py_DECREF(old);
    return 0;
}

static PyObject *scheduler_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Scheduler *sched = (Scheduler *)type->tp_alloc(type, 0);
#define NONE(name) sched->name = Py_NewRef(Py_None);
    if (sched) {
        SCHEDULER_FIELDS(NONE)
        look_at_states(sched);
    }
    return (PyObject *)sched;
}

static int scheduler_traverse(PyObject *self, visitproc visit, void *arg)
{
    Scheduler *sched = (Scheduler *)self;
    Py_VISIT(Py_TYPE(self));
#define VISIT(name) Py_VISIT(sched->name);
    SCHEDULER_FIELDS(VISIT)
    return 0;
}

static int scheduler_clear(PyObject *self)
{
    Scheduler *sched = (Scheduler *)self;
    if (sched == my_sched)
        my_sched = NULL;
#define EMPTY(name)                                                                                                    \
    if (sched->name)                                                                                                   \
        put(&sched->name, Py_NewRef(Py_None));
    SCHEDULER_FIELDS(EMPTY)
    return 0;
}

static void scheduler_dealloc(PyObject *self)
{
    Scheduler *sched = (Scheduler *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (sched->weakrefs)
        PyObject_ClearWeakRefs(self);
    scheduler_clear(self);
#define DROP(name) Py_CLEAR(sched->name);
    SCHEDULER_FIELDS(DROP)
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef scheduler_methods[] = {
    {"run", (PyCFunction)(void *)scheduler_run, METH_FASTCALL, "Let all others run until the ring is empty."},
    {0},
};

static PyMemberDef scheduler_members[] = {
#define MEMBER(name) PUBLIC_FIELD(Scheduler, name),
    SCHEDULER_SLOTS(MEMBER){"__weaklistoffset__", T_PYSSIZET, offsetof(Scheduler, weakrefs), READONLY, NULL},
    {0},
};

static PyGetSetDef scheduler_getset[] = {
#define STATE(name) {#name, get_state, set_state, NULL, (void *)offsetof(Scheduler, name)},
    SCHEDULER_STATES(STATE){0},
};

static PyType_Slot scheduler_slots[] = {
    {Py_tp_getset, scheduler_getset},   {Py_tp_new, scheduler_new},
    {Py_tp_dealloc, scheduler_dealloc}, {Py_tp_traverse, scheduler_traverse},
    {Py_tp_clear, scheduler_clear},     {Py_tp_methods, scheduler_methods},
    {Py_tp_members, scheduler_members}, {0, NULL},
};

static PyType_Spec scheduler_spec = {
    .name = "chanlab.sched.Scheduler",
    .basicsize = sizeof(Scheduler),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = scheduler_slots,
};

static PyObject *watch_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(kwargs))
{
    Watch *watch = (Watch *)type->tp_alloc(type, 0);
    if (watch) {
        watch->callback = Py_NewRef(Py_None);
        watch->error_handler = Py_NewRef(Py_None);
        watch->schedule_callback = Py_NewRef(Py_None);
        watch->trace = Py_NewRef(Py_None);
    }
    return (PyObject *)watch;
}

static int watch_traverse(PyObject *self, visitproc visit, void *arg)
{
    Watch *watch = (Watch *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(watch->callback);
    Py_VISIT(watch->error_handler);
    Py_VISIT(watch->schedule_callback);
    Py_VISIT(watch->trace);
    return 0;
}

static void watch_dealloc(PyObject *self)
{
    Watch *watch = (Watch *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(watch->callback);
    Py_XDECREF(watch->error_handler);
    Py_XDECREF(watch->schedule_callback);
    Py_XDECREF(watch->trace);
    type->tp_free(self);
    Py_DECREF(type);
}

static int watch_set(PyObject *self, PyObject *value, void *closure)
{
    Watch *watch = (Watch *)self;
    PyObject **field = (PyObject **)((char *)self + (size_t)closure), *old = *field;
    *field = Py_NewRef(value ? value : Py_None);
    watch->odd = watch->callback != Py_None || watch->schedule_callback != Py_None || watch->trace != Py_None;
    Py_DECREF(old);
    return 0;
}

static PyMemberDef watch_members[] = {
    PUBLIC_FIELD(Watch, error_handler),
    {0},
};

static PyGetSetDef watch_getset[] = {
    {"callback", get_state, watch_set, NULL, (void *)offsetof(Watch, callback)},
    {"schedule_callback", get_state, watch_set, NULL, (void *)offsetof(Watch, schedule_callback)},
    {"trace", get_state, watch_set, NULL, (void *)offsetof(Watch, trace)},
    {0},
};

static PyType_Slot watch_slots[] = {
    {Py_tp_new, watch_new},         {Py_tp_dealloc, watch_dealloc}, {Py_tp_traverse, watch_traverse},
    {Py_tp_members, watch_members}, {Py_tp_getset, watch_getset},   {0, NULL},
};

static PyType_Spec watch_spec = {
    .name = "chanlab.watch.Watch",
    .basicsize = sizeof(Watch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = watch_slots,
};

/* -- what the Python side tells the core
 * ------------------------------------------------------------------------------------------ */

/* core_knows(name=object, ...): the objects of the Python side that the core needs. */
static PyObject *core_knows(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static const struct {
        const char *name;
        PyObject **place;
    } known[] = {
        {"watch", (PyObject **)&core.watch},
        {"bomb", &core.bomb},
        {"TaskletExit", &core.TaskletExit},
        {"numbers", &core.numbers},
        {"channel_numbers", &core.channel_numbers},
        {"threading", &core.threading},
        {"new_context", &core.new_context},
        {"new_sched", &core.new_sched},
        {"reap", &core.reap},
        {"collect", &core.collect},
        {"WaitQueue", (PyObject **)&core.waitq_type},
        {"send", &core.twin[SEND]},
        {"receive", &core.twin[RECEIVE]},
        {"__next__", &core.twin[NEXT]},
        {"schedule", &core.twin[SCHEDULE]},
        {"run", &core.twin[RUN]},
        {"run_all", &core.twin[RUN_ALL]},
        {"getcurrent", &core.twin[GETCURRENT]},
        {"__init__", &core.twin[INIT]},
        {"setup", &core.twin[SETUP]},
        {"late", &core.late},
        {"CLOSED", &core.CLOSED},
        {"DEFAULT", &core.DEFAULT},
        {"select", &core.twin[SELECT]},
        {"pri_select", &core.twin[PRI_SELECT]},
        {"selected", &core.twin[SELECTED]},
        {"receiveCase", &core.twin[RECEIVE_CASE]},
        {"sendCase", &core.twin[SEND_CASE]},
    };
    PyObject *name, *object;
    Py_ssize_t position = 0;
    if (PyTuple_GET_SIZE(args) || !kwargs) {
        PyErr_SetString(PyExc_TypeError, "core_knows() takes keywords only");
        return NULL;
    }
    while (PyDict_Next(kwargs, &position, &name, &object)) {
        size_t i = 0;
        while (i < Py_ARRAY_LENGTH(known) && PyUnicode_CompareWithASCIIString(name, known[i].name))
            i++;
        if (i == Py_ARRAY_LENGTH(known)) {
            PyErr_Format(PyExc_TypeError, "the core knows nothing of '%U'", name);
            return NULL;
        }
        Py_XSETREF(*known[i].place, Py_NewRef(object));
    }
    Py_RETURN_NONE;
}

/* thread_has(sched): this thread's scheduler from now on; None: it has none any more. */
static PyObject *thread_has(PyObject *Py_UNUSED(module), PyObject *sched)
{
    if (sched != Py_None && !Py_IS_TYPE(sched, core.scheduler_type)) {
        PyErr_SetString(PyExc_TypeError, "a Scheduler is needed");
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
    look_at_states(sched);
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
    {"core_knows", (PyCFunction)(void *)core_knows, METH_VARARGS | METH_KEYWORDS, "What the core needs of Python."},
    {"thread_has", thread_has, METH_O, "This thread's scheduler from now on, or None."},
    {"around_collection", (PyCFunction)(void *)around_collection, METH_FASTCALL, "For gc.callbacks."},
    {"many_threads", many_threads, METH_O, "Whether more than one thread uses tasklets."},
    {NULL, NULL, 0, NULL},
};

static int add_names(void)
{
    static const struct {
        PyObject **place;
        const char *text;
    } names[] = {
        {&core.str_explode, "explode"},
        {&core.str_exit, "exit"},
        {&core.str_end, "end"},
        {&core.str_died, "died"},
        {&core.str_end_run, "_end_run"},
        {&core.str_trace_hook, "_trace_hook"},
        {&core.str_profile_hook, "_profile_hook"},
    };
    for (size_t i = 0; i < Py_ARRAY_LENGTH(names); i++)
        if (!(*names[i].place = PyUnicode_InternFromString(names[i].text)))
            return -1;
    core.zero = PyLong_FromLong(0);
    core.one = PyLong_FromLong(1);
    core.minus_one = PyLong_FromLong(-1);
    return core.zero && core.one && core.minus_one ? 0 : -1;
}

int chanlab_add_sched(PyObject *module)
{
    core.scheduler_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &scheduler_spec, NULL);
    PyObject *watch = PyType_FromModuleAndSpec(module, &watch_spec, NULL);
    int failed = !core.scheduler_type || !watch || add_names() < 0 ||
                 PyModule_AddObjectRef(module, "Scheduler", (PyObject *)core.scheduler_type) < 0 ||
                 PyModule_AddObjectRef(module, "Watch", watch) < 0;
    Py_XDECREF(watch);
    return failed ? -1 : PyModule_AddFunctions(module, functions);
}
#endif
