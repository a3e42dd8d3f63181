"""Stackless's own tests of its contexts, as remembered: what its users lean on."""

import contextvars
import threading

import pytest
import stackless
from stackless import tasklet

var = contextvars.ContextVar("var", default="unset")


def get(log):
    log.append(var.get())


def test_shared_with_binder():
    log = []

    def main():
        var.set("A")
        t = tasklet(get)(log)  # noqa: F841
        var.set("B")
        stackless.run()

        def setter():
            var.set("C")

        tasklet(setter)()
        stackless.run()
        log.append(var.get())

    contextvars.copy_context().run(main)
    assert log == ["B", "C"]


def test_context_of_bind_not_of_start():
    log = []

    def a():
        var.set("a")
        return tasklet(get).bind(args=(log,))

    t = contextvars.copy_context().run(a)
    t.run()
    assert log == ["a"]


def test_set_context_and_run():
    log = []
    c = contextvars.copy_context()
    c.run(var.set, "X")
    t = tasklet(get)(log)
    assert t.set_context(c) is t
    stackless.run()
    assert log == ["X"]
    with pytest.raises(TypeError):
        tasklet().set_context(1)
    with pytest.raises(TypeError):
        tasklet().set_context(None)


def test_context_run():
    c = contextvars.copy_context()
    t = tasklet()
    t.set_context(c)
    assert t.context_run(var.set, "in") and c[var] == "in" and var.get() == "unset"
    assert t.context_run(lambda *a, **k: (a, k), 1, b=2) == ((1,), {"b": 2})
    with pytest.raises(TypeError):
        t.context_run()
    with pytest.raises(KeyError):
        t.context_run({}.__getitem__, 1)


def test_context_run_suspended():
    c = contextvars.copy_context()
    t = tasklet(stackless.schedule_remove)(None).set_context(c)
    t.run()
    t.context_run(var.set, 9)
    assert c[var] == 9
    t.run()


def test_context_id():
    t = tasklet(lambda: None)()
    assert type(t.context_id) is int and t.context_id == stackless.getcurrent().context_id
    stackless.run()
    c = contextvars.copy_context()
    u = tasklet().set_context(c)
    assert u.context_id == id(c)
    with pytest.raises((AttributeError, TypeError)):
        u.context_id = 1


def test_set_context_while_entered():
    c = contextvars.copy_context()
    r = []

    def f():
        with pytest.raises(RuntimeError):
            stackless.getcurrent().set_context(contextvars.copy_context())
        r.append(1)

    def g():
        c.run(f)

    tasklet(g)()
    stackless.run()
    assert r


def test_two_tasklets_one_context_switching():
    log = []
    c = contextvars.copy_context()

    def f(n):
        var.set(n)
        stackless.schedule()
        log.append(var.get())

    for n in (1, 2):
        tasklet(f)(n).set_context(c)
    stackless.run()
    assert log == [2, 2]


def test_isolated():
    log = []

    def f(n):
        var.set(n)
        stackless.schedule()
        log.append(var.get())

    for n in (1, 2):
        tasklet(f)(n).set_context(contextvars.copy_context())
    stackless.run()
    assert log == [1, 2] and var.get() == "unset"


def test_set_context_foreign_scheduled():
    box = []
    ev = threading.Event()
    done = threading.Event()

    def th():
        box.append(tasklet(lambda: None)())
        ev.set()
        done.wait(5)
        stackless.run()

    t = threading.Thread(target=th)
    t.start()
    ev.wait(5)
    try:
        with pytest.raises(RuntimeError):
            box[0].set_context(contextvars.copy_context())
    finally:
        done.set()
        t.join()


def test_asyncio_still_works():
    import asyncio

    async def m():
        var.set(3)
        await asyncio.sleep(0)
        return var.get()

    assert asyncio.run(m()) == 3
    r = []
    tasklet(lambda: r.append(asyncio.run(m())))()
    stackless.run()
    assert r == [3]
