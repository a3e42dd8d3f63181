"""Tests of Go's own libraries about channels and select: those of runtime, reflect and time.

The names are those of the Go tests.  Every one is told anew, with the scenario and the checks of the original; counts
that are meant to catch races between processors are smaller.  Where a Go test just leaves its goroutines waiting, this
one asks for `leftovers`.
"""

from __future__ import annotations

import gc
import math
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
import stackless
from gochan import ClosedError, after, chan, close, go, nil, tick
from select_proto import DEFAULT, MOST_CASES, RECEIVE, SEND, select
from stackless import run, schedule

ASLEEP = "all goroutines are asleep - deadlock!"


def poll(*cases: Any) -> Any:
    """A select with a default."""
    return select(cases, default=True)


def use_stack(depth: int) -> int:
    return use_stack(depth - 1) + 1 if depth else 0


# -- runtime/chan_test.go ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", range(20))
def test_runtime_TestChan(cap):
    """runtime/chan_test.go, TestChan: blocking, close, order and completeness for every size of the buffer."""
    # Receives from an empty channel block, polling ones do not.
    c = chan(cap)
    got = []
    go(lambda: got.append(c.receive()))
    go(lambda: got.append(c.receive_ok()))
    run()
    assert not got
    assert poll(c.receiveCase()) is DEFAULT
    c.send(0)
    c.send(0)
    run()
    assert got == [0, (0, True)]
    # Sends to a full channel block, polling ones do not.
    c = chan(cap)
    for i in range(cap):
        c.send(i)
    t = go(c.send, 0)
    run()
    assert t.blocked
    assert poll(c.sendCase(0)) is DEFAULT
    c.receive()
    run()
    assert not t.alive
    # From a closed channel comes what is buffered, and then nothing.
    c = chan(cap)
    for i in range(cap):
        c.send(i)
    close(c)
    assert [c.receive() for _ in range(cap)] == list(range(cap))
    assert c.receive() is None
    assert c.receive_ok() == (None, False)
    # Close unblocks a receive.
    c, done = chan(cap), chan()
    go(lambda: done.send(c.receive_ok() == (None, False)))
    run()
    close(c)
    assert done.receive()
    # 100 values in order, by both ways to receive.
    c = chan(cap)
    for receive in (lambda: (c.receive(), True), c.receive_ok):
        go(lambda: [c.send(i) for i in range(100)])
        assert [receive() for _ in range(100)] == [(i, True) for i in range(100)]
    run()
    # Four senders, four receivers: everything arrives.
    senders, length = 4, 100
    totals: dict[int, int] = {}

    def receiver():
        for _ in range(length):
            v = c.receive()
            totals[v] = totals.get(v, 0) + 1
        done.send(True)

    for _ in range(senders):
        go(lambda: [c.send(i) for i in range(length)])
        go(receiver)
    for _ in range(senders):
        done.receive()
    assert totals == dict.fromkeys(range(length), senders)
    # len and cap.
    c = chan(cap)
    assert (len(c), c.cap) == (0, cap)
    for i in range(cap):
        c.send(i)
    assert (len(c), c.cap) == (cap, cap)
    run()


def test_runtime_TestNonblockRecvRace():
    """runtime/chan_test.go, TestNonblockRecvRace: a poll of a channel with a value, that is being closed, is ready."""
    for turns in (0, 1):
        for _ in range(100):
            c = chan(1)
            c.send(1)
            results = []
            go(lambda c=c, results=results: results.append(poll(c.receiveCase())))
            for _ in range(turns):
                schedule()
            close(c)
            c.receive()
            run()
            assert results[0] is not DEFAULT


@pytest.mark.parametrize("then", ["send", "close"])
@pytest.mark.parametrize("turn", range(3))
def test_runtime_TestNonblockSelectRace(then, turn):
    """runtime/chan_test.go, TestNonblockSelectRace and TestNonblockSelectRace2: at each moment one of two is ready."""
    done = chan(1)
    for _ in range(200):
        c1, c2 = chan(1), chan(1 if then == "send" else 0)
        c1.send(1)
        go(lambda c1=c1, c2=c2: done.send(poll(c1.receiveCase(), c2.receiveCase()) is not DEFAULT))
        if turn == 1:
            schedule()
        if then == "send":
            c2.send(1)
        else:
            close(c2)
        if turn == 2:
            schedule()
        poll(c1.receiveCase())
        assert done.receive()
    run()


@pytest.mark.parametrize("cap", [0, 10])
def test_runtime_TestSelfSelect(cap):
    """runtime/chan_test.go, TestSelfSelect: two that send and receive on one channel in one select, in either order."""
    c = chan(cap)
    finished = []

    def f(p):
        for i in range(1000):
            cases = [c.sendCase(p), c.receiveCase()]
            if p and i % 2:
                cases.reverse()
            r = select(cases)
            assert r.direction == SEND or cap or r.value != p, "self receive"
        finished.append(p)

    go(f, 0)
    go(f, 1)
    run()
    assert sorted(finished) == [0, 1]
    assert c.balance == 0


