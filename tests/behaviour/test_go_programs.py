"""Programs of Go's own test suite: those of test/chan and test/ken.

The names are those of the Go files.  Every program is told anew, with the scenario and the checks of the original;
counts that are meant to catch races between processors are smaller.  Where a Go program just ends and leaves its
goroutines waiting, the test asks for `leftovers`.
"""

from __future__ import annotations

import gc
import itertools
import sys
from collections.abc import Callable, Iterator

import pytest
from gochan import ClosedError, chan, close, go, nil, tick
from select_proto import DEFAULT, SEND, Selector, case, select
from stackless import run, schedule

# -- test/chan -------------------------------------------------------------------------------------------------------------


def test_chan_doubleselect():
    """test/chan/doubleselect.go: a select that offers one value to four channels never delivers it twice."""
    n = 3000
    channels = [chan() for _ in range(4)]
    merged, done = chan(), chan()

    def sender():
        try:
            for i in range(n):
                select([c.sendCase(i) for c in channels])
        finally:
            for c in reversed(channels):
                close(c)

    def mux(source):
        for v in source:
            merged.send(v)
        done.send(True)

    def closer():
        for _ in channels:
            done.receive()
        close(merged)

    go(sender)
    for c in channels:
        go(mux, c)
    go(closer)
    seen = set()
    for v in merged:
        assert v not in seen
        seen.add(v)
    assert seen == set(range(n))


def test_chan_fifo():
    """test/chan/fifo.go: values come in order, through a buffer and without; receivers are kept in order by a chain."""
    n = 10
    c = chan(n)
    for i in range(n):
        c.send(i)
    for i in range(n):
        assert c.receive() == i

    def link(value, before, after):
        before.receive()
        assert c.receive() == value
        after.send(1)

    c = chan()
    first = last = chan()
    for i in range(n):
        before, last = last, chan()
        go(link, i, before, last)
    first.send(0)
    for i in range(n):
        c.send(i)
    assert last.receive() == 1
    run()


def test_chan_goroutines():
    """test/chan/goroutines.go: a value goes through a chain of 10,000 goroutines."""

    def pass_on(left, right):
        left.send(right.receive())

    leftmost = left = chan()
    for _ in range(10_000):
        right = chan()
        go(pass_on, left, right)
        left = right
    go(left.send, 1)
    assert leftmost.receive() == 1
    run()


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize(("there", "back"), [(123, 234), (123456, 234567), (True, True), ("hello", "hello again")])
def test_chan_nonblock(size, there, back):
    """test/chan/nonblock.go: polls with default against one who waits, buffered and not."""
    c, sync = chan(size), chan()
    ticker = tick(1e-5)

    def poll(one):
        for _ in range(10_000):
            r = select([one], default=True)
            if r is not DEFAULT:
                return r
            ticker.receive()
            ticker.receive()
            for _ in range(3):
                schedule()
        raise AssertionError("nobody came")

    def receiver():
        assert c.receive() == there
        sync.send(True)

    def sender():
        c.send(back)
        sync.send(True)

    assert select([c.receiveCase()], default=True) is DEFAULT
    go(receiver)
    poll(c.sendCase(there))
    sync.receive()
    go(sender)
    if size:
        sync.receive()
    r = poll(c.receiveCase())
    assert (r.value, r.ok) == (back, True)
    if not size:
        sync.receive()


def test_chan_select():
    """test/chan/select.go: what is sent is computed for every case in every select, also when its channel is nil."""
    counter = shift = 0

    def get_value():
        nonlocal counter
        counter += 1
        return 1 << shift

    def send_all(a, b):
        nonlocal shift
        i = 0
        while (r := select([a.sendCase(get_value()), b.sendCase(get_value())], default=True)) is not DEFAULT:
            i += 1
            if r.index == 0:
                a = nil
            else:
                b = nil
            shift += 1
        return i

    a, b = chan(1), chan(1)
    assert send_all(a, b) == 2
    assert a.receive() | b.receive() == 3
    assert send_all(a, nil) == 1
    assert counter == 10


def test_chan_select2():
    """test/chan/select2.go: many selects on a channel that never comes leave no memory behind."""
    c, dummy = chan(), chan()
    n = 5000

    def sender():
        for _ in range(n):
            c.send(1)

    def receiver():
        for _ in range(n):
            assert select([c.receiveCase(), dummy.receiveCase()]).index == 0

    go(sender)
    receiver()
    run()
    gc.collect()
    before = sys.getallocatedblocks()
    go(sender)
    receiver()
    run()
    gc.collect()
    assert sys.getallocatedblocks() - before < n / 10
    assert dummy.balance == 0


