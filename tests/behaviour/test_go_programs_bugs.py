"""Programs of Go's own test suite: those of test, test/fixedbugs and test/typeparam that are about channels.

The names are those of the Go files.  Every program is told anew, with the scenario and the checks of the original;
counts that are meant to catch races between processors are smaller.  Where a Go program just ends and leaves its
goroutines waiting, the test asks for `leftovers`.
"""

from __future__ import annotations

import gc
import itertools
import sys
import traceback
import weakref
from collections.abc import Callable

import pytest
import stackless
from gochan import ClosedError, after, chan, close, go, nil
from select_proto import DEFAULT, select
from stackless import run, schedule

ASLEEP = "all goroutines are asleep - deadlock!"


def never_ends(func: Callable[[], object]) -> None:
    """Check that func() blocks for ever: nobody else can run and it has not come back."""
    came_back = []
    t = go(lambda: came_back.append(func()))
    run()
    assert not came_back
    assert t.blocked
    t.kill()


# -- test ------------------------------------------------------------------------------------------------------------------


def test_235(leftovers):
    """test/235.go: the numbers with no prime factors but 2, 3 and 5, by three multipliers and feedback."""
    outputs = []
    for f in (2, 3, 5):
        source, out = chan(100), chan(100)

        def multiply(source=source, out=out, f=f):
            while True:
                out.send(f * source.receive())

        go(multiply)
        outputs.append([source, out, 1])
    x = 1
    got = []
    for _ in range(100):
        for source, _, _ in outputs:
            source.send(x)
        for o in outputs:
            if o[2] == x:
                o[2] = o[1].receive()
        x = min(o[2] for o in outputs)
        got.append(x)
    want = sorted(2**i * 3**j * 5**k for i, j, k in itertools.product(range(12), range(8), range(6)))
    assert got == want[1:101]
    assert got[-1] == 1600


def test_bigalg():
    """test/bigalg.go, its channels: a structure and an array pass, and are the same ones."""
    ct, ca = chan(), chan()
    t, a = {"a": 1.5, "b": 123, "c": "hello"}, [1, 2, 3]

    def sender():
        ct.send(t)
        ca.send(a)

    go(sender)
    assert ct.receive() is t
    assert ca.receive() is a
    run()


def test_chancap():
    """test/chancap.go: len and cap of channels; sizes that are impossible."""
    c = chan(10)
    assert (len(c), c.cap) == (0, 10)
    for i in range(3):
        c.send(i)
    assert (len(c), c.cap) == (3, 10)
    assert (len(chan()), chan().cap) == (0, 0)
    for size in (-1, -(2**63), 2**59, 2**63 - 1):
        with pytest.raises(ValueError, match="makechan: size out of range"):
            chan(size)


def test_chanlinear():
    """test/chanlinear.go: many goroutines select on one channel and one of their own; each is taken out of its middle."""
    n, messages = 1000, 5
    everybodys = chan()
    own = [chan() for _ in range(n)]
    counts = [0] * n

    def work(i):
        for _ in range(messages):
            assert select([everybodys.receiveCase(), own[i].receiveCase()]).index == 1
            counts[i] += 1

    for i in range(n):
        go(work, i)
    run()
    for message in range(messages):
        assert everybodys.balance == -n
        for c in own:
            c.send(True)
        run()
        assert counts == [message + 1] * n
    assert everybodys.balance == 0


class Plain:
    """The operations on a channel, each by what Go has for it."""

    def __init__(self, c: chan) -> None:
        self.c = c

    def extra(self) -> list:
        return []

    def send(self, x):
        self.c.send(x)

    def send_now(self, x):
        return select([self.c.sendCase(x), *self.extra()], default=True) is not DEFAULT

    def recv(self):
        return self.c.receive()

    def recv2(self):
        return self.c.receive_ok()

    def recv_now(self):
        """(value, ok, selected)."""
        r = select([*self.extra(), self.c.receiveCase()], default=True)
        return (None, False, False) if r is DEFAULT else (r.value, r.ok, True)


