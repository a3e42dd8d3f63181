/* Configures CPython from the options, with PyConfig (PEP 587).

   This is the one file to change where PyInitConfig (PEP 741, Python 3.14) is to take over. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <unistd.h>

#include "config.h"
#include "interp.h"
#include "options.h"
#include "places.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

PyMODINIT_FUNC PyInit__chanlab(void);

/* Any uint64 seed fixes the string hashes, for which CPython takes 32 bits. */
#define HASH_SEED_MASK UINT64_C(0xffffffff)

/* The exit code for a status that is no success. CPython itself reports an error and exits. */
static int exit_code(PyStatus status)
{
    if (PyStatus_IsExit(status)) {
        return status.exitcode;
    }
    Py_ExitStatusException(status);
}

/* sys.orig_argv is what the user typed, not what the options were turned into. */
static PyStatus set_orig_argv(PyConfig *config, const struct options *options)
{
    for (int i = 0; i < options->argc; i++) {
        wchar_t *word = Py_DecodeLocale(options->argv[i], NULL);
        if (word == NULL) {
            return PyStatus_NoMemory();
        }
        PyStatus status = PyWideStringList_Append(&config->orig_argv, word);
        PyMem_RawFree(word);
        if (PyStatus_Exception(status)) {
            return status;
        }
    }
    return PyStatus_Ok();
}

static PyStatus configure(PyConfig *config, const struct options *options, const struct places *places)
{
    PyStatus status = PyConfig_SetBytesArgv(config, options->python_argc, options->python_argv);
    if (!PyStatus_Exception(status)) {
        status = set_orig_argv(config, options);
    }
    if (!PyStatus_Exception(status)) {
        /* CPython looks for pyvenv.cfg beside the program; sys.executable is put right later. */
        status = PyConfig_SetBytesString(config, &config->program_name, places->interpreter);
    }
    if (options->has_seed && !options->fixed_hash_seed) {
        config->use_hash_seed = 1;
        config->hash_seed = (unsigned long)(options->seed & HASH_SEED_MASK);
    }
    if (options->own_tool) {
        config->safe_path = 1;
    }
    return status;
}

/* Brings CPython up. Returns INTERP_READY or an exit code. */
static int initialise(const struct options *options, const struct places *places)
{
    /* Before anything else that decodes text: -X utf8, -E, -I and the locale. */
    PyPreConfig preconfig;
    PyPreConfig_InitPythonConfig(&preconfig);
    PyStatus status = Py_PreInitializeFromBytesArgs(&preconfig, options->python_argc, options->python_argv);
    if (PyStatus_Exception(status)) {
        return exit_code(status);
    }
    if (PyImport_AppendInittab("_chanlab", PyInit__chanlab) < 0) {
        complain("out of memory");
        return 1;
    }
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    status = configure(&config, options, places);
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return PyStatus_Exception(status) ? exit_code(status) : INTERP_READY;
}

/* The last word on whose standard library runs: ways lead past the check of pyvenv.cfg. Returns
   0, or -1 after a complaint. */
static int check_base_prefix(const struct places *places)
{
    PyObject *prefix = PySys_GetObject("base_prefix"); /* borrowed */
    const char *path = prefix == NULL ? NULL : PyUnicode_AsUTF8(prefix);
    if (path == NULL || places_compare_prefix(path) < 0) {
        PyErr_Clear();
        complain("%s brought the standard library of %s, but this chanlab was built for CPython %s "
                 "in %s",
                 places->environment, path == NULL ? "nowhere" : path, CHANLAB_PYTHON_VERSION, CHANLAB_BASE_PREFIX);
        return -1;
    }
    return 0;
}

/* Puts pylib first in sys.path; CPython adds the script's directory in front of it later.
   Returns 0, or -1 with a Python exception. */
static int add_pylib(const char *pylib)
{
    PyObject *path = PySys_GetObject("path"); /* borrowed */
    if (path == NULL || !PyList_Check(path)) {
        PyErr_SetString(PyExc_RuntimeError, "sys.path is not a list");
        return -1;
    }
    PyObject *entry = PyUnicode_DecodeFSDefault(pylib);
    if (entry == NULL) {
        return -1;
    }
    int failed = PyList_Insert(path, 0, entry);
    Py_DECREF(entry);
    return failed;
}

/* subprocess and multiprocessing start sys.executable: children shall be hosts too.
   sys._base_executable stays the plain interpreter, which `-m venv` builds on.
   Returns 0, or -1 with a Python exception. */
static int set_executable(const char *executable)
{
    PyObject *path = PyUnicode_DecodeFSDefault(executable);
    if (path == NULL) {
        return -1;
    }
    int failed = PySys_SetObject("executable", path);
    Py_DECREF(path);
    return failed;
}