def never_ends(func: Callable[[], object]) -> None:
    """Check that func() blocks for ever: nobody else can run and it has not come back."""
    came_back = []
    t = go(lambda: came_back.append(func()))
    run()
    assert not came_back
    assert t.blocked
    t.kill()
    assert not t.alive


def comes_back(func: Callable[[], object]) -> None:
    """Check that func() does not block, though nobody is there: it ends in the turn in which it starts."""
    t = go(func)
    t.run()
    assert not t.alive


def test_chan_select3():
    """test/chan/select3.go: which operations block and which fail, plain and in selects, on nil, closed and free."""
    closed = chan()
    close(closed)
    # nil, plain and in selects
    never_ends(lambda: nil.send(7))
    never_ends(nil.receive)
    for one in (nil.sendCase(7), nil.receiveCase()):
        assert select([one], default=True) is DEFAULT
        never_ends(lambda one=one: select([one]))
    never_ends(lambda: select([nil.receiveCase(), nil.sendCase(7)]))
    # buffers and closed channels
    comes_back(lambda: chan(1).send(7))

    def zero_values():
        for _ in range(10):
            assert closed.receive() is None
            assert closed.receive_ok() == (None, False)

    comes_back(zero_values)
    with pytest.raises(ClosedError, match="send on closed channel"):
        closed.send(7)
    never_ends(chan().receive)
    never_ends(lambda: select([]))
    never_ends(lambda: select([chan().receiveCase()]))
    # default
    comes_back(lambda: select([], default=True))
    comes_back(lambda: select([nil.receiveCase()], default=True))
    comes_back(lambda: select([nil.sendCase(7)], default=True))
    assert select([chan(1).sendCase(7)], default=True) is not DEFAULT
    c = chan(1)
    c.send(7)
    assert select([c.receiveCase()], default=True).value == 7
    # closed channels in selects
    r = select([closed.receiveCase()])
    assert (r.value, r.ok) == (None, False)
    with pytest.raises(ClosedError, match="send on closed channel"):
        select([closed.sendCase(7)])

    def sees_itself():
        c = chan()
        select([c.sendCase(1), c.receiveCase()])

    never_ends(sees_itself)


def test_chan_select4():
    """test/chan/select4.go: where the value of a case goes is only looked at when that case is chosen."""
    called = []

    def destination(value):
        called.append(value)
        return "BUG"

    x = {}
    c, c1 = chan(1), chan()
    c.send(42)
    select([c1.receives(destination), c.receives(lambda value: x.update(a=value))])
    assert x == {"a": 42}
    assert not called


class Choices:
    """Every path through code that asks choose(n): on successive runs it gets 0, 1, … n-1."""

    def __init__(self) -> None:
        self.path: list[list[int]] = []
        self.at = 0

    def runs(self) -> Iterator[None]:
        while True:
            self.at = 0
            yield
            while self.path and self.path[-1][0] + 1 == self.path[-1][1]:
                self.path.pop()
            if not self.path:
                return
            self.path[-1][0] += 1

    def choose(self, n: int) -> int:
        if self.at == len(self.path):
            self.path.append([0, n])
        self.at += 1
        return self.path[self.at - 1][0]

    def maybe(self) -> bool:
        return self.choose(2) == 0


