"""Go's select, on Go channels and Stackless channels: the rules, and the programs of Go's own tests, by their names."""

import os
import random

import pytest
import stackless
from chanlab import clock
from chanlab.sched import here
from gochan import ClosedError, after, chan, go, nil
from select_proto import DEFAULT, MOST_CASES, RECEIVE, SEND, TIMEOUT, Selector, case, late, pri_select, select
from stackless import channel, getmain, run, schedule

#: CHANLAB_FULL=1 asks for the counts that a release is judged by: minutes, not seconds.
FULL = os.environ.get("CHANLAB_FULL") == "1"
ASLEEP = "all goroutines are asleep - deadlock!"
KINDS = [channel, chan, lambda: chan(1)]


def blocked(func, *args, **kwargs):
    """A tasklet that has run func(*args) until it waits."""
    t = go(func, *args, **kwargs)
    t.run()
    assert t.blocked
    return t


def full(*values):
    c = chan(len(values))
    for v in values:
        c.send(v)
    return c


# -- default, timeout, nil -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [channel, chan])
def test_default_iff_nothing_is_ready(make):
    """Rule 8; it does not yield."""
    c = make()
    other = go(schedule)
    assert select([c.receiveCase(), c.sendCase(1)], default=True) is DEFAULT
    assert other.scheduled
    assert other.nesting_level == 0
    assert c.balance == 0
    blocked(c.send, 7)
    r = select([c.receiveCase()], default=True)
    assert r.value == 7
    run()


def test_only_default():
    """Rule 9."""
    assert select([], default=True) is DEFAULT
    assert select([None, nil.receiveCase()], default=True) is DEFAULT


def test_no_cases_wait_for_ever():
    t = blocked(select, [])
    t.kill()
    with pytest.raises(RuntimeError, match="cannot be blocked"):
        select([None])


@pytest.mark.parametrize("none", [None, nil.receiveCase(), nil.sendCase(1), case(None, RECEIVE), case(None, SEND, 1)])
def test_nil_is_never_ready(none):
    """Rules 10 and 24."""
    c = full(1)
    for _ in range(20):
        r = select([none, c.receiveCase()])
        assert (r.index, r.value) == (1, 1)
        c.send(1)
    assert nil.balance == 0


@pytest.mark.parametrize(
    "cases", [[nil.receiveCase()], [nil.sendCase(1)], [None, nil.receiveCase(), case(None, SEND, 1)]]
)
def test_deadlock_on_nil_alone_is_told_as_go_tells_it(cases):
    with pytest.raises(RuntimeError, match=ASLEEP) as caught:
        select(cases)
    assert "main selects among " in caught.value.__notes__[0] and "nil" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match=ASLEEP):
        Selector(cases).select()
    go(lambda: None)
    with pytest.raises(RuntimeError, match=ASLEEP):
        select(cases)  # main is blocked already when nobody is left
    assert nil.balance == 0 and nil.queue is None


def test_nil_switches_a_case_off_in_a_loop():
    """The idiom: `case v, ok := <-a; if !ok { a = nil }`."""
    a, b = chan(), chan()
    go(lambda: ([a.send(i) for i in range(3)], a.close()))
    go(lambda: ([b.send(i) for i in range(10, 15)], b.close()))
    got = []
    left = Selector([a.receiveCase(), b.receiveCase()])
    while any(c.channel for c in left.cases):
        r = left.select()
        if r.ok:
            got.append(r.value)
        else:
            r.channel = None
    assert sorted(got) == [0, 1, 2, 10, 11, 12, 13, 14]
    run()


def test_timeout_zero_is_a_poll():
    c = chan()
    assert select([c.receiveCase()], timeout=0) is TIMEOUT
    assert select([c.receiveCase()], timeout=-1) is TIMEOUT
    assert select([full(3).receiveCase()], timeout=0).value == 3
    assert c.balance == 0


@pytest.mark.parametrize("make", [channel, chan])
def test_timeout_comes(make):
    c = make()
    assert select([c.receiveCase(), c.sendCase(1)], timeout=0.002) is TIMEOUT
    assert c.balance == 0
    assert c.queue is None
    assert not getmain().blocked


