"""sys.settrace() and sys.setprofile() belong to the tasklet that calls them, and do not see the package itself."""

import sys
import threading

import pytest
import stackless
from chanlab import hooks
from stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet

needs_c = pytest.mark.skipif(hooks._chanlab is None, reason="Python alone can neither filter nor nest tracing")

KINDS = {
    "trace": (sys.settrace, sys.gettrace, "trace_function"),
    "profile": (sys.setprofile, sys.getprofile, "profile_function"),
}


@pytest.fixture(params=KINDS)
def kind(request):
    """(setter, getter, name of the tasklet's attribute); whatever traces the tests is put aside."""
    setter, getter, name = KINDS[request.param]
    old = getter()
    setter(None)
    yield setter, getter, name
    setter(old)


def nothing(frame, event, arg):
    return nothing


def other(frame, event, arg):
    return other


class Recorder:
    """A trace or profile function that writes down (event, function) and the lines relative to the function's first."""

    def __init__(self):
        self.events = []

    def __call__(self, frame, event, arg):
        self.events.append((event, frame.f_code.co_name))
        return self

    def names(self):
        return {name for _, name in self.events}


def test_of_the_current_tasklet(kind):
    setter, getter, name = kind
    setter(nothing)
    assert getattr(getcurrent(), name) is nothing
    setattr(getcurrent(), name, other)
    assert getter() is other
    setattr(getcurrent(), name, None)
    assert getter() is None
    assert getattr(getcurrent(), name) is None


def test_a_tasklet_starts_with_none(kind):
    setter, getter, _ = kind
    seen = []
    setter(nothing)
    tasklet(lambda: seen.append(getter()))()
    run()
    assert getter() is nothing
    setter(None)
    assert seen == [None]


def test_a_tasklet_starts_with_what_it_was_given(kind):
    _, getter, name = kind
    seen = []
    t = tasklet(lambda: seen.append(getter()))()
    setattr(t, name, nothing)
    assert getattr(t, name) is nothing
    run()
    assert seen == [nothing]
    assert getter() is None


def test_a_tasklet_starts_like_a_thread(kind, request):
    """threading.settrace() and setprofile() are for new tasklets as well: coverage tools count on it."""
    setter, getter, name = kind
    install = getattr(threading, setter.__name__)
    seen = []
    old = getattr(threading, getter.__name__)()
    install(nothing)
    try:
        tasklet(lambda: seen.append(getter()))()
        given = tasklet(lambda: seen.append(getter()))()
        setattr(given, name, other)
        run()
    finally:
        install(old)
    assert seen == [nothing, other]


def test_kept_across_switches(kind):
    setter, getter, _ = kind
    seen = []

    def body(function):
        setter(function)
        for _ in range(3):
            schedule()
            seen.append(getter())

    tasklet(body)(nothing)
    tasklet(body)(None)
    tasklet(body)(other)
    run()
    assert seen == [nothing, None, other] * 3
    assert getter() is None


@pytest.mark.parametrize("state", ["paused", "blocked", "scheduled"])
def test_set_from_outside_while_parked(kind, state):
    setter, getter, name = kind
    ch, seen = channel(), []

    def body():
        setter(other)
        {"paused": schedule_remove, "blocked": ch.receive, "scheduled": schedule}[state]()
        seen.append(getter())

    t = tasklet(body)()
    if state == "scheduled":
        schedule()
    else:
        run()
    assert getattr(t, name) is other
    setattr(t, name, nothing)
    assert getattr(t, name) is nothing
    if state == "paused":
        t.insert()
    if state == "blocked":
        ch.send(None)
    run()
    assert seen == [nothing]
    assert getter() is None


def test_main_while_another_runs(kind):
    setter, getter, name = kind
    setter(nothing)
    seen = []

    def body():
        seen.append(getattr(getmain(), name))
        setattr(getmain(), name, other)

    tasklet(body)()
    run()
    assert getter() is other
    setter(None)
    assert seen == [nothing]


def test_a_dead_tasklet_has_none(kind):
    _, _, name = kind
    dead = tasklet(run)()
    dead.kill()
    for t in (tasklet(), tasklet(run), dead):
        with pytest.raises(RuntimeError, match="tasklet is not alive"):
            getattr(t, name)
        with pytest.raises(RuntimeError, match="tasklet is not alive"):
            setattr(t, name, nothing)


def test_running_in_another_thread(kind):
    _, _, name = kind
    ready, done, made = threading.Event(), threading.Event(), []

    def thread():
        made.append(getcurrent())
        ready.set()
        done.wait()

    worker = threading.Thread(target=thread)
    worker.start()
    ready.wait()
    try:
        with pytest.raises(RuntimeError, match="another thread"):
            setattr(made[0], name, nothing)
    finally:
        done.set()
        worker.join()