class Selecting(Plain):
    def send(self, x):
        select([self.c.sendCase(x), *self.extra()])

    def recv(self):
        return select([*self.extra(), self.c.receiveCase()]).value

    def recv2(self):
        r = select([*self.extra(), self.c.receiveCase()])
        return r.value, r.ok


class SelectingMore(Selecting):
    dummy = chan()

    def extra(self):
        return [self.dummy.receiveCase()]


def check_closed(c: Plain) -> None:
    for _ in range(3):
        assert c.recv() is None
        assert c.recv2() == (None, False)
        assert c.recv_now() == (None, False, True)
    for send in (c.send_now, c.send):
        with pytest.raises(ClosedError, match="^send on closed channel$"):
            send(1)
        assert c.recv() is None


@pytest.mark.parametrize("kind", [Plain, Selecting, SelectingMore])
def test_closedchan(kind):
    """test/closedchan.go: all operations on closed channels, plain, in selects and in greater selects."""
    c = chan()
    close(c)
    check_closed(kind(c))
    ways = [
        lambda k: (k.recv(), True),
        lambda k: k.recv2(),
        lambda k: k.recv_now()[:2],
        lambda k: next((v, True) for v in k.c),
    ]
    for receive in ways:
        c = chan(2)
        c.send(1)
        close(c)
        assert receive(kind(c)) == (1, True)
        check_closed(kind(c))
    for none in (nil, None):
        with pytest.raises(ClosedError, match="^close of nil channel$"):
            close(none)
    c = chan()
    close(c)
    with pytest.raises(ClosedError, match="^close of closed channel$"):
        close(c)


def test_closure():
    """test/closure.go: closures that send what they share with their makers, in order."""
    c = chan()

    def f():
        i, j = 1, 2

        def inner():
            nonlocal i
            c.send(i)
            i = 4

            def innermost():
                c.send(i)
                c.send(j)

            innermost()
            c.send(i)

        j = 5
        inner()

    def accumulator(n):
        def add(i):
            nonlocal n
            n += i
            return n

        return add

    def g(a, b):
        for f, i in ((a, 2), (b, 3), (a, 4), (b, 5)):
            c.send(f(i))

    go(f)
    assert [c.receive() for _ in range(4)] == [1, 4, 5, 4]
    go(g, accumulator(0), accumulator(1))
    assert [c.receive() for _ in range(4)] == [2, 4, 6, 9]
    run()


def test_cmp():
    """test/cmp.go, its channels: they are equal only to themselves, and are keys."""
    c, d = chan(), chan()
    assert c == c
    assert c != d
    assert nil != c
    assert {c: "c", d: "d"}[c] == "c"
    assert nil == nil


def test_escape():
    """test/escape.go, its selects: the results of two selects are two things."""

    def escapes(*values):
        c = chan()
        results = []
        for v in values:
            go(c.send, v)
            results.append(select([c.receiveCase()]))
        return results

    p, q = escapes(3, 4)
    assert (p.value, q.value) == (3, 4)
    assert p is not q
    run()


def test_func5():
    """test/func5.go: what may stand behind `go`: functions, methods, results of calls, function literals."""
    c = chan()

    class Adder:
        def add(self, x, y, out):
            out.send(x + y)

    def add(x, y, out):
        out.send(x + y)

    for f in (add, (lambda: add)(), Adder().add, lambda a, b, out: out.send(a + b)):
        go(f, 1, 2, c)
        assert c.receive() == 3
    run()


def test_gc2():
    """test/gc2.go: channels that nobody knows any more are collected, waiters and buffers included."""
    n = 1000

    def make():
        for i in range(n):
            c = chan(10)
            c.send([c])  # a circle
            if i % 100 == 0:
                gc.collect()

    make()
    gc.collect()
    before = sys.getallocatedblocks()
    make()
    gc.collect()
    assert sys.getallocatedblocks() - before < n / 5


def test_nil():
    """test/nil.go, its channels: nil is never ready, has no length, and compares equal to itself."""
    never_ends(lambda: nil.send(1))
    never_ends(nil.receive)
    never_ends(nil.receive_ok)
    never_ends(lambda: next(iter(nil)))
    assert (len(nil), nil.cap, nil.balance) == (0, 0, 0)