def test_timeout_that_does_not_come():
    c = chan()
    go(c.send, 1)
    assert select([c.receiveCase()], timeout=3600).value == 1


def test_infinite_timeout_is_none():
    with pytest.raises(RuntimeError, match=ASLEEP):
        select([chan().receiveCase()], timeout=float("inf"))


@pytest.mark.parametrize("wrong, error", [("x", TypeError), ([], TypeError), (float("nan"), ValueError)])
def test_wrong_timeout(wrong, error):
    with pytest.raises(error):
        select([chan().receiveCase()], timeout=wrong)


def test_timeout_of_others_keeps_run_going(monkeypatch):
    log = []
    now = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)  # or, on a busy machine, the first one's time is up first
    for n in (3, 1, 2):
        go(lambda n=n: log.append((n, select([], timeout=n / 500))))
    schedule()
    monkeypatch.undo()
    assert not log
    run()
    assert log == [(1, TIMEOUT), (2, TIMEOUT), (3, TIMEOUT)]


# -- closed ---------------------------------------------------------------------------------------------------------------


def test_receive_from_closed_is_always_ready():
    """Rules 11 and 12."""
    c = full("v")
    c.close()
    r = select([c.receiveCase()])
    assert (r.value, r.ok) == ("v", True)
    for _ in range(3):
        r = select([c.receiveCase()])
        assert (r.value, r.ok) == (None, False)


def test_send_on_closed_fails_only_if_chosen():
    """Rule 13: about every second time; always when nothing else is ready, default or not."""
    c = chan()
    c.close()
    failures = 0
    for _ in range(400):
        ready = full(1)
        try:
            assert select([c.sendCase(1), ready.receiveCase()]).index == 1
        except ClosedError:
            failures += 1
    assert 130 < failures < 270
    for default in (False, True):
        with pytest.raises(ClosedError, match="send on closed channel"):
            select([c.sendCase(1)], default=default)


def test_close_wakes_selects():
    """Rule 14."""
    c, d = chan(), chan()
    got = []

    def receives():
        r = select([d.receiveCase(), c.receiveCase()])
        got.append((r.index, r.value, r.ok))

    def sends():
        try:
            select([c.sendCase("lost"), d.receiveCase()])
        except ClosedError as error:
            got.append(str(error))

    blocked(receives)
    c.close()
    run()
    assert got == [(1, None, False)]
    c = chan()
    blocked(sends)
    c.close()
    run()
    assert got[1:] == ["send on closed channel"]
    assert d.balance == 0


def test_closed_stackless_channel_keeps_its_rule():
    """Decided: its case is ready, to fail."""
    c = channel()
    c.close()
    with pytest.raises(ValueError, match="closed channel"):
        select([c.receiveCase()])


def test_select4():
    """test/chan/select4.go: what is received from a closed channel in one select."""
    c, closed = full(5), chan()
    closed.close()
    assert select([c.receiveCase(), nil.sendCase(1)]).value == 5
    assert select([closed.receiveCase()]).ok is False


# -- choice ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 8])
def test_uniform_over_ready_cases(n):
    """Rule 7: within five standard deviations, nobody starved."""
    rounds = 1_000_000 if FULL else 10_000
    ready = chan()
    ready.close()
    cases = Selector([ready.receiveCase() for _ in range(n)])
    counts = [0] * n
    for _ in range(rounds):
        counts[cases.select().index] += 1
    deviation = (rounds * (1 / n) * (1 - 1 / n)) ** 0.5
    assert all(abs(k - rounds / n) < 5 * deviation for k in counts), counts


def test_duplicates_count_twice():
    rounds = 10_000
    a, b = chan(), chan()
    a.close()
    b.close()
    cases = [a.receiveCase(), b.receiveCase(), a.receiveCase()]
    of_a = sum(select(cases).channel is a for _ in range(rounds))
    assert abs(of_a - rounds * 2 / 3) < 5 * (rounds * 2 / 9) ** 0.5


