"""The scheduler: run, schedule, whom an error reaches, deadlocks, traps, callbacks, error handler (Stackless)."""

import builtins

import pytest
import stackless
from stackless import channel, getcurrent, getmain, getruncount, run, schedule, schedule_remove, switch_trap, tasklet


def nothing():
    pass


# -- run -------------------------------------------------------------------------------------------------------------


def test_run_with_nothing_to_do():
    assert run() is None


def test_run_until_nothing_is_runnable():
    got, ch = [], channel()

    def counts():
        for i in range(3):
            got.append(i)
            schedule()

    tasklet(counts)()
    waits = tasklet(ch.receive)()
    assert getruncount() == 3
    run()
    assert got == [0, 1, 2]
    assert getruncount() == 1
    assert waits.blocked
    waits.kill()


def test_main_is_out_of_the_ring_during_run():
    seen = []
    tasklet(lambda: seen.append((getmain().scheduled, getmain().paused, getruncount())))()
    run()
    assert seen == [(False, True, 1)]


def test_nested_run():
    got = []

    def inner():
        got.append("inner")

    def outer():
        tasklet(inner)()
        run()
        got.append("outer")

    tasklet(outer)()
    tasklet(got.append)("other")
    run()
    assert got == ["other", "inner", "outer"]


def test_innermost_run_wakes_first():
    got = []

    def runs(name):
        run()
        got.append(name)

    for name in "abc":
        tasklet(runs)(name)
    tasklet(nothing)()
    run()
    got.append("main")
    assert sorted(got[:3]) == list("abc")
    assert got[3] == "main"


def test_run_woken_by_hand():
    """Somebody further out comes back: those who are further in and still wait become runnable."""
    got, main = [], getmain()

    def inner():
        run()
        got.append("inner back")

    def wakes():
        main.insert()
        schedule_remove()
        got.append("paused one goes on")

    tasklet(inner)()
    w = tasklet(wakes)()
    tasklet(schedule)()
    run()
    got.append("main back")
    run()
    assert got[0] in ("main back", "inner back")
    assert sorted(got) == ["inner back", "main back"]
    w.kill()


def test_run_from_a_tasklet_while_main_is_blocked():
    ch, got = channel(), []

    def f():
        tasklet(got.append)("x")
        run()
        ch.send("done")

    tasklet(f)()
    assert ch.receive() == "done"
    assert got == ["x"]
    run()


# -- schedule, schedule_remove ---------------------------------------------------------------------------------------


def test_schedule_returns():
    assert schedule() is getcurrent()
    assert schedule(None) is None
    assert schedule(5) == 5
    tasklet(nothing)()
    assert schedule("v") == "v"
    assert schedule(retval="w") == "w"


def test_schedule_changed_by_another():
    main = getmain()
    tasklet(lambda: setattr(main, "tempval", "changed"))()
    assert schedule("v") == "changed"


def test_schedule_goes_round():
    got = []

    def f(name):
        for _ in range(2):
            got.append(name)
            schedule()

    for name in "abc":
        tasklet(f)(name)
    run()
    assert "".join(got) == "abcabc"


def test_schedule_remove():
    got = []
    t = tasklet(lambda: got.append(schedule_remove("v")))()
    run()
    assert (t.paused, got) == (True, [])
    t.insert()
    run()
    assert got == ["v"]
    t = tasklet(lambda: got.append(schedule_remove()))()
    run()
    t.insert()
    run()
    assert got[1] is t


def test_schedule_remove_by_a_lone_main():
    assert schedule_remove("v") == "v"
    assert schedule_remove() is getmain()


def test_schedule_remove_by_main_wakes_main_when_all_are_done():
    got = []
    tasklet(got.append)(1)
    assert schedule_remove("v") == "v"
    assert got == [1]


def test_last_one_that_pauses_itself_wakes_run():
    ts = [tasklet(schedule_remove)() for _ in range(3)]
    run()
    assert all(t.paused for t in ts)
    for t in ts:
        t.kill()


# -- errors ----------------------------------------------------------------------------------------------------------


def raises(error):
    raise error


def test_error_reaches_main_in_run():
    got = []
    tasklet(raises)(KeyError("k"))
    tasklet(got.append)("behind")
    with pytest.raises(KeyError, match="k"):
        run()
    assert got == []
    run()
    assert got == ["behind"]