class Select5:
    """The five families of selects that test/chan/select5.go generates, here run at once instead of printed."""

    def __init__(self) -> None:
        self.choices = Choices()
        self.maybe = self.choices.maybe
        self.c, self.dummy = chan(1), chan()
        self.n = 1
        self.order = 0
        self.has_default = False

    def all_of(self, family: Callable[[], None]) -> int:
        count = 0
        for _ in self.choices.runs():
            self.has_default = False
            self.order = 0
            family()
            self.n += 1
            count += 1
        return count

    def maybe_default(self) -> bool:
        if self.has_default:
            return False
        self.has_default = self.maybe()
        return self.has_default

    def check(self, order: int, thing):
        """`thing`, evaluated in its turn."""
        assert order > self.order, f"{order} after {self.order}"
        self.order = order
        return thing

    def extra(self, first: int) -> list[case]:
        """Up to four cases that must not happen."""
        cases = []
        if self.maybe():
            cases.append(self.check(first, self.dummy).sendCase(self.check(first + 1, 1)))
        if self.maybe():
            cases.append(self.check(first + 2, self.dummy).receiveCase())
        if self.maybe():
            cases.append(self.check(first + 3, nil).sendCase(self.check(first + 4, 1)))
        if self.maybe():
            cases.append(self.check(first + 5, nil).receiveCase())
        return cases

    def receive_somehow(self, late_order: int):
        """A case that receives, and how its value comes out: as attribute, result of a callback, pattern, in a dict."""
        c = self.check(1, self.c)
        if self.maybe():
            return c.receiveCase(), lambda r: r.value
        if self.maybe():
            return c.receives(lambda v: self.check(late_order, [v])), lambda r: r[0]
        if self.maybe():

            def by_pattern(r):
                match r:
                    case case(value=v, ok=True):
                        return v
                raise AssertionError(r)

            return c.receiveCase(), by_pattern
        m = {}
        return c.receives(lambda v: self.check(late_order, m).__setitem__(13, v)), lambda r: m[13]

    def recv(self) -> None:
        self.c.send(self.n)
        if self.maybe():
            x = self.c.receive()
        else:
            self.maybe_default()
            chosen, get = self.receive_somehow(100)
            self.maybe_default()
            x = get(select([chosen, *self.extra(2)], default=self.has_default))
        assert x == self.n

    def send(self) -> None:
        if self.maybe():
            self.check(1, self.c).send(self.check(2, self.n))
        else:
            self.maybe_default()
            chosen = self.check(1, self.c).sendCase(self.check(2, self.n))
            self.maybe_default()
            assert select([chosen, *self.extra(3)], default=self.has_default) is chosen
        assert self.c.receive() == self.n

    def send_in_place(self) -> None:
        """The place of the case in the list must not matter; nor whether the set is kept."""
        chosen = self.c.sendCase(self.n)
        cases = self.extra(3)
        cases.insert(self.choices.choose(len(cases) + 1), chosen)
        assert (Selector(cases).select() if self.maybe() else select(cases)) is chosen
        assert self.c.receive() == self.n

    def nonblock(self) -> None:
        """Nothing is ready: the default, and no destination is touched."""
        x = self.n

        def crash(_value):
            raise AssertionError("received")

        cases = []
        for none, options in ((self.dummy, 4), (nil, 4)):
            for option in range(options):
                if self.maybe():
                    cases.append(none.sendCase(1) if option == 0 else none.receives(crash))
        assert select(cases, default=True) is DEFAULT
        assert x == self.n
        assert self.dummy.balance == 0


def test_chan_select5():
    """test/chan/select5.go: all combinations of ready, never ready and nil cases, with default and without, in order."""
    s = Select5()
    assert s.all_of(s.recv) == 1 + 4 * 3 * 16
    assert s.all_of(s.send) == 1 + 3 * 16
    # with k of the 4 other cases there are k+1 places, each in a list and in a Selector
    assert s.all_of(s.send_in_place) == 2 * (1 * 1 + 4 * 2 + 6 * 3 + 4 * 4 + 1 * 5)
    assert s.all_of(s.nonblock) == 2**8


def test_chan_select6():
    """test/chan/select6.go: a select in the middle of a queue of receivers leaves it whole when it goes elsewhere."""
    c1, c2, c3 = chan(), chan(), chan()

    def selecting():
        assert select([c1.receiveCase(), c2.receiveCase()]).index == 1
        c3.send(True)
        c1.receive()

    go(c1.receive)
    go(selecting)
    go(c2.send, True)
    c3.receive()
    c1.send(True)
    c1.send(True)
    run()
    assert c1.balance == 0


RECEIVES = {
    "plain": lambda c: c.receive(),
    "select of one": lambda c: select([c.receiveCase()]).value,
    "select of two": lambda c: select([c.receiveCase(), chan().receiveCase()]).value,
}
SENDS = {
    "plain": lambda c: c.send(1),
    "select of one": lambda c: select([c.sendCase(1)]),
    "select of two": lambda c: select([c.sendCase(1), chan().sendCase(1)]),
}


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("receive", RECEIVES)
def test_chan_select7(receive, send):
    """test/chan/select7.go: any way to send meets any way to receive that waits already."""
    c = chan()
    got = []
    t = go(lambda: got.append(RECEIVES[receive](c)))
    schedule()
    assert t.blocked
    SENDS[send](c)
    run()
    assert got == [1]