def test_runtime_TestSelectStress():
    """runtime/chan_test.go, TestSelectStress: ten goroutines, plain and selecting, on four channels; nobody is left."""
    n = 1000
    c = [chan(), chan(), chan(2), chan(3)]
    order = [3, 2, 0, 1]
    finished = 0

    def plain(operation):
        nonlocal finished
        for _ in range(n):
            operation()
        finished += 1

    def selecting(make, order):
        nonlocal finished
        mine, counts = list(c), [0] * 4
        for _ in range(4 * n):
            k = order[select([make(mine[k]) for k in order]).index]
            counts[k] += 1
            if counts[k] == n:
                mine[k] = nil
        assert counts == [n] * 4
        finished += 1

    for k in range(4):
        go(plain, lambda k=k: c[k].send(0))
        go(plain, c[k].receive)
    go(selecting, lambda ch: ch.sendCase(0), order)
    go(selecting, lambda ch: ch.receiveCase(), range(4))
    run()
    assert finished == 10
    assert [(ch.balance, len(ch)) for ch in c] == [(0, 0)] * 4


def test_runtime_TestSelectFairness():
    """runtime/chan_test.go, TestSelectFairness: of two full channels, beside two empty ones, each is chosen half the
    time."""
    trials = 4000
    c1, c2 = chan(trials + 1), chan(trials + 1)
    for _ in range(trials + 1):
        c1.send(1)
        c2.send(2)
    c3, c4, out, done = chan(), chan(), chan(), chan()

    def work():
        while True:
            b = select([c3.receiveCase(), c4.receiveCase(), c1.receiveCase(), c2.receiveCase()]).value
            if select([out.sendCase(b), done.receiveCase()]).index == 1:
                return

    t = go(work)
    counts = {1: 0, 2: 0}
    for _ in range(trials):
        counts[out.receive()] += 1
    close(done)
    run()
    assert not t.alive
    assert abs(counts[1] - trials / 2) < 10 * math.sqrt(trials / 4)


def test_runtime_TestChanSendInterface():
    """runtime/chan_test.go, TestChanSendInterface: two sends to one full channel in a poll."""
    m = object()
    c = chan(1)
    c.send(m)
    assert poll(c.sendCase(m)) is DEFAULT
    assert poll(c.sendCase(m), c.sendCase(object())) is DEFAULT
    assert c.receive() is m


@pytest.mark.parametrize("cap", [0, 100])
def test_runtime_TestPseudoRandomSend(cap):
    """runtime/chan_test.go, TestPseudoRandomSend: a select of two sends to one channel sends both values."""
    n = 100
    c = chan(cap)
    values = []

    def receiver():
        for _ in range(n):
            schedule()
            v = c.receive()
            values.append(v)

    go(receiver)
    for _ in range(n):
        select([c.sendCase(1), c.sendCase(0)])
    run()
    assert len(values) == n
    assert n // 10 < sum(values) < n - n // 10


def test_runtime_TestMultiConsumer():
    """runtime/chan_test.go, TestMultiConsumer: 23 workers range over one queue; the sum of all results is right."""
    workers, n = 23, 2718
    pn = [2, 3, 7, 11, 13, 17, 19, 23, 27, 31]
    q, r, done = chan(workers * 3), chan(workers * 3), chan()
    expected = 0

    def worker(w):
        for v in q:
            if pn[w % len(pn)] == v:  # mess with the order
                schedule()
            r.send(v)
        done.send(w)

    def feeder():
        nonlocal expected
        for i in range(n):
            v = pn[i % len(pn)]
            expected += v
            q.send(v)
        close(q)
        for _ in range(workers):
            done.receive()
        close(r)

    for w in range(workers):
        go(worker, w)
    go(feeder)
    values = list(r)
    assert len(values) == n
    assert sum(values) == expected
    run()


def test_runtime_TestShrinkStackDuringBlockedSend():
    """runtime/chan_test.go, TestShrinkStackDuringBlockedSend and TestNoShrinkStackWhileParking: deep calls between
    operations, collections while somebody is blocked."""
    n = 10
    c, done = chan(), chan()

    def send():
        for i in range(n):
            c.send(i)
            assert use_stack(20) == 20
        done.send(True)

    def receive():
        for i in range(n):
            stackless.sleep(1e-5)
            assert c.receive() == i
        done.send(True)

    go(send)
    for i in range(n):
        assert c.receive() == i
        schedule()
        gc.collect(1)
    done.receive()
    for _ in range(5):
        go(receive)
        go(send)
        stackless.sleep(5e-5)
        gc.collect(1)
        done.receive()
        done.receive()
    run()


