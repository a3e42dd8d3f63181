"""Tasklets in one thread: binding, states, insert and remove, run and switch, throw and kill (Stackless)."""

import inspect
import pickle
import weakref

import pytest
import stackless
from stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet


def nothing(*_args, **_kwargs):
    pass


def states(t):
    names = "alive scheduled blocked paused is_current is_main".split()
    return " ".join(name for name in names if getattr(t, name))


# -- binding ---------------------------------------------------------------------------------------------------------


def test_unbound():
    t = tasklet()
    assert states(t) == ""
    with pytest.raises(RuntimeError):
        t()
    with pytest.raises(RuntimeError):
        t.setup(1)
    for call in (t.insert, t.run, t.switch):
        with pytest.raises(RuntimeError, match="dead"):
            call()
    assert t.remove() is t
    assert t.next is t.prev is None
    assert t.frame is None


def test_bind_and_setup():
    got = []
    t = tasklet(lambda *a, **k: got.append((a, k)))
    assert states(t) == ""
    assert callable(t.tempval)
    assert t(1, x=2) is t
    assert states(t) == "alive scheduled"
    assert t.tempval is None
    run()
    assert got == [((1,), {"x": 2})]
    assert states(t) == ""


def test_bind_with_arguments_is_alive_and_paused():
    got = []
    t = tasklet().bind(lambda *a, **k: got.append((a, k)), (1, 2), {"x": 3})
    assert states(t) == "alive paused"
    run()
    assert got == []
    assert t.insert() is t
    run()
    assert got == [((1, 2), {"x": 3})]


@pytest.mark.parametrize(("args", "kwargs"), [((), None), (None, {}), ([1], None), (None, {"a": 1}), ([], {})])
def test_bind_forms(args, kwargs):
    got = []
    t = tasklet(lambda *a, **k: got.append((a, k)), args, kwargs)
    assert states(t) == "alive paused"
    t.run()
    assert got == [(tuple(args or ()), kwargs or {})]


def test_bind_copies_the_arguments():
    args, kwargs, got = [1], {"a": 1}, []
    t = tasklet(lambda *a, **k: got.append((a, k)), args, kwargs)
    args.append(2)
    kwargs["b"] = 2
    t.run()
    assert got == [((1,), {"a": 1})]


def test_unbind():
    t = tasklet(nothing)
    assert t.bind(None) is t
    assert t.tempval is None
    t = tasklet(nothing, ())
    t.bind()
    assert states(t) == ""


@pytest.mark.parametrize("wrong", [1, "f", [], object()], ids=repr)
def test_bind_wants_a_callable(wrong):
    with pytest.raises(TypeError, match="callable"):
        tasklet(wrong)
    t = tasklet()
    with pytest.raises(TypeError, match="callable"):
        t.bind(wrong)
    with pytest.raises(TypeError, match="callable"):
        t.bind(wrong, ())


def test_bind_wants_arguments_of_the_right_types():
    for args, kwargs in [(1, None), (None, 1), ((), [1])]:
        t = tasklet()
        with pytest.raises((TypeError, ValueError)):
            t.bind(nothing, args, kwargs)
        assert states(t) == ""


def test_bind_errors():
    with pytest.raises(RuntimeError, match="current tasklet|can't unbind"):
        getmain().bind(nothing)
    with pytest.raises(RuntimeError, match="current tasklet"):
        getmain().bind(None)
    t = tasklet(nothing)()
    with pytest.raises(RuntimeError, match="tasklet is scheduled"):
        t.bind(nothing)
    run()
    t.bind(nothing)
    blocked = tasklet(channel().receive)()
    run()
    with pytest.raises(RuntimeError, match="scheduled"):
        blocked.bind(nothing)
    blocked.kill()
    paused = tasklet(schedule_remove)()
    run()
    assert states(paused) == "alive paused"
    with pytest.raises(RuntimeError, match="C state"):
        paused.bind(nothing)
    paused.kill()
    errors = []

    def me():
        try:
            getcurrent().bind(nothing)
        except RuntimeError as error:
            errors.append(str(error))

    tasklet(me)()
    run()
    assert "current tasklet" in errors[0]


