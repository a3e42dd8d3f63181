"""Go's channels: the language's rules, and the programs of Go's own tests, by their names there."""

import itertools
import pickle
import random

import pytest
import stackless
from chanlab.channel import CLOSED
from gochan import ClosedError, chan, close, go, nil
from stackless import channel, getmain, run, schedule, tasklet

ASLEEP = "all goroutines are asleep - deadlock!"


def blocked(func, *args):
    """A tasklet that has run func(*args) until it waits."""
    t = go(func, *args)
    t.run()
    assert t.blocked
    return t


def fill(c, values):
    for v in values:
        c.send(v)


# -- buffers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", range(10))
def test_chan_of_every_size(size):
    """runtime/chan_test.go, TestChan: receives block on empty, sends on full, values come in order."""
    c = chan(size)
    got = []
    t = blocked(lambda: got.append(c.receive()))
    u = blocked(lambda: got.append(c.receive_ok()))
    c.send(0)
    c.send(1)
    run()
    assert got == [0, (1, True)]
    assert not t.alive
    assert not u.alive
    fill(c, range(size))
    assert (len(c), c.cap) == (size, size)
    with pytest.raises(RuntimeError, match=ASLEEP):
        c.send("full")
    sender = blocked(c.send, size)
    assert c.balance == 1
    assert c.queue is sender
    assert [c.receive() for _ in range(size + 1)] == list(range(size + 1))
    assert (len(c), c.balance) == (0, 0)
    run()
    assert not sender.alive


def test_blocked_senders_refill_the_buffer_in_order():
    """Rule 2."""
    c = chan(2)
    for i in range(6):
        go(c.send, i).run()
    assert (len(c), c.balance) == (2, 4)
    assert c.receive() == 0
    assert (len(c), c.balance) == (2, 3)
    assert [c.receive() for _ in range(5)] == [1, 2, 3, 4, 5]
    run()


def test_direct_hand_off_bypasses_the_buffer():
    """Rule 3."""
    c = chan(3)
    got = []
    blocked(lambda: got.append(c.receive()))
    c.send("v")
    assert (len(c), c.balance) == (0, 0)
    run()
    assert got == ["v"]


def test_the_completer_goes_on():
    """Rule 31: the woken one is made runnable in the last place, whoever it is."""
    log = []
    c = chan()
    t = blocked(lambda: log.append(c.receive()))
    other = go(log.append, "other")
    c.send(1)
    assert log == []
    assert t.scheduled
    assert other.next is t
    run()
    assert log == ["other", 1]


def test_chancap():
    """test/chancap.go."""
    for size in (0, 1, 10):
        c = chan(size)
        assert (len(c), c.cap) == (0, size)
    assert (len(nil), nil.cap) == (0, 0)
    for wrong in (-1, -(2**40), 2**62):
        with pytest.raises(ValueError, match="makechan: size out of range"):
            chan(wrong)
    with pytest.raises(TypeError):
        chan("2")


def test_len_and_cap_are_kept_after_close():
    """Rule 29."""
    c = chan(3)
    fill(c, "ab")
    c.close()
    assert (len(c), c.cap, bool(c)) == (2, 3, True)


def test_an_empty_channel_is_true():
    assert chan()
    assert nil


# -- closing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2])
def test_closedchan(size):
    """test/closedchan.go."""
    c = chan(size)
    close(c)
    for _ in range(3):
        assert c.receive() is None
        assert c.receive_ok() == (None, False)
    with pytest.raises(ClosedError, match="^send on closed channel$"):
        c.send(1)
    with pytest.raises(ClosedError, match="^close of closed channel$"):
        c.close()
    with pytest.raises(ClosedError, match="cannot be opened again"):
        c.open()
    assert c.closed
    assert c.balance == 0


def test_what_is_buffered_is_received_before_the_end():
    """Rule 11."""
    c = chan(4)
    fill(c, [None, False, 0])
    c.close()
    assert [c.receive_ok() for _ in range(4)] == [(None, True), (False, True), (0, True), (None, False)]