@pytest.mark.parametrize("place", [0, 1])
def test_select_fairness(place, leftovers):
    """runtime, TestSelectFairness: of two always ready ones neither is starved."""
    c2, out1, out2, done = chan(), chan(), chan(), chan()
    trials = 2000
    for c in (out1, out2):
        go(lambda c=c: [c.send(1) for _ in iter(int, 1)])
    counts = [0, 0]
    cases = [c2.receiveCase(), out1.receiveCase(), out2.receiveCase(), done.receiveCase()]
    for _ in range(trials):
        counts[select(cases).index - 1] += 1
    assert abs(counts[place] - trials / 2) < 5 * (trials / 4) ** 0.5


def test_pri_select_takes_the_first():
    """occam's PRI ALT; it draws no number."""
    a, b, c = chan(), full(*range(50)), full(*range(50))
    state = here.sched.rng.state
    for _ in range(50):
        assert pri_select([a.receiveCase(), b.receiveCase(), c.receiveCase()]).index == 1
    assert pri_select([a.receiveCase(), b.receiveCase(), c.receiveCase()]).index == 2
    assert here.sched.rng.state == state
    assert pri_select([a.receiveCase()], default=True) is DEFAULT
    assert pri_select([a.receiveCase()], timeout=0.001) is TIMEOUT


def test_pri_select_blocks_like_select():
    a, b = chan(), channel()
    go(b.send, "v")
    r = pri_select([a.receiveCase(), b.receiveCase()])
    assert (r.index, r.value) == (1, "v")
    run()


# -- forms of cases -------------------------------------------------------------------------------------------------------


def test_guards():
    a, b = full(1), full(2)
    calls = []

    def guard(name, value):
        return lambda: calls.append(name) or value

    for _ in range(20):
        calls.clear()
        r = select([a.receiveCase().when(guard("a", False)), b.receiveCase().when(guard("b", True))], default=True)
        assert (r.index, r.value) == (1, 2)
        assert calls == ["a", "b"]
        b.send(2)
    assert select([a.receiveCase().when(False), b.receiveCase().when(0)], default=True) is DEFAULT
    assert (len(a), len(b)) == (1, 1)


def test_guard_that_raises_posts_nothing():
    a = chan()

    def bad():
        raise KeyError("guard")

    with pytest.raises(KeyError):
        select([a.receiveCase(), a.receiveCase().when(bad)])
    assert a.balance == 0


def test_bounded_buffer_with_guards():
    """The classic: accept only if there is room, give only if there is something."""
    put, get, items, log = chan(), chan(), [], []

    def buffer():
        giving = get.sendCase(late(lambda: items.pop(0))).when(lambda: items)
        cases = Selector([put.receiveCase().when(lambda: len(items) < 2), giving, None])
        for _ in range(20):
            r = cases.select()
            if r.channel is put:
                items.append(r.value)
            log.append(len(items))

    go(buffer)
    go(lambda: [put.send(i) for i in range(10)])
    assert [get.receive() for _ in range(10)] == list(range(10))
    run()
    assert max(log) <= 2
    assert len(log) == 20


def test_arrays():
    """Newsqueak's arrays of channels: the place of the array, and that in the array."""
    workers = [chan() for _ in range(5)]
    quit_ = chan()
    for i, w in enumerate(workers):
        go(w.send, i * 10)
    seen = set()
    for _ in workers:
        r = select([quit_.receiveCase(), [w.receiveCase() for w in workers]])
        assert r.index == 1
        assert r.value == r.element * 10
        seen.add(r.element)
    assert seen == set(range(5))
    run()
    r = select([(None, full("x").receiveCase())])
    assert (r.index, r.element) == (0, 1)
    assert select([full(1).receiveCase()]).element is None