def test_error_reaches_main_in_schedule_and_receive_and_send():
    ch = channel()
    for wait in (
        schedule,
        ch.receive,
        lambda: ch.send(1),
        schedule_remove,
        lambda: stackless.select([ch.receiveCase()]),
    ):
        tasklet(raises)(KeyError("k"))
        with pytest.raises(KeyError):
            wait()
        assert ch.balance == 0
        assert not getmain().blocked


def test_error_reaches_the_innermost_run():
    got = []

    def outer():
        tasklet(raises)(KeyError("k"))
        try:
            run()
        except KeyError:
            got.append("outer")

    tasklet(outer)()
    run()
    assert got == ["outer"]


def test_error_keeps_its_traceback():
    tasklet(raises)(KeyError("k"))
    with pytest.raises(KeyError) as caught:
        run()
    assert "raises" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("b")], ids=repr)
def test_every_error_but_taskletexit_is_delivered(error):
    tasklet(raises)(error)
    with pytest.raises(type(error)) as caught:
        run()
    assert caught.value is error


def test_sys_exit_in_a_tasklet():
    import sys

    tasklet(sys.exit)(7)
    with pytest.raises(SystemExit) as caught:
        run()
    assert caught.value.code == 7


def test_taskletexit_is_silent():
    t = tasklet(raises)(stackless.TaskletExit())
    run()
    assert not t.alive


def test_taskletexit_is_a_builtin():
    assert builtins.TaskletExit is stackless.TaskletExit
    assert issubclass(stackless.TaskletExit, SystemExit)


def test_exceptions_being_handled_belong_to_their_tasklet():
    import sys

    seen = []

    def f(name):
        try:
            raise KeyError(name)
        except KeyError:
            schedule()
            seen.append(sys.exc_info()[1].args[0])
            schedule()
            try:
                raise ValueError
            except ValueError as error:
                seen.append(error.__context__.args[0])
        assert sys.exc_info() == (None, None, None)

    for name in "ab":
        tasklet(f)(name)
    tasklet(lambda: seen.append(sys.exc_info()[1]))()
    run()
    assert sys.exc_info() == (None, None, None)
    assert seen == [None, "a", "b", "a", "b"]


# -- deadlock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", ["receive", "send", "select", "empty select"])
def test_a_lone_main_cannot_block(wait):
    ch = channel()
    calls = {
        "receive": ch.receive,
        "send": lambda: ch.send(1),
        "select": lambda: stackless.select([ch.receiveCase(), ch.sendCase(1)]),
        "empty select": lambda: stackless.select([]),
    }
    with pytest.raises(RuntimeError) as caught:
        calls[wait]()
    assert str(caught.value) == "Deadlock: the last runnable tasklet cannot be blocked."
    assert (ch.balance, ch.queue, getmain().blocked, getruncount()) == (0, None, False, 1)


@pytest.mark.parametrize(
    ("wait", "text"),
    [
        ("receive", "the main tasklet is receiving without a sender available."),
        ("send", "the main tasklet is sending without a receiver available."),
    ],
)
def test_main_blocked_when_the_last_one_ends(wait, text):
    ch = channel()
    tasklet(nothing)()
    with pytest.raises(RuntimeError) as caught:
        ch.receive() if wait == "receive" else ch.send(1)
    assert str(caught.value) == text
    assert (ch.balance, ch.queue, getmain().blocked) == (0, None, False)


def test_tasklet_that_blocks_last_while_main_is_blocked():
    """The error is raised in the one that blocks last, and its blocking is undone."""
    ch, other, got = channel(), channel(), []

    def f():
        try:
            other.receive()
        except RuntimeError as error:
            got.append(str(error))
            got.append((other.balance, ch.balance))
            ch.send("saved")

    tasklet(f)()
    assert ch.receive() == "saved"
    assert got == ["Deadlock: the last runnable tasklet cannot be blocked.", (0, -1)]
    run()


def test_tasklet_that_pauses_last_while_main_is_blocked():
    ch, got = channel(), []

    def f():
        try:
            schedule_remove()
        except RuntimeError as error:
            got.append(str(error))
            ch.send("saved")

    tasklet(f)()
    assert ch.receive() == "saved"
    assert got[0].startswith("Deadlock")
    run()


def test_deadlock_loses_no_value():
    """Stackless loses the value that main was sending."""
    ch, other, got = channel(), channel(), []

    def f():
        try:
            other.receive()
        except RuntimeError:
            got.append(ch.receive())

    tasklet(f)()
    ch.send("value")
    run()
    assert got == ["value"]