def test_range():
    """test/range.go, testchan: `for … range` over a channel ends when it is closed, with a variable and without."""

    def seq(low, high):
        c = chan()

        def gen():
            for i in range(ord(low), ord(high) + 1):
                c.send(chr(i))
            close(c)

        go(gen)
        return c

    assert "".join(seq("a", "z")) == "abcdefghijklmnopqrstuvwxyz"
    assert sum(1 for _ in seq("a", "z")) == 26
    run()


def test_reorder():
    """test/reorder.go, p9: in `x, x = <-c` the second assignment, that of ok, comes last."""
    c = chan(10)
    c.send(False)
    x, x = c.receive_ok()
    assert x is True


def test_reorder2():
    """test/reorder2.go, its selects: calls in the branch of a case happen in order and once, whatever else is listed."""
    c = chan(1)
    log = []

    def note(x):
        log.append(x)
        return note

    shapes = [
        lambda: ([c.sendCase(0), c.sendCase(1), c.receives(lambda _: note(1)(2)(3))], False),
        lambda: ([c.receives(lambda _: note(1)(2)(3))], False),
        lambda: ([c.sendCase(1), c.receives(lambda _: note(1)(2)(3))], True),
        lambda: ([c.receives(lambda _: note(1)(2)(3))], True),
    ]
    for shape in shapes:
        c.send(1)
        cases, default = shape()
        assert select(cases, default=default) is note
        assert log == [1, 2, 3]
        log.clear()
    assert select([c.receives(note), c.receives(note)], default=True) is DEFAULT
    assert not log


def test_stack():
    """test/stack.go: at every level of a deep recursion a goroutine is started and answers."""
    c = chan()
    numbers = [1] * 20

    def recur(n):
        go(lambda t: c.send(sum(t)), numbers)
        assert c.receive() == 20
        try:
            if n:
                recur(n - 1)
        finally:
            assert sum(numbers) == 20

    recur(200)
    run()


def test_tinyfin():
    """test/tinyfin.go: finalizers send what they finalize over a channel with room; each arrives once."""
    n = 100
    finalized = chan(n)

    class Thing:
        def __init__(self, i: int) -> None:
            self.i = i
            self.myself = self  # only the collector finds it

        def __del__(self) -> None:
            finalized.send(self.i)

    for i in range(n):
        Thing(i)
    gc.collect()
    done = set()
    timeout = after(60)
    while len(done) < n:
        r = select([timeout.receiveCase(), finalized.receiveCase()])
        assert r.index == 1, f"timeout, {len(done)} finalized so far"
        assert r.value not in done
        done.add(r.value)
    assert done == set(range(n))


# -- test/fixedbugs ----------------------------------------------------------------------------------------------------------


def test_bug067():
    """test/fixedbugs/bug067.go: a function literal as a goroutine that uses a channel of its surroundings."""
    c = chan()
    go(lambda: c.send(0))
    assert c.receive() == 0
    run()


def test_bug130():
    """test/fixedbugs/bug130.go: a method behind `go` that sends."""

    class S:
        def __init__(self, v: int) -> None:
            self.v = v

        def send(self, c: chan) -> None:
            c.send(self.v)

    c = chan()
    go(S(0).send, c)
    assert c.receive() == 0
    run()


def test_bug147():
    """test/fixedbugs/bug147.go: a send without a buffer waits for its receiver, even while that one sleeps."""
    count = 0
    c = chan()

    def receiver():
        nonlocal count
        c.receive()
        count += 1
        stackless.sleep(0.001)
        count += 1
        c.receive()

    go(receiver)
    c.send(1)
    c.send(2)
    assert count == 2
    run()


def test_bug225():
    """test/fixedbugs/bug225.go: a polling receive whose value nobody wants receives if and only if there is one."""
    c = chan(1)
    assert select([c.receiveCase()], default=True) is DEFAULT
    c.send(True)
    assert select([c.receiveCase()], default=True) is not DEFAULT
    assert len(c) == 0


