"""Stackless's own tests of its tasklets and scheduler, as remembered: what its users lean on."""

import contextlib
import copy
import gc
import inspect
import pickle
import sys
import threading
import traceback
import types
import weakref

import pytest
import stackless
from stackless import TaskletExit, channel, tasklet

pytestmark = pytest.mark.usefixtures("leftovers")
#: The Python queues refer to an only member twice, the C ones once, as Stackless does (docs/divergences.md).
PYTHON_RING = stackless.implementation()["runq"] != "c"
PYTHON_QUEUE = stackless.implementation()["waitq"] != "c"


@contextlib.contextmanager
def trapped():
    stackless.switch_trap(1)
    try:
        yield
    finally:
        stackless.switch_trap(-1)


# -- switch()
class TestSwitch:
    @pytest.fixture(autouse=True)
    def _s(self):
        self.source = stackless.getcurrent()
        self.finished = False
        self.c = channel()

    def target(self):
        assert self.source.paused
        self.source.insert()
        self.finished = True

    def blocked(self):
        self.c.receive()

    def test_simple(self):
        tasklet(self.target)().switch()
        assert self.finished

    def test_self(self):
        stackless.getcurrent().switch()

    def test_self_trapped(self):
        with trapped():
            stackless.getcurrent().switch()

    def test_self_run_trapped(self):
        with trapped():
            stackless.getcurrent().run()

    def test_blocked(self):
        t = tasklet(self.blocked)()
        t.run()
        for f in (t.switch, t.run, t.insert, t.remove):
            with pytest.raises(RuntimeError, match="blocked"):
                f()
        with trapped(), pytest.raises(RuntimeError, match="blocked"):
            t.switch()
        assert t.blocked
        self.c.send(None)
        assert not t.blocked

    def test_paused(self):
        t = tasklet(self.target)
        t.bind(args=())
        assert t.paused
        t.switch()
        assert self.finished

    def test_paused_trapped(self):
        t = tasklet(self.target)
        t.bind(args=())
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            t.switch()
        assert t.paused
        t.switch()
        assert self.finished

    def test_scheduled_trapped(self):
        t = tasklet(self.target)()
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            t.switch()
        assert not t.paused
        t.switch()
        assert self.finished

    def test_dead(self):
        t = tasklet(lambda: None)()
        t.run()
        assert not t.alive
        for f in (t.switch, t.run, t.insert):
            with pytest.raises(RuntimeError, match="dead"):
                f()
        t.remove()


class TestSwitchTrap:
    def chk(self, f, *a):
        with trapped(), pytest.raises(RuntimeError, match="switch_trap"):
            f(*a)

    def test_schedule(self):
        t = tasklet(lambda: None)()
        self.chk(stackless.schedule)
        stackless.run()
        assert not t.alive

    def test_schedule_alone(self):
        with trapped():
            stackless.schedule()
            stackless.run()

    def test_schedule_remove(self):
        m = stackless.getcurrent()
        t = tasklet(lambda: m.insert())()  # noqa: F841
        self.chk(stackless.schedule_remove)
        stackless.schedule_remove()

    def test_run(self):
        t = tasklet(lambda: None)()
        self.chk(stackless.run)
        stackless.run()
        assert not t.alive

    def test_run_specific(self):
        t = tasklet(lambda: None)()
        self.chk(t.run)
        t.run()

    def test_run_paused(self):
        t = tasklet(lambda: None).bind(args=())
        self.chk(t.run)
        assert t.paused
        t.run()

    def test_send(self):
        c = channel()
        t = tasklet(c.receive)()  # noqa: F841
        self.chk(c.send, None)
        c.send(None)

    def test_send_ready(self):
        c = channel()
        t = tasklet(c.receive)()
        t.run()
        self.chk(c.send, None)
        assert c.balance == -1
        c.send(None)

    def test_send_ready_noswitch(self):
        c = channel()
        c.preference = 1
        t = tasklet(c.receive)()
        t.run()
        with trapped():
            c.send(None)
        assert t.scheduled and not t.blocked
        stackless.run()

    def test_send_throw(self):
        c = channel()
        ok = []

        def f():
            with pytest.raises(NotImplementedError):
                c.receive()
            ok.append(1)

        t = tasklet(f)()  # noqa: F841
        self.chk(c.send_throw, NotImplementedError)
        c.send_throw(NotImplementedError)
        assert ok

    def test_receive(self):
        c = channel()
        t = tasklet(c.send)(1)  # noqa: F841
        self.chk(c.receive)
        assert c.receive() == 1

    def test_receive_throw(self):
        c = channel()
        t = tasklet(c.send_throw)(NotImplementedError)  # noqa: F841
        self.chk(c.receive)
        with pytest.raises(NotImplementedError):
            c.receive()

    def test_raise_exception(self):
        c = channel()
        ok = []

        def f():
            with pytest.raises(IndexError):
                c.receive()
            ok.append(1)

        t = tasklet(f)()
        t.run()
        self.chk(t.raise_exception, RuntimeError)
        assert t.blocked
        t.raise_exception(IndexError)
        assert ok

    def test_kill(self):
        c = channel()
        ok = []

        def f():
            with pytest.raises(TaskletExit):
                c.receive()
            ok.append(1)

        t = tasklet(f)()
        t.run()
        self.chk(t.kill)
        t.kill()
        assert ok

    def test_pending_ok(self):
        t = tasklet(lambda: None)()
        with trapped():
            t.kill(pending=True)
        stackless.run()
        assert not t.alive

    def test_counter(self):
        assert stackless.switch_trap() == 0 and stackless.switch_trap(2) == 0 and stackless.switch_trap(-1) == 2
        assert stackless.switch_trap(-1) == 1 and stackless.switch_trap(0) == 0
        with pytest.raises(TypeError):
            stackless.switch_trap("x")

    def test_per_thread(self):
        stackless.switch_trap(1)
        r = []
        th = threading.Thread(target=lambda: r.append(stackless.switch_trap()))
        th.start()
        th.join()
        stackless.switch_trap(-1)
        assert r == [0]