def test_report_names_who_waits_where():
    ch, other = channel(), channel()
    ch.label, other.label = "orders", "answers"

    def waiter():
        ch.receive()

    def chooser():
        stackless.select([ch.receiveCase(), other.sendCase(1)])

    a, b = tasklet(waiter), tasklet(chooser)
    a.label, b.label = "clerk", "chooser"
    a()
    b()
    run()
    with pytest.raises(RuntimeError) as caught:
        other.send(1) if other.balance > 0 else channel().receive()
    notes = "\n".join(caught.value.__notes__)
    assert "main" in notes
    assert "clerk receives from orders, test_sched.py:" in notes
    assert "in waiter" in notes
    assert "chooser selects among receives from orders, sends to answers, test_sched.py:" in notes
    assert "Deadlock" in str(caught.value)
    a.kill()
    b.kill()


def test_report_of_many_is_cut():
    ch = channel()
    ts = [tasklet(ch.receive)() for _ in range(100)]
    run()
    with pytest.raises(RuntimeError) as caught:
        channel().receive()
    assert len(caught.value.__notes__) < 40
    assert "80 more" in caught.value.__notes__[-1]
    for t in ts:
        t.kill()


def test_report_when_a_select_lists_many_cases():
    chs = [channel() for _ in range(50)]
    t = tasklet(stackless.select)([ch.receiveCase() for ch in chs])
    run()
    with pytest.raises(RuntimeError) as caught:
        channel().receive()
    assert "(50 cases)" in "\n".join(caught.value.__notes__)
    t.kill()


# -- switch_trap -----------------------------------------------------------------------------------------------------


@pytest.fixture
def trap():
    assert switch_trap(1) == 0
    assert switch_trap() == 1
    yield
    assert switch_trap(-1) == 1
    assert switch_trap(0) == 0


def test_switch_trap_refuses_real_switches(trap):
    ch = channel()
    t = tasklet(nothing)()
    paused = tasklet(nothing, ())
    calls = {
        "run": run,
        "schedule": schedule,
        "schedule_remove": schedule_remove,
        "receive": ch.receive,
        "send": lambda: ch.send(1),
        "select": lambda: stackless.select([ch.receiveCase()]),
        "t.run": t.run,
        "t.switch": t.switch,
        "t.kill": t.kill,
        "t.throw": lambda: t.throw(KeyError),
        "paused.run": paused.run,
        "paused.switch": paused.switch,
        "paused.kill": paused.kill,
    }
    for name, call in calls.items():
        with pytest.raises(RuntimeError, match="^switch_trap$"):
            call()
        assert (ch.balance, getruncount(), t.scheduled, paused.paused, getmain().blocked) == (
            0,
            2,
            True,
            True,
            False,
        ), name
        assert getmain().next is t, name
    switch_trap(-1)
    run()
    paused.kill()
    switch_trap(1)


def test_switch_trap_lets_pass_what_does_not_switch(trap):
    assert run() is None
    assert schedule("v") == "v"
    assert schedule_remove("v") == "v"
    assert getcurrent().run() is None
    assert getcurrent().switch() is None
    t = tasklet(nothing)()
    t.remove().insert()
    t.kill(pending=True)
    switch_trap(-1)
    run()
    switch_trap(1)


def test_switch_trap_lets_a_meeting_without_switch_pass():
    ch = channel()
    ch.preference = 1
    t = tasklet(ch.receive)()
    run()
    switch_trap(1)
    try:
        ch.send(1)
    finally:
        switch_trap(-1)
    assert t.scheduled
    run()
    assert not t.alive


def test_switch_trap_refuses_a_meeting_that_switches():
    ch, got = channel(), []
    t = tasklet(lambda: got.append(ch.receive()))()
    run()
    switch_trap(1)
    try:
        with pytest.raises(RuntimeError, match="^switch_trap$"):
            ch.send(1)
        with pytest.raises(RuntimeError, match="^switch_trap$"):
            stackless.select([ch.sendCase(2)])
    finally:
        switch_trap(-1)
    assert (t.blocked, ch.balance, ch.queue) == (True, -1, t)
    ch.send(3)
    assert got == [3]