def test_bug234():
    """test/fixedbugs/bug234.go: x, ok = <-c before and after close."""
    c = chan(1)
    c.send(100)
    assert c.receive_ok() == (100, True)
    close(c)
    assert c.receive_ok() == (None, False)


def test_bug243(leftovers):
    """test/fixedbugs/bug243.go: one accepts in a loop what others send over a channel that they share."""
    listener = chan()
    accepted = []

    def accept():
        while True:
            accepted.append(listener.receive())

    go(accept)
    listener.send(1)
    run()
    assert accepted == [1]


def test_bug273():
    """test/fixedbugs/bug273.go, its channels: a size that is negative or huge fails, and nothing is allocated."""
    for size in (-1, 10 | 1 << 60, 1 << 60):
        with pytest.raises(ValueError, match="makechan: size out of range"):
            chan(size)


def test_bug312():
    """test/fixedbugs/bug312.go: what is received in a select may go to where anything may go."""
    c = chan(1)
    c.send(1)
    i: object = select([c.receiveCase()]).value
    assert i == 1


def test_bug320():
    """test/fixedbugs/bug320.go: the value of a select is there and stays, with a case beside that cannot happen."""
    c, dummy = chan(1), chan()
    v = 0x12345678
    kept = []
    for _ in range(10):
        v += 0x1020304
        c.send(v)
        r = select([c.receiveCase(), dummy.sendCase(1)])
        go(lambda r=r: kept.append(r.value))
        assert r.value == v
    run()
    assert kept == [0x12345678 + (i + 1) * 0x1020304 for i in range(10)]


def test_bug347():
    """test/fixedbugs/bug347.go: a case whose channel cannot be computed fails where it stands; nothing is posted."""
    t = None
    c = chan()

    def f():
        select(
            [
                t.c.receiveCase(),  # this line
                c.receiveCase(),
            ]
        )

    with pytest.raises(AttributeError) as info:
        f()
    last = traceback.extract_tb(info.value.__traceback__)[-1]
    assert (last.name, last.line) == ("f", "t.c.receiveCase(),  # this line")
    assert c.balance == 0


def test_issue13169():
    """test/fixedbugs/issue13169.go: ten senders and ten receivers of new objects, each with a deep call in between."""
    c, done = chan(), chan()
    n = 100

    class Thing:
        pass

    def use_stack(depth):
        return use_stack(depth - 1) if depth else 0

    def sender():
        for _ in range(n):
            c.send(Thing())
        done.send(True)

    def receiver():
        for _ in range(n):
            assert isinstance(c.receive(), Thing)
            use_stack(32)
        done.send(True)

    for _ in range(10):
        go(sender)
        go(receiver)
    for _ in range(20):
        done.receive()
    run()
    assert c.balance == 0


@pytest.mark.parametrize("way", ["range", "ok", "select"])
def test_issue15281(way):
    """test/fixedbugs/issue15281.go: what has been received is kept alive by the receiver alone, not by the channel."""

    class Big:
        pass

    c = chan(10)
    big = Big()
    alive = weakref.ref(big)
    c.send(big)
    del big
    close(c)
    assert alive() is not None
    if way == "range":
        for x in c:
            assert x is alive()
            x = None
            assert alive() is None
    elif way == "ok":
        x, ok = c.receive_ok()
        assert ok
        assert x is alive()
        x = None
    else:
        r = select([c.receiveCase()])
        assert r.value is alive()
        r = None
    assert alive() is None


def test_issue16870():
    """test/fixedbugs/issue16870.go: ok of every form of a receive, plain, with default, and with another case."""
    c, c2 = chan(1), chan()
    forms = [
        lambda: c.receive_ok(),
        lambda: (lambda r: (r.value, r.ok))(select([c.receiveCase()])),
        lambda: (lambda r: (r.value, r.ok))(select([c.receiveCase()], default=True)),
        lambda: (lambda r: (r.value, r.ok))(select([c.receiveCase(), c2.receiveCase()])),
        lambda: (lambda r: (r.value, r.ok))(select([c2.receiveCase(), c.receiveCase()], timeout=60)),
    ]
    for form in forms:
        c.send(42)
        assert form() == (42, True)
    close(c)
    for form in forms:
        assert form() == (None, False)