@pytest.mark.parametrize("make", KINDS)
def test_late_value_is_computed_when_chosen(make):
    calls = []
    c, other = make(), full("o")
    if isinstance(c, chan) and c.cap:
        c.send("in the way")
    value = late(lambda: calls.append(1) or "v")
    assert select([c.sendCase(value), other.receiveCase()]).channel is other
    assert calls == []
    got = []
    t = blocked(select, [c.sendCase(value)])  # completed by the receiver
    assert calls == []
    while len(got) < 1 or got[-1] != "v":
        got.append(c.receive())
    assert calls == [1]
    run()
    assert not t.alive
    t = blocked(lambda: got.append(c.receive()))  # completed by the sender
    assert select([c.sendCase(value)]).ok
    run()
    assert got[-1] == "v"
    assert calls == [1, 1]


def test_late_value_that_raises_is_sent_as_an_exception():
    c = chan()
    go(select, [c.sendCase(late(lambda: 1 / 0))])
    with pytest.raises(ZeroDivisionError):
        c.receive()
    run()
    with pytest.raises(TypeError):
        late(5)


def test_late_value_is_not_computed_for_a_closed_channel():
    c = chan()
    c.close()
    calls = []
    with pytest.raises(ClosedError):
        select([c.sendCase(late(lambda: calls.append(1)))])
    assert calls == []


def test_select5_evaluation_order():
    """test/chan/select5.go, rule 23: channels and values once, in source order, even if not chosen."""
    log = []

    def f(name, value):
        log.append(name)
        return value

    c = full("v")
    select([f("c1", chan()).sendCase(f("v1", 1)), f("c2", c).receiveCase(), f("c3", nil).sendCase(f("v3", 3))])
    assert log == ["c1", "v1", "c2", "c3", "v3"]


def test_callbacks():
    c, d = full(20), chan(1)
    assert select([c.receives(lambda v: v + 1)]) == 21
    assert select([d.sends(5, lambda: "sent")]) == "sent"
    c.close()
    assert select([c.receives(lambda v: ("closed", v))]) == ("closed", None)


def test_match():
    c, d = full(3), chan()
    match select([c.receiveCase(), d.receiveCase()]):
        case case(channel=ch, value=v, ok=True) if ch is c:
            got = v
        case _:
            got = "else"
    assert got == 3
    match select([d.receiveCase()], default=True):
        case x if x is DEFAULT:
            got = "default"
    assert got == "default"


def test_most_cases():
    """reflect, TestSelectMaxCases; 65,536 are allowed."""
    c = chan(1)
    cases = [nil.receiveCase() for _ in range(MOST_CASES - 1)]
    assert select([*cases, c.sendCase(1)]).index == MOST_CASES - 1
    with pytest.raises(ValueError, match="65,537 cases"):
        select([*cases, c.receiveCase(), c.receiveCase()])
    assert len(c) == 1


# -- Selector ----------------------------------------------------------------------------------------------------------------


def test_selector():
    a, b = chan(3), channel()
    s = Selector([a.receiveCase(), b.receiveCase(), None])
    assert s.select(default=True) is DEFAULT
    for i in range(3):
        a.send(i)
    assert [s.select().value for _ in range(3)] == [0, 1, 2]
    go(b.send, "v")
    r = s.select()
    assert (r.index, r.value, r.ok) == (1, "v", True)
    assert s.pri_select(timeout=0.001) is TIMEOUT
    assert r.value is None  # no stale result
    assert repr(s) == "<Selector of 2 cases>"
    run()


def test_selector_sends_what_the_case_says_now():
    c = chan(5)
    one = c.sendCase(0)
    s = Selector([one])
    for i in range(5):
        one.value = i
        s.select()
    c.close()
    assert list(c) == [0, 1, 2, 3, 4]


def test_selector_of_two_tasklets_at_once():
    c = chan()
    s = Selector([c.receiveCase()])
    t = blocked(s.select)
    with pytest.raises(RuntimeError, match="is pending"):
        s.select()
    t.kill()
    go(c.send, 1)
    assert s.select().value == 1
    with pytest.raises(TypeError):
        Selector(c)


# -- both kinds in one select ------------------------------------------------------------------------------------------------


def test_stackless_and_go_channels_in_one_select():
    s, g = channel(), chan()
    go(s.send, "s")
    go(g.send, "g")
    got = {select([s.receiveCase(), g.receiveCase()]).value for _ in range(2)}
    assert got == {"s", "g"}
    run()
    assert s.balance == g.balance == 0


