"""Stackless's own tests of its channels, as remembered: what its users lean on."""

import copy
import pickle
import sys
import threading
import traceback
import weakref

import pytest
import stackless
from stackless import TaskletExit, channel, tasklet

pytestmark = pytest.mark.usefixtures("leftovers")


@pytest.fixture(params=[-1, 0, 1])
def pref(request):
    return request.param


def test_send_blocks_sender():
    c = channel()
    t = tasklet(c.send)("hi")
    t.run()
    assert c.balance == 1 and c.queue is t and t.blocked and t.scheduled and not t.paused
    assert c.receive() == "hi"
    assert not t.blocked


def test_receive_blocks_receiver():
    c = channel()
    got = []
    t = tasklet(lambda: got.append(c.receive()))()
    t.run()
    assert c.balance == -1 and c.queue is t
    c.send(5)
    assert got == [5]
    assert c.balance == 0 and c.queue is None


def test_main_cannot_block():
    c = channel()
    with pytest.raises(RuntimeError, match="Deadlock"):
        c.receive()
    with pytest.raises(RuntimeError, match="Deadlock"):
        c.send(1)
    assert c.balance == 0


def test_block_trap_both():
    c = channel()

    def f(op, *a):
        stackless.getcurrent().block_trap = True
        with pytest.raises(RuntimeError, match="does not like to be blocked"):
            op(*a)
        stackless.getcurrent().block_trap = False
        done.append(1)

    done = []
    tasklet(f)(c.send, 1).run()
    tasklet(f)(c.receive).run()
    assert done == [1, 1]


def test_block_trap_main_over_deadlock():
    c = channel()
    stackless.getmain().block_trap = True
    with pytest.raises(RuntimeError, match="does not like to be blocked"):
        c.receive()


def test_block_trap_over_close():
    c = channel()
    c.close()
    stackless.getmain().block_trap = True
    with pytest.raises(RuntimeError):
        c.receive()


def test_ready_peer_with_block_trap():
    c = channel()
    t = tasklet(c.send)(3)
    t.run()
    stackless.getmain().block_trap = True
    assert c.receive() == 3


@pytest.mark.parametrize("how", ["send_exception", "send_throw", "send_throw_inst", "send_throw_tuple", "send_bomb"])
def test_errors_travel(how):
    c = channel()
    got = []

    def rx():
        try:
            c.receive()
        except ValueError as e:
            got.append(e.args)

    t = tasklet(rx)()
    t.run()
    if how == "send_exception":
        c.send_exception(ValueError, 1, 2)
    elif how == "send_throw":
        c.send_throw(ValueError, 1)
    elif how == "send_throw_inst":
        c.send_throw(ValueError(1, 2))
    elif how == "send_throw_tuple":
        c.send_throw(ValueError, (1, 2))
    else:
        c.send(stackless.bomb(ValueError, ValueError(1, 2)))
    assert got == [(1,)] if how == "send_throw" else got == [(1, 2)]


def test_send_exception_type_errors():
    c = channel()
    for bad in (1, "x", object, ValueError(), None):
        with pytest.raises(TypeError):
            c.send_exception(bad)
    for bad in (1, "x", object, None):
        with pytest.raises(TypeError):
            c.send_throw(bad)
    with pytest.raises(TypeError):
        c.send_throw(ValueError(1), 2)
    with pytest.raises(TypeError):
        c.send_throw(ValueError, 1, "tb")
    with pytest.raises(TypeError):
        c.send_throw()
    with pytest.raises(TypeError):
        c.send()
    with pytest.raises(TypeError):
        c.receive(1)


def test_send_throw_none_value_is_deferred():
    c = channel()
    got = []

    def rx():
        with pytest.raises(IndexError):
            c.receive()
        got.append(1)

    tasklet(rx)().run()
    c.send_throw(IndexError, None, None)
    assert got


def test_send_throw_keeps_traceback():
    c = channel()

    def bad():
        raise ZeroDivisionError

    def tx():
        try:
            bad()
        except ZeroDivisionError:
            c.send_throw(*sys.exc_info())

    tasklet(tx)()
    try:
        c.receive()
    except ZeroDivisionError:
        names = [f.name for f in traceback.extract_tb(sys.exc_info()[2])]
    assert names[-1] == "bad" or "bad" in names


def test_send_throw_tb_kept_as_passed():
    c = channel()
    tb = None  # noqa: F841
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        exc = sys.exc_info()

    def rx():
        try:
            c.receive()
        except ZeroDivisionError as e:
            x = e.__traceback__
            while x.tb_next:
                x = x.tb_next
            res.append(x is exc[2])

    res = []
    tasklet(rx)().run()
    c.send_throw(*exc)
    assert res == [True]
    stackless.run()


def test_send_sequence():
    c = channel()
    got = []

    def rx():
        for _ in range(5):
            got.append(c.receive())

    tasklet(rx)()
    assert c.send_sequence(range(5)) == 5
    assert got == list(range(5))
    with pytest.raises(TypeError):
        c.send_sequence(1)