def test_runtime_TestSelectDuplicateChannel():
    """runtime/chan_test.go, TestSelectDuplicateChannel: a select that is twice in a queue leaves another one there."""
    c, d, e = chan(), chan(), chan()

    def a():
        assert select([c.receiveCase(), c.receiveCase(), d.receiveCase()]).index == 2
        e.send(9)

    go(a)
    run()
    b = go(c.receive)
    run()
    d.send(7)
    assert e.receive() == 9
    c.send(8)
    run()
    assert not b.alive
    assert c.balance == 0


def test_runtime_TestSelectStackAdjust():
    """runtime/chan_test.go, TestSelectStackAdjust: close wakes selects that list a channel once and twice; what the
    other cases would have set is as it was."""
    c, d = chan(), chan()
    ready1, ready2 = chan(), chan()

    def f(ready, twice):
        use_stack(100)
        ready.send(True)
        cx = [42]
        c2, d2 = (c, d) if twice else (nil, nil)
        cases = [
            c.receives(lambda v: cx.append(v)),
            c2.receiveCase(),
            d.receiveCase(),
            d2.receiveCase(),
        ]
        r = select(cases)
        assert r.channel is d
        assert (r.value, r.ok) == (None, False)
        assert [x.ok for x in cases if x is not r] == [None] * 3
        assert cx == [42]
        ready.send(True)

    go(f, ready1, False)
    go(f, ready2, True)
    ready1.receive()
    ready2.receive()
    run()
    gc.collect()
    assert (c.balance, d.balance) == (-3, -3)
    close(d)
    ready1.receive()
    ready2.receive()
    run()
    assert (c.balance, d.balance) == (0, 0)


@pytest.mark.parametrize("use_select", [True, False])
def test_runtime_TestChanSendBarrier(use_select):
    """runtime/chanbarrier_test.go, TestChanSendBarrier and TestChanSendSelectBarrier: requests of many goroutines,
    each with a channel and a goroutine of its own that answers with an error."""
    finished = 0

    def request():
        ch, done = chan(), chan()
        answer = (None, KeyError("no"))
        go((lambda: select([ch.sendCase(answer), done.receiveCase()])) if use_select else (lambda: ch.send(answer)))
        r = ch.receive()
        schedule()
        return r

    def client():
        nonlocal finished
        for _ in range(50):
            _, error = request()
            assert isinstance(error, KeyError)
            bytearray(1 << 10)
        finished += 1

    for _ in range(10):
        go(client)
    run()
    assert finished == 10


def test_runtime_BenchmarkSelectProdCons():
    """runtime/chan_test.go, BenchmarkSelectProdCons: producers and consumers that select beside a timer of an hour."""
    n, procs = 300, 3
    c, quits, done = chan(128), chan(), chan(2 * procs)

    def producer():
        timer = after(3600)
        for _ in range(n):
            assert select([c.sendCase(1), timer.receiveCase(), quits.receiveCase()]).index == 0
        c.send(0)
        done.send("p")

    def consumer():
        timer = after(3600)
        while (r := select([c.receiveCase(), timer.receiveCase(), quits.receiveCase()])).value:
            assert r.index == 0
        done.send("c")

    for _ in range(procs):
        go(producer)
        go(consumer)
    assert sorted(done.receive() for _ in range(2 * procs)) == ["c"] * procs + ["p"] * procs
    run()
    assert (len(c), c.balance, quits.balance) == (0, 0, 0)


def test_runtime_BenchmarkSelectContended():
    """runtime/chan_test.go, BenchmarkSelectSyncContended: selects that send against selects that receive, until a
    close ends the senders."""
    channels, done = [chan() for _ in range(3)], chan()
    ended = 0

    def sender():
        nonlocal ended
        while select([[c.sendCase(0) for c in channels], done.receiveCase()]).index == 0:
            pass
        ended += 1

    def receiver():
        for _ in range(200):
            assert select([c.receiveCase() for c in channels]).value == 0

    for _ in range(4):
        go(sender)
        go(receiver)
    run()
    assert [c.balance for c in channels] == [4, 4, 4]
    close(done)
    run()
    assert ended == 4
    assert [c.balance for c in channels] == [0, 0, 0]


def test_runtime_BenchmarkSelectAsyncContended():
    """runtime/chan_test.go, BenchmarkSelectAsyncContended: tokens that go to and fro between two buffers."""
    procs = 5
    c1, c2 = chan(procs), chan(procs)

    def work():
        c1.send(0)
        for _ in range(200):
            r = select([c1.receiveCase(), c2.receiveCase()])
            (c2 if r.index == 0 else c1).send(0)
            schedule()

    for _ in range(procs):
        go(work)
    run()
    assert len(c1) + len(c2) == procs