# -- throw
class TestThrow:
    pending = False

    def throw(self, t, *a, **k):
        t.throw(*a, pending=self.pending, **k)
        if self.pending:
            stackless.run()

    def task(self, c, res):
        try:
            c.receive()
        except Exception:
            res.append(sys.exc_info())

    def mk(self):
        c, res = channel(), []
        t = tasklet(self.task)(c, res)
        t.run()
        return t, res

    def test_class(self):
        t, r = self.mk()
        self.throw(t, IndexError)
        assert r[0][0] is IndexError and not r[0][1].args

    def test_arg(self):
        t, r = self.mk()
        self.throw(t, IndexError, 1)
        assert r[0][1].args == (1,)

    def test_args(self):
        t, r = self.mk()
        self.throw(t, IndexError, (1, 2, 3))
        assert r[0][1].args == (1, 2, 3)

    def test_inst(self):
        t, r = self.mk()
        e = IndexError(1)
        self.throw(t, e)
        assert r[0][1] is e

    def test_class_inst(self):
        t, r = self.mk()
        e = IndexError(1)
        self.throw(t, IndexError, e)
        assert r[0][1] is e

    def test_exc_info(self):
        def errfunc():
            raise ZeroDivisionError

        t, r = self.mk()
        try:
            errfunc()
        except ZeroDivisionError:
            self.throw(t, *sys.exc_info())
        assert [x.name for x in traceback.extract_tb(r[0][2])][-1] == "errfunc"

    def test_new(self):
        ran = []
        t = tasklet(lambda: ran.append(1))()
        with pytest.raises(IndexError):
            self.throw(t, IndexError)
        assert not ran and not t.alive

    def test_kill_new(self):
        ran = []
        t = tasklet(lambda: ran.append(1))()
        t.kill(pending=self.pending)
        stackless.run()
        assert not ran and not t.alive

    def test_bound_new(self):
        ran = []
        t = tasklet(lambda: ran.append(1)).bind(args=())
        with pytest.raises(IndexError):
            self.throw(t, IndexError)
        assert not ran and not t.alive

    def test_dead(self):
        t = tasklet(lambda: None)()
        t.run()
        with pytest.raises(RuntimeError, match="dead"):
            self.throw(t, IndexError)
        self.throw(t, TaskletExit)
        t.kill()
        t.kill(True)
        with pytest.raises(RuntimeError, match="dead"):
            t.raise_exception(IndexError)

    def test_unbound(self):
        t = tasklet()
        with pytest.raises(RuntimeError):
            self.throw(t, IndexError)
        t.kill()

    def test_invalid(self):
        t, r = self.mk()  # noqa: RUF059
        for a in ((1,), (object,), ("x",), (IndexError(), (1, 2)), (IndexError(), 1), (IndexError, 1, 2), (None,)):
            with pytest.raises(TypeError):
                t.throw(*a, pending=self.pending)
        with pytest.raises(TypeError):
            t.throw()
        assert t.blocked
        t.kill()

    def test_current(self):
        with pytest.raises(IndexError):
            stackless.getcurrent().throw(IndexError)
        with pytest.raises(IndexError):
            stackless.getcurrent().raise_exception(IndexError)

    def test_withdrawn_from_channel(self):
        c = channel()
        t = tasklet(c.receive)()
        t.run()
        t.throw(TaskletExit, pending=True)
        assert c.balance == 0 and not t.blocked and t.scheduled
        stackless.run()
        assert not t.alive


class TestThrowPending(TestThrow):
    pending = True


def test_throw_current_pending():
    m = stackless.getcurrent()
    with pytest.raises(IndexError):
        m.throw(IndexError, pending=True)
        stackless.schedule()


def test_kill_returns_to_caller_and_chain():
    log = []

    def f():
        try:
            stackless.schedule_remove()
        finally:
            log.append("fin")

    t = tasklet(f)()
    t.run()
    t.kill()
    assert log == ["fin"]


def test_kill_survivor():
    log = []

    def f():
        while len(log) < 2:
            try:
                stackless.schedule_remove()
            except TaskletExit:
                log.append(1)

    t = tasklet(f)()
    t.run()
    t.kill()
    assert t.alive and t.paused
    t.kill()
    assert not t.alive


def test_kill_self_in_tasklet():
    log = []

    def f():
        try:
            stackless.getcurrent().kill()
        except TaskletExit:
            log.append(1)
            raise

    tasklet(f)()
    stackless.run()
    assert log == [1]


def test_taskletexit_shape():
    import builtins

    assert builtins.TaskletExit is stackless.TaskletExit and issubclass(TaskletExit, SystemExit)
    assert TaskletExit("a", 1).args == ("a", 1)
    assert TaskletExit(5).code == 5


