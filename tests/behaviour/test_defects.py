"""What the published prototypes of 2010 got wrong, one test each: none of it is here."""

import collections

import pytest
import stackless
from chanlab.rng import Generator
from stackless import channel, getcurrent, run, schedule, tasklet


def test_d1_random_numbers_stay_bounded():
    """`nrand` grew without bound (90,119 bits after 3,000 selects), and `/` became a float division in Python 3."""
    g = Generator(1)
    for n in range(1, 3001):
        number = g.below(n)
        assert type(number) is int
        assert 0 <= number < n
    assert g.state.bit_length() <= 64
    from chanlab.sched import here

    a, b = channel(), channel()
    senders = [tasklet(ch.send_sequence)(range(3000)) for ch in (a, b)]
    run()
    for _ in range(3000):
        stackless.select([a.receiveCase(), b.receiveCase()])
    assert here.sched.rng.state.bit_length() <= 64
    for t in senders:
        t.kill()


def test_d2_exceptions_sent_are_raised():
    """`receive` returned a `bomb` instead of raising it, so that send_exception was lost."""
    ch = channel()
    for receive in (ch.receive, lambda: stackless.select([ch.receiveCase()])):
        tasklet(ch.send_exception)(KeyError, "k")
        with pytest.raises(KeyError):
            receive()
    run()


def test_d3_channel_callback():
    """The callback got three arguments, and only of completed operations."""
    ch, calls = channel(), []
    stackless.set_channel_callback(lambda *args: calls.append(args))
    try:
        t = tasklet(ch.receive)()
        run()
        assert calls == [(ch, t, 0, 1)]
        ch.send(1)
        assert calls[1] == (ch, getcurrent(), 1, 0)
    finally:
        stackless.set_channel_callback(None)


def test_d4_kill_withdraws():
    """`kill()` left the dead tasklet's operations queued, and a later sender resumed a corpse."""
    ch, other = channel(), channel()
    waits = [
        tasklet(ch.receive),
        tasklet(lambda: stackless.select([ch.receiveCase(), other.sendCase(1)])),
    ]
    for t in waits:
        t()
        run()
        t.kill()
        assert (ch.balance, other.balance, ch.queue, other.queue) == (0, 0, None, None)
    t = tasklet(ch.send)(1)
    run()
    assert t.blocked
    t.kill()


def test_d5_closing_is_checked():
    """`closing` was never checked."""
    ch = channel()
    ch.close()
    for call in (
        ch.receive,
        lambda: ch.send(1),
        lambda: stackless.select([ch.receiveCase()]),
        lambda: stackless.select([ch.sendCase(1)]),
    ):
        with pytest.raises(ValueError, match="closed channel"):
            call()


def test_d6_blocking_is_no_extra_yield_and_is_visible():
    """Suspending was schedule_remove() and then schedule(): one yield too many; `blocked` was never set, `block_trap` ignored."""
    ch, log = channel(), []

    def selects():
        stackless.select([ch.receiveCase()])
        log.append("select")

    t = tasklet(selects)()
    tasklet(log.append)("a")
    schedule()
    assert t.blocked
    tasklet(log.append)("b")
    ch.send(1)
    assert log == ["a", "select", "b"]
    getcurrent().block_trap = True
    try:
        with pytest.raises(RuntimeError, match="does not like to be blocked"):
            stackless.select([ch.receiveCase()])
    finally:
        getcurrent().block_trap = False
    assert ch.balance == 0


def test_d7_duplicates_are_chosen_uniformly_on_the_passive_side():
    """The same channel twice in a list: the passive side always took the first entry."""
    ch, counts = channel(), collections.Counter()
    for _ in range(400):
        t = tasklet(lambda: counts.update([stackless.select([ch.receiveCase(), ch.receiveCase()]).index]))()
        run()
        ch.send(1)
        assert not t.alive
    assert 130 < counts[0] < 270, counts


def test_d8_cases_are_hashable():
    """`_chanop` defined __eq__ without __hash__: no hash table in place of ifs."""
    a, b = channel(), channel()
    actions = {a.receiveCase(): "a", b.receiveCase(): "b"}
    tasklet(b.send)(1)
    assert actions[stackless.select(actions)] == "b"
    run()


def test_d9_cases_belong_to_whoever_selects():
    """An operation remembered its creating tasklet: used from another, the value was lost or C crashed."""
    ch, cases, got = channel(), [], []

    def maker():
        cases.append(ch.receiveCase())

    tasklet(maker)()
    run()
    t = tasklet(lambda: got.append(stackless.select(cases).value))()
    run()
    assert ch.queue is t
    ch.send("v")
    assert got == ["v"]


def test_case_callbacks_run_in_the_tasklet_that_selects():
    """They ran in the resumer."""
    ch, seen = channel(), []
    t = tasklet(lambda: stackless.select([ch.receives(lambda value: seen.append(getcurrent()))]))()
    run()
    ch.send(1)
    assert seen == [t]


def test_each_channel_of_a_select_knows_its_waiter():
    """`_channel` reported only the first."""
    chs = [channel() for _ in range(3)]
    t = tasklet(stackless.select)([ch.receiveCase() for ch in chs])
    run()
    assert all(ch.queue is t for ch in chs)
    t.kill()