def test_close_wakes_receivers_then_senders():
    """Rule 14; in the order in which they came."""
    log = []

    def receiver(name, c):
        log.append((name, c.receive_ok()))

    def sender(name, c):
        try:
            c.send(name)
        except ClosedError as error:
            log.append((name, str(error)))

    c, d = chan(), chan(1)
    for name in "ab":
        blocked(receiver, name, c)
    d.send("buffered")
    for name in "xy":
        blocked(sender, name, d)
    c.close()
    d.close()
    assert log == []
    run()
    text = "send on closed channel"
    assert log == [("a", (None, False)), ("b", (None, False)), ("x", text), ("y", text)]
    assert list(d) == ["buffered"]


def test_an_error_of_a_woken_sender_has_a_traceback_of_its_own():
    c = chan()
    blocked(c.send, 1)
    c.close()
    with pytest.raises(ClosedError, match="send on closed channel"):
        run()


def test_range_until_closed_and_drained():
    """Rule 28, and test/range.go's testchan."""
    c = chan(2)

    def seq(low, high):
        for i in range(low, high + 1):
            c.send(chr(i))
        c.close()

    go(seq, ord("a"), ord("z"))
    assert "".join(c) == "abcdefghijklmnopqrstuvwxyz"
    assert list(c) == []


def test_nil_channel():
    """Rules 10 and 15."""
    with pytest.raises(RuntimeError, match=ASLEEP):
        nil.receive()
    with pytest.raises(RuntimeError, match=ASLEEP):
        nil.send(1)
    t, u = blocked(nil.receive), blocked(nil.send, 1)
    for none in (nil.close, lambda: close(nil), lambda: close(None)):
        with pytest.raises(ClosedError, match="^close of nil channel$"):
            none()
    for task in (t, u):
        task.kill()
        assert not task.alive
    assert nil.balance == 0
    assert pickle.loads(pickle.dumps(nil)) is nil


@pytest.mark.parametrize("first", ["receive", "receive_ok", "next"])
@pytest.mark.parametrize("then", ["receive", "schedule"])
def test_only_a_receive_from_a_go_channel_makes_something_of_closed(first, then):
    """What comes from elsewhere, though it be the same object, is passed on as it is."""
    g, c, got = chan(), channel(), []

    def main():
        {"receive": g.receive, "receive_ok": g.receive_ok, "next": lambda: next(g)}[first]()
        got.append(c.receive() if then == "receive" else schedule(CLOSED))

    blocked(main)
    g.send(1)
    run()
    if then == "receive":
        c.send(CLOSED)
    run()
    assert got == [CLOSED]


# -- the end of all -----------------------------------------------------------------------------------------------------


def test_deadlock_lists_all_who_sleep():
    """Rule 26."""
    c, d = chan(), chan(1)
    c.label, d.label = "orders", "done"
    t = blocked(lambda: stackless.select([c.receiveCase(), d.receiveCase()]))
    t.label = "clerk"
    with pytest.raises(RuntimeError) as info:
        chan().receive()
    assert str(info.value) == ASLEEP
    notes = "\n".join(info.value.__notes__)
    assert "clerk selects among receives from orders, receives from done" in notes
    assert "test_go_channels.py:" in notes
    assert not getmain().blocked
    t.kill()


def test_deadlock_when_the_last_one_ends():
    c = chan()
    go(schedule)
    with pytest.raises(RuntimeError, match=ASLEEP):
        c.receive()
    assert c.balance == 0


def test_stackless_channels_keep_stacklesss_text():
    with pytest.raises(RuntimeError, match="the last runnable tasklet cannot be blocked"):
        channel().receive()


# -- what it has from Stackless ------------------------------------------------------------------------------------------


def test_exceptions_travel_through_a_buffer():
    """Rule 32."""
    c = chan(2)
    c.send_exception(KeyError, "k")
    c.send("after")
    with pytest.raises(KeyError, match="k"):
        c.receive()
    assert c.receive() == "after"
    t = blocked(lambda: c.receive())
    c.send_throw(IndexError("i"))
    with pytest.raises(IndexError):
        run()
    assert not t.alive


@pytest.mark.parametrize("preference, order", [(-1, "rs"), (0, "sr"), (1, "sr")])
def test_preference_may_be_set(preference, order):
    c = chan()
    c.preference = preference
    log = []
    blocked(lambda: log.append("r" * bool(c.receive())))
    c.send(1)
    log.append("s")
    run()
    assert "".join(log) == order