def test_raise_exception_args():
    r = []

    def f():
        try:
            stackless.schedule_remove()
        except ValueError as e:
            r.append(e.args)

    t = tasklet(f)()
    t.run()
    t.raise_exception(ValueError, 1, 2)
    assert r == [(1, 2)]
    for bad in (ValueError(), 1, "x", object):
        t = tasklet(f)()
        t.run()
        with pytest.raises(TypeError):
            t.raise_exception(bad)
        t.kill()


# -- error handler
class TestErrorHandler:
    @pytest.fixture(autouse=True)
    def _s(self):
        self.handled = self.ran = 0
        self.who = None

    def handler(self, exc, val, tb):
        assert exc and isinstance(val, exc) and (tb is None or isinstance(tb, types.TracebackType))
        self.handled = 1
        self.who = stackless.getcurrent()

    def broken(self, *a):
        self.handled = 1
        raise IndexError("we are")

    @contextlib.contextmanager
    def ctx(self, h):
        old = stackless.set_error_handler(h)
        try:
            yield
        finally:
            stackless.set_error_handler(old)

    def func(self):
        self.ran = 1
        raise ZeroDivisionError("I")

    def test_set(self):
        def foo():
            pass

        assert stackless.set_error_handler(foo) is None and stackless.set_error_handler(None) is foo
        assert stackless.set_error_handler(None) is None
        for bad in (1, "x"):
            with pytest.raises(TypeError):
                stackless.set_error_handler(bad)

    def test_handler(self):
        tasklet(self.func)()
        with self.ctx(self.handler):
            stackless.run()
        assert self.ran and self.handled

    def test_broken(self):
        tasklet(self.func)()
        with self.ctx(self.broken), pytest.raises(IndexError):
            stackless.run()

    def test_early(self):
        t = tasklet(self.func)()
        with self.ctx(self.handler):
            t.throw(ZeroDivisionError, "x")
        assert not self.ran and self.handled and self.who is t

    def test_who(self):
        t = tasklet(self.func)()
        with self.ctx(self.handler):
            t.run()
        assert self.who is t

    def test_pending(self):
        t = tasklet(self.func)()
        with self.ctx(self.handler):
            t.throw(ZeroDivisionError, "x", pending=True)
            assert self.who is None
            t.run()
        assert self.who is t

    def test_kill_no_handler(self):
        t = tasklet(stackless.schedule_remove)()
        t.run()
        with self.ctx(self.handler):
            t.kill()
        assert not self.handled

    def test_systemexit_handled(self):
        t = tasklet(sys.exit)(3)  # noqa: F841
        with self.ctx(self.handler):
            stackless.run()
        assert self.handled


# -- bind
class TestBind:
    @pytest.fixture(autouse=True)
    def _s(self):
        self.fin = 0
        self.args = self.kwargs = None

    def task(self, *_):
        try:
            stackless.schedule_remove(None)
        finally:
            self.fin += 1

    def argtest(self, *a, **k):
        self.args, self.kwargs = a, dict(k)

    def test_bind(self):
        t = tasklet()
        w = weakref.ref(t)
        for _ in range(2):
            assert not t.alive and t.frame is None and t.nesting_level == 0 and t.recursion_depth == 0
            t.bind(None)
        t.bind(self.task)
        t.setup(False)
        stackless.run()
        assert not t.scheduled and t.alive and isinstance(t.frame, types.FrameType)
        t.insert()
        stackless.run()
        assert self.fin == 1
        t = None
        assert w() is None

    def test_forgotten_paused(self):
        t = tasklet(self.task)()
        w = weakref.ref(t)
        stackless.run()
        assert t.paused
        t = None
        assert w() is None and self.fin == 1

    def test_not_callable(self):
        class C:
            pass

        with pytest.raises(TypeError, match="callable"):
            stackless.getcurrent().bind(C())
        with pytest.raises(TypeError, match="callable"):
            tasklet(C())
        with pytest.raises(TypeError, match="callable"):
            tasklet().bind(1)
        with pytest.raises(TypeError):
            tasklet(5)

    def test_unbind(self):
        t = tasklet(self.task)
        t.bind(None)
        assert not t.alive
        with pytest.raises(RuntimeError):
            t.setup()
        t = tasklet(self.task).bind(args=())
        assert t.alive
        t.bind(None)
        assert not t.alive and t.tempval is None

    def test_unbind_current(self):
        with pytest.raises(RuntimeError, match="current tasklet"):
            stackless.getcurrent().bind(None)

    def test_bind_current(self):
        with pytest.raises(RuntimeError, match="current tasklet"):
            stackless.getcurrent().bind(self.task)
        with pytest.raises(RuntimeError, match="current tasklet"):
            stackless.getcurrent().bind(self.task, ())

    def test_unbind_current_in_tasklet(self):
        r = []

        def f():
            with pytest.raises(RuntimeError, match="current tasklet"):
                stackless.getcurrent().bind(None)
            r.append(1)

        tasklet(f)()
        stackless.run()
        assert r

    def test_unbind_scheduled(self):
        t = tasklet(self.task)()
        stackless.run()
        t.insert()
        with pytest.raises(RuntimeError, match="scheduled"):
            t.bind(None)
        stackless.run()

    def test_unbind_cstate(self):
        t = tasklet(self.task)()
        stackless.run()
        w = weakref.ref(t)
        with pytest.raises(RuntimeError, match="C state"):
            t.bind(None)
        t = None
        assert w() is None and self.fin == 1

    def test_unbind_main(self):
        r = []

        def f(m):
            try:
                m.bind(None)
            except RuntimeError as e:
                r.append(str(e))

        tasklet(f)(stackless.getmain())
        stackless.run()
        assert r == ["can't unbind the main tasklet"]

    def test_bind_noargs(self):
        t = tasklet(self.argtest)
        assert not t.alive
        t.bind(self.argtest)
        assert not t.alive
        with pytest.raises(RuntimeError):
            t.run()
        with pytest.raises(RuntimeError):
            t.insert()

    def test_bind_args(self):
        t = tasklet(self.argtest)
        t.bind(args=(1, 2))
        assert t.alive and t.paused
        t.insert()
        stackless.run()
        assert self.args == (1, 2) and self.kwargs == {}

    def test_bind_kwargs(self):
        t = tasklet(self.argtest)
        t.bind(kwargs={"a": 1})
        t.run()
        assert self.args == () and self.kwargs == {"a": 1}

    def test_bind_both(self):
        t = tasklet()
        assert t.bind(self.argtest, (1,), {"b": 2}) is t
        t.run()
        assert (self.args, self.kwargs) == ((1,), {"b": 2})

    def test_ctor(self):
        t = tasklet(self.argtest, (1,), {"k": 2})
        assert t.alive and t.paused
        t.insert()
        stackless.run()
        assert self.args == (1,)
        t = tasklet(func=self.argtest, args=(3,))
        t.run()
        assert self.args == (3,)
        t = tasklet(self.argtest, [1, 2])
        t.run()
        assert self.args == (1, 2)

    def test_bad_args(self):
        with pytest.raises(TypeError):
            tasklet(self.argtest, 1)
        with pytest.raises(TypeError):
            tasklet(self.argtest, (), 1)
        with pytest.raises(TypeError):
            tasklet(self.argtest, (), {}, 1)
        with pytest.raises(TypeError):
            tasklet(foo=1)

    def test_setup_alive(self):
        t = tasklet(self.task)()
        with pytest.raises(RuntimeError, match="tasklet is alive"):
            t.setup()
        with pytest.raises(RuntimeError, match="tasklet is alive"):
            t()
        stackless.run()
        t.kill()

    def test_rebind_dead(self):
        t = tasklet(self.argtest)(1)
        stackless.run()
        t.bind(self.argtest)(2)
        stackless.run()
        assert self.args == (2,)

    def test_rebind_in_loop(self):
        t = tasklet()
        for i in range(50):
            t.bind(self.argtest, (i,))
            t.run()
            assert self.args == (i,) and not t.alive

    def test_rebind_with_paused_args(self):
        t = tasklet(self.argtest, (1,))
        t.bind(self.argtest, (2,))
        t.run()
        assert self.args == (2,)

    def test_tempval_holds_func(self):
        t = tasklet(self.argtest)
        assert t.tempval == self.argtest

    def test_setup_returns_self(self):
        t = tasklet(lambda: None)
        assert t.setup() is t
        assert t.insert() is t and t.remove() is t
        t.run()