def test_runtime_BenchmarkSelectNonblock():
    """runtime/chan_test.go, BenchmarkSelectNonblock: polls of channels without a partner, with and without room."""
    c1, c2, c3, c4 = chan(), chan(), chan(1), chan(1)
    for i in range(100):
        assert poll(c1.receiveCase()) is DEFAULT
        assert poll(c2.sendCase(0)) is DEFAULT
        assert poll(c3.receiveCase()) is DEFAULT
        assert (poll(c4.sendCase(0)) is DEFAULT) == (i > 0)


def test_runtime_BenchmarkChanSync():
    """runtime/chan_test.go, BenchmarkChanSync: two goroutines take turns in sending and receiving on one channel."""
    n = 500
    c, done = chan(), chan(2)

    def work(first, second):
        for _ in range(n):
            first()
            second()
        done.send(True)

    go(work, c.receive, lambda: c.send(0))
    go(work, lambda: c.send(0), c.receive)
    done.receive()
    done.receive()
    run()
    assert c.balance == 0


def test_runtime_BenchmarkChanSem():
    """runtime/chan_test.go, BenchmarkChanSem: a buffer as a semaphore."""
    limit = 3
    semaphore = chan(limit)
    inside = most = 0

    def work():
        nonlocal inside, most
        for _ in range(20):
            semaphore.send(())
            inside += 1
            most = max(most, inside)
            schedule()
            inside -= 1
            semaphore.receive()

    for _ in range(10):
        go(work)
    run()
    assert (inside, most, len(semaphore)) == (0, limit, 0)


def test_runtime_BenchmarkReceiveDataFromClosedChan():
    """runtime/chan_test.go, BenchmarkReceiveDataFromClosedChan and BenchmarkChanClosed: a full channel that is closed
    is ranged over; then it is ready for ever."""
    c = chan(1000)
    for _ in range(1000):
        c.send(())
    close(c)
    assert sum(1 for _ in c) == 1000
    for _ in range(100):
        assert poll(c.receiveCase()) is not DEFAULT


# -- runtime/proc_test.go, crash_test.go --------------------------------------------------------------------------------------


def test_runtime_TestTimerFairness():
    """runtime/proc_test.go, TestTimerFairness: a timer comes in a select whose other case is always ready."""
    done, c = chan(), chan()

    def sender():
        while select([c.sendCase(True), done.receiveCase()]).index == 0:
            pass

    for _ in range(2):
        go(sender)
    timer = after(0.005)
    while select([c.receiveCase(), timer.receiveCase()]).index == 0:
        pass
    close(done)
    run()
    assert c.balance == 0


def test_runtime_TestTimerFairness2():
    """runtime/proc_test.go, TestTimerFairness2: two selects that face one another, each beside a timer of its own."""
    done, c = chan(), chan()

    def work():
        timer = after(0.005)
        while select([c.sendCase(True), c.receiveCase(), timer.receiveCase()]).index < 2:
            pass
        done.send(True)

    go(work)
    go(work)
    done.receive()
    done.receive()
    run()
    assert c.balance == 0


def test_runtime_TestGoexitDefer():
    """runtime/crash_test.go, TestGoexitDefer: what is deferred runs when a goroutine ends itself, and may send."""
    c = chan()

    def work():
        try:
            raise stackless.TaskletExit
        finally:
            c.send(())

    go(work)
    assert c.receive() == ()
    run()


@pytest.mark.parametrize("others", [0, 1])
def test_runtime_TestSimpleDeadlock(script, others):
    """runtime/crash_test.go, TestSimpleDeadlock and TestLockedDeadlock2: `select {}`, also by a goroutine, is the end."""
    ended = script(
        """
        import sys
        from gochan import go
        from select_proto import select
        from stackless import schedule

        for _ in range(int(sys.argv[1])):
            go(lambda: select([]))
        schedule()
        select([])
        print("not reached")
        """,
        str(others),
    )
    assert ended.returncode != 0
    assert "not reached" not in ended.stdout
    assert "deadlock" in ended.stderr.lower() or "without a partner" in ended.stderr


# -- runtime/testdata/testgoroutineleakprofile --------------------------------------------------------------------------------


def leak_nil_recv():
    go(nil.receive)


def leak_nil_send():
    go(nil.send, 0)


def leak_select_no_cases():
    go(lambda: select([]))


def leak_chan_recv():
    go(lambda: chan().receive())


def leak_chan_send():
    go(lambda: chan().send(0))


def leak_select():
    go(lambda: select([chan().sendCase(0), chan().receiveCase()]))