def test_issue19201():
    """test/fixedbugs/issue19201.go: a receive from a closed channel wins a select, and leaves what was there before."""
    ch1, ch2 = chan(), chan()
    close(ch1)
    code = int.from_bytes(b"a\0\0\1", "big")
    r = select([ch1.receiveCase(), ch2.receiveCase()])
    assert r.channel is ch1
    assert code == 0x61000001


def test_issue21576(script):
    """test/fixedbugs/issue21576.go: a main that sends to nobody ends with an error that says so, and not with success."""
    ended = script(
        """
        from gochan import chan

        c = chan()
        c.send(1)
        """
    )
    assert ended.returncode != 0
    assert ASLEEP in ended.stderr


def test_issue22683():
    """test/fixedbugs/issue22683.go: a structure sent by value through a buffer arrives whole."""
    a = object()
    c = chan(2)
    c.send({"bar": [a]})
    close(c)
    assert [v["bar"][0] is a for v in c] == [True]


def test_issue29362(leftovers):
    """test/fixedbugs/issue29362.go: a buffer as a throttle for a thousand goroutines."""
    throttle = chan(10)
    ran = 0

    def work(_a, _b, _c, _d):
        nonlocal ran
        throttle.receive()
        ran += 1

    for _ in range(1000):
        throttle.send(())
        assert len(throttle) <= 10
        go(work, 1, 2, 3, 4)
    run()
    assert ran == 1000
    assert len(throttle) == 0


def test_issue40629():
    """test/fixedbugs/issue40629.go: what runs while a panic unwinds may start goroutines and wait for them."""
    log = []

    def use_stack(n):
        return use_stack(n - 1) if n else 0

    def f():
        x = [0x999] * 40
        try:
            try:
                raise ZeroDivisionError
            finally:
                use_stack(100)
                c = chan()

                def other():
                    use_stack(100)
                    log.append(sys.exc_info()[0])
                    c.send(True)

                go(other)
                c.receive()
                log.append(sys.exc_info()[0])
        except ZeroDivisionError:
            assert x == [0x999] * 40

    f()
    run()
    assert log == [None, ZeroDivisionError]


def test_issue43111():
    """test/fixedbugs/issue43111.go: a channel is looked up in list order: what a later case does to it comes too late."""
    ch = chan()
    x = 42

    def f():
        nonlocal ch
        close(ch)
        ch = nil
        return 0

    def g():
        nonlocal ch, x
        ch = nil
        x = 0
        return 0

    for _ in range(5):
        ch = chan()
        r = select([ch.receiveCase(), nil.sendCase(f())])
        assert (r.index, r.value, r.ok) == (0, None, False)
    ch = ch1 = chan(1)
    assert select([ch.sendCase(x), nil.sendCase(g())]).index == 0
    assert ch1.receive() == 42


def test_issue4313():
    """test/fixedbugs/issue4313.go: what a case sends is what it was before the channels of later cases are computed."""
    c = chan(1)
    x = 0

    def make():
        nonlocal x
        x = 42
        return chan()

    assert select([c.sendCase(x), make().receiveCase()]).index == 0
    assert c.receive() == 0


def test_issue43292():
    """test/fixedbugs/issue43292.go: a value received replaces one of another type that the variable had."""

    class A:
        def m(self):
            return "A"

    class B(A):
        def m(self):
            return "B"

    for receive in (
        lambda b: b.receive_ok()[0],
        lambda b: select([b.receiveCase()]).value,
        lambda b: select([b.receives(lambda v: v)]),
    ):
        i = A()
        b = chan(1)
        b.send(B())
        i = receive(b)
        assert i.m() == "B"