def test_block_trap_posts_nothing():
    c, d = chan(), channel()
    getmain().block_trap = True
    for timeout in (None, 1):
        with pytest.raises(RuntimeError, match="does not like to be blocked"):
            select([c.receiveCase(), d.receiveCase()], timeout=timeout)
    assert select([c.receiveCase()], default=True) is DEFAULT
    getmain().block_trap = False
    go(schedule)
    stackless.switch_trap(1)
    for timeout in (None, 1):
        with pytest.raises(RuntimeError, match="switch_trap"):
            select([c.receiveCase(), d.receiveCase()], timeout=timeout)
    stackless.switch_trap(-1)
    assert c.balance == d.balance == 0
    run()


# -- Go's programs ------------------------------------------------------------------------------------------------------------


def test_select3():
    """test/chan/select3.go: what blocks and what does not."""

    def blocks(f):
        t = go(f)
        t.run()
        waits = t.blocked
        t.kill()
        return waits

    closed = chan()
    closed.close()
    one = full(1)
    assert blocks(nil.receive)
    assert blocks(lambda: nil.send(7))
    assert blocks(chan().receive)
    assert blocks(lambda: chan().send(7))
    assert blocks(chan(10).receive)
    assert not blocks(lambda: chan(10).send(7))
    assert blocks(lambda: one.send(7))
    assert not blocks(closed.receive)
    assert not blocks(closed.receive_ok)
    assert blocks(lambda: select([]))
    assert blocks(lambda: select([nil.receiveCase(), nil.sendCase(7)]))
    assert not blocks(lambda: select([nil.receiveCase()], default=True))
    assert blocks(lambda: select([chan().receiveCase(), chan().sendCase(7)]))
    assert not blocks(lambda: select([closed.receiveCase()]))
    assert not blocks(lambda: select([one.receiveCase()]))


def test_select6():
    """test/chan/select6.go: waiters that left a queue do not disturb the order of those who stay."""
    c1, c2 = chan(), chan()
    got = []
    first = blocked(lambda: got.append(("1", c1.receive())))
    second = blocked(lambda: got.append(("s", select([c1.receiveCase(), c2.receiveCase()]).channel is c2)))
    third = blocked(lambda: got.append(("3", c1.receive())))
    c2.send(1)
    c1.send("a")
    c1.send("b")
    run()
    assert got == [("s", True), ("1", "a"), ("3", "b")]
    assert not any(t.alive for t in (first, second, third))


@pytest.mark.parametrize("receive", ["plain", "select", "ok"])
@pytest.mark.parametrize("send", ["plain", "select"])
@pytest.mark.parametrize("sender_first", [True, False])
def test_select7(receive, send, sender_first):
    """test/chan/select7.go: every way to meet."""
    c = chan()
    got = []
    tx = {"plain": lambda: c.send(1), "select": lambda: select([c.sendCase(1), nil.receiveCase()])}[send]
    rx = {
        "plain": c.receive,
        "ok": lambda: c.receive_ok()[0],
        "select": lambda: select([nil.sendCase(2), c.receiveCase()]).value,
    }[receive]
    for f in [tx, lambda: got.append(rx())] if sender_first else [lambda: got.append(rx()), tx]:
        go(f)
    run()
    assert got == [1]


def test_doubleselect():
    """test/chan/doubleselect.go: selects over four channels lose and double nothing."""
    n = 100_000 if FULL else 3_000
    channels = [chan() for _ in range(4)]
    out = chan(100)

    def sender():
        for i in range(n):
            select([c.sendCase(i) for c in channels])
        for c in channels:
            c.close()

    left = [4]

    def mux(c):
        for v in c:
            out.send(v)
        left[0] -= 1
        if not left[0]:
            out.close()

    go(sender)
    for c in channels:
        go(mux, c)
    assert sorted(out) == list(range(n))