def leak_no_close_range():
    def no_close_range(items, workers):
        ch = chan()
        for _ in range(workers):
            go(lambda: list(ch))
        for item in items:
            ch.send(item)

    go(no_close_range, [1, 2, 3], 0)
    go(no_close_range, [1, 2, 3], 3)


def leak_method_contract_violation():
    ch, done = chan(), chan()

    def worker():
        while select([ch.receiveCase(), done.receiveCase()]).index == 0:
            pass

    go(worker)
    for _ in range(10):
        ch.send(None)


def leak_double_send():
    def double_send(ch, error):
        if error is not None:
            ch.send(None)
        ch.send(())

    for ch, error in ((chan(), None), (chan(), KeyError()), (chan(1), KeyError())):
        go(double_send, ch, error)
        ch.receive()


def leak_early_return():
    def early_return(error):
        ch = chan()
        go(ch.send, ())
        if error is None:
            ch.receive()

    go(early_return, KeyError())
    go(early_return, None)


def leak_n_cast():
    def n_cast(items):
        ch = chan()
        for _ in items:
            go(ch.send, ())
        ch.receive()

    go(n_cast, [])
    go(n_cast, range(5))


def leak_timeout():
    cancelled = chan()
    close(cancelled)

    def timeout():
        ch = chan()
        go(ch.send, ())
        select([ch.receiveCase(), cancelled.receiveCase()])

    for _ in range(100):
        go(timeout)


def leak_grpc1424():
    def dial():
        addresses = chan()

        def g2():
            done = chan()
            go(lambda: list(addresses))
            done.receive()

        go(g2)
        close(addresses)

    go(dial)


def leak_kubernetes5316():
    def finish(seconds, func):
        ch = chan()
        go(lambda: ch.send(func()))
        select([ch.receiveCase(), after(seconds).receiveCase()])

    go(finish, 1e-6, lambda: stackless.sleep(0.005))


LEAKS = {
    "NilRecv": (leak_nil_recv, ["receives from nil"]),
    "NilSend": (leak_nil_send, ["sends to nil"]),
    "SelectNoCases": (leak_select_no_cases, ["selects"]),
    "ChanRecv": (leak_chan_recv, ["receives"]),
    "ChanSend": (leak_chan_send, ["sends"]),
    "Select": (leak_select, ["selects"]),
    "NoCloseRange": (leak_no_close_range, ["receives"] * 3 + ["sends"]),
    "MethodContractViolation": (leak_method_contract_violation, ["selects"]),
    "DoubleSend": (leak_double_send, ["sends"]),
    "EarlyReturn": (leak_early_return, ["sends"]),
    "NCastLeak": (leak_n_cast, ["receives"] + ["sends"] * 4),
    "Timeout": (leak_timeout, ["sends"]),
    "Grpc1424": (leak_grpc1424, ["receives"]),
    "Kubernetes5316": (leak_kubernetes5316, ["sends"]),
}


@pytest.mark.parametrize("name", LEAKS)
def test_runtime_leak(name, leftovers, monkeypatch):
    """runtime/testdata/testgoroutineleakprofile, simple.go, commonpatterns.go and two of goker: who is left waiting for
    ever, and what for, as the deadlock error tells it."""
    program, expected = LEAKS[name]
    started = []  # here, unlike in Go, the collector ends tasklets that nobody knows and nobody can wake
    start = go

    def go_and_keep(*call):
        started.append(start(*call))
        return started[-1]

    monkeypatch.setitem(globals(), "go", go_and_keep)
    program()
    run()
    with pytest.raises(RuntimeError, match=ASLEEP) as info:
        chan().receive()
    lines = [line.strip() for note in info.value.__notes__ for line in note.splitlines()][1:]
    lines = [line.split(" ", 1)[1] for line in lines if not line.startswith(("main ", "…"))]
    if name == "Timeout":  # of a hundred some leak: which one happens is a matter of chance
        assert lines
        assert all(line.startswith("sends") for line in lines)
        return
    assert len(lines) == len(expected)
    for line, start in zip(sorted(lines), expected):
        assert line.startswith(start)


# -- reflect ----------------------------------------------------------------------------------------------------------------