def test_send_sequence_error_in_iterator():
    c = channel()
    got = []

    def gen():
        yield 1
        raise KeyError

    def rx():
        while 1:
            got.append(c.receive())

    t = tasklet(rx)()
    with pytest.raises(KeyError):
        c.send_sequence(gen())
    assert got == [1]
    t.kill()


def test_iteration_until_close():
    c = channel()
    got = []

    def rx():
        for v in c:
            got.append(v)
        got.append("end")

    t = tasklet(rx)()
    t.run()
    for i in range(3):
        c.send(i)
    c.close()
    assert t.blocked  # close() wakes nobody
    c.send_exception(StopIteration)
    stackless.run()
    assert got == [0, 1, 2, "end"]


def test_iteration_drains_senders_after_close():
    c = channel()
    for i in range(3):
        tasklet(c.send)(i)
    stackless.run()
    c.close()
    assert c.closing and not c.closed
    assert list(c) == [0, 1, 2]
    assert c.closed
    with pytest.raises(ValueError):
        c.receive()
    with pytest.raises(ValueError):
        c.send(1)
    assert next(c, "done") == "done"
    c.open()
    assert not c.closing and not c.closed
    with pytest.raises(RuntimeError):
        c.receive()


def test_iter_is_self():
    c = channel()
    assert iter(c) is c


def test_closing_receiver_served():
    c = channel()
    got = []
    tasklet(lambda: got.append(c.receive()))().run()
    c.close()
    c.send(1)
    assert got == [1]
    with pytest.raises(ValueError):
        c.send_sequence([1])


def test_stopiteration_from_receive():
    c = channel()
    tasklet(c.send_exception)(StopIteration, 7)
    with pytest.raises(StopIteration):
        c.receive()


def test_attributes_set():
    c = channel()
    assert (c.preference, c.schedule_all, c.closing, c.closed, c.balance, c.queue) == (-1, 0, False, False, 0, None)
    c.preference = 10
    assert c.preference == 1
    c.preference = -10
    assert c.preference == -1
    c.preference = 0
    assert c.preference == 0
    c.schedule_all = 5
    assert c.schedule_all == 1
    c.schedule_all = False
    assert c.schedule_all == 0
    for bad in ("x", None, 1.5):
        with pytest.raises(TypeError, match="must be set to an integer"):
            c.preference = bad
        with pytest.raises(TypeError, match="must be set to an integer"):
            c.schedule_all = bad
    for name in ("closing", "closed", "balance", "queue"):
        with pytest.raises((AttributeError, TypeError)):
            setattr(c, name, 1)
    for name in ("preference", "schedule_all", "closing", "balance"):
        with pytest.raises((AttributeError, TypeError)):
            delattr(c, name)
    with pytest.raises(AttributeError):
        c.foo = 1
    assert not hasattr(c, "__dict__")


def test_order(pref):
    c = channel()
    c.preference = pref
    log = []

    def s():
        log.append("s>")
        c.send(1)
        log.append("s<")

    def r():
        log.append("r>")
        c.receive()
        log.append("r<")

    def o(n):
        log.append(n)

    tasklet(r)()
    tasklet(s)()
    tasklet(o)("o1")
    tasklet(o)("o2")
    stackless.run()
    assert " ".join(log) == {-1: "r> s> r< o1 o2 s<", 0: "r> s> s< o1 o2 r<", 1: "r> s> s< o1 o2 r<"}[pref]


def test_order_schedule_all(pref):
    c = channel()
    c.preference = pref
    c.schedule_all = 1
    log = []

    def s():
        log.append("s>")
        c.send(1)
        log.append("s<")

    def r():
        log.append("r>")
        c.receive()
        log.append("r<")

    def o(n):
        log.append(n)

    tasklet(s)()
    tasklet(r)()
    tasklet(o)("o1")
    tasklet(o)("o2")
    stackless.run()
    assert " ".join(log) == "s> r> o1 o2 s< r<"


def test_queue_walk():
    c = channel()
    ts = [tasklet(c.receive)() for _ in range(4)]
    stackless.run()
    walk, t = [], c.queue
    while t:
        walk.append(t)
        t = t.next
    assert walk == ts and c.queue.prev is None and ts[-1].prev is ts[-2]
    for i in range(4):
        c.send(i)


def test_kill_middle_of_queue():
    c = channel()
    ts = [tasklet(c.receive)() for _ in range(3)]
    stackless.run()
    ts[1].kill()
    assert c.balance == -2 and ts[0].next is ts[2]
    c.send(0)
    c.send(0)
    assert c.balance == 0


class Sub(channel):
    def __init__(self, a, b="foo"):
        self.a, self.b = a, b


class SubNew(channel):
    def __new__(cls, a):
        return channel.__new__(cls, a, x=1)

    def __init__(self, a):
        channel.__init__(self)
        self.a = a