def test_setup_of_one_alive():
    t = tasklet(nothing)()
    with pytest.raises(RuntimeError, match="tasklet is alive"):
        t()
    with pytest.raises(RuntimeError, match="tasklet is alive"):
        t.setup()
    run()


def test_use_again():
    got = []
    t = tasklet(got.append)
    for i in range(3):
        t.bind(got.append)
        t(i)
        run()
        assert not t.alive
    assert got == [0, 1, 2]


def test_unstarted_can_be_bound_anew():
    got = []
    t = tasklet(nothing, ())
    t.bind(got.append, ("new",))
    t.run()
    assert got == ["new"]


def test_binding_happens_in_init():
    class Silent(tasklet):
        def __init__(self, func):
            pass

    assert states(Silent(nothing)) == ""
    with pytest.raises(RuntimeError):
        Silent(nothing)()

    class Loud(tasklet):
        def __new__(cls, *args, **kwargs):
            return tasklet.__new__(cls, "ignored", nonsense=1)

        def __init__(self, func, name):
            tasklet.__init__(self, func)
            self.name = name

    got = []
    t = Loud(got.append, "n")(5)
    run()
    assert (t.name, got) == ("n", [5])


# -- insert, remove --------------------------------------------------------------------------------------------------


def test_insert_and_remove():
    got = []
    a, b = tasklet(got.append)("a"), tasklet(got.append)("b")
    assert a.insert() is a
    assert a.remove() is a
    assert states(a) == "alive paused"
    assert a.remove() is a
    a.insert()
    run()
    assert got == ["b", "a"]
    assert not b.alive


def test_insert_and_remove_errors():
    ch = channel()
    t = tasklet(ch.receive)()
    run()
    with pytest.raises(RuntimeError, match="blocked"):
        t.insert()
    with pytest.raises(RuntimeError, match="blocked"):
        t.remove()
    with pytest.raises(RuntimeError, match="blocked"):
        t.run()
    with pytest.raises(RuntimeError, match="blocked"):
        t.switch()
    assert ch.balance == -1
    t.kill()
    with pytest.raises(RuntimeError, match="dead"):
        t.insert()
    with pytest.raises(RuntimeError, match="current tasklet"):
        getcurrent().remove()
    assert getcurrent().insert() is getcurrent()


# -- run, switch -----------------------------------------------------------------------------------------------------


def test_run_of_a_scheduled_one_lets_those_behind_it_run():
    got = []
    for name in "abcd":
        t = tasklet(got.append)(name)
        if name == "b":
            b = t
    b.run()
    assert got == ["b", "c", "d"]
    run()
    assert got == ["b", "c", "d", "a"]


def test_run_of_an_unscheduled_one_comes_back_next():
    got = []
    for name in "ab":
        tasklet(got.append)(name)
    t = tasklet(got.append, ("t",))
    t.run()
    assert got == ["t"]
    run()
    assert got == ["t", "a", "b"]


def test_run_of_the_current_does_nothing():
    t = tasklet(nothing)()
    assert getcurrent().run() is None
    assert getcurrent().switch() is None
    assert t.alive
    run()


def test_run_returns_the_callers_tempval():
    main = getcurrent()

    def f():
        main.tempval = "left here"

    assert tasklet(f)().run() == "left here"
    assert main.tempval is None
    assert tasklet(nothing)().run() is None


def test_switch_pauses_the_caller():
    main, got = getcurrent(), []

    def f():
        got.append(states(main))
        main.insert()

    tasklet(f)().switch()
    assert got == ["alive paused is_main"]


def test_switch_to_a_paused_one():
    main, got = getcurrent(), []

    def f():
        got.append(schedule_remove("v"))
        main.run()

    t = tasklet(f)()
    run()
    assert states(t) == "alive paused"
    t.switch()
    assert got == ["v"]
    run()


def test_ping_pong_by_switch():
    got = []
    main = getcurrent()

    def f():
        for i in range(3):
            got.append(i)
            main.switch()

    t = tasklet(f)()
    for _ in range(3):
        t.switch()
    run()
    assert t.alive
    t.switch()
    assert got == [0, 1, 2]
    assert not t.alive