def test_reflect_TestChan():
    """reflect/all_test.go, TestChan: send, receive, and the attempts at both, on a buffer of one and without."""

    def try_send(c, v):
        return poll(c.sendCase(v)) is not DEFAULT

    def try_receive(c):
        r = poll(c.receiveCase())
        return None if r is DEFAULT else (r.value, r.ok)

    c = chan(1)
    c.send(2)
    assert c.receive() == 2
    c.send(3)
    assert c.receive_ok() == (3, True)
    assert try_receive(c) is None
    c.send(4)
    assert try_receive(c) == (4, True)
    c.send(100)
    assert not try_send(c, 5)
    assert c.receive() == 100
    assert try_send(c, 6)
    assert c.receive() == 6
    c.send(123)
    close(c)
    assert c.receive_ok() == (123, True)
    assert c.receive_ok() == (None, False)
    assert try_receive(c) == (None, False)
    c = chan()
    assert not try_send(c, 7)
    assert try_receive(c) is None
    c = chan(10)
    for i in range(3):
        c.send(i)
    assert (len(c), c.cap) == (3, 10)
    # A channel that can only be received from cannot be closed: here, those of timers.
    for read_only in (after(3600), tick(3600)):
        with pytest.raises(TypeError):
            close(read_only)


class Told:
    """A case of TestSelect, with what is known about it."""

    def __init__(self, case: Any, **facts: Any) -> None:
        self.case = case
        self.can_select: bool = facts.get("can_select", False)
        self.panics: bool = facts.get("panics", False)
        self.closed: bool = facts.get("closed", False)
        self.value: Any = facts.get("value")
        self.helper: Callable | None = facts.get("helper")


def told_cases(maybe: Callable[[], bool], number: int) -> list[Told]:
    """Some of: ready, blocking (with one who could help, or none), nil and closed cases of both directions."""
    told: list[Told] = []

    def value():
        n = len(told)
        return n if number % 2 else str(n)

    if maybe():
        told.append(Told(chan(1).sendCase(value()), can_select=True))
    if maybe():
        c, v = chan(1), value()
        c.send(v)
        told.append(Told(c.receiveCase(), can_select=True, value=v))
    if maybe():
        c, v = chan(), value()
        told.append(Told(c.sendCase(v), helper=c.receive if maybe() else None))
    if maybe():
        c, v = chan(), value()
        told.append(Told(c.receiveCase(), value=v, helper=(lambda c=c, v=v: c.send(v)) if maybe() else None))
    if maybe():
        told.append(Told(None))
    if maybe():
        told.append(Told(nil.sendCase(100) if maybe() else None))
    if maybe():
        told.append(Told(nil.receiveCase()))
    if maybe():
        c = chan()
        close(c)
        told.append(Told(c.sendCase(101), can_select=True, panics=True))
    if maybe():
        c = chan()
        close(c)
        told.append(Told(c.receiveCase(), can_select=True, closed=True))
    return told


@pytest.mark.parametrize("seed", range(3))
def test_reflect_TestSelect(seed):
    """reflect/all_test.go, TestSelect: 1,500 selects of random cases in random order; each does one of what it may."""
    rng = random.Random(seed)

    def maybe():
        return rng.random() < 0.5

    for number in range(1500):
        told = told_cases(maybe, number)
        rng.shuffle(told)
        can_block = not any(t.can_select for t in told)
        helpers = [t for t in told if t.helper is not None]
        default = (can_block and not helpers) or maybe()
        helped = None
        if can_block and not default:
            helped = rng.choice(helpers)
            helped.can_select = True
            if maybe():
                go(helped.helper)
            else:

                def late_helper(helper=helped.helper):
                    stackless.sleep(1e-5)
                    helper()

                go(late_helper)
        selectable = [i for i, t in enumerate(told) if t.can_select]
        if default and can_block:
            assert select([t.case for t in told], default=True) is DEFAULT
            continue
        try:
            r = select([t.case for t in told], default=default)
        except ClosedError:
            assert any(t.panics for t in told)
            continue
        assert r is not DEFAULT
        chosen = told[r.index]
        assert r.index in selectable
        assert not chosen.panics
        assert chosen.case is r
        if r.direction == RECEIVE:
            assert (r.value, r.ok) == (chosen.value, not chosen.closed)
        else:
            assert r.ok is True
        run()
        for t in told:
            if t.case is not None:
                assert t.case.channel.balance == 0


def test_reflect_TestSelectMaxCases():
    """reflect/all_test.go, TestSelectMaxCases: 65,536 cases are possible, one more is not."""
    c = chan()
    close(c)
    cases = [c.receiveCase() for _ in range(65536)]
    r = select(cases)
    assert (r.value, r.ok) == (None, False)
    assert cases[r.index] is r
    assert MOST_CASES == 65536
    cases.append(c.receiveCase())
    with pytest.raises(ValueError, match="65,536 is the most"):
        select(cases)


def test_reflect_TestSelectNop():
    """reflect/all_test.go, TestSelectNop: a select of nothing but a default."""
    assert select([], default=True) is DEFAULT
    assert select([None], default=True) is DEFAULT


def test_reflect_TestChanOf():
    """reflect/all_test.go, TestChanOf: values in a buffer survive collections."""
    c = chan(2)
    for word in ("hello", "world"):
        gc.collect(1)
        c.send(list(word))
    gc.collect(1)
    assert ["".join(c.receive()) for _ in range(2)] == ["hello", "world"]