def test_subclass_init():
    s = Sub(1, b=2)
    assert (s.a, s.b) == (1, 2)
    with pytest.raises(TypeError):
        Sub()
    n = SubNew(3)
    assert n.a == 3 and n.balance == 0
    tasklet(n.send)(9)
    assert n.receive() == 9


def test_subclass_without_super():
    class C(channel):
        def __init__(self):
            self.x = 1

        def send(self, v):
            channel.send(self, v * 2)

        def receive(self):
            return super().receive() + 1

    c = C()
    tasklet(c.send)(4)
    assert c.receive() == 9


def test_channel_weakref_and_dealloc():
    c = channel()
    w = weakref.ref(c)
    del c
    assert w() is None


def test_dealloc_with_waiter_kills():
    log = []

    def f(c):
        try:
            c.receive()
        except TaskletExit:
            log.append("exit")
            raise
        finally:
            log.append("fin")

    c = channel()
    t = tasklet(f)(c)
    t.run()
    w = weakref.ref(t)
    t.kill()
    assert log == ["exit", "fin"] and not t.alive
    del t
    assert w() is None


def test_refcount_channel():
    c = channel()
    base = sys.getrefcount(c)
    t = tasklet(c.receive)()
    stackless.run()
    c.send(1)
    del t
    assert sys.getrefcount(c) == base
    t = tasklet(c.send)(None)
    stackless.run()
    t.kill()
    del t
    assert sys.getrefcount(c) == base


def test_refcount_value():
    c = channel()
    v = object()
    base = sys.getrefcount(v)
    t = tasklet(c.send)(v)
    stackless.run()
    assert c.receive() is v
    stackless.run()
    del t
    assert sys.getrefcount(v) == base
    t = tasklet(lambda: [c.receive(), stackless.schedule(None)])()
    t.run()
    c.send(v)
    stackless.run()
    del t
    assert sys.getrefcount(v) == base


def test_callback_args_and_settings():
    log = []

    def cb(ch, task, sending, willblock):
        log.append((ch, task, sending, willblock, task.tempval))

    assert stackless.set_channel_callback(cb) is None and stackless.get_channel_callback() is cb
    c = channel()
    t = tasklet(c.send)(77)
    t.run()
    assert log == [(c, t, 1, 1, 77)]
    m = stackless.getcurrent()
    assert c.receive() == 77
    assert log[1][:4] == (c, m, 0, 0)
    assert stackless.set_channel_callback(None) is cb and stackless.get_channel_callback() is None
    for bad in (1, "x"):
        with pytest.raises(TypeError):
            stackless.set_channel_callback(bad)


def test_callback_exception_reaches_caller():
    def cb(*a):
        raise KeyError("cb")

    c = channel()
    stackless.set_channel_callback(cb)
    with pytest.raises(KeyError):
        c.send(1)
    stackless.set_channel_callback(None)
    assert c.balance == 0


def test_callback_recursion():
    c = channel()
    d = channel()
    res = []

    def cb(ch, *a):
        if ch is c:
            with pytest.raises(RuntimeError, match="Recursive"):
                d.send(1)
            res.append(1)

    t = tasklet(c.receive)()
    t.run()
    stackless.set_channel_callback(cb)
    c.send(2)
    assert res == [1]


def test_interthread_ping():
    cmd = channel()
    got = []

    def master():
        for x in ("1", "2", "3", "QUIT"):
            cmd.send(x)

    def slave():
        while 1:
            x = cmd.receive()
            got.append(x)
            if x == "QUIT":
                break

    def runner(f):
        t = tasklet(f)()
        while t.alive:
            stackless.run()

    th = threading.Thread(target=runner, args=(master,))
    th.start()
    runner(slave)
    th.join(5)
    assert not th.is_alive() and got == ["1", "2", "3", "QUIT"]


def test_interthread_main_to_main():
    c = channel()
    r = []
    th = threading.Thread(target=lambda: r.append(c.receive()))
    th.start()
    c.send(4)
    th.join(5)
    assert r == [4]


def test_interthread_balance_visible():
    c = channel()
    ev = threading.Event()
    r = []  # noqa: F841

    def f():
        t = tasklet(c.receive)()  # noqa: F841
        stackless.run()
        ev.set()

    th = threading.Thread(target=f)
    th.start()
    ev.wait(5)
    th.join(5)
    assert c.balance == 0  # the thread's end killed its tasklet


def test_pickle_and_copy():
    c = channel()
    c.preference = 1
    c.schedule_all = 1
    c.close()
    for d in (pickle.loads(pickle.dumps(c)), copy.copy(c), copy.deepcopy(c)):
        assert (
            type(d) is channel
            and d is not c
            and (d.preference, d.schedule_all, d.closing, d.balance) == (1, 1, True, 0)
        )
    r = c.__reduce__()
    assert r[0] is channel and r[1] == ()