# -- aliveness
def test_states():
    c = channel()
    t = tasklet()
    S = lambda: (t.alive, t.paused, t.scheduled, t.blocked, t.restorable, t.is_current, t.is_main)  # noqa: E731
    assert S() == (False, False, False, False, True, False, False)
    t.bind(c.receive)
    assert S()[:4] == (False, False, False, False)
    t.bind(args=())
    assert S()[:4] == (True, True, False, False)
    t.insert()
    assert S()[:4] == (True, False, True, False)
    assert t.next is stackless.getmain()
    t.remove()
    assert t.next is None and t.prev is None
    t.run()
    assert S()[:4] == (True, False, True, True)
    c.send(1)
    assert S()[:4] == (False, False, False, False) and t.frame is None and t.next is None
    for name in (
        "alive",
        "paused",
        "scheduled",
        "blocked",
        "restorable",
        "is_current",
        "is_main",
        "next",
        "prev",
        "frame",
        "thread_id",
        "nesting_level",
        "recursion_depth",
        "atomic",
        "ignore_nesting",
    ):
        with pytest.raises((AttributeError, TypeError)):
            setattr(t, name, 1)
    with pytest.raises(AttributeError):
        t.foo = 1
    assert not hasattr(t, "__dict__")
    m = stackless.getmain()
    assert (
        m.alive
        and m.is_main
        and m.is_current
        and m.scheduled
        and not m.blocked
        and not m.paused
        and m.next is m
        and m.prev is m
    )
    for x in (t.alive, t.paused, t.scheduled, t.blocked, t.is_current, t.is_main, t.restorable):
        assert type(x) is bool or type(x) is int


def test_flags():
    t = stackless.getcurrent()
    assert t.set_atomic(True) == 0 and t.atomic and t.set_atomic(0) == 1 and not t.atomic
    assert t.set_ignore_nesting(1) == 0 and t.ignore_nesting and t.set_ignore_nesting(False) == 1
    for bad in ("x", None, 1.5):
        with pytest.raises(TypeError):
            t.set_atomic(bad)
        with pytest.raises(TypeError):
            t.set_ignore_nesting(bad)
        with pytest.raises(TypeError):
            t.block_trap = bad
    t.block_trap = 5
    assert t.block_trap == 1 or t.block_trap is True
    t.block_trap = 0
    with stackless.atomic():
        assert t.atomic
    assert not t.atomic
    with pytest.raises(KeyError), stackless.atomic():
        raise KeyError
    assert not t.atomic
    t.set_atomic(1)
    with stackless.atomic():
        pass
    assert t.atomic