def test_reflect_TestChanOfGC():
    """reflect/all_test.go, TestChanOfGC: a hundred full buffers survive a collection with all that is in them."""
    n = 100
    channels = []
    for i in range(n):
        c = chan(n)
        for j in range(n):
            c.send([i * n + j])
        channels.append(c)
    gc.collect()
    for i, c in enumerate(channels):
        assert [c.receive()[0] for _ in range(n)] == list(range(i * n, (i + 1) * n))


def test_reflect_TestValueSeq():
    """reflect/iter_test.go, TestValueSeq, its channel: a closed channel with three values is an iterator of three."""
    c = chan(3)
    for i in range(3):
        c.send(i)
    close(c)
    assert list(iter(c)) == [0, 1, 2]
    assert list(iter(c)) == []


# -- time -------------------------------------------------------------------------------------------------------------------


def after_func(seconds: float, func: Callable[[], object]) -> None:
    """Go's time.AfterFunc."""

    def work():
        after(seconds).receive()
        func()

    go(work)


def test_time_TestAfterFunc():
    """time/sleep_test.go, TestAfterFunc: a function that starts itself again by a timer, ten times."""
    i = 10
    c = chan()

    def f():
        nonlocal i
        i -= 1
        if i >= 0:
            after_func(0, f)
        else:
            c.send(True)

    after_func(0, f)
    assert c.receive()
    assert i == -1
    run()


def test_time_TestAfterTick():
    """time/sleep_test.go, TestAfterTick: one timer after the other; their times do not decrease."""
    times = [after(0.001).receive() for _ in range(10)]
    assert times == sorted(times)


def test_time_TestTickerStress():
    """time/sleep_test.go, TestTickerStress: the shortest ticker, beside one who collects garbage all the time."""
    stop = False

    def collector():
        while not stop:
            gc.collect(0)
            stackless.sleep(1e-9)

    go(collector)
    ticker = tick(1e-9)
    for _ in range(100):
        assert isinstance(ticker.receive(), float)
    stop = True
    run()


def test_time_TestTickerConcurrentStress():
    """time/sleep_test.go, TestTickerConcurrentStress: ten goroutines share one ticker, and all get their ticks."""
    ticker = tick(1e-9)
    counts = [0] * 10

    def work(i):
        for _ in range(50):
            ticker.receive()
            counts[i] += 1

    for i in range(10):
        go(work, i)
    run()
    assert counts == [50] * 10


def test_time_TestAfterFuncStarvation():
    """time/sleep_test.go, TestAfterFuncStarvation: a timer comes though two goroutines keep one another busy."""
    stop = False
    c = chan(1)
    ended = []

    def sender():
        while not stop:
            c.send(True)
        close(c)
        ended.append("sender")

    def receiver():
        for _ in c:
            pass
        ended.append("receiver")

    def halt():
        nonlocal stop
        stop = True

    go(sender)
    go(receiver)
    after_func(1e-6, halt)
    run()
    assert sorted(ended) == ["receiver", "sender"]


def test_time_TestAfterQueuing():
    """time/sleep_test.go, TestAfterQueuing: timers come in the order of their times, not in that of their making.

    As in Go, it is tried with greater distances when the machine has been too slow to set them all in time.
    """
    slots = [5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0]
    for delta in (0.002, 0.02, 0.1, 0.5):
        result = chan(len(slots))

        def wait(slot, timer, result=result):
            result.send((slot, timer.receive()))

        for slot in slots:
            go(wait, slot, after(slot * delta))
        results = [result.receive() for _ in slots]
        run()
        order, times = zip(*results)
        if list(order) == sorted(slots):
            assert list(times) == sorted(times)
            return
    pytest.fail(f"returned out of order: {order}")


def test_time_TestSleepZeroDeadlock():
    """time/sleep_test.go, TestSleepZeroDeadlock: sleeping for no time, between operations, beside collections."""
    c = chan()

    def collector():
        for _ in range(100):
            gc.collect(0)
        c.send(True)

    go(collector)
    for _ in range(100):
        stackless.sleep(0)
        tmp = chan(1)
        tmp.send(True)
        tmp.receive()
    assert c.receive()
    run()


def test_time_TestOverflowSleep(leftovers):
    """time/sleep_test.go, TestOverflowSleep: a very long time is long, and disturbs nobody; a negative one is none."""
    big = (2**63 - 1) / 1e9
    go(stackless.sleep, big)
    assert select([after(big).receiveCase(), after(0.002).receiveCase()]).index == 1
    stackless.sleep(-big)
    assert select([after(-big).receiveCase(), after(60).receiveCase()]).index == 0