# -- throw, kill -----------------------------------------------------------------------------------------------------


def test_throw_into_one_that_waits():
    ch, got = channel(), []

    def f():
        try:
            ch.receive()
        except KeyError as error:
            got.append(error.args)

    t = tasklet(f)()
    run()
    t.throw(KeyError, "x")
    assert got == [("x",)]
    assert (ch.balance, t.alive) == (0, False)


@pytest.mark.parametrize(
    ("args", "values"),
    [((KeyError,), ()), ((KeyError, "v"), ("v",)), ((KeyError, (1, 2)), (1, 2)), ((KeyError("i"),), ("i",))],
)
def test_throw_follows_raise(args, values):
    got = []

    def f():
        try:
            schedule_remove()
        except KeyError as error:
            got.append(error.args)

    for pending in (False, True):
        t = tasklet(f)()
        run()
        if pending and len(args) == 1:
            t.throw(*args, pending=True)
        elif pending:
            t.throw(*args, None, True)
        else:
            t.throw(*args)
        run()
    assert got == [values] * 2


@pytest.mark.parametrize("args", [("text",), (int,), (KeyError("x"), 1), (KeyError, None, 5), ()], ids=str)
def test_throw_refuses(args):
    t = tasklet(schedule_remove)()
    run()
    with pytest.raises(TypeError):
        t.throw(*args)
    assert states(t) == "alive paused"
    t.kill()


def test_throw_at_a_fresh_one_never_runs_its_function():
    got = []
    t = tasklet(got.append)("ran")
    with pytest.raises(KeyError, match="early"):
        t.throw(KeyError, "early")
    assert got == []
    assert not t.alive
    t = tasklet(got.append)("ran")
    t.kill()
    assert got == []
    assert not t.alive


def test_pending_throw():
    got = []

    def f():
        got.append("begins")
        try:
            schedule()
        except KeyError:
            got.append("thrown")

    t = tasklet(f)()
    schedule()
    assert t.throw(KeyError, pending=True) is None
    assert got == ["begins"]
    assert t.scheduled
    run()
    assert got == ["begins", "thrown"]


def test_pending_throw_unblocks_and_inserts():
    ch = channel()
    t = tasklet(ch.receive)()
    run()
    t.kill(pending=True)
    assert (ch.balance, states(t)) == (0, "alive scheduled")
    run()
    assert not t.alive


def test_throw_at_the_dead():
    t = tasklet(nothing)()
    run()
    for pending in (False, True):
        with pytest.raises(RuntimeError, match="You cannot throw to a dead tasklet"):
            t.throw(KeyError, pending=pending)
        assert t.throw(stackless.TaskletExit, pending=pending) is None
        assert t.kill(pending) is None
    with pytest.raises(RuntimeError, match="dead"):
        t.raise_exception(KeyError)
    with pytest.raises(RuntimeError, match="dead"):
        tasklet().throw(KeyError)


def test_throw_at_the_current():
    for call in (lambda: getcurrent().throw(KeyError, "me"), lambda: getcurrent().raise_exception(KeyError, "me")):
        with pytest.raises(KeyError, match="me"):
            call()
    with pytest.raises(stackless.TaskletExit):
        getcurrent().kill()
    with pytest.raises(KeyError):
        getcurrent().throw(KeyError, None, None, True)


def test_raise_exception():
    got = []

    def f():
        try:
            schedule_remove()
        except KeyError as error:
            got.append(error.args)

    t = tasklet(f)()
    run()
    t.raise_exception(KeyError, 1, 2)
    assert got == [(1, 2)]


def test_throw_of_a_traceback():
    def origin():
        raise KeyError("o")

    try:
        origin()
    except KeyError as error:
        caught = error
    t = tasklet(schedule_remove)()
    run()
    with pytest.raises(KeyError) as info:
        t.throw(KeyError, caught, caught.__traceback__)
    assert "origin" in [entry.name for entry in info.traceback]


