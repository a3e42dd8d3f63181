"""Stackless's own tests of its tracing, as remembered: what its users lean on."""

import sys
import threading

import pytest
import stackless
from chanlab import hooks
from stackless import channel, tasklet


@pytest.fixture(autouse=True)
def _off():
    o, p = sys.gettrace(), sys.getprofile()
    yield
    sys.settrace(o)
    sys.setprofile(p)


def names(log):
    return [n for n in log]  # noqa: C416


def mk(log):
    def tr(frame, ev, arg):
        log.append((ev, frame.f_code.co_name))
        return tr

    return tr


def test_current_property_is_settrace():
    log = []
    tr = mk(log)
    m = stackless.getcurrent()
    m.trace_function = tr
    try:
        got = sys.gettrace()
    finally:
        m.trace_function = None
    assert got is tr and sys.gettrace() is None
    pr = lambda *a: None  # noqa: E731
    m.profile_function = pr
    got = sys.getprofile()
    m.profile_function = None
    assert got is pr and sys.getprofile() is None
    sys.setprofile(pr)
    got = m.profile_function
    sys.setprofile(None)
    assert got is pr


def test_trace_is_per_tasklet():
    log = []
    tr = mk(log)
    seen = []

    def f():
        sys.settrace(tr)
        stackless.schedule()
        g()
        sys.settrace(None)

    def g():
        pass

    def h():
        seen.append(sys.gettrace())
        stackless.schedule()
        seen.append(sys.gettrace())

    tasklet(f)()
    t = tasklet(h)()  # noqa: F841
    stackless.run()
    assert seen == [None, None] and ("call", "g") in log and ("call", "h") not in log and sys.gettrace() is None


def test_fresh_gets_installed():
    log = []
    tr = mk(log)

    def f():
        x = 1
        return x

    t = tasklet(f)()
    t.trace_function = tr
    assert t.trace_function is tr
    stackless.run()
    ev = [e for e, n in log if n == "f"]
    assert ev[0] == "call" and ev[-1] == "return" and "line" in ev
    assert sys.gettrace() is None


def test_fresh_profile():
    log = []
    tr = mk(log)

    def f():
        return len([])

    t = tasklet(f)()
    t.profile_function = tr
    assert t.profile_function is tr
    stackless.run()
    ev = [e for e, n in log if n == "f"]
    assert ev == ["call", "c_call", "c_return", "return"] and sys.getprofile() is None


def test_suspended_set_and_clear():
    log = []
    tr = mk(log)

    def g():
        pass

    def f():
        stackless.schedule_remove(None)
        g()

    t = tasklet(f)()
    t.run()
    t.trace_function = tr
    assert t.trace_function is tr
    t.run()
    assert ("call", "g") in log
    log.clear()
    t = tasklet(f)()
    t.run()
    t.trace_function = tr
    t.trace_function = None
    t.run()
    assert log == []
    t = tasklet(f)()
    t.run()
    t.profile_function = tr
    t.run()
    assert ("call", "g") in log


def test_unbound():
    for n in ("trace_function", "profile_function"):
        with pytest.raises(RuntimeError, match="not alive"):
            setattr(tasklet(), n, lambda *a: None)


def test_main_from_other_tasklet():
    tr = mk([])
    m = stackless.getmain()
    r = []

    def f():
        m.trace_function = tr
        r.append(m.trace_function)

    tasklet(f)()
    stackless.run()
    got = sys.gettrace()
    sys.settrace(None)
    assert got is tr and r == [tr]


@pytest.mark.skipif(hooks._chanlab is None, reason="Python alone cannot filter tracing")
def test_no_frames_of_library():
    c = channel()
    mods = set()

    def tr(frame, ev, arg):
        mods.add(frame.f_globals.get("__name__"))
        return tr

    def f():
        sys.settrace(tr)
        stackless.schedule()
        c.send(1)
        tasklet(lambda: None)().run()
        sys.settrace(None)

    tasklet(f)()
    tasklet(c.receive)()
    stackless.run()
    assert not [m for m in mods if m and (m == "stackless" or m.startswith("chanlab"))]


def test_local_trace_kept_across_switch():
    lines = []

    def f():
        a = 1  # noqa: F841
        stackless.schedule()
        b = 2
        return b

    def tr(fr, ev, arg):
        if fr.f_code is f.__code__:
            lines.append((ev, fr.f_lineno - f.__code__.co_firstlineno))
            return tr

    t = tasklet(f)()
    t.trace_function = tr
    tasklet(lambda: None)()
    stackless.run()
    assert [n for e, n in lines if e == "line"] == [1, 2, 3, 4] and lines[-1] == ("return", 4)


def test_foreign_current():
    ev = threading.Event()
    go = threading.Event()
    box = []

    def th():
        box.append(stackless.getcurrent())
        ev.set()
        go.wait(5)

    t = threading.Thread(target=th)
    t.start()
    ev.wait(5)
    try:
        with pytest.raises(RuntimeError):
            box[0].trace_function = lambda *a: None
    finally:
        go.set()
        t.join()


def test_exception_in_trace_function():
    def tr(*a):
        raise KeyError

    t = tasklet(lambda: None)()
    t.trace_function = tr
    with pytest.raises(KeyError):
        stackless.run()
    assert sys.gettrace() is None