def test_time_TestZeroTimer():
    """time/sleep_test.go, TestZeroTimer: timers of no time at all are not missed."""
    for _ in range(2000):
        assert isinstance(after(0).receive(), float)


def test_time_TestMultiWakeupTicker():
    """time/sleep_test.go, TestMultiWakeupTicker: goroutines that select on one ticker, each beside a new timer."""
    ticker = tick(1e-6)
    counts = [0, 0]
    ended = []

    def work():
        for _ in range(200):
            counts[select([ticker.receiveCase(), after(0.001).receiveCase()]).index] += 1
        ended.append(True)

    for _ in range(4):
        go(work)
    run()
    assert len(ended) == 4
    assert sum(counts) == 800


def test_time_TestTeardown():
    """time/tick_test.go, TestTeardown: a ticker, used once and forgotten, three times."""
    for _ in range(3):
        tick(0.002).receive()
    run()


def test_time_TestTick():
    """time/tick_test.go, TestTick: no ticker without a time between its ticks."""
    assert tick(-1) is nil
    assert tick(0) is nil


def test_time_TestLongAdjustTimers():
    """time/tick_test.go, TestLongAdjustTimers: a queue by select with a case that is switched off, beside many timers."""
    slept = 0

    def sleeper():
        nonlocal slept
        stackless.sleep(1e-5)
        slept += 1

    for _ in range(500):
        go(sleeper)
    done, in_q, out_q = after(60), chan(), chan()

    def queue():
        q: list = []
        try:
            while True:
                r = select([out_q.sendCase(q[0]) if q else None, in_q.receiveCase(), done.receiveCase()])
                assert r.index < 2
                if r.index == 0:
                    q.pop(0)
                elif r.ok:
                    q.append(r.value)
                else:
                    return
        finally:
            close(out_q)

    go(queue)
    n = 0
    for _ in range(50):
        for i in range(20):
            in_q.send(n + i)
        for i in range(20):
            r = select([out_q.receiveCase(), after(60).receiveCase(), done.receiveCase()])
            assert (r.index, r.value, r.ok) == (0, n + i, True)
        n += 20
    close(in_q)
    run()
    assert out_q.closed
    assert slept == 500


@pytest.mark.parametrize("make", [after, tick])
def test_time_TestTimerGC(make):
    """time/tick_test.go, TestTimerGC: timers and tickers that nobody knows any more are no leak, long before they are
    due."""
    n = 3000

    def use():
        for _ in range(n):
            make(3600)

    use()
    gc.collect()
    before = sys.getallocatedblocks()
    use()
    gc.collect()
    assert sys.getallocatedblocks() - before < n


@pytest.mark.parametrize("make", [after, tick])
def test_time_TestChan(make):
    """time/tick_test.go, TestChan: a timer's channel has no length, before and after its time; a receiver waits for it;
    of two selects one gets the value of a timer."""
    far = make(10_000)
    assert poll(far.receiveCase()) is DEFAULT
    assert (len(far), far.cap) == (0, 0)
    t = go(far.receive)
    run_ended = chan()
    go(lambda: (stackless.sleep(0.001), run_ended.send(True)))
    run_ended.receive()
    assert t.blocked
    t.kill()
    near = make(0.001)
    stackless.sleep(0.003)
    assert (len(near), near.cap) == (0, 0)
    assert poll(near.receiveCase()) is not DEFAULT
    if make is after:  # one tick only
        stackless.sleep(0.003)
        assert poll(near.receiveCase()) is DEFAULT
    c, stop, done = make(0.001), chan(), chan(2)
    ended = []

    def work():
        if select([c.receiveCase(), stop.receiveCase()]).index == 0:
            done.send(True)
        ended.append(True)

    go(work)
    go(work)
    done.receive()
    if make is after:
        assert poll(done.receiveCase()) is DEFAULT
        assert len(ended) == 1
    close(stop)
    run()
    assert len(ended) == 2
    assert c.balance == 0


@pytest.mark.parametrize("make", [after, tick])
def test_time_TestAfterTimes(make):
    """time/tick_test.go, TestAfterTimes and TestTickTimes: the time that is received is when the timer was due, not
    when somebody came to receive it."""
    c = make(0.001)
    stackless.sleep(0.05)
    came = time.time()
    assert c.receive() < came


def test_time_TestTimerStopsWaiting():
    """time/tick_test.go, the end of testTimerChan: two selects on a timer that never comes are ended by a close."""
    c, stop, done = after(10_000), chan(), chan(2)

    def work():
        assert select([c.receiveCase(), stop.receiveCase()]).index == 1
        done.send(True)

    go(work)
    go(work)
    schedule()
    close(stop)
    done.receive()
    done.receive()
    run()
    assert c.balance == 0
