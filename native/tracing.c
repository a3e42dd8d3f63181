/* tracing.c - sys.settrace() and sys.setprofile() for tasklets.
 *
 * Two things that Python cannot do.  Each stack keeps its own functions, CPython's count of the trace functions it is
 * inside of included, so that a trace function may switch; and the package's own frames are hidden from them, so that
 * a traced program looks as if send and receive were part of the interpreter.  For the latter sys.settrace and
 * sys.setprofile are replaced: they install CPython's own caller of a trace function behind a filter.  Tracers in C
 * that go past these functions see everything. */
#include "tracing.h"

#include <frameobject.h>

/* A Py_tracefunc is handed no state, so this cannot be in a module's.  It is the same for all interpreters: */
static struct {
    Py_tracefunc caller[2]; /* what sys.settrace() and sys.setprofile() of CPython install, once known */
    char *prefixes[8];      /* how the names of the package's own source files begin; NULL ends */
} shared;

enum { TRACE = 0, PROFILE = 1 };

static int is_own(PyFrameObject *frame)
{
    PyCodeObject *code = PyFrame_GetCode(frame);
    const char *name = PyUnicode_AsUTF8(code->co_filename);
    int found = 0;
    if (!name)
        PyErr_Clear();
    for (char **prefix = shared.prefixes; name && *prefix && !found; prefix++)
        found = strncmp(name, *prefix, strlen(*prefix)) == 0;
    Py_DECREF(code);
    return found;
}

static int filter_trace(PyObject *function, PyFrameObject *frame, int what, PyObject *arg)
{
    return is_own(frame) ? 0 : shared.caller[TRACE](function, frame, what, arg);
}

static int filter_profile(PyObject *function, PyFrameObject *frame, int what, PyObject *arg)
{
    return is_own(frame) ? 0 : shared.caller[PROFILE](function, frame, what, arg);
}

static const Py_tracefunc filter[2] = {filter_trace, filter_profile};

static void install(int kind, Py_tracefunc caller, PyObject *function)
{
    if (kind == PROFILE)
        PyEval_SetProfile(caller, function);
    else
        PyEval_SetTrace(caller, function);
}

static Py_tracefunc installed(int kind)
{
    PyThreadState *ts = PyThreadState_Get();
    return kind == PROFILE ? ts->c_profilefunc : ts->c_tracefunc;
}

static PyObject *installed_object(int kind)
{
    PyThreadState *ts = PyThreadState_Get();
    return kind == PROFILE ? ts->c_profileobj : ts->c_traceobj;
}

/* Find CPython's own caller of trace (or profile) functions: let its function install `function`, and take that back.
 * 0, or -1 with an exception set. */
static int learn_caller(ModuleState *state, int kind, PyObject *function)
{
    if (shared.caller[kind])
        return 0;
    if (!state || !state->set_function[kind]) {
        PyErr_SetString(PyExc_RuntimeError, "hide_frames() has not been called");
        return -1;
    }
    Py_tracefunc before = installed(kind);
    PyObject *object = Py_XNewRef(installed_object(kind));
    PyObject *result = PyObject_CallOneArg(state->set_function[kind], function);
    if (result) {
        shared.caller[kind] = installed(kind);
        install(kind, before, object);
        Py_DECREF(result);
    }
    Py_XDECREF(object);
    return result ? 0 : -1;
}

static PyObject *set_function(PyObject *module, int kind, PyObject *function)
{
    if (function == Py_None)
        install(kind, NULL, NULL);
    else if (learn_caller(PyModule_GetState(module), kind, function) < 0)
        return NULL;
    else
        install(kind, filter[kind], function);
    Py_RETURN_NONE;
}

static PyObject *settrace(PyObject *module, PyObject *function) { return set_function(module, TRACE, function); }

static PyObject *setprofile(PyObject *module, PyObject *function) { return set_function(module, PROFILE, function); }

/* A function that was set before we came is put behind the filter, too; a tracer in C is left alone. */
static int adopt(ModuleState *state, int kind)
{
    PyObject *function = installed_object(kind);
    if (!function)
        return 0;
    if (learn_caller(state, kind, function) < 0)
        return -1;
    if (installed(kind) == shared.caller[kind])
        install(kind, filter[kind], function);
    return 0;
}