def test_killed_while_traced(kind):
    setter, getter, _ = kind

    def body():
        setter(nothing)
        schedule_remove(None)

    t = tasklet(body)()
    run()
    t.kill()
    assert getter() is None


def test_ends_by_an_error_while_traced(kind):
    setter, getter, _ = kind

    def body():
        setter(nothing)
        raise KeyError("mine")

    tasklet(body)()
    with pytest.raises(KeyError):
        run()
    assert getter() is None


@needs_c
def test_what_a_trace_function_sees():
    ch, events = channel(), []
    recorder = Recorder()

    def sender():
        ch.send(1)
        schedule()
        return 2

    select = stackless.select  # which loads it

    def receiver():
        x = ch.receive()
        select([ch.receiveCase()])
        return x

    def again():
        ch.send(3)

    for body in (receiver, sender, again):
        t = tasklet(body)()
        t.trace_function = recorder
    run()
    events = [e for e in recorder.events if e[0] != "line"]
    assert recorder.names() == {"sender", "receiver", "again"}
    assert sorted(events) == sorted(("call", n) for n in recorder.names()) + sorted(
        ("return", n) for n in recorder.names()
    )
    assert recorder.events.count(("line", "sender")) == 3


@needs_c
def test_what_a_profile_function_sees():
    recorder = Recorder()
    ch = channel()

    def body():
        schedule()
        ch.send(len("three"))

    def user(value):
        got.append(value)

    got = []
    sys.setprofile(recorder)
    t = tasklet(body)()
    t.profile_function = recorder
    user(ch.receive())
    run()
    sys.setprofile(None)
    assert got == [5]
    assert recorder.names() <= {"body", "user", "test_what_a_profile_function_sees"}
    assert recorder.events.count(("call", "body")) == recorder.events.count(("return", "body")) == 1
    assert ("c_call", "body") in recorder.events


@needs_c
def test_callbacks_are_seen():
    recorder = Recorder()
    ch = channel()

    def callback(*args):
        pass

    tasklet(ch.receive)()
    run()
    stackless.set_channel_callback(callback)
    stackless.set_schedule_callback(callback)
    sys.settrace(recorder)
    try:
        ch.send(1)
    finally:
        sys.settrace(None)
        stackless.set_channel_callback(None)
        stackless.set_schedule_callback(None)
    assert recorder.names() == {"callback"}


@needs_c
def test_a_trace_function_that_switches():
    """CPython does not trace a trace function.  That state, too, is the tasklet's own."""
    events = []

    def switches(frame, event, arg):
        if event == "call" and frame.f_code.co_name == "helper":
            schedule()
        return None

    def helper():
        pass

    def traced_by_itself():
        sys.settrace(lambda frame, event, arg: events.append((event, frame.f_code.co_name)))
        helper()
        sys.settrace(None)

    def main():
        sys.settrace(switches)
        helper()
        assert sys.gettrace() is switches
        helper()
        sys.settrace(None)

    tasklet(main)()
    tasklet(traced_by_itself)()
    run()
    assert ("call", "helper") in events
    assert sys.gettrace() is None


@needs_c
def test_a_function_set_before_the_import_is_filtered_too(script):
    ended = script(
        """
        import sys
        names = set()
        def trace(frame, event, arg):
            if "pylib" in frame.f_code.co_filename:
                names.add(frame.f_code.co_name)
            return trace
        sys.settrace(trace)
        import stackless
        assert sys.gettrace() is trace
        names.clear()
        ch = stackless.channel()
        stackless.tasklet(ch.send)(1)
        ch.receive()
        stackless.run()
        sys.settrace(None)
        print(sorted(names))
        """
    )
    assert ended.ok() == "[]\n"


def test_settrace_refuses_nothing_that_cpython_takes():
    for setter, getter in ((sys.settrace, sys.gettrace), (sys.setprofile, sys.getprofile)):
        with pytest.raises(TypeError):
            setter()
        setter(None)
        assert getter() is None


def test_a_trace_function_that_raises():
    caught = []

    def raises(frame, event, arg):
        raise LookupError("in the trace function")

    def body():
        sys.settrace(raises)
        try:
            helper()
        except LookupError:
            caught.append(True)
        assert sys.gettrace() is None

    def helper():
        pass

    tasklet(body)()
    run()
    assert caught


def test_a_debugger_in_a_tasklet(script):
    """pdb, driven by commands: it steps over a receive that waits for another tasklet."""
    ended = script(
        """
        import io, pdb, stackless
        ch = stackless.channel()
        def body():
            pdb.Pdb(stdin=io.StringIO("next\\nnext\\nprint('got', x)\\ncontinue\\n"), stdout=out).set_trace()
            x = ch.receive()
            return x
        out = io.StringIO()
        stackless.tasklet(body)()
        stackless.tasklet(ch.send)(42)
        stackless.run()
        print("got 42" in out.getvalue())
        """
    )
    assert ended.ok() == "True\n"