def test_issue46725():
    """test/fixedbugs/issue46725.go: a finalizer closes a channel that a loop polls; not before the last use."""

    class Thing:
        def __init__(self, done: chan) -> None:
            self.done = done
            self.myself = self

        def __del__(self) -> None:
            close(self.done)

    def wait(done):
        for _ in range(10):
            gc.collect()
            if select([done.receiveCase()], default=True) is not DEFAULT:
                return True
        return False

    done = chan()
    thing = Thing(done)
    assert not wait(done)
    assert thing.done is done
    del thing
    assert wait(done)


def test_issue48289():
    """test/fixedbugs/issue48289.go: the variable of a case is new in every round."""
    c = chan(1)
    results = []
    for i in range(2):
        c.send(i)
        results.append(select([c.receiveCase()]))
    assert [r.value for r in results] == [0, 1]


def test_issue57823():
    """test/fixedbugs/issue54343.go and issue57823.go: the same with what a bound method keeps alive."""

    class Thing:
        def __init__(self, done: chan) -> None:
            self.done = done

        def m(self) -> None:
            pass

        def __del__(self) -> None:
            close(self.done)

    done = chan()
    m = Thing(done).m
    assert select([done.receiveCase()], default=True) is DEFAULT
    m()
    del m
    gc.collect()
    assert select([done.receiveCase()], default=True) is not DEFAULT


def test_issue59680():
    """test/fixedbugs/issue59680.go: a loop of select over a stop channel and a new timer in every round."""
    stop, done = chan(), chan()
    results = []

    def work():
        v = None
        while select([stop.receiveCase(), after(0.0001).receiveCase()]).index == 1:
            v = 17 * 17
            results.append(v)
        done.send(v)

    go(work)
    while len(results) < 3:
        stackless.sleep(0.0002)
    stop.send(())
    assert done.receive() == 289
    run()


def test_issue67190():
    """test/fixedbugs/issue67190.go: a channel is the same thing by whatever name, also as a case of a switch."""
    ch1 = chan()
    ch2: chan = ch1
    match ch2:
        case c if c == ch1:
            pass
        case _:
            raise AssertionError


def test_issue8011():
    """test/fixedbugs/issue8011.go: `<-<-c`."""
    c, c1 = chan(1), chan(1)
    c1.send(42)
    c.send(c1)
    assert c.receive().receive() == 42


def test_issue8039():
    """test/fixedbugs/issue8039.go: what is received for a deferred call is received at once."""
    from contextlib import ExitStack

    x = [0]
    c = chan(1)
    c.send(1)
    with ExitStack() as deferred:
        deferred.callback(x.__setitem__, 0, c.receive())
        assert len(c) == 0
        assert x == [0]
    assert x == [1]


def test_issue8158():
    """test/fixedbugs/issue8158.go: a goroutine that recovers, sends, and then ends itself; twice, with a collection."""
    c = chan(1)

    def f(waits):
        try:
            if waits:
                stackless.sleep(0.001)
                gc.collect()
            raise ValueError("p")
        except ValueError:
            c.send(True)
            raise stackless.TaskletExit from None

    for waits in (False, True):
        t = go(f, waits)
        assert c.receive()
        run()
        assert not t.alive


def test_issue8336():
    """test/fixedbugs/issue8336.go: when the first case cannot be computed the second is not even looked at."""
    x = None

    def foo():
        raise AssertionError("foo must not be called")

    with pytest.raises(AttributeError):
        select([x.c.receiveCase(), foo().receiveCase()])


def test_issue8347():
    """test/fixedbugs/issue8347.go: the ok of a polling receive is only set when it receives."""
    c = chan(1)
    ok = True
    oks = []
    for i in range(12):
        r = select([c.receiveCase()], default=True)
        if r is not DEFAULT:
            ok = r.ok
        oks.append(ok)
        if i >= 10 and ok:
            close(c)
    assert oks == [True] * 11 + [False]