def test_schedule_values():
    m = stackless.getcurrent()
    assert (
        stackless.schedule() is m
        and stackless.schedule(None) is None
        and stackless.schedule(5) == 5
        and stackless.schedule(retval=6) == 6
    )
    assert stackless.schedule_remove(7) == 7 and stackless.schedule_remove() is m
    r = []

    def f():
        r.append(stackless.schedule())
        r.append(stackless.schedule_remove("x"))

    t = tasklet(f)()
    stackless.run()
    assert r == [t] and t.paused
    t.run()
    assert r[1] == "x"


def test_tempval():
    r = []

    def f():
        r.append(stackless.schedule_remove())

    t = tasklet(f)()
    t.run()
    assert t.tempval is t
    t.tempval = 99
    t.run()
    assert r == [99]
    t = tasklet(f)()
    t.run()
    t.tempval = stackless.bomb(KeyError, KeyError("z"))
    with pytest.raises(KeyError):
        t.run()
    t = tasklet(f)()
    t.run()
    t.tempval = stackless.bomb(ValueError)
    with pytest.raises(ValueError):
        t.run()


def test_run_returns_tempval():
    m = stackless.getcurrent()

    def f():
        m.tempval = 42

    assert tasklet(f)().run() == 42
    assert stackless.run() is None


def test_main_tempval_none():
    assert stackless.getmain().tempval is None


def references_of_a_local():
    """What sys.getrefcount() says of what only a local variable refers to: 2, since CPython 3.14 it is 1."""
    local = object()
    return sys.getrefcount(local)


def test_refcounts():
    mine = references_of_a_local()
    t = tasklet()
    assert sys.getrefcount(t) == mine
    t = tasklet(lambda: None)
    assert sys.getrefcount(t) == mine
    t.setup()
    assert sys.getrefcount(t) == mine + 1 + PYTHON_RING
    t.remove()
    assert sys.getrefcount(t) == mine
    t.run()
    assert sys.getrefcount(t) == mine
    t = tasklet(stackless.schedule_remove)(None)
    t.run()
    assert sys.getrefcount(t) == mine
    t.insert()
    assert sys.getrefcount(t) == mine + 1 + PYTHON_RING
    t.run()
    assert sys.getrefcount(t) == mine
    c = channel()
    t = tasklet(c.receive)()
    t.run()
    assert sys.getrefcount(t) == mine + 1 + PYTHON_QUEUE
    c.send(None)
    assert sys.getrefcount(t) == mine
    t = tasklet(c.receive)()
    t.run()
    t.kill()
    assert sys.getrefcount(t) == mine


def test_refcount_frame():
    def f():
        stackless.schedule_remove(None)

    t = tasklet(f)()
    t.run()
    fr = t.frame
    assert fr.f_code is f.__code__
    base = sys.getrefcount(fr)
    del fr
    fr = t.frame
    assert sys.getrefcount(fr) == base
    t.kill()
    assert t.frame is None


def test_refcount_self_ref_in_frame():
    mine = references_of_a_local()

    def f():
        me = stackless.getcurrent()  # noqa: F841
        stackless.schedule_remove(None)

    t = tasklet(f)()
    t.run()
    assert sys.getrefcount(t) == mine + 1
    t.kill()
    assert sys.getrefcount(t) == mine


@pytest.mark.parametrize("how", ["schedule_remove", "receive", "send", "switch", "raise", "end", "kill", "select"])
def test_no_cycles(how):
    def mk():
        c = channel()
        if how == "schedule_remove":
            t = tasklet(stackless.schedule_remove)(None)
            t.run()
        elif how == "receive":
            t = tasklet(c.receive)()
            t.run()
            c.send(1)
        elif how == "send":
            t = tasklet(c.send)(1)
            t.run()
            c.receive()
        elif how == "switch":
            m = stackless.getcurrent()
            t = tasklet(lambda: m.switch())()
            t.switch()
        elif how == "raise":
            t = tasklet(lambda: 1 / 0)()
            try:
                stackless.run()
            except ZeroDivisionError:
                pass
        elif how == "end":
            t = tasklet(lambda: None)()
            stackless.run()
        elif how == "kill":
            t = tasklet(c.receive)()
            t.run()
            t.kill()
        else:
            t = tasklet(lambda: stackless.select([c.receiveCase()]))()
            t.run()
            c.send(1)
        return weakref.ref(t)

    mk()
    gc.collect()
    left = gc.collect()  # by earlier tests: what does not want to die is found again and again
    gc.disable()
    try:
        w = mk()
        stackless.run()
        assert w() is None
        n = gc.collect()
    finally:
        gc.enable()
    assert n == left


def test_nested_runs():
    done = []

    def worker():
        stackless.schedule()
        done.append(1)

    def runner():
        for _ in range(3):
            tasklet(worker)()
        stackless.run()
        assert len(done) >= 3
        assert stackless.getmain().paused
        done.append("r")

    tasklet(runner)()
    tasklet(worker)()
    stackless.run()
    assert done == [1] * 4 + ["r"]


def test_nested_run_error():
    r = []

    def bad():
        raise KeyError

    def runner():
        tasklet(bad)()
        with pytest.raises(KeyError):
            stackless.run()
        r.append(1)

    tasklet(runner)()
    stackless.run()
    assert r == [1]