def test_errors_about_states_come_before_switch_trap(trap):
    ch = channel()
    dead = tasklet(nothing)
    with pytest.raises(RuntimeError, match="dead"):
        dead.run()
    with pytest.raises(RuntimeError, match="dead"):
        dead.throw(KeyError)
    with pytest.raises(RuntimeError, match="Deadlock|switch_trap"):
        ch.receive()
    ch.close()
    with pytest.raises(ValueError, match="closed"):
        ch.receive()


# -- callbacks -------------------------------------------------------------------------------------------------------


@pytest.fixture
def channel_calls():
    calls = []

    def callback(*args):
        calls.append(args)

    assert stackless.set_channel_callback(callback) is None
    assert stackless.get_channel_callback() is callback
    yield calls
    assert stackless.set_channel_callback(None) is callback
    assert stackless.get_channel_callback() is None


def test_channel_callback(channel_calls):
    ch, main = channel(), getmain()
    t = tasklet(ch.receive)()
    run()
    assert channel_calls == [(ch, t, 0, 1)]
    ch.send(1)
    assert channel_calls[1:] == [(ch, main, 1, 0)]
    assert [type(x) for x in channel_calls[0][2:]] == [int, int]


def test_channel_callback_sees_the_value():
    ch, seen = channel(), []
    stackless.set_channel_callback(lambda ch, task, sending, willblock: seen.append(task.tempval))
    try:
        t = tasklet(ch.send)("value")
        run()
        ch.receive()
    finally:
        stackless.set_channel_callback(None)
    assert seen == ["value", None]
    run()
    assert not t.alive


def test_channel_callback_that_raises():
    """It raises in the caller, and nothing has happened (Stackless: SystemError, later a crash)."""
    ch = channel()
    t = tasklet(ch.receive)()
    run()

    def callback(*args):
        raise KeyError("callback")

    stackless.set_channel_callback(callback)
    try:
        for call in (ch.receive, lambda: ch.send(1), lambda: ch.send_exception(ValueError)):
            with pytest.raises(KeyError, match="callback"):
                call()
        other = channel()
        for call in (other.receive, lambda: other.send(1)):
            with pytest.raises(KeyError, match="callback"):
                call()
    finally:
        stackless.set_channel_callback(None)
    assert (ch.balance, other.balance, t.blocked) == (-1, 0, True)
    ch.send(1)
    assert not t.alive


def test_channel_callback_that_uses_channels():
    ch, inner, errors = channel(), channel(), []

    def callback(*args):
        try:
            inner.send(1)
        except RuntimeError as error:
            errors.append(str(error))

    t = tasklet(inner.receive)()
    run()
    stackless.set_channel_callback(callback)
    try:
        tasklet(ch.send)(1)
        ch.receive()
        run()
    finally:
        stackless.set_channel_callback(None)
    assert set(errors) == {"Recursive channel call due to callbacks!"}
    assert (t.blocked, inner.balance) == (True, -1)
    t.kill()


def test_callback_that_takes_itself_off():
    ch, calls = channel(), []

    def callback(*args):
        calls.append(args)
        stackless.set_channel_callback(None)

    stackless.set_channel_callback(callback)
    tasklet(ch.send)(1)
    assert ch.receive() == 1
    run()
    assert len(calls) == 1


def test_callbacks_must_be_callable():
    for setter in (stackless.set_channel_callback, stackless.set_schedule_callback):
        with pytest.raises(TypeError):
            setter(5)
    assert stackless.get_channel_callback() is None


def test_schedule_callback():
    calls, main = [], getmain()
    a, b = tasklet(schedule), tasklet(nothing)
    a()
    b()

    def callback(prev, next_):
        calls.append((prev, next_, getcurrent()))

    stackless.set_schedule_callback(callback)
    try:
        run()
    finally:
        stackless.set_schedule_callback(None)
    assert calls == [(main, a, main), (a, b, a), (b, a, b), (a, main, a)]


def test_schedule_callback_is_not_called_without_a_switch():
    calls = []
    stackless.set_schedule_callback(lambda *args: calls.append(args))
    try:
        schedule()
        run()
        schedule_remove()
        getcurrent().run()
    finally:
        stackless.set_schedule_callback(None)
    assert calls == []