def test_issue9110():
    """test/fixedbugs/issue9110.go: selects that list a channel three times and end by its close leave nothing behind."""

    def rounds(n):
        for _ in range(n):
            c = chan()
            for _ in range(10):
                go(lambda c=c: select([c.receiveCase(), c.receiveCase(), c.receiveCase()]))
            run()
            assert c.balance == -30
            close(c)
            run()
            assert c.balance == 0
        gc.collect()

    rounds(10)
    before = len(gc.get_objects()), sys.getallocatedblocks()
    rounds(50)
    objects, blocks = len(gc.get_objects()) - before[0], sys.getallocatedblocks() - before[1]
    assert objects <= 20
    assert blocks < 500


# -- test/typeparam --------------------------------------------------------------------------------------------------------


class Context:
    """What Go's context.Context is here: a channel that cancel() closes."""

    def __init__(self) -> None:
        self.done = chan()

    def cancel(self) -> None:
        close(self.done)


def read_all(ctx: Context, c: chan) -> list:
    values = []
    while True:
        r = select([ctx.done.receiveCase(), c.receiveCase()])
        if r.index == 0 or not r.ok:
            return values
        values.append(r.value)


def merge(ctx: Context, c1: chan, c2: chan) -> chan:
    out = chan()

    def work():
        sources = [c1, c2]
        try:
            while sources != [nil, nil]:
                r = select([ctx.done.receiveCase(), [s.receiveCase() for s in sources]])
                if r.index == 0:
                    return
                if r.ok:
                    out.send(r.value)
                else:
                    sources[r.element] = nil
        finally:
            close(out)

    go(work)
    return out


def keep(ctx: Context, c: chan, wanted: Callable) -> chan:
    out = chan()

    def work():
        try:
            while True:
                r = select([ctx.done.receiveCase(), c.receiveCase()])
                if r.index == 0 or not r.ok:
                    return
                if wanted(r.value):
                    out.send(r.value)
        finally:
            close(out)

    go(work)
    return out


def numbers(*values) -> chan:
    c = chan()

    def work():
        for v in values:
            c.send(v)
        close(c)

    go(work)
    return c


def test_typeparam_chans_ReadAll():
    """test/typeparam/chans.go, TestReadAll: everything until the close."""
    assert read_all(Context(), numbers(4, 2, 5)) == [4, 2, 5]
    run()


def test_typeparam_chans_Merge():
    """test/typeparam/chans.go, TestMerge: two channels into one, each switched off when it is closed."""
    ctx = Context()
    assert sorted(read_all(ctx, merge(ctx, numbers(1, 3, 5), numbers(2, 4, 6)))) == [1, 2, 3, 4, 5, 6]
    run()


def test_typeparam_chans_Filter():
    """test/typeparam/chans.go, TestFilter: what pleases a function."""
    ctx = Context()
    assert read_all(ctx, keep(ctx, numbers(1, 2, 3), lambda i: i % 2 == 0)) == [2]
    run()


def test_typeparam_chans_cancel():
    """test/typeparam/chans.go, the ctx.Done() of its functions: a cancelled context ends them all, and closes what
    they return."""
    ctx = Context()
    out = keep(ctx, merge(ctx, chan(), chan()), bool)
    run()
    assert out.balance == 0
    ctx.cancel()
    run()
    assert out.closed
    assert list(out) == []
    assert read_all(ctx, chan()) == []


def test_typeparam_chans_Sink():
    """test/typeparam/chans.go, TestSink: one who takes everything; the timer of a minute does not come."""
    ctx = Context()
    c = chan()

    def work():
        while (r := select([ctx.done.receiveCase(), c.receiveCase()])).index == 1 and r.ok:
            pass

    t = go(work)
    timer = after(60)
    for v in (1, 2, 3):
        assert select([c.sendCase(v), timer.receiveCase()]).index == 0
    close(c)
    run()
    assert not t.alive


class Exclusive:
    """A value that one tasklet at a time may use."""

    def __init__(self, value) -> None:
        self.c = chan(1)
        self.c.send(value)

    def acquire(self):
        return self.c.receive()

    def try_acquire(self):
        return select([self.c.receiveCase()], default=True)

    def release(self, value) -> None:
        if select([self.c.sendCase(value)], default=True) is DEFAULT:
            raise RuntimeError("release without acquire")