def test_nonblock():
    """test/chan/nonblock.go."""
    for size in (0, 1):
        c = chan(size)
        assert select([c.receiveCase()], default=True) is DEFAULT
        if not size:
            assert select([c.sendCase(1)], default=True) is DEFAULT
            t = blocked(c.receive)
        assert select([c.sendCase(1)], default=True) is not DEFAULT
        if size:
            assert select([c.sendCase(2)], default=True) is DEFAULT
            assert select([c.receiveCase()], default=True).value == 1
        else:
            run()
            assert not t.alive


@pytest.mark.parametrize("make", KINDS)
def test_self_select(make):
    """runtime, TestSelfSelect: two selects that send and receive on one channel never meet themselves."""
    c = make()
    got = []
    n = 1000

    def f(p, q):
        for _ in range(n):
            if isinstance(c, chan) and c.cap:
                r = select([c.sendCase(p), c.receiveCase()])
            else:
                r = select([c.sendCase(p), c.receiveCase()])
                if r.direction == RECEIVE:
                    assert r.value == q
            got.append(r.direction)
            schedule()

    go(f, 0, 1)
    go(f, 1, 0)
    run()
    if c.balance:  # whoever comes last finds nobody
        c.queue.kill()
    if not isinstance(c, chan) or not c.cap:
        assert got.count(SEND) == got.count(RECEIVE) == n


def test_select_stress():
    """runtime, TestSelectStress: five tasklets, four channels, plain and select mixed."""
    n = 20_000 if FULL else 500
    c = [chan(), chan(), chan(2), chan(3)]
    sums = [0] * 4

    def plain_send(k):
        for _ in range(n):
            c[k].send(1)

    def plain_receive(k):
        for _ in range(n):
            v = c[k].receive()
            sums[k] += v

    def select_send():
        left = [n] * 4
        while any(left):
            left[select([c[k].sendCase(1) if left[k] else None for k in range(4)]).index] -= 1

    def select_receive():
        left = [n] * 4
        while any(left):
            r = select([c[k].receiveCase() if left[k] else None for k in range(4)])
            left[r.index] -= 1
            sums[r.index] += r.value

    for k in range(4):
        go(plain_send, k)
        go(plain_receive, k)
    go(select_send)
    go(select_receive)
    run()
    assert sums == [2 * n] * 4
    assert all(x.balance == 0 and len(x) == 0 for x in c)


def test_select_duplicate_channel():
    """runtime, TestSelectDuplicateChannel: a select that waits twice on a channel leaves it whole."""
    c, d = chan(), chan()
    got = []
    blocked(lambda: got.append(select([c.receiveCase(), c.receiveCase(), d.receiveCase()]).value))
    blocked(lambda: got.append(c.receive()))
    d.send(7)
    c.send(8)
    run()
    assert got == [7, 8]
    assert c.balance == 0


def test_two_selects_meet():
    """Rule 21."""
    a, b = chan(), chan()
    got = []
    go(lambda: got.append(select([a.receiveCase(), b.receiveCase()]).value))
    go(lambda: got.append(select([a.sendCase("a"), b.sendCase("b")]).value))
    run()
    assert got[0] == got[1]
    assert a.balance == b.balance == 0


def test_reflect_select_result():
    """reflect, TestSelect: the chosen index, the value and whether it was received."""
    c, closed = full(8), chan()
    closed.close()
    r = select([c.receiveCase()])
    assert (r.index, r.value, r.ok, r.direction, r.channel) == (0, 8, True, RECEIVE, c)
    r = select([nil.receiveCase(), closed.receiveCase()])
    assert (r.index, r.value, r.ok) == (1, None, False)
    r = select([nil.receiveCase(), c.sendCase(9)])
    assert (r.index, r.ok, r.direction) == (1, True, SEND)


def test_exceptions_surface_through_select():
    """Rule 32."""
    c = chan(1)
    c.send_exception(KeyError, 1)
    with pytest.raises(KeyError):
        select([c.receiveCase()])
    t = blocked(lambda: select([c.receiveCase()]))
    c.send_exception(IndexError)
    with pytest.raises(IndexError):
        run()
    assert not t.alive