def test_block_trap_and_switch_trap():
    c = chan(1)
    c.send(1)
    getmain().block_trap = True
    with pytest.raises(RuntimeError, match="does not like to be blocked"):
        c.send(2)
    getmain().block_trap = False
    stackless.switch_trap(1)
    go(schedule)
    with pytest.raises(RuntimeError, match="switch_trap"):
        c.send(2)
    assert c.receive() == 1  # that takes no switch
    stackless.switch_trap(-1)
    run()
    assert (len(c), c.balance) == (0, 0)


def test_kill_and_throw_leave_nothing_behind():
    """Rule 33."""
    c = chan(1)
    c.send(0)
    sender = blocked(c.send, 1)
    sender.kill()
    assert (c.balance, len(c)) == (0, 1)
    receiver = chan()
    t = blocked(receiver.receive)
    with pytest.raises(ValueError):
        t.throw(ValueError)
    assert receiver.balance == 0


def test_channel_callback():
    calls = []
    c = chan(1)
    stackless.set_channel_callback(lambda ch, t, sending, willblock: calls.append((ch is c, sending, willblock)))
    c.send(1)
    c.receive()
    stackless.set_channel_callback(None)
    assert calls == [(True, 1, 0), (True, 0, 0)]


def test_pickle():
    c = chan(3)
    fill(c, "ab")
    d = pickle.loads(pickle.dumps(c))
    assert (d.cap, len(d), d.receive(), d.receive(), d.closed) == (3, 2, "a", "b", False)
    t = blocked(chan().receive)
    t.kill()


def test_subclass_with_any_init():
    class Named(chan):
        def __init__(self, size, name):
            self.label = name

    c = Named(2, "jobs")
    assert (c.cap, c.label) == (2, "jobs")
    assert repr(c).endswith("Named jobs len=0 cap=2 balance=0>")
    assert not hasattr(chan(), "__dict__")


# -- whole programs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 10])
def test_fifo(size):
    """test/chan/fifo.go."""
    n = 10
    c = chan(size)
    go(fill, c, range(n))
    assert [c.receive() for _ in range(n)] == list(range(n))
    run()

    def one(c, val, before, after):
        before.receive()
        assert c.receive() == val
        after.send(1)

    c, before = chan(), chan()
    first = before
    for i in range(n):
        after = chan()
        go(one, c, i, before, after)
        before = after
    go(first.send, 0)
    fill(c, range(n))
    assert before.receive() == 1
    run()


def test_goroutines():
    """test/chan/goroutines.go: a chain of 10,000, each passing on one value."""

    def f(left, right):
        left.send(right.receive())

    leftmost = left = chan()
    for _ in range(10_000):
        right = chan()
        go(f, left, right)
        left = right
    go(right.send, 1)
    assert leftmost.receive() == 1
    run()


def sieve_generate(out):
    for i in itertools.count(2):
        out.send(i)


def sieve_filter(source, out, prime):
    for i in source:
        if i % prime:
            out.send(i)


def test_sieve1(leftovers):
    """test/chan/sieve1.go."""
    primes = []
    ch = chan(1)
    go(sieve_generate, ch)
    for _ in range(25):
        prime = ch.receive()
        primes.append(prime)
        out = chan(1)
        go(sieve_filter, ch, out, prime)
        ch = out
    assert primes[-1] == 97
    assert primes[:6] == [2, 3, 5, 7, 11, 13]


def test_zerosize():
    """test/chan/zerosize.go: channels of nothing."""
    c = chan(2)
    c.send(())
    assert c.receive() == ()


def test_sendstmt():
    """test/chan/sendstmt.go: channels over channels."""
    c = chan(1)
    d = chan(1)
    c.send(d)
    c.receive().send(True)
    assert d.receive() is True


def test_ken_chan1():
    """test/ken/chan1.go: 100 goroutines, one counter."""
    n, m = 100, 10
    r = chan()
    seen = [0] * (n * m)

    def f(start):
        for i in range(m):
            r.send(start + i)

    for i in range(n):
        go(f, i * m)
    for _ in range(n * m):
        seen[r.receive()] += 1
    assert seen == [1] * (n * m)
    run()