def test_kill_runs_finally_and_lets_those_behind_run():
    got = []

    def f():
        try:
            schedule()
        finally:
            got.append("finally")

    t = tasklet(f)()
    schedule()
    tasklet(got.append)("behind")
    assert t.kill() is None
    assert got == ["finally", "behind"]
    assert getcurrent() is getmain()


def test_kill_can_be_refused():
    got = []

    def f():
        try:
            schedule_remove()
        except stackless.TaskletExit:
            got.append("no")
        schedule_remove()
        got.append("woken")

    t = tasklet(f)()
    run()
    t.kill()
    assert states(t) == "alive paused"
    t.run()
    assert got == ["no", "woken"]


def test_killed_while_it_is_killing():
    got = []

    def victim(other):
        try:
            schedule_remove()
        finally:
            other[0].kill()
            got.append("done")

    a, b = [], []
    ta, tb = tasklet(victim)(b), tasklet(victim)(a)
    a.append(ta)
    b.append(tb)
    run()
    ta.kill()
    run()
    assert not ta.alive
    assert not tb.alive
    assert "done" in got


# -- states ----------------------------------------------------------------------------------------------------------


def test_states_of_a_life():
    ch, seen = channel(), []

    def f():
        seen.append(states(t))
        schedule()
        ch.receive()
        schedule_remove()

    t = tasklet(f)
    seen.append(states(t))
    t()
    seen.append(states(t))
    schedule()
    seen.append(states(t))
    run()
    seen.append(states(t))
    ch.send(None)
    seen.append(states(t))
    t.insert()
    run()
    seen.append(states(t))
    assert seen == [
        "",
        "alive scheduled",
        "alive scheduled is_current",
        "alive scheduled",
        "alive scheduled blocked",
        "alive paused",
        "",
    ]
    for name in "alive scheduled blocked paused is_current is_main".split():
        assert type(getattr(t, name)) is bool
        with pytest.raises(AttributeError):
            setattr(t, name, True)


def test_main():
    main = getmain()
    assert states(main) == "alive scheduled is_current is_main"
    assert main.label == "main"
    assert main.next is main
    assert main.prev is main


def test_next_and_prev_in_the_ring():
    main = getmain()
    a, b = tasklet(nothing)(), tasklet(nothing)()
    assert [main.next, a.next, b.next] == [a, b, main]
    assert [main.prev, a.prev, b.prev] == [b, main, a]
    a.remove()
    assert a.next is a.prev is None
    assert main.next is b
    a.kill()
    run()


def test_block_trap():
    ch, got = channel(), []

    def f():
        getcurrent().block_trap = True
        for call in (ch.receive, lambda: ch.send(1)):
            try:
                call()
            except RuntimeError as error:
                got.append(str(error))
        schedule()
        got.append("scheduling is not blocking")

    t = tasklet(f)
    assert t.block_trap is False
    t()
    run()
    assert got[:2] == ["this tasklet does not like to be blocked."] * 2
    assert got[2:] == ["scheduling is not blocking"]
    assert ch.balance == 0


def test_block_trap_lets_a_meeting_pass():
    ch = channel()
    tasklet(ch.send)(1)
    run()
    getmain().block_trap = True
    try:
        assert ch.receive() == 1
    finally:
        getmain().block_trap = False
    run()


@pytest.mark.parametrize("wrong", ["1", 1.0, None, []], ids=repr)
def test_flags_are_int_only(wrong):
    t = tasklet()
    with pytest.raises(TypeError, match="must be set to a bool or integer"):
        t.block_trap = wrong
    with pytest.raises(TypeError, match="must be set to a bool or integer"):
        t.set_atomic(wrong)
    with pytest.raises(TypeError, match="must be set to a bool or integer"):
        t.set_ignore_nesting(wrong)


def test_flags():
    t = tasklet()
    assert (t.atomic, t.ignore_nesting) == (False, False)
    assert t.set_atomic(1) is False
    assert t.set_atomic(0) is True
    assert t.set_ignore_nesting(True) is False
    assert t.ignore_nesting is True
    with stackless.atomic():
        assert getcurrent().atomic
        with stackless.atomic():
            assert getcurrent().atomic
        assert getcurrent().atomic
    assert not getcurrent().atomic


