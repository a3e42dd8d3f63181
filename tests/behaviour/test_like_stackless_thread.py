"""Stackless's own tests of its threads, as remembered: what its users lean on."""

import gc
import sys
import threading
import time

import pytest
import stackless
from stackless import TaskletExit, channel, tasklet


class Linger(threading.Thread):
    """Runs target, then waits (or schedules) until told to stop."""

    schedules = False

    def __init__(self, target):
        super().__init__(daemon=True)
        self.f = target
        self.ready = threading.Event()
        self.stop = threading.Event()
        self.err = None

    def run(self):
        try:
            self.result = self.f()
            self.ready.set()
            while not self.stop.is_set():
                if self.schedules:
                    stackless.run()
                self.stop.wait(0.002)
            self.result = None
        except BaseException as e:
            self.err = e

    def __enter__(self):
        self.start()
        assert self.ready.wait(5)
        return self

    def __exit__(self, *a):
        self.f = None
        self.stop.set()
        self.join(5)
        assert not self.is_alive()


class Sched(Linger):
    schedules = True


def until(f, t=3):
    end = time.time() + t
    while not f():
        assert time.time() < end
        time.sleep(0.002)


def suspended(log=None):
    def f():
        try:
            stackless.schedule_remove(None)
        except BaseException as e:
            if log is not None:
                log.append(type(e))
            raise
        if log is not None:
            log.append("ran")

    t = tasklet(f)()
    t.run()
    return t


def test_thread_ids():
    with Linger(lambda: tasklet(lambda: None)) as th:
        t = th.result
        assert t.thread_id == th.ident != stackless.getcurrent().thread_id
        m, c, n = stackless.get_thread_info(th.ident)
        assert m is c and m.is_main and n == 1 and m.thread_id == th.ident
        assert th.ident in stackless.threads and stackless.threads[0] == threading.get_ident()
        assert m.is_current
        mine = stackless.getmain()  # noqa: F841
        del m, c
    assert t.thread_id == -1


def test_remote_runcount_balance():
    before = stackless.getruncount()
    with Linger(lambda: tasklet(lambda: None)()) as th:
        t = th.result
        assert stackless.getruncount() == before and stackless.get_thread_info(th.ident)[2] == 2
        t.remove()
        assert stackless.getruncount() == before and stackless.get_thread_info(th.ident)[2] == 1
        t.insert()
        assert stackless.getruncount() == before and stackless.get_thread_info(th.ident)[2] == 2
        t.remove()


@pytest.mark.parametrize("how", ["insert", "run", "throw", "pending", "kill", "raise_exception"])
def test_remote_operations(how):
    log = []
    with Sched(lambda: suspended(log)) as th:
        t = th.result
        if how == "insert":
            t.insert()
        elif how == "run":
            t.run()
        elif how == "throw":
            t.throw(TaskletExit)
        elif how == "pending":
            t.throw(TaskletExit, pending=True)
        elif how == "kill":
            t.kill()
        else:
            t.raise_exception(TaskletExit)
        until(lambda: not t.alive)
        assert log == (["ran"] if how in ("insert", "run") else [TaskletExit])


def test_remote_switch_refused():
    with Linger(suspended) as th:
        with pytest.raises(RuntimeError, match="different thread"):
            th.result.switch()
        assert th.result.paused


def test_remote_setup():
    log = []
    with Sched(lambda: tasklet(lambda: log.append(threading.get_ident()))) as th:
        th.result.setup()
        until(lambda: log)
        assert log == [th.ident]


def test_bind_thread_here():
    log = []
    with Linger(lambda: tasklet(lambda: log.append(threading.get_ident()))) as th:
        t = th.result
        t.bind_thread()
        assert t.thread_id == threading.get_ident()
        t()
        stackless.run()
        assert log == [threading.get_ident()]


def test_bind_thread_there():
    log = []
    with Sched(lambda: None) as th:
        t = tasklet(lambda: log.append(threading.get_ident()))
        t.bind_thread(th.ident)
        assert t.thread_id == th.ident
        t()
        until(lambda: log)
        assert log == [th.ident]
        t = tasklet(lambda: log.append(2), ())
        t.bind_thread(th.ident)
        assert t.alive and t.paused
        t.insert()
        until(lambda: len(log) == 2)


def test_bind_thread_errors():
    for bad in ("x", 1.5):
        with pytest.raises(TypeError):
            tasklet().bind_thread(bad)
    with pytest.raises(OverflowError):
        tasklet().bind_thread(-2)
    with pytest.raises(ValueError):
        tasklet().bind_thread(1)
    t = tasklet(lambda: None)()
    with pytest.raises(RuntimeError, match="runnable"):
        t.bind_thread()
    t.run()
    t.bind_thread()
    t = suspended()
    with pytest.raises(RuntimeError, match="C state"):
        t.bind_thread()
    t.kill()
    with pytest.raises(RuntimeError):
        stackless.getcurrent().bind_thread()
    tasklet().bind_thread()
    tasklet().bind_thread(-1)
    tasklet().bind_thread(threading.get_ident())