def test_manual_wakeup():
    log = []
    main = stackless.getcurrent()

    def inner():
        stackless.run()
        log.append("inner")

    def waker():
        log.append("wake")
        main.run()
        log.append("after")

    t = tasklet(inner)()
    w = tasklet(waker)()  # noqa: F841
    stackless.run()
    assert log[0] == "wake"
    assert t.scheduled
    stackless.run()
    assert sorted(log) == ["after", "inner", "wake"]


def test_main_woken_by_insert():
    m = stackless.getcurrent()
    log = []

    def f():
        m.insert()
        log.append(1)
        stackless.schedule()
        log.append(2)

    tasklet(f)()
    stackless.run()
    assert log == [1]
    stackless.run()
    assert log == [1, 2]


def test_deadlock_texts():
    c = channel()
    tasklet(lambda: None)()
    with pytest.raises(RuntimeError, match="receiving"):
        c.receive()
    tasklet(lambda: None)()
    with pytest.raises(RuntimeError, match="sending"):
        c.send(1)
    c2 = channel()
    r = []

    def f():
        with pytest.raises(RuntimeError, match="Deadlock"):
            c2.receive()
        r.append(1)

    tasklet(f)()
    with pytest.raises(RuntimeError, match="receiving"):
        c.receive()
    assert r == [1] and c.balance == 0 and c2.balance == 0


def test_error_reaches_blocked_main():
    c = channel()

    def bad():
        raise ZeroDivisionError

    tasklet(stackless.schedule)()
    tasklet(bad)()
    t = tasklet(lambda: None)()  # noqa: F841
    with pytest.raises(ZeroDivisionError):
        c.receive()
    assert c.balance == 0
    stackless.run()


# -- subclasses
class CustomTasklet(tasklet):
    __slots__ = ["name"]

    def __new__(cls, func=None, name=None):
        return tasklet.__new__(cls, func)

    def __init__(self, func=None, name=None):
        tasklet.__init__(self, func)
        self.name = name

    def __reduce__(self):
        ret_type, init, state = tasklet.__reduce__(self)
        state = list(state)
        state.insert(0, self.name)
        return ret_type, init, tuple(state)

    def __setstate__(self, state):
        self.name = state[0]
        return tasklet.__setstate__(self, state[1:])


def plain(n):
    RAN.append(n)


RAN = []


def test_pickle_custom():
    t = CustomTasklet(plain, name="nm")("a")
    u = pickle.loads(pickle.dumps(t))
    t.remove()
    assert type(u) is CustomTasklet and u.name == "nm"
    u.insert()
    stackless.run()
    assert RAN == ["a"]
    RAN.clear()


def test_pickle_fresh_aliveness():
    t = tasklet(plain)("b")
    u = pickle.loads(pickle.dumps(t))
    t.remove()
    assert u.alive and not u.scheduled
    u.insert()
    stackless.run()
    assert RAN == ["b"] and not u.alive
    RAN.clear()