def test_tempval_can_be_read_and_written():
    got = []
    t = tasklet(lambda: got.append(schedule_remove("mine")))()
    run()
    assert t.tempval == "mine"
    t.tempval = "yours"
    t.run()
    assert got == ["yours"]
    with pytest.raises(AttributeError):
        t.nonsense = 1


def test_a_bomb_in_tempval_explodes():
    got = []

    def f():
        try:
            schedule_remove()
        except KeyError as error:
            got.append(error.args)

    t = tasklet(f)()
    run()
    t.tempval = stackless.bomb(KeyError, KeyError("boom"))
    t.run()
    assert got == [("boom",)]


def test_frame():
    def inner():
        schedule_remove()

    def outer():
        inner()

    t = tasklet(outer)
    assert t.frame is None
    t()
    assert t.frame is None
    run()
    assert t.frame.f_code is inner.__code__
    assert t.frame.f_back.f_code is outer.__code__
    t.kill()
    assert t.frame is None
    assert getcurrent().frame is inspect.currentframe()


@pytest.mark.parametrize("way", ["receive", "send", "select", "schedule", "run", "switch"])
def test_frame_is_the_users_however_it_waits(way):
    ch, main = channel(), getmain()

    def user():
        if way == "receive":
            ch.receive()
        elif way == "send":
            ch.send(1)
        elif way == "select":
            stackless.select([ch.receiveCase()])
        elif way == "schedule":
            schedule()
        elif way == "run":
            main.insert()
            run()
        else:
            main.switch()

    t = tasklet(user)()
    t.switch() if way in ("run", "switch") else schedule()
    assert t.frame.f_code is user.__code__
    t.kill()
    run()


# -- shapes ----------------------------------------------------------------------------------------------------------


def test_no_dict_but_weak_references():
    t = tasklet()
    assert not hasattr(t, "__dict__")
    ref = weakref.ref(t)
    del t
    assert ref() is None


def test_attributes_are_descriptors_and_methods_routines():
    for name in (
        "alive atomic blocked block_trap frame ignore_nesting is_current is_main next paused prev scheduled "
        "tempval thread_id"
    ).split():
        assert inspect.isdatadescriptor(inspect.getattr_static(tasklet, name)), name
    for name in "bind setup insert remove run switch throw raise_exception kill set_atomic set_ignore_nesting".split():
        assert inspect.isroutine(getattr(tasklet, name)), name


def test_module_functions_are_routines():
    for name in (
        "run schedule schedule_remove getcurrent getmain getruncount getcurrentid switch_trap set_channel_callback "
        "get_channel_callback set_schedule_callback get_schedule_callback set_error_handler"
    ).split():
        assert inspect.isroutine(getattr(stackless, name)), name


def test_identity():
    a, b = tasklet(), tasklet()
    assert a != b
    assert len({a, b, a}) == 2


def test_repr_and_label():
    t = tasklet(nothing)
    t.label = "worker"
    assert "worker" in repr(t)
    assert "dead" in repr(t)
    t()
    assert "scheduled" in repr(t)
    run()
    with pytest.raises(TypeError):
        t.label = None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling(protocol):
    """What has not begun can be pickled; a stack cannot."""
    fresh, bound, began = tasklet(nothing), tasklet(nothing, (1,)), tasklet(schedule_remove)()
    assert pickle.loads(pickle.dumps(fresh, protocol)).tempval is nothing
    copy = pickle.loads(pickle.dumps(bound, protocol))
    assert (copy.alive, copy.paused, copy.scheduled) == (True, True, False)
    run()
    with pytest.raises(TypeError, match=rf"cannot pickle {began.label}"):
        pickle.dumps(began, protocol)
    began.kill()


def test_subclass_with_equality_of_its_own():
    """The scheduler goes by identity."""

    class Same(tasklet):
        def __eq__(self, other):
            return True

        __hash__ = tasklet.__hash__

    got = []

    def f(name):
        got.append(name)
        run()
        got.append(name)

    for name in "abc":
        Same(f)(name)
    Same(schedule)()
    run()
    assert sorted(got) == list("aabbcc")