def test_timeout_as_a_case():
    """The idiom `case <-time.After(d)`."""
    c = chan()
    r = select([c.receiveCase(), after(0.002).receiveCase()])
    assert r.index == 1
    assert c.balance == 0


def test_power_series_demand(leftovers):
    """test/chan/powser1.go, its heart: demand channels, a select of request against data."""

    def dosplit(source, outs, wait):
        while True:
            r = select([o[0].receiveCase() for o in outs])
            first, second = outs[r.index], outs[1 - r.index]
            source[0].send(1)
            value = source[1].receive()
            first[1].send(value)
            second[0].receive()
            second[1].send(value)

    def ones(out):
        for i in iter(range(10**9)):
            out[0].receive()
            out[1].send(i)

    source, a, b = [(chan(), chan()) for _ in range(3)]
    go(ones, source)
    go(dosplit, source, (a, b), None)
    got = {"a": [], "b": []}

    def take(name, ch):
        for _ in range(50):
            ch[0].send(1)
            got[name].append(ch[1].receive())

    go(take, "a", a)
    go(take, "b", b)
    run()
    assert got == {"a": list(range(50)), "b": list(range(50))}


@pytest.mark.parametrize("seed", range(3))
def test_exactly_one_in_a_mesh(seed):
    """Selects on both sides of 20 channels, with kills, throws and timeouts: no value lost, none doubled."""
    rng = random.Random(seed)
    rounds = 1_000_000 if FULL else 20_000
    channels = [rng.choice([chan, channel])() for _ in range(20)]
    sent, got = {}, {}
    numbers = iter(range(10**9))
    done = 0

    def timeout():
        return rng.choice([None, None, None, 0.0005, 30])

    def sender():
        nonlocal done
        while done < rounds:
            v = next(numbers)
            mine = rng.sample(channels, 3)
            cases = [c.sendCase((v, i)) for i, c in enumerate(mine)]
            r = None
            try:
                r = select(cases, timeout=timeout())
            except KeyError:
                pass
            except BaseException:
                account(cases, v)
                raise
            if r is not None and r is not TIMEOUT:
                sent[v] = r.index
            elif r is None:
                account(cases, v)
            done += 1

    def account(cases, v):
        """Killed or thrown at: maybe after one of them had happened."""
        for c in cases:
            if c.ok:
                sent[v] = c.index

    def receiver():
        while done < rounds:
            cases = [c.receiveCase() for c in rng.sample(channels, 3)]
            try:
                select(cases, timeout=timeout())
            except KeyError:
                pass
            finally:
                for c in cases:
                    if c.ok:
                        v, i = c.value
                        assert v not in got, "doubled"
                        got[v] = i

    tasks = [go(rng.choice([sender, receiver])) for _ in range(30)]
    tasks += [go(sender), go(receiver)]

    def trouble():
        while done < rounds:
            i = rng.randrange(len(tasks))
            t = tasks[i]
            if t.blocked:
                if rng.random() < 0.3:
                    t.kill()
                    tasks[i] = go(rng.choice([sender, receiver]))
                else:
                    t.throw(KeyError, "trouble", None)
            stackless.sleep(0)

    go(trouble)
    while done < rounds:
        schedule()
        if stackless.runcount == 1:
            stackless.sleep(0.001)
            for _ in range(2):
                tasks.append(go(sender))
                tasks.append(go(receiver))
    for t in tasks:
        if t.blocked:
            t.kill()
    run()
    for t in tasks:
        t.kill()
    assert sent == got
    assert len(sent) > rounds / 10
    for c in channels:
        assert c.balance == 0
        assert c.queue is None


def test_a_refused_operation_takes_no_value_from_another():
    """The channel callback is not even called: the value slot is in use."""
    seen, c = chan(1), chan(1)
    c.send("a")
    go(select, [c.sendCase(late(lambda: seen.send("x")))]).run()
    stackless.set_channel_callback(lambda *_: None)
    try:
        assert c.receive_ok() == ("a", True)
    finally:
        stackless.set_channel_callback(None)
    with pytest.raises(RuntimeError, match="in the middle of a switch"):
        c.receive()
    stackless.run()
