/* guests.c - greenlets of the program's own on private stacks.
 *
 * greenlet keeps the part of the C stack that a greenlet needs by its address, and knows nothing of private stacks.  A
 * greenlet that was started by one tasklet and is resumed, thrown at or deallocated while another one runs would write
 * over the wrong memory.  So greenlet's own methods switch() and throw(), and the setting of `parent`, who goes on when
 * it is over, are put behind a guard: a started greenlet is a guest of the stack that it was started on, and may be
 * resumed there only.  Its home keeps it until it is dead, and ends it when it ends itself.  (C code that goes past
 * these methods is not seen; it needs switch:python.) */
#include "guests.h"

#include "core.h"

#ifdef CHANLAB_CORE

/* Of the process, as greenlet's type is. */
static struct {
    PyCFunctionWithKeywords switch_, throw_; /* greenlet's own */
    setter set_parent;                       /* the same */
    PyObject *homes;                         /* address of a guest -> address of its home */
    PyObject *exit;                          /* GreenletExit */
    PyObject *getcurrent;                    /* greenlet's own */
    PyTypeObject *type;                      /* of greenlets */
} guard;

/* Whether greenlet has this attribute set.  -1 with an exception set. */
static int is_set(PyObject *greenlet, const char *name)
{
    PyObject *value = PyObject_GetAttrString(greenlet, name);
    int truth = value ? (value != Py_None && value != Py_False) : -1;
    Py_XDECREF(value);
    return truth;
}

/* Forget the guests of `home` that are dead. */
static void sweep(Fiber *home)
{
    PyObject *keys = PyDict_Keys(home->guests);
    for (Py_ssize_t i = 0; keys && i < PyList_GET_SIZE(keys); i++) {
        PyObject *key = PyList_GET_ITEM(keys, i), *guest = PyDict_GetItem(home->guests, key);
        if (guest && is_set(guest, "dead") > 0 && PyDict_DelItem(guard.homes, key) == 0)
            PyDict_DelItem(home->guests, key);
    }
    Py_XDECREF(keys);
    PyErr_Clear();
}

/* The greenlet is about to start on `home`.  0, or -1 with an exception set. */
static int welcome(Fiber *home, PyObject *greenlet)
{
    if (!home->guests && !(home->guests = PyDict_New()))
        return -1;
    Py_ssize_t count = PyDict_GET_SIZE(home->guests);
    if (count >= 64 && (count & (count - 1)) == 0) /* at each power of two */
        sweep(home);
    PyObject *key = PyLong_FromVoidPtr(greenlet), *value = PyLong_FromVoidPtr(home);
    int failed = !key || !value || PyDict_SetItem(home->guests, key, greenlet) < 0 ||
                 PyDict_SetItem(guard.homes, key, value) < 0;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return failed ? -1 : 0;
}

/* Whether a started greenlet lives on `here_`.  -1 with an exception set. */
static int lives_on(Fiber *here_, PyObject *greenlet)
{
    PyObject *key = PyLong_FromVoidPtr(greenlet);
    PyObject *home = key ? PyDict_GetItem(guard.homes, key) : NULL;
    int lives = !key ? -1 : home ? PyLong_AsVoidPtr(home) == (void *)here_ : !here_->parent;
    Py_XDECREF(key);
    return lives;
}

/* Whether `greenlet` and those who go on when it is over can run on `here_`.  0, or -1 with an exception set. */
static int check(Fiber *here_, PyObject *greenlet)
{
    PyObject *at = Py_NewRef(greenlet), *parent = NULL;
    int failed = 0;
    while (!failed && (parent = PyObject_GetAttrString(at, "parent")) && parent != Py_None) {
        int begun = PyObject_IsTrue(at), own = begun > 0 ? lives_on(here_, at) : begun == 0;
        if (begun < 0 || own < 0) {
            failed = 1;
        } else if (!own) {
            PyErr_SetString(PyExc_RuntimeError,
                            "a greenlet that was started in one tasklet cannot go on in another: with "
                            "private stacks (switch:private) it belongs to the tasklet that started it");
            failed = 1;
        }
        Py_SETREF(at, parent);
        parent = NULL;
    }
    failed |= !parent && PyErr_Occurred();
    Py_XDECREF(parent);
    Py_DECREF(at);
    return failed ? -1 : 0;
}

static PyObject *guarded(PyCFunctionWithKeywords original, PyObject *greenlet, PyObject *args, PyObject *kwargs)
{
    Fiber *me = here.ts == PyThreadState_Get() ? here.current : NULL;
    if (!me)
        return original(greenlet, args, kwargs);
    int begun = PyObject_IsTrue(greenlet), over = is_set(greenlet, "dead"), has_parent = is_set(greenlet, "parent");
    if (begun < 0 || over < 0 || has_parent < 0 || check(me, greenlet) < 0)
        return NULL;
    if (!begun && !over && has_parent && welcome(me, greenlet) < 0)
        return NULL;
    return original(greenlet, args, kwargs);
}

static PyObject *guarded_switch(PyObject *greenlet, PyObject *args, PyObject *kwargs)
{
    return guarded(guard.switch_, greenlet, args, kwargs);
}

static PyObject *guarded_throw(PyObject *greenlet, PyObject *args, PyObject *kwargs)
{
    return guarded(guard.throw_, greenlet, args, kwargs);
}

/* greenlet.parent = parent: of one that has begun, by its home only, and only to one that can go on there. */
static int guarded_set_parent(PyObject *greenlet, PyObject *parent, void *closure)
{
    Fiber *me = here.ts == PyThreadState_Get() ? here.current : NULL;
    int begun = me ? PyObject_IsTrue(greenlet) : 0;
    if (begun < 0 || (begun && (check(me, greenlet) < 0 ||
                                (parent && PyObject_TypeCheck(parent, guard.type) && check(me, parent) < 0))))
        return -1;
    return guard.set_parent(greenlet, parent, closure);
}