int interp_start(const struct options *options, const struct places *places)
{
    /* A shared libpython can be swapped under the binary by LD_LIBRARY_PATH. */
    if (Py_Version >> 16 != PY_VERSION_HEX >> 16) {
        complain("runs on CPython %lu.%lu but was built for %s: check LD_LIBRARY_PATH, or build "
                 "it again (./bootstrap build)",
                 Py_Version >> 24, Py_Version >> 16 & 0xff, CHANLAB_PYTHON_XY);
        return EXIT_USAGE;
    }
    int code = initialise(options, places);
    if (code != INTERP_READY) {
        return code;
    }
    if (check_base_prefix(places) < 0) {
        interp_stop();
        return EXIT_USAGE;
    }
    if (add_pylib(places->pylib) < 0 || set_executable(places->executable) < 0) {
        PyErr_Print();
        interp_stop();
        return 1;
    }
    return INTERP_READY;
}

/* A new reference to what the import system's path finder says about name: a spec or None; NULL
   with a Python exception. */
static PyObject *find_spec(const char *name)
{
    PyObject *machinery = PyImport_ImportModule("_frozen_importlib_external");
    if (machinery == NULL) {
        return NULL;
    }
    PyObject *finder = PyObject_GetAttrString(machinery, "PathFinder");
    Py_DECREF(machinery);
    if (finder == NULL) {
        return NULL;
    }
    PyObject *spec = PyObject_CallMethod(finder, "find_spec", "s", name);
    Py_DECREF(finder);
    return spec;
}

int interp_need_greenlet(const struct options *options, const struct places *places)
{
    PyObject *spec = find_spec("greenlet");
    if (spec == NULL) {
        PyErr_Print();
        return -1;
    }
    bool missing = spec == Py_None;
    Py_DECREF(spec);
    if (missing && options->no_site) {
        complain("greenlet cannot be found in %s because -S keeps site-packages out", places->environment);
    } else if (missing && options->virtual_env == NULL && *CHANLAB_VENV != '\0' &&
               access(CHANLAB_VENV "/pyvenv.cfg", R_OK) != 0) {
        complain("the project's environment %s is gone (was the checkout moved?): run ./bootstrap build", CHANLAB_VENV);
    } else if (missing) {
        complain("greenlet is not installed in %s (CPython %s): run '%s' -m pip install "
                 "'greenlet>=3.5.1'",
                 places->environment, CHANLAB_PYTHON_VERSION, places->interpreter);
    }
    return missing ? -1 : 0;
}

/* Reports the exception of a failed import of chanlab.hooks. A HookError is the user's mistake
   and one line; it is known by name because its module did not survive. */
static int report_hooks(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != NULL && strcmp(Py_TYPE(value)->tp_name, "HookError") == 0) {
        PyObject *words = PyObject_Str(value);
        const char *said = words == NULL ? NULL : PyUnicode_AsUTF8(words);
        complain("%s", said == NULL ? "a hook is wrong" : said);
        PyErr_Clear();
        Py_XDECREF(words);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return EXIT_USAGE;
    }
    PyErr_Restore(type, value, traceback);
    PyErr_Print();
    return 1;
}

int interp_claim_package(void)
{
    PyObject *package = PyImport_ImportModule("chanlab");
    if (package == NULL) {
        PyErr_Print();
        return 1;
    }
    Py_DECREF(package);
    return INTERP_READY;
}

int interp_check_hooks(const char *flags)
{
    PyObject *hooks = PyImport_ImportModule("chanlab.hooks");
    if (hooks == NULL) {
        return report_hooks();
    }
    PyObject *done = PyObject_CallMethod(hooks, "check_at_exit", "s", flags);
    Py_DECREF(hooks);
    if (done == NULL) {
        PyErr_Print();
        return 1;
    }
    Py_DECREF(done);
    return INTERP_READY;
}

char *interp_greenlet_version(void)
{
    PyObject *greenlet = PyImport_ImportModule("greenlet");
    PyObject *version = greenlet == NULL ? NULL : PyObject_GetAttrString(greenlet, "__version__");
    const char *said = version == NULL ? NULL : PyUnicode_AsUTF8(version);
    char *copy = said == NULL ? NULL : text("%s", said);
    PyErr_Clear();
    Py_XDECREF(version);
    Py_XDECREF(greenlet);
    return copy;
}

char *interp_python_version(void)
{
    const char *version = Py_GetVersion(); /* "3.11.2 (main, ..." */
    return text("%.*s", (int)strcspn(version, " "), version);
}

int interp_run(void) { return Py_RunMain(); }

void interp_stop(void) { Py_FinalizeEx(); }