def test_pseudo_random_send():
    """runtime, TestPseudoRandomSend: a select of two sends offers each about as often."""
    for size in (0, 1):
        c = chan(size)
        got = []

        def receiver(c=c, got=got):
            for _ in range(1000):
                got.append(c.receive())
                schedule()

        go(receiver)
        for _ in range(1000):
            stackless.select([c.sendCase(0), c.sendCase(1)])
        run()
        assert len(got) == 1000
        assert 400 < sum(got) < 600


def test_multi_consumer():
    """runtime, TestMultiConsumer."""
    workers, total = 23, 3000
    primes = [2, 3, 7, 11, 13, 17, 19, 23, 27, 31]
    work, results = chan(workers), chan(workers * 4)
    left = [workers]

    def worker(w):
        for v in work:
            if primes[w % len(primes)] == v:
                schedule()
            results.send(v)
        left[0] -= 1
        if not left[0]:
            results.close()

    def producer():
        for i in range(total):
            work.send(primes[i % len(primes)])
        work.close()

    for w in range(workers):
        go(worker, w)
    go(producer)
    got = list(results)
    assert (len(got), sum(got)) == (total, sum(primes[i % len(primes)] for i in range(total)))


def test_send_interface_values():
    """runtime, TestChanSendInterface: any value passes, unchanged."""
    c = chan(1)
    for v in (None, 1, "s", [], object(), c, ClosedError, ValueError("no bomb")):
        c.send(v)
        assert c.receive() is v


def test_semaphore_like_channel():
    """runtime, BenchmarkChanSem's program: a buffer as a semaphore."""
    sem = chan(3)
    running = most = 0

    def work():
        nonlocal running, most
        sem.send(None)
        running += 1
        most = max(most, running)
        schedule()
        running -= 1
        sem.receive()

    for _ in range(20):
        go(work)
    run()
    assert (most, running, len(sem)) == (3, 0, 0)


def test_worker_pool():
    jobs, results = chan(5), chan(5)

    def worker():
        for j in jobs:
            results.send(j * j)

    for _ in range(3):
        go(worker)

    def feed():
        fill(jobs, range(20))
        jobs.close()

    go(feed)
    assert sorted(results.receive() for _ in range(20)) == [j * j for j in range(20)]
    run()


def test_pipeline():
    def gen(*values):
        out = chan()
        go(lambda: (fill(out, values), out.close()))
        return out

    def sq(source):
        out = chan()
        go(lambda: ([out.send(v * v) for v in source], out.close()))
        return out

    assert list(sq(sq(gen(2, 3, 4)))) == [16, 81, 256]


@pytest.mark.parametrize("seed", range(30))
def test_against_a_model(seed):
    """Random sends, receives, kills and closes against a list: nothing lost, doubled or out of order."""
    rng = random.Random(seed)
    size = rng.choice([0, 1, 2, 5])
    c = chan(size)
    sent, got, refused = [], [], []

    def sender(v):
        try:
            c.send(v)
            sent.append(v)
        except ClosedError:
            refused.append(v)

    def receiver():
        got.append(c.receive_ok())

    tasks = []
    for i in range(60):
        do = rng.random()
        if do < 0.45:
            tasks.append(go(sender, i))
        elif do < 0.85:
            tasks.append(go(receiver))
        elif do < 0.93 and tasks:
            victim = rng.choice(tasks)
            if victim.blocked:  # else its value may have passed already, and it only cannot say so any more
                victim.kill()
        else:
            schedule()
    run()
    waiting = c.balance
    assert waiting == 0 or (waiting > 0 and len(c) == size) or (waiting < 0 and len(c) == 0)
    c.close()
    run()
    values = [v for v, ok in got if ok]
    got_late = list(c)
    assert sorted(values + got_late) == sorted(sent)
    assert c.balance == 0
    assert not any(t.alive for t in tasks)


def test_it_is_a_tasklet():
    t = go(lambda a, b: None, 1, b=2)
    assert type(t) is tasklet
    assert t.scheduled
    run()