/* Throw GreenletExit at a guest of the running stack, so that whoever runs here now goes on when it is over: its
 * parents may have begun elsewhere meanwhile.  New reference, or NULL. */
static PyObject *see_off(PyObject *guest, PyObject *args)
{
    PyObject *me = PyObject_CallNoArgs(guard.getcurrent), *result = NULL;
    if (me && guard.set_parent(guest, me, NULL) == 0)
        result = guard.throw_(guest, args, NULL);
    Py_XDECREF(me);
    return result;
}

void guests_leave(Fiber *home)
{
    PyObject *type, *value, *traceback, *keys = NULL, *args = PyTuple_Pack(1, guard.exit);
    PyErr_Fetch(&type, &value, &traceback);
    keys = args ? PyDict_Keys(home->guests) : NULL;
    for (Py_ssize_t i = 0; keys && i < PyList_GET_SIZE(keys); i++) {
        PyObject *key = PyList_GET_ITEM(keys, i), *guest = Py_XNewRef(PyDict_GetItem(home->guests, key));
        if (!guest)
            continue;
        PyObject *result = PyObject_IsTrue(guest) > 0 ? see_off(guest, args) : NULL;
        if (!result && PyErr_Occurred())
            PyErr_WriteUnraisable(guest);
        Py_XDECREF(result);
        if (PyObject_IsTrue(guest) > 0)
            continue; /* it does not want to die: it stays known as nobody's, and is never let go */
        Py_DECREF(guest);
        if (PyDict_DelItem(guard.homes, key) < 0)
            PyErr_Clear();
    }
    Py_XDECREF(keys);
    Py_XDECREF(args);
    Py_CLEAR(home->guests);
    PyErr_Restore(type, value, traceback);
}

/* Put `definition` in the place of greenlet's method of that name, and note that one.  0, or -1 with an exception set.
 */
static int put_before(PyTypeObject *type, PyMethodDef *definition, PyCFunctionWithKeywords *original)
{
    PyObject *old = PyDict_GetItemString(type->tp_dict, definition->ml_name);
    if (!old || !Py_IS_TYPE(old, &PyMethodDescr_Type)) {
        PyErr_Format(PyExc_RuntimeError, "greenlet.%s is not a method in C", definition->ml_name);
        return -1;
    }
    PyMethodDef *method = ((PyMethodDescrObject *)old)->d_method;
    if ((method->ml_flags & ~METH_KEYWORDS) != METH_VARARGS) {
        PyErr_Format(PyExc_RuntimeError, "greenlet.%s takes its arguments in another way", definition->ml_name);
        return -1;
    }
    *original = (PyCFunctionWithKeywords)(void (*)(void))method->ml_meth;
    definition->ml_flags = method->ml_flags;
    definition->ml_doc = method->ml_doc;
    PyObject *descriptor = PyDescr_NewMethod(type, definition);
    int failed = !descriptor || PyDict_SetItemString(type->tp_dict, definition->ml_name, descriptor) < 0;
    Py_XDECREF(descriptor);
    PyType_Modified(type);
    return failed ? -1 : 0;
}

/* The same for the setting of its attribute `parent`. */
static int put_before_parent(PyTypeObject *type)
{
    static PyGetSetDef definition;
    PyObject *old = PyDict_GetItemString(type->tp_dict, "parent");
    if (!old || !Py_IS_TYPE(old, &PyGetSetDescr_Type)) {
        PyErr_SetString(PyExc_RuntimeError, "greenlet.parent is not an attribute in C");
        return -1;
    }
    definition = *((PyGetSetDescrObject *)old)->d_getset;
    guard.set_parent = definition.set;
    definition.set = guarded_set_parent;
    PyObject *descriptor = PyDescr_NewGetSet(type, &definition);
    int failed = !descriptor || PyDict_SetItemString(type->tp_dict, "parent", descriptor) < 0;
    Py_XDECREF(descriptor);
    PyType_Modified(type);
    return failed ? -1 : 0;
}

/* guard_greenlets(greenlet type, GreenletExit, getcurrent): from now on. */
static PyObject *guard_greenlets(PyObject *Py_UNUSED(module), PyObject *args)
{
    static PyMethodDef methods[] = {
        {"switch", (PyCFunction)(void *)guarded_switch, METH_VARARGS | METH_KEYWORDS, NULL},
        {"throw", (PyCFunction)(void *)guarded_throw, METH_VARARGS | METH_KEYWORDS, NULL},
    };
    PyTypeObject *type;
    PyObject *exit, *getcurrent;
    if (!PyArg_ParseTuple(args, "O!OO", &PyType_Type, &type, &exit, &getcurrent))
        return NULL;
    if (!guard.homes) {
        guard.type = (PyTypeObject *)Py_NewRef(type);
        guard.exit = Py_NewRef(exit);
        guard.getcurrent = Py_NewRef(getcurrent);
        if (!(guard.homes = PyDict_New()) || put_before(type, &methods[0], &guard.switch_) < 0 ||
            put_before(type, &methods[1], &guard.throw_) < 0 || put_before_parent(type) < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"guard_greenlets", guard_greenlets, METH_VARARGS, "Keep greenlets on the stacks that they were started on."},
    {NULL, NULL, 0, NULL},
};

int chanlab_add_guests(PyObject *module) { return PyModule_AddFunctions(module, functions); }
#endif