def test_typeparam_chans_Exclusive():
    """test/typeparam/chans.go, TestExclusive: a buffer of one as a lock around a value."""
    value = [0]
    ex = Exclusive(value)

    def f():
        for _ in range(10):
            p = ex.acquire()
            old = p[0]
            schedule()
            p[0] = old + 1
            ex.release(p)

    go(f)
    go(f)
    run()
    assert value == [20]


def test_typeparam_chans_ExclusiveTry():
    """test/typeparam/chans.go, TestExclusiveTry: the attempt fails while somebody has it."""
    ex = Exclusive("a")
    assert ex.try_acquire().value == "a"
    t = go(lambda: ex.try_acquire() is DEFAULT or pytest.fail("acquired twice"))
    run()
    assert not t.alive
    ex.release("b")
    with pytest.raises(RuntimeError):
        ex.release("c")
    assert ex.try_acquire().value == "b"


class Receiver:
    """The end of a Ranger that closes `done` when nobody knows it any more."""

    def __init__(self, values: chan, done: chan) -> None:
        self.values, self.done = values, done

    def next(self, ctx: Context) -> tuple:
        r = select([ctx.done.receiveCase(), self.values.receiveCase()])
        return (r.value, r.ok) if r.index == 1 else (None, False)

    def __del__(self) -> None:
        close(self.done)


class Sender:
    def __init__(self, values: chan, done: chan) -> None:
        self.values, self.done = values, done

    def send(self, ctx: Context, v) -> bool:
        return select([ctx.done.receiveCase(), self.values.sendCase(v), self.done.receiveCase()]).index == 1


def ranger() -> tuple[Sender, Receiver]:
    values, done = chan(), chan()
    return Sender(values, done), Receiver(values, done)


def test_typeparam_chans_Ranger(leftovers):
    """test/typeparam/chans.go, TestRanger: a sender learns from the finalizer of the receiver that nobody listens."""
    s, r = ranger()
    ctx = Context()

    def reader(r):
        assert r.next(ctx) == (1, True)

    go(reader, r)
    del r
    c1, c2 = chan(), chan()

    def writer():
        assert s.send(ctx, 1)
        close(c1)
        assert not s.send(ctx, 2)
        close(c2)

    go(writer)
    c1.receive()
    gc.collect()
    assert c2.receive_ok() == (None, False)
    run()


def test_typeparam_issue47901():
    """test/typeparam/issue47901.go: a channel that channels are sent over."""
    ch = chan()
    go(lambda: ch.send(chan()))
    assert isinstance(ch.receive(), chan)
    run()


def test_typeparam_issue50642():
    """test/typeparam/issue50642.go: receives, plain and with ok, of what a channel of known type delivers."""
    ch = chan(2)
    ch.send(5)
    ch.send(6)
    assert ch.receive() == 5
    assert ch.receive_ok() == (6, True)


def test_typeparam_orderedmap():
    """test/typeparam/orderedmap.go: a tree whose iterator is a goroutine that walks it; to the end, and half way."""
    root: list | None = None

    def insert(key, value):
        nonlocal root
        if root is None:
            root = [key, value, None, None]
            return True
        node = root
        while node[0] != key:
            side = 2 if key < node[0] else 3
            if node[side] is None:
                node[side] = [key, value, None, None]
                return True
            node = node[side]
        node[1] = value
        return False

    def iterate(ctx):
        s, r = ranger()

        def walk(node):
            return node is None or (walk(node[2]) and s.send(ctx, (node[0], node[1])) and walk(node[3]))

        def work():
            walk(root)
            close(s.values)

        go(work)
        return r

    for key, value, new in ((b"a", "a", True), (b"c", "c", True), (b"b", "b", True), (b"c", "x", False)):
        assert insert(key, value) is new
    ctx = Context()
    it = iterate(ctx)
    assert [it.next(ctx) for _ in range(4)] == [
        ((b"a", "a"), True),
        ((b"b", "b"), True),
        ((b"c", "x"), True),
        (None, False),
    ]
    it = iterate(ctx)
    assert it.next(ctx) == ((b"a", "a"), True)
    del it  # the walker hears of it
    run()