@pytest.mark.parametrize("proto", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_protocols(proto):
    for o in (tasklet(), tasklet(plain), tasklet(plain, (1,)), channel(), stackless.bomb(ValueError, ValueError(3))):
        n = pickle.loads(pickle.dumps(o, proto))
        assert type(n) is type(o)
    assert pickle.loads(pickle.dumps(stackless, proto)) is stackless


def test_pickle_bound_func():
    t = pickle.loads(pickle.dumps(tasklet(plain)))
    assert not t.alive
    t("q")
    stackless.run()
    assert RAN == ["q"]
    RAN.clear()


def test_pickle_dead():
    t = tasklet(plain)(1)
    stackless.run()
    RAN.clear()
    u = pickle.loads(pickle.dumps(t))
    assert not u.alive


def test_pickle_functions():
    for f in (
        stackless.run,
        stackless.schedule,
        stackless.tasklet,
        stackless.channel,
        stackless.bomb,
        TaskletExit,
        stackless.atomic,
    ):
        assert pickle.loads(pickle.dumps(f)) is f


def test_copy_all():
    assert copy.copy(stackless) is stackless and copy.deepcopy(stackless) is stackless
    b = stackless.bomb(ValueError, ValueError(3))
    n = copy.copy(b)
    assert n.type is ValueError and n.value.args == (3,)
    t = copy.copy(tasklet(plain, ("c",)))
    t.run()
    assert RAN == ["c"]
    RAN.clear()


def test_bomb_pickle_with_traceback():
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        b = stackless.bomb(*sys.exc_info())
    assert b.traceback is not None
    with contextlib.suppress(TypeError):
        pickle.dumps(b)


def test_bomb():
    b = stackless.bomb()
    assert (b.type, b.value, b.traceback) == (None, None, None)
    b = stackless.bomb(IndexError, 3)
    assert b.type is IndexError and b.value == 3
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        ei = sys.exc_info()
    b = stackless.bomb(ei)
    assert (b.type, b.value, b.traceback) == ei
    b = stackless.bomb(type=KeyError, value=1, traceback=None)
    for n in ("type", "value", "traceback"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(b, n, 1)


def test_subclass_odd_init():
    class A(tasklet):
        def __init__(self):
            pass

    a = A()
    assert not a.alive
    with pytest.raises(RuntimeError):
        a()
    a.bind(plain)("z")
    stackless.run()
    assert RAN == ["z"]
    RAN.clear()

    class B(tasklet):
        def __new__(cls, x, y):
            return tasklet.__new__(cls)

        def __init__(self, x, y):
            super().__init__(plain)
            self.x = x

    B(1, 2)("y")
    stackless.run()
    assert RAN == ["y"]
    RAN.clear()

    class C(tasklet):
        def __call__(self, *a):
            return super().__call__(*a)

        def setup(self, *a, **k):
            raise KeyError

        def insert(self):
            raise KeyError("insert")

        def run(self):
            raise KeyError

        def kill(self, *a):
            raise KeyError

    C(plain)("x")
    stackless.run()
    assert RAN == ["x"]
    RAN.clear()


def test_subclass_bind_not_called_by_init():
    class D(tasklet):
        calls = 0

        def bind(self, *a):
            D.calls += 1
            return super().bind(*a)

    D(plain)
    assert D.calls == 0


def test_subclass_del():
    log = []

    class D(tasklet):
        def __del__(self):
            log.append("del")

    def f():
        try:
            stackless.schedule_remove(None)
        except BaseException as e:
            log.append(type(e).__name__)
            raise

    t = D(f)()
    t.run()
    t = None
    gc.collect()
    assert "del" in log
    tasklet(lambda: log.append("alive"))()
    stackless.run()
    assert log[-1] == "alive"


def test_subclass_del_super():
    log = []

    class D(tasklet):
        def __del__(self):
            log.append("del")
            super().__del__()

    def f():
        try:
            stackless.schedule_remove(None)
        except TaskletExit:
            log.append("exit")
            raise

    t = D(f)()
    t.run()
    t = None
    assert log == ["del", "exit"]


def test_subclass_del_resurrect():
    keep = []

    class D(tasklet):
        def __del__(self):
            keep.append(self)

    def f():
        stackless.schedule_remove(None)
        keep.append("ran")

    t = D(f)()
    t.run()
    t = None
    assert isinstance(keep[0], D) and keep[0].alive
    keep[0].run()
    assert keep[-1] == "ran"
    keep.clear()
    gc.collect()


# -- shapes
def test_shapes():
    for cls in (tasklet, channel):
        for name in dir(cls):
            if name.startswith("__"):
                continue
            a = inspect.getattr_static(cls, name)
            assert inspect.isroutine(a) or inspect.isdatadescriptor(a), name
    for n in "run schedule schedule_remove getcurrent getmain getruncount getcurrentid getthreads get_thread_info getdebug getuncollectables switch_trap set_channel_callback get_channel_callback set_schedule_callback get_schedule_callback set_error_handler enable_softswitch pickle_flags pickle_flags_default pickle_with_tracing_state".split():
        f = getattr(stackless, n)
        assert inspect.isfunction(f) or inspect.isbuiltin(f), n
    assert inspect.isclass(stackless.atomic) and inspect.isclass(stackless.bomb) and inspect.ismodule(stackless)
    for n in "alive paused scheduled blocked is_current is_main next prev thread_id tempval frame recursion_depth nesting_level restorable block_trap atomic ignore_nesting".split():
        assert inspect.isdatadescriptor(getattr(tasklet, n)), n
    for n in "closing closed balance queue preference schedule_all".split():
        assert inspect.isdatadescriptor(getattr(channel, n)), n
    assert tasklet.__name__ == "tasklet" and channel.__name__ == "channel"
    for n in "insert remove run switch raise_exception throw kill set_atomic set_ignore_nesting bind setup bind_thread __call__ __reduce__ __setstate__".split():
        assert inspect.isroutine(getattr(tasklet, n)), n


def test_module_props():
    m = stackless.getmain()
    assert (
        stackless.current is m and stackless.main is m and stackless.runcount == 1 and stackless.stackless is stackless
    )
    assert stackless.debug in (True, False) and stackless.getdebug() in (True, False)
    assert type(stackless.uncollectables) is list and type(stackless.getuncollectables()) is list
    assert stackless.threads == stackless.getthreads() and stackless.threads[0] == threading.get_ident()
    assert stackless.getcurrentid() == threading.get_ident()
    r = []

    def f():
        r.append(stackless.getcurrentid())

    a, b = tasklet(f)(), tasklet(f)()  # noqa: F841
    stackless.run()
    assert len(set(r)) == 2 and all(type(x) is int for x in r)
    for n in ("current", "main", "runcount", "threads"):
        with pytest.raises(AttributeError):
            setattr(stackless, n, 1)
    assert (
        stackless.get_thread_info(-1)
        == stackless.get_thread_info()
        == (m, m, 1)
        == stackless.get_thread_info(threading.get_ident())
    )
    with pytest.raises(RuntimeError, match="Thread id not found"):
        stackless.get_thread_info(1)


def test_pickle_flags():
    old = stackless.pickle_flags(), stackless.pickle_flags_default()
    try:
        for i in range(3):
            stackless.pickle_flags(1 << i)
            assert stackless.pickle_flags() == 1 << i
            stackless.pickle_flags_default(1 << i)
            assert stackless.pickle_flags_default() == 1 << i
        for bad in (8, 1 << 20, -2):
            with pytest.raises(ValueError):
                stackless.pickle_flags(bad)
            with pytest.raises(ValueError):
                stackless.pickle_flags_default(bad)
        stackless.pickle_flags(0)
        stackless.pickle_flags(7, 2)
        assert stackless.pickle_flags() == 2
        stackless.pickle_flags_default(1)
        r = []
        th = threading.Thread(target=lambda: r.append(stackless.pickle_flags()))
        th.start()
        th.join()
        assert r == [1]
        with pytest.raises(TypeError):
            stackless.pickle_flags("x")
    finally:
        stackless.pickle_flags(old[0])
        stackless.pickle_flags_default(old[1])


def test_softswitch():
    assert stackless.enable_softswitch(None) in (True, False)
    stackless.enable_softswitch(stackless.enable_softswitch(True))


def test_weakrefs():
    d = weakref.WeakKeyDictionary()
    t = tasklet(lambda: None)
    d[t] = 1
    p = weakref.proxy(t)
    assert not p.alive
    del t
    assert not d
    m = weakref.ref(stackless.getmain())
    assert m() is stackless.getcurrent()
    log = []
    t = tasklet(stackless.schedule_remove)(None)
    w = weakref.ref(t, lambda r: log.append(1))  # noqa: F841
    stackless.run()
    t = None
    assert log == [1]


def test_schedule_callback():
    log = []
    assert stackless.set_schedule_callback(lambda a, b: log.append((a, b, stackless.getcurrent()))) is None
    m = stackless.getcurrent()
    t = tasklet(lambda: stackless.schedule())()
    stackless.run()
    stackless.set_schedule_callback(None)
    assert log[0] == (m, t, m) and log[-1] == (t, m, t) and all(a and b for a, b, _ in log)
    with pytest.raises(TypeError):
        stackless.set_schedule_callback(1)
    f = lambda *a: None  # noqa: E731
    stackless.set_schedule_callback(f)
    assert stackless.get_schedule_callback() is f
    assert stackless.set_schedule_callback(None) is f


def test_exc_info_isolated():
    r = []

    def f():
        r.append(sys.exc_info())
        stackless.schedule()
        r.append(sys.exc_info())
        raise KeyError

    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        tasklet(f)()
        stackless.schedule()
        assert sys.exc_info()[0] is ZeroDivisionError
        with pytest.raises(KeyError) as ei:
            stackless.run()
        assert sys.exc_info()[0] is ZeroDivisionError
    assert r == [(None,) * 3] * 2
    assert ei.value.__context__ is None


def test_exc_info_interleaved():
    r = []

    def f(e):
        try:
            raise e
        except e:
            stackless.schedule()
            r.append(sys.exc_info()[0] is e)
        r.append(sys.exc_info()[0] is None)

    for e in (KeyError, ValueError, OSError):
        tasklet(f)(e)
    stackless.run()
    assert r and all(r)


def test_generators():
    def g():
        for i in range(3):
            stackless.schedule()
            yield i

    r = []

    def f():
        r.extend(g())

    tasklet(f)()
    tasklet(f)()
    stackless.run()
    assert sorted(r) == [0, 0, 1, 1, 2, 2]
    it = g()
    tasklet(lambda: next(it))().run()
    with pytest.raises(ValueError):
        next(it)
    stackless.run()
    assert next(it) == 1


def test_generator_finalized_in_tasklet():
    log = []

    def g():
        try:
            yield 1
        finally:
            log.append(stackless.getcurrent())

    def f():
        it = g()
        next(it)

    t = tasklet(f)()
    stackless.run()
    assert log == [t]


def test_kill_in_generator():
    log = []

    def g():
        try:
            yield stackless.schedule_remove(None)
        finally:
            log.append("fin")

    t = tasklet(lambda: list(g()))()
    t.run()
    t.kill()
    assert log == ["fin"]


def test_frame_clear_and_inspect():
    def f():
        x = 5  # noqa: F841
        stackless.schedule_remove(None)

    t = tasklet(f)()
    t.run()
    with pytest.raises(RuntimeError):
        t.frame.clear()
    assert t.frame.f_locals["x"] == 5 and t.frame.f_code.co_name == "f" and t.frame.f_lineno
    assert traceback.extract_stack(t.frame)[-1].name == "f"
    t.kill()


def test_frame_current():
    assert stackless.getcurrent().frame is sys._getframe()


def test_recursion():
    class A:
        pass

    A.__call__ = A()
    with pytest.raises(RecursionError):
        A()()
    r = []

    def deep(n):
        return deep(n + 1)

    def f():
        with pytest.raises(RecursionError):
            deep(0)
        r.append(1)

    tasklet(f)()
    stackless.run()
    assert r


def test_recursion_depth():
    def f(n):
        if n:
            return f(n - 1)
        stackless.schedule_remove(None)

    t = tasklet(f)(10)
    assert t.recursion_depth == 0
    t.run()
    assert t.recursion_depth >= 10
    t.run()
    assert t.recursion_depth == 0
    assert stackless.getcurrent().recursion_depth > 0


def test_uncollectables():
    t = tasklet(stackless.schedule_remove)(None)
    t.run()
    assert t in stackless.getuncollectables()
    t.kill()
    assert t not in stackless.getuncollectables()


def test_zombie_resurrected_by_finally():
    keep = []

    def f():
        try:
            stackless.schedule_remove(None)
        finally:
            keep.append(stackless.getcurrent())

    t = tasklet(f)()
    t.run()
    t = None
    assert keep and not keep[0].alive


def test_stubborn_tasklet():
    n = []

    def f():
        while len(n) < 3:
            try:
                stackless.schedule_remove(None)
            except TaskletExit:
                n.append(1)

    t = tasklet(f)()
    t.run()
    t = None
    assert len(n) == 3


def test_delete_tempval():
    t = tasklet(lambda: None)()
    del t.tempval
    stackless.run()
    assert not t.alive and t.tempval is None


def test_dict_of_args_not_shared():
    d = {"a": 1}
    r = []
    t = tasklet(lambda **k: r.append(k)).bind(kwargs=d)
    d["a"] = 2
    t.run()
    assert r == [{"a": 1}]