/* The names are kept for good: they are compared with until the process ends.  0, or -1 with an exception set. */
static int keep_prefixes(PyObject *prefixes)
{
    Py_ssize_t count = PyTuple_Size(prefixes);
    if (shared.prefixes[0])
        return 0;
    if (count < 0 || count >= (Py_ssize_t)Py_ARRAY_LENGTH(shared.prefixes)) {
        PyErr_SetString(PyExc_ValueError, "a tuple of a few names is needed");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *name = PyUnicode_AsUTF8(PyTuple_GetItem(prefixes, i));
        if (!name || !(shared.prefixes[i] = strdup(name)))
            return name ? (PyErr_NoMemory(), -1) : -1;
    }
    return 0;
}

/* hide_frames(settrace, setprofile, prefixes): CPython's two functions, to fall back on, and what to hide. */
static PyObject *hide_frames(PyObject *module, PyObject *args)
{
    ModuleState *state = PyModule_GetState(module);
    PyObject *original[2], *prefixes;
    if (!PyArg_ParseTuple(args, "OOO!", &original[TRACE], &original[PROFILE], &PyTuple_Type, &prefixes))
        return NULL;
    if (keep_prefixes(prefixes) < 0)
        return NULL;
    for (int kind = TRACE; kind <= PROFILE; kind++) {
        Py_XSETREF(state->set_function[kind], Py_NewRef(original[kind]));
        if (adopt(state, kind) < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

/* -- the tracing of a parked stack ------------------------------------------------------------------------------ */

Tracing tracing_suspend(void)
{
    PyThreadState *ts = PyThreadState_Get();
    Tracing off = {0};
    if (!ts->c_tracefunc && !ts->c_profilefunc && !ts->tracing)
        return off;
    Tracing on = {
        .trace = ts->c_tracefunc,
        .profile = ts->c_profilefunc,
        .trace_object = Py_XNewRef(ts->c_traceobj),
        .profile_object = Py_XNewRef(ts->c_profileobj),
        .depth = ts->tracing,
    };
    if (on.trace)
        PyEval_SetTrace(NULL, NULL);
    if (on.profile)
        PyEval_SetProfile(NULL, NULL);
    while (ts->tracing)
        PyThreadState_LeaveTracing(ts);
    return on;
}

void tracing_restore(Tracing *tracing)
{
    PyThreadState *ts = PyThreadState_Get();
    if (tracing->trace)
        PyEval_SetTrace(tracing->trace, tracing->trace_object);
    if (tracing->profile)
        PyEval_SetProfile(tracing->profile, tracing->profile_object);
    while (ts->tracing < tracing->depth)
        PyThreadState_EnterTracing(ts);
    tracing_clear(tracing);
}

void tracing_clear(Tracing *tracing)
{
    tracing->trace = tracing->profile = NULL;
    tracing->depth = 0;
    Py_CLEAR(tracing->trace_object);
    Py_CLEAR(tracing->profile_object);
}

PyObject *tracing_get(const Tracing *tracing, int profile)
{
    PyObject *function = profile ? tracing->profile_object : tracing->trace_object;
    return Py_NewRef(function ? function : Py_None);
}

int tracing_set(Tracing *tracing, ModuleState *state, int profile, PyObject *function)
{
    if (function == Py_None)
        function = NULL;
    else if (learn_caller(state, profile, function) < 0)
        return -1;
    if (profile)
        tracing->profile = function ? filter_profile : NULL;
    else
        tracing->trace = function ? filter_trace : NULL;
    Py_XSETREF(*(profile ? &tracing->profile_object : &tracing->trace_object), Py_XNewRef(function));
    return 0;
}

static PyMethodDef tracing_methods[] = {
    {"settrace", settrace, METH_O, "settrace(function)\n--\n\nsys.settrace() that hides the package's own frames."},
    {"setprofile", setprofile, METH_O,
     "setprofile(function)\n--\n\nsys.setprofile() that hides the package's own frames."},
    {"hide_frames", hide_frames, METH_VARARGS, "What the two functions call, and the source files that they hide."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_tracing(PyObject *module) { return PyModule_AddFunctions(module, tracing_methods); }