def test_chan_select8(leftovers):
    """test/chan/select8.go: selects of every shape against one who sends all the time, each left by a break."""
    ch = chan()

    def sender():
        while True:
            ch.send(5)

    go(sender)
    shapes = [
        (lambda: [ch.receiveCase()], False),
        (list, True),
        (lambda: [ch.receiveCase()], True),
        (lambda: [ch.receiveCase(), ch.sendCase(10)], True),
    ]
    for cases, default in shapes:
        rounds = 0
        for _ in range(3):
            rounds += 1
            match select(cases(), default=default):
                case case(direction=direction, value=value):
                    assert direction != SEND
                    assert value == 5
                    break
                case constant:
                    assert constant is DEFAULT
                    break
        assert rounds == 1


def test_chan_sendstmt():
    """test/chan/sendstmt.go: `case <-cc <- 2` sends 2 to the channel that is received from cc."""
    cc, c = chan(1), chan(1)
    cc.send(c)
    assert select([cc.receive().sendCase(2)], default=True) is not DEFAULT
    assert c.receive() == 2
    b = chan(1)
    b.send(not cc)  # an expression as it stands: no parentheses are needed around what is sent
    assert b.receive() is False


PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97]


def test_chan_sieve1(leftovers):
    """test/chan/sieve1.go: the prime sieve, a chain of filters."""

    def generate(out):
        for i in itertools.count(2):
            out.send(i)

    def keep(source, out, prime):
        for i in source:
            if i % prime:
                out.send(i)

    def sieve(primes):
        source = chan()
        go(generate, source)
        while True:
            prime = source.receive()
            primes.send(prime)
            out = chan()
            go(keep, source, out, prime)
            source = out

    primes = chan()
    go(sieve, primes)
    assert [primes.receive() for _ in PRIMES] == PRIMES


def test_chan_sieve2(leftovers):
    """test/chan/sieve2.go: a sieve of merged streams of multiples, with buffers and a proxy that switches a case off."""
    import heapq

    def stream(size, start, step):
        out = chan(size)

        def produce():
            for n in itertools.count(start, step):
                out.send(n)

        go(produce)
        return out

    def send_proxy(out):
        """A channel that takes any number of values and hands them on to `out`."""
        proxy = chan(10)

        def work():
            queue = []
            while True:
                r = select([proxy.receiveCase(), out.sendCase(queue[0]) if queue else None])
                if r.index == 0:
                    queue.append(r.value)
                else:
                    queue.pop(0)

        go(work)
        return proxy

    out, composites, feedback = chan(10), chan(50), chan(10)
    for p in (2, 3):
        out.send(p)
    feedback.send(3)

    def merge():
        heap = []
        least = 15

        def advance():
            """The least head of all streams; its stream moves on."""
            _, _, source = heapq.heappop(heap)
            value = source[0]
            source[0] = source[1].receive()
            heapq.heappush(heap, (source[0], id(source), source))
            return value

        while True:
            p = feedback.receive()
            m = stream(10, p * p, 2 * p)
            head = m.receive()
            while least < head:
                composites.send(least)
                least = advance()
            while least == head:
                least = advance()
            composites.send(head)
            source = [m.receive(), m]
            heapq.heappush(heap, (source[0], id(source), source))

    def sift():
        primes = send_proxy(feedback)
        candidates = stream(50, 5, 2)
        p = candidates.receive()
        while True:
            c = composites.receive()
            while p < c:
                primes.send(p)
                out.send(p)
                p = candidates.receive()
            if p == c:
                p = candidates.receive()

    go(merge)
    go(sift)
    assert [out.receive() for _ in PRIMES] == PRIMES


def test_chan_zerosize():
    """test/chan/zerosize.go: channels of nothing at all, buffered and not."""
    for size in (0, 1):
        c = chan(size)
        t = go(c.send, ())
        assert c.receive_ok() == ((), True)
        run()
        assert not t.alive


# -- test/ken ----------------------------------------------------------------------------------------------------------------


class KenChannel:
    """A channel with what is to be sent and received next on it; a side that is through is nil."""

    def __init__(self, size: int, first: int) -> None:
        self.sc = self.rc = chan(size)
        self.sv = self.rv = first