@pytest.mark.parametrize("error", ["ValueError", "SystemExit", "KeyboardInterrupt", "stackless.TaskletExit"])
def test_schedule_callback_that_raises(script, error):
    """Reported as unraisable, and the switch goes on."""
    ended = script(
        f"""
        import sys, stackless
        def callback(prev, next):
            raise {error}("from the callback")
        sys.unraisablehook = lambda unraisable: seen.append(unraisable.exc_type.__name__)
        seen, got = [], []
        stackless.tasklet(got.append)(1)
        stackless.tasklet(stackless.schedule)()
        stackless.set_schedule_callback(callback)
        stackless.run()
        stackless.set_schedule_callback(None)
        print(got, set(seen), len(seen) >= 3)
        stackless.tasklet(got.append)(2)
        stackless.run()
        print(got)
        """
    )
    name = error.rpartition(".")[2]
    assert ended.ok() == f"[1] {{'{name}'}} True\n[1, 2]\n"


def test_schedule_callback_that_raises_is_reported(script):
    ended = script(
        """
        import stackless
        def callback(prev, next):
            raise ValueError("from the callback")
        stackless.set_schedule_callback(callback)
        stackless.tasklet(print)("ran")
        stackless.run()
        stackless.set_schedule_callback(None)
        stackless.tasklet(print)("ran again")
        stackless.run()
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "ran\nran again\n"), ended.stderr
    assert "ValueError: from the callback" in ended.stderr


def test_schedule_callback_that_switches():
    """Refused, and the switch that it was told of takes place."""
    seen = []

    def callback(prev, next_):
        try:
            schedule()
        except RuntimeError as error:
            seen.append(str(error))

    got = []
    tasklet(got.append)(1)
    stackless.set_schedule_callback(callback)
    try:
        run()
    finally:
        stackless.set_schedule_callback(None)
    assert got == [1]
    assert len(seen) == 2


# -- error handler ---------------------------------------------------------------------------------------------------


@pytest.fixture
def handler():
    """handler(func) sets the error handler for this test."""

    def use(func):
        assert stackless.set_error_handler(func) is None
        used.append(func)

    used = []
    yield use
    assert stackless.set_error_handler(None) is used[0]


def test_error_handler_swallows(handler):
    seen = []
    handler(lambda *args: seen.append((args, getcurrent())))
    t = tasklet(raises)(KeyError("k"))
    run()
    ((kind, value, traceback), current), *rest = seen
    assert not rest
    assert (kind, value.args, current) == (KeyError, ("k",), t)
    assert traceback is not None
    assert not t.alive


def test_error_handler_replaces(handler):
    def other(kind, value, traceback):
        raise ValueError("instead") from value

    handler(other)
    tasklet(raises)(KeyError("k"))
    with pytest.raises(ValueError, match="instead"):
        run()


def test_error_handler_is_not_told_of_taskletexit(handler):
    seen = []
    handler(lambda *args: seen.append(args))
    tasklet(raises)(stackless.TaskletExit())
    t = tasklet(schedule_remove)()
    run()
    t.kill()
    assert seen == []


def test_error_handler_may_switch(handler):
    got, ch = [], channel()

    def slow(kind, value, traceback):
        schedule()
        ch.send(value.args[0])

    handler(slow)
    tasklet(raises)(KeyError("k"))
    tasklet(got.append)("other")
    assert ch.receive() == "k"
    assert got == ["other"]
    run()


def test_error_handler_must_be_callable():
    with pytest.raises(TypeError):
        stackless.set_error_handler("no")


# -- the module ------------------------------------------------------------------------------------------------------


def test_module_properties():
    assert stackless.current is getcurrent()
    assert stackless.main is getmain()
    assert stackless.runcount == getruncount() == 1
    assert stackless.stackless is stackless
    with pytest.raises(AttributeError):
        stackless.nonsense  # noqa: B018


def test_getcurrentid(leftovers):
    import threading

    assert stackless.getcurrentid() == threading.get_ident()
    ids = []
    for _ in range(2):
        tasklet(lambda: (ids.append(stackless.getcurrentid()), schedule_remove()))()
    run()
    assert len(set(ids)) == 2
    assert all(isinstance(n, int) for n in ids)


def test_names():
    for name in stackless.__all__:
        assert getattr(stackless, name) is not None, name
    for cls in (stackless.tasklet, stackless.channel, stackless.bomb):
        assert cls.__module__ == "stackless"


def test_bomb_is_read_only():
    error = KeyError("k")
    b = stackless.bomb(KeyError, error, None)
    assert (b.type, b.value, b.traceback) == (KeyError, error, None)
    assert stackless.bomb((KeyError, error, None)).value is error
    for name in ("type", "value", "traceback"):
        with pytest.raises(AttributeError):
            setattr(b, name, 1)
    assert stackless.bomb().type is None