def test_bind_foreign_started():
    with Linger(suspended) as th:
        with pytest.raises(RuntimeError, match="C state"):
            th.result.bind_thread()
        with pytest.raises(RuntimeError, match="C state"):
            th.result.bind(None)


def test_dead_thread_tasklets():
    log = []
    with Linger(
        lambda: (suspended(log), tasklet(lambda: None)(), tasklet(lambda: None), tasklet(lambda: None, ()), tasklet())
    ) as th:
        ts = th.result
    assert log == [TaskletExit]
    for i, t in enumerate(ts):
        assert not t.alive and t.thread_id == -1 and t.frame is None and not t.blocked and not t.paused, i
        assert not t.is_current and not t.is_main and not t.scheduled, i
        assert t.next is None and t.prev is None, i
        for f in (t.run, t.switch, t.insert):
            with pytest.raises(RuntimeError):
                f()
        t.remove()
        t.kill()
        t.kill(pending=True)
        with pytest.raises(RuntimeError):
            t.throw(ValueError)
        assert (t.nesting_level, t.recursion_depth, t.restorable) is not None
    with pytest.raises(RuntimeError, match="thread"):
        ts[2]()
    t = ts[4]
    t.bind_thread()
    t.bind(lambda: log.append(1))()
    stackless.run()
    assert log[-1] == 1
    t = ts[2]
    t.bind_thread()
    assert t.thread_id == threading.get_ident()
    t = ts[0]
    t.bind_thread()
    t.bind(lambda: log.append(2))()
    stackless.run()
    assert log[-1] == 2


def test_dead_thread_main():
    with Linger(stackless.getmain) as th:
        m = th.result
    assert m.thread_id == -1 and not m.alive and m.is_main in (True, False)


def test_dead_thread_blocked_tasklet_leaves_channel():
    c = channel()

    def f():
        t = tasklet(c.receive)()
        t.run()
        return t

    with Linger(f) as th:
        t = th.result
        assert c.balance == -1
    assert c.balance == 0 and c.queue is None and not t.blocked


def test_remote_blocked_kill():
    c = channel()
    log = []

    def rx():
        try:
            c.receive()
        except TaskletExit:
            log.append(threading.get_ident())
            raise

    def f():
        t = tasklet(rx)()
        t.run()
        return t

    with Sched(f) as th:
        t = th.result
        t.kill()
        until(lambda: not t.alive)
        assert log == [th.ident] and c.balance == 0


def test_channel_wakes_threads():
    c = channel()
    d = channel()

    def echo():
        for v in c:
            d.send(v * 2)

    th = threading.Thread(target=echo, daemon=True)
    th.start()
    for i in range(20):
        c.send(i)
        assert d.receive() == 2 * i
    c.send_exception(StopIteration)
    th.join(5)
    assert not th.is_alive()


def test_error_in_foreign_thread_stays_there():
    def f():
        tasklet(lambda: 1 / 0)()
        try:
            stackless.run()
        except ZeroDivisionError:
            return "ok"

    with Linger(f) as th:
        assert th.result == "ok"


def test_thread_end_finally_runs_in_thread():
    log = []

    def g():
        try:
            stackless.schedule_remove(None)
        finally:
            log.append(threading.get_ident())

    def f():
        global KEEP
        KEEP = tasklet(g)()
        KEEP.run()
        return threading.get_ident()

    with Linger(f) as th:
        i = th.ident
    assert log == [i] and not KEEP.alive


def test_forgotten_in_other_thread():
    log = []
    with Sched(lambda: suspended(log)) as th:
        th.result = None
        gc.collect()
        until(lambda: log == [TaskletExit])


def test_forgotten_by_foreign_thread():
    log = []
    box = []

    def f():
        box.append(suspended(log))

    with Sched(f) as th:  # noqa: F841
        box.clear()
        gc.collect()
        until(lambda: log == [TaskletExit])


def test_remote_kill_waits_with_idle_thread():
    """A thread whose main blocks on a channel is woken by a remote insert."""
    c = channel()
    log = []

    def f():
        t = tasklet(lambda: log.append(1)).bind(args=())
        box.append(t)
        ev.set()
        c.receive()

    box = []
    ev = threading.Event()
    th = threading.Thread(target=f, daemon=True)
    th.start()
    ev.wait(5)
    time.sleep(0.02)
    box[0].insert()
    until(lambda: log)
    c.send(None)
    th.join(5)
    assert not th.is_alive()


def test_many_threads():
    n = []

    def f():
        c = channel()
        for i in range(50):
            tasklet(c.send)(i)
        n.append(sum(c.receive() for _ in range(50)))

    ts = [threading.Thread(target=f) for _ in range(10)]
    for t in ts:
        t.start()
    for t in ts:
        t.join(10)
    assert n == [1225] * 10


def test_refcount_remote():
    with Sched(lambda: suspended()) as th:
        t = th.result
        th.result = None
        time.sleep(0.01)
        assert sys.getrefcount(t) == 2
        t.insert()
        until(lambda: not t.alive)
        time.sleep(0.02)
        assert sys.getrefcount(t) == 2