class Ken:
    """ken/chan.go: numbers through channels, by plain operations and selects of eight, in all combinations."""

    END = 10_000

    def __init__(self) -> None:
        self.random = 0
        self.value = 0
        self.running = 0
        self.sent = self.received = 0
        self.none = KenChannel(0, 0)
        self.none.sc = self.none.rc = nil

    def rest(self, n: int) -> None:
        self.random = (self.random + 10007) % 1_000_000
        for _ in range(self.random % n + 1):
            schedule()

    def make(self, size: int, n: int) -> list[KenChannel]:
        made = []
        for _ in range(n):
            self.value += 100
            made.append(KenChannel(size, self.value))
        return made

    def after(self, v: int) -> int:
        return self.END if v % 100 == 75 else v + 1

    def has_sent(self, c: KenChannel) -> bool:
        self.sent += 1
        c.sv = self.after(c.sv)
        if c.sv == self.END:
            c.sc = nil
        return c.sv == self.END

    def has_received(self, c: KenChannel, v: int) -> bool:
        assert v == c.rv
        self.received += 1
        c.rv = self.after(v)
        if c.rv == self.END:
            c.rc = nil
        return c.rv == self.END

    def send(self, c: KenChannel) -> None:
        while True:
            self.rest(10)
            c.sc.send(c.sv)
            if self.has_sent(c):
                break
        self.running -= 1

    def recv(self, c: KenChannel) -> None:
        while True:
            self.rest(10)
            if self.has_received(c, c.rc.receive()):
                break
        self.running -= 1

    def sel(self, receives: list[KenChannel], sends: list[KenChannel]) -> None:
        left = sum(c.rc is not nil for c in receives) + sum(c.sc is not nil for c in sends)
        while left:
            self.rest(5)
            r = select([[c.rc.receiveCase() for c in receives], [c.sc.sendCase(c.sv) for c in sends]])
            if r.index == 0:
                left -= self.has_received(receives[r.element], r.value)
            else:
                left -= self.has_sent(sends[r.element])
        self.running -= 1

    def start(self, *goroutines) -> None:
        for func, *args in goroutines:
            self.running += 1
            go(func, *args)

    def wait(self) -> None:
        schedule()
        while self.running:
            schedule()

    def tests(self, size: int) -> None:
        nobody = [self.none] * 4
        for c in self.make(size, 4):
            self.start((self.send, c), (self.recv, c))
        self.wait()
        ca = self.make(size, 4)
        self.start(*[(self.send, c) for c in ca], (self.sel, ca, nobody))
        self.wait()
        ca = self.make(size, 4)
        self.start(*[(self.recv, c) for c in ca], (self.sel, nobody, ca))
        self.wait()
        ca = self.make(size, 4)
        self.start((self.sel, nobody, ca), (self.sel, ca, nobody))
        self.wait()
        ca, cb = self.make(size, 4), self.make(size, 4)
        self.start((self.sel, cb, ca), (self.sel, ca, cb))
        self.wait()
        ca, cb, cc = (self.make(size, 4) for _ in range(3))
        self.start(*[(self.send, c) for c in cb], *[(self.recv, c) for c in cc])
        self.start((self.sel, cb, ca), (self.sel, ca, cc))
        self.wait()


@pytest.mark.parametrize("size", [0, 1, 10, 100])
def test_ken_chan(size):
    """test/ken/chan.go: plain and selecting senders and receivers in six arrangements; everything arrives, in order."""
    ken = Ken()
    ken.tests(size)
    assert ken.sent == ken.received == (4 * 4 + 8 + 12) * 76


def test_ken_chan1(leftovers):
    """test/ken/chan1.go: ten receivers that select, one sender, a buffer of two: each value is received once."""
    n, c = 1000, chan(2)
    state = [0] * n

    def receiver():
        while True:
            v = select([c.receiveCase()]).value
            assert state[v] == 1
            state[v] = 2

    for _ in range(10):
        go(receiver)
        schedule()
    schedule()
    schedule()
    for i in range(n):
        assert state[i] == 0
        state[i] = 1
        c.send(i)
    run()
    assert state == [2] * n


def test_ken_cplx5():
    """test/ken/cplx5.go, its channel: a complex number passes unchanged."""
    c = chan()
    go(c.send, 5 - 5j)
    assert c.receive() == 5 - 5j
