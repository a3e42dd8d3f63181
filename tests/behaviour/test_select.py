"""select: readiness and choice, exactly one case, losers withdrawn, both directions, traps, callbacks, bad input.

The rules are Go's where it has one, the numbers those of the design's list.
"""

import collections

import pytest
import stackless
from chanlab.sched import here
from select_proto import RECEIVE, SEND, case, select
from stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet


def channels(n):
    return [channel() for _ in range(n)]


def start(func, *args):
    t = tasklet(func)(*args)
    run()
    return t


def quiet(*chs):
    """Nobody waits anywhere."""
    return all((ch.balance, ch.queue, len(ch._senders), len(ch._receivers)) == (0, None, 0, 0) for ch in chs)


# -- making cases ----------------------------------------------------------------------------------------------------


def test_case():
    ch = channel()
    c = ch.receiveCase()
    assert (c.channel, c.direction, c.value, c.index, c.callback) == (ch, -1, None, None, None)
    c = ch.sendCase("v")
    assert (c.channel, c.direction, c.value) == (ch, 1, "v")
    c = ch.receives(print)
    assert (c.direction, c.callback) == (-1, print)
    c = ch.sends("v", print)
    assert (c.direction, c.value, c.callback) == (1, "v", print)
    assert (SEND, RECEIVE) == (1, -1)
    assert ch.receives().callback is None


def test_case_is_hashable_by_identity():
    ch = channel()
    a, b = ch.receiveCase(), ch.receiveCase()
    assert a != b
    assert {a: 1, b: 2}[a] == 1


def test_case_in_match():
    ch = channel()
    match ch.sendCase("v"):
        case case(to, 1, "v"):
            assert to is ch
        case _:
            raise AssertionError


def test_stackless_select_is_the_same():
    assert stackless.select is select


def test_repr_has_the_label():
    ch = channel()
    ch.label = "orders"
    assert "orders" in repr(ch.receiveCase())
    assert "orders" in repr(ch.sendCase("v"))


# -- something is ready ----------------------------------------------------------------------------------------------


def test_one_ready_draws_no_number():
    a, b = channels(2)
    start(b.send, "v")
    before = here.sched.rng.state
    cases = [a.receiveCase(), b.receiveCase()]
    c = select(cases)
    assert here.sched.rng.state == before
    assert c is cases[1]
    assert (c.channel, c.direction, c.value, c.index) == (b, -1, "v", 1)
    run()
    assert quiet(a, b)


def test_one_ready_to_send():
    a, b = channels(2)
    got = []
    start(lambda: got.append(b.receive()))
    c = select([a.sendCase("x"), b.sendCase("y")])
    assert (c.channel, c.direction, c.value, c.index) == (b, 1, "y", 1)
    assert got == ["y"]
    assert quiet(a, b)


def test_several_ready_one_draw_uniform():
    """Rules 6 and 7."""
    a, b, c = channels(3)
    counts = collections.Counter()
    for _ in range(1500):
        ts = [start(ch.send, None) for ch in (a, b, c)]
        before = here.sched.rng.state
        counts[select([ch.receiveCase() for ch in (a, b, c)]).index] += 1
        assert here.sched.rng.state != before
        for t in ts:
            t.kill()
        run()
    assert all(400 < counts[i] < 600 for i in range(3)), counts


def test_a_channel_listed_twice_counts_twice():
    """Rules 7 and 18."""
    a, b = channels(2)
    counts = collections.Counter()
    for _ in range(1500):
        ts = [start(ch.send, None) for ch in (a, b)]
        counts[select([a.receiveCase(), b.receiveCase(), a.receiveCase()]).channel] += 1
        for t in ts:
            t.kill()
        run()
    assert 900 < counts[a] < 1100, counts


def test_ready_in_both_directions():
    ch, other = channels(2)
    start(ch.send, "v")
    c = select([other.sendCase(1), ch.sendCase(1), ch.receiveCase()])
    assert (c.index, c.value) == (2, "v")
    run()
    assert quiet(ch, other)


def test_only_the_chosen_case_happens():
    chs = channels(5)
    ts = [start(ch.send, i) for i, ch in enumerate(chs)]
    chosen = select([ch.receiveCase() for ch in chs])
    assert [ch.balance for ch in chs] == [0 if i == chosen.index else 1 for i in range(5)]
    for t in ts:
        t.kill()
    run()


# -- nothing is ready ------------------------------------------------------------------------------------------------


def selecting(cases, log):
    log.append(select(cases))


@pytest.mark.parametrize("fires", [0, 1, 2])
def test_exactly_one_fires(fires):
    """Rule 16."""
    chs, got = channels(3), []
    cases = [ch.receiveCase() for ch in chs]
    t = start(selecting, cases, got)
    assert t.blocked
    assert [ch.balance for ch in chs] == [-1] * 3
    chs[fires].send("v")
    assert got == [cases[fires]]
    assert [c.value for c in cases] == ["v" if i == fires else None for i in range(3)]
    assert quiet(*chs)


def test_losers_are_withdrawn_before_the_winner_runs():
    """Rule 17: not even a partner who runs on before the winner can meet one."""
    a, b = channels(2)
    a.preference = b.preference = 1  # the sender goes on
    got = []
    start(selecting, [a.receiveCase(), b.receiveCase()], got)
    a.send(1)
    assert got == []
    assert quiet(a, b)
    t = tasklet(b.send)(2)
    schedule()
    assert t.blocked
    t.kill()
    run()
    assert [c.value for c in got] == [1]


def test_send_case_that_waits():
    a, b, got = *channels(2), []
    cases = [a.sendCase("x"), b.sendCase("y")]
    t = start(selecting, cases, got)
    assert (a.balance, b.balance, a.queue, b.queue) == (1, 1, t, t)
    assert b.receive() == "y"
    run()
    assert got == [cases[1]]
    assert got[0].value == "y"
    assert quiet(a, b)


def test_both_directions_on_one_channel():
    """Rule 19: it never meets itself, and serves whoever comes first."""
    for partner in ("send", "receive"):
        ch, got = channel(), []
        cases = [ch.sendCase("mine"), ch.receiveCase()]
        t = start(selecting, cases, got)
        assert t.blocked
        assert ch.balance == 0
        assert ch.queue is t
        if partner == "send":
            ch.send("yours")
            assert (got[0].direction, got[0].value) == (-1, "yours")
        else:
            assert ch.receive() == "mine"
            run()
            assert (got[0].direction, got[0].value) == (1, "mine")
        assert quiet(ch)


def test_two_selects_facing_each_other():
    """Rule 21."""
    ch, got = channel(), []
    start(selecting, [ch.receiveCase()], got)
    c = select([ch.sendCase("v")])
    assert c.direction == 1
    assert (got[0].direction, got[0].value) == (-1, "v")
    assert quiet(ch)


def test_two_selects_of_both_directions():
    a, b = channels(2)
    got = []

    def party(name):
        c = select([a.sendCase(name), a.receiveCase(), b.sendCase(name), b.receiveCase()])
        got.append((name, c.channel, c.direction, c.value))

    for name in "xy":
        tasklet(party)(name)
    run()
    by = {name: rest for name, *rest in got}
    assert by["x"][0] is by["y"][0]
    assert by["x"][1] == -by["y"][1]
    receiver = "x" if by["x"][1] < 0 else "y"
    assert by[receiver][2] == ("y" if receiver == "x" else "x")
    assert quiet(a, b)


def test_first_in_first_out_among_plain_and_selecting_waiters():
    """Rule 4."""
    ch, other, got = *channels(2), []

    def plain(name):
        got.append((name, ch.receive()))

    def selects(name):
        got.append((name, select([other.receiveCase(), ch.receiveCase()]).value))

    for name, func in zip("abcd", (plain, selects, plain, selects)):
        tasklet(func)(name)
    run()
    assert (ch.balance, other.balance) == (-4, -2)
    for i in range(4):
        ch.send(i)
    assert got == [("a", 0), ("b", 1), ("c", 2), ("d", 3)]
    assert quiet(ch, other)


def test_a_leaving_select_does_not_disturb_others():
    """Rule 20."""
    ch, other, got = *channels(2), []
    first = start(lambda: got.append(("first", ch.receive())))
    start(lambda: got.append(("select", select([ch.receiveCase(), other.receiveCase()]).value)))
    last = start(lambda: got.append(("last", ch.receive())))
    other.send("out")
    assert got == [("select", "out")]
    assert (ch.balance, ch.queue, first.next, last.prev) == (-2, first, last, first)
    ch.send(1)
    ch.send(2)
    assert got[1:] == [("first", 1), ("last", 2)]


def test_passive_side_chooses_among_its_duplicates():
    """Decision 3: uniformly, with one draw."""
    ch, counts = channel(), collections.Counter()
    for _ in range(1500):
        got = []
        start(selecting, [ch.receiveCase() for _ in range(3)], got)
        assert ch.balance == -3
        ch.send(None)
        counts[got[0].index] += 1
        assert quiet(ch)
    assert all(400 < counts[i] < 600 for i in range(3)), counts


def test_passive_side_with_one_fitting_case_draws_no_number():
    ch, got = channel(), []
    start(selecting, [ch.receiveCase(), ch.sendCase(1)], got)
    before = here.sched.rng.state
    ch.send(None)
    assert here.sched.rng.state == before
    assert len(got) == 1


def test_the_number_drawn_belongs_to_the_seed(script):
    source = """
        import stackless
        chs = [stackless.channel() for _ in range(5)]
        for ch in chs:
            stackless.tasklet(ch.send_sequence)(range(100))
        stackless.run()
        print([stackless.select([ch.receiveCase() for ch in chs]).index for _ in range(50)])
        """
    first, again, other = (script(source, env={"CHANLAB_SEED": seed}).ok() for seed in ("7", "7", "8"))
    assert first == again
    assert first != other


def test_generator_as_specified():
    """SplitMix64 (Steele, Lea, Flood 2014); the first numbers of seed 1234567 are published ones."""
    from chanlab.rng import Generator

    g = Generator(1234567)
    assert [g.draw() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    g = Generator(-1)
    assert all(0 <= g.below(7) < 7 for _ in range(1000))
    assert g.state < 2**64


# -- case lists ------------------------------------------------------------------------------------------------------


def test_a_list_used_again():
    a, b, got = *channels(2), []
    cases = [a.receiveCase(), b.receiveCase()]

    def loop():
        for _ in range(4):
            c = select(cases)
            got.append((c.index, c.value, [x.value for x in cases if x is not c]))

    start(loop)
    for ch, value in [(a, 1), (b, 2), (b, 3), (a, 4)]:
        ch.send(value)
    assert got == [(0, 1, [None]), (1, 2, [None]), (1, 3, [None]), (0, 4, [None])]


def test_a_list_changed_between_calls():
    a, b, c, got = *channels(3), []
    cases = [a.receiveCase(), b.receiveCase()]

    def loop():
        while cases:
            chosen = select(cases)
            got.append(chosen.channel)
            cases.remove(chosen)
            if chosen.channel is a:
                cases.append(c.sendCase("late"))

    start(loop)
    a.send(1)
    assert c.receive() == "late"
    b.send(2)
    assert got == [a, c, b]
    run()


def test_a_list_changed_while_the_select_waits():
    """It was adopted: what happens to the list afterwards is of no concern."""
    a, b, got = *channels(2), []
    cases = [a.receiveCase(), b.receiveCase()]
    start(selecting, cases, got)
    cases.clear()
    b.send("v")
    assert got[0].value == "v"
    assert quiet(a, b)


def test_cases_made_by_another_tasklet():
    """Rule 25."""
    a, b = channels(2)
    made, got = channel(), []
    tasklet(lambda: made.send([a.receiveCase(), b.sendCase("v")]))()

    def user():
        got.append(select(made.receive()))

    t = tasklet(user)()
    run()
    assert b.receive() == "v"
    run()
    assert got[0].channel is b
    assert not t.alive
    assert quiet(a, b)


@pytest.mark.parametrize("kind", [tuple, iter, set, collections.deque, lambda cases: (c for c in cases)])
def test_any_iterable(kind):
    ch = channel()
    start(ch.send, "v")
    assert select(kind([ch.receiveCase()])).value == "v"
    run()


def test_value_shows_no_stale_result():
    a, b = channels(2)
    c, d = a.receiveCase(), b.receiveCase()
    start(a.send, "first")
    select([c, d])
    assert c.value == "first"
    start(b.send, "second")
    assert select([c, d]) is d
    assert c.value is None
    run()


def test_value_of_a_send_case_can_be_changed():
    ch = channel()
    c = ch.sendCase(1)
    got = []
    for value in (1, 2):
        start(lambda: got.append(ch.receive()))
        c.value = value
        select([c])
    assert got == [1, 2]


def test_send_values_are_taken_when_the_list_is_built():
    """Rule 23, as far as Python's lists have it."""
    order = []

    def value(x):
        order.append(x)
        return x

    a, b = channels(2)
    start(b.receive)
    select([a.sendCase(value(1)), b.sendCase(value(2))])
    assert order == [1, 2]


def test_index_is_of_the_last_list():
    ch = channel()
    c = ch.receiveCase()
    start(ch.send_sequence, range(2))
    assert select([c]).index == 0
    assert select([channel().receiveCase(), c]).index == 1
    run()


def test_the_winner_can_be_used_at_once_by_another():
    """Decision 4: a withdrawn case can be used again at once, before its tasklet has run."""
    a, b, got = *channels(2), []
    a.preference = 1
    cases = [a.receiveCase(), b.receiveCase()]
    start(selecting, cases, got)
    a.send("x")
    t = tasklet(selecting)([cases[1]], got)
    schedule()
    run()
    b.send("y")
    assert [c.channel for c in got] == [a, b]
    assert not t.alive


def test_a_huge_list():
    chs = channels(3000)
    got = []
    start(selecting, [ch.receiveCase() for ch in chs], got)
    chs[2999].send("last")
    assert got[0].index == 2999
    assert quiet(*chs)


# -- who goes on: preference and schedule_all ------------------------------------------------------------------------


def order(receiver_selects, sender_selects, receiver_first, **settings):
    ch, other, log = *channels(2), []
    for name, value in settings.items():
        setattr(ch, name, value)

    def receiver():
        log.append("r>")
        if receiver_selects:
            select([other.receiveCase(), ch.receiveCase()])
        else:
            ch.receive()
        log.append("r<")

    def sender():
        log.append("s>")
        if sender_selects:
            select([ch.sendCase(1), other.receiveCase()])
        else:
            ch.send(1)
        log.append("s<")

    for func in (receiver, sender) if receiver_first else (sender, receiver):
        tasklet(func)()
    for name in ("o1", "o2"):
        tasklet(log.append)(name)
    run()
    assert quiet(ch, other)
    return " ".join(log)


@pytest.mark.parametrize("settings", [{"preference": p} for p in (-1, 0, 1)] + [{"schedule_all": 1}], ids=str)
@pytest.mark.parametrize("receiver_first", [True, False])
def test_order_is_that_of_plain_operations(settings, receiver_first):
    """Decision 6."""
    plain = order(False, False, receiver_first, **settings)
    for selects in [(True, False), (False, True), (True, True)]:
        assert order(*selects, receiver_first, **settings) == plain


# -- closing ---------------------------------------------------------------------------------------------------------


def test_closed_channel_is_ready_to_fail():
    for make in (channel.receiveCase, lambda ch: ch.sendCase(1)):
        ch, other = channels(2)
        ch.close()
        with pytest.raises(ValueError, match="^Send/receive operation on a closed channel$"):
            select([other.receiveCase(), make(ch)])
        assert quiet(ch, other)


def test_closing_channel_serves_who_waits():
    ch = channel()
    start(ch.send, "v")
    ch.close()
    assert select([ch.receiveCase()]).value == "v"
    with pytest.raises(ValueError, match="closed"):
        select([ch.receiveCase()])
    run()


def test_closed_and_a_partner_are_equally_likely():
    counts = collections.Counter()
    for _ in range(600):
        ch, closed = channels(2)
        closed.close()
        t = start(ch.send, 1)
        try:
            select([ch.receiveCase(), closed.receiveCase()])
            counts["served"] += 1
        except ValueError:
            counts["failed"] += 1
        t.kill()
        run()
    assert 240 < counts["served"] < 360, counts


def test_closing_while_a_select_waits_wakes_nobody():
    ch, got = channel(), []
    t = start(selecting, [ch.receiveCase()], got)
    ch.close()
    run()
    assert t.blocked
    ch.send("still served")
    assert got[0].value == "still served"


# -- traps -----------------------------------------------------------------------------------------------------------


def test_block_trap_refuses_before_anything_is_posted():
    a, b = channels(2)
    getmain().block_trap = True
    try:
        with pytest.raises(RuntimeError, match="this tasklet does not like to be blocked"):
            select([a.receiveCase(), b.sendCase(1)])
        assert quiet(a, b)
        start(a.send, "v")
        assert select([a.receiveCase(), b.sendCase(1)]).value == "v"
    finally:
        getmain().block_trap = False
    run()


def test_switch_trap_refuses_before_anything_is_posted():
    a, b = channels(2)
    t = tasklet(schedule)()
    cases = [a.receiveCase(), b.sendCase(1)]
    stackless.switch_trap(1)
    try:
        with pytest.raises(RuntimeError, match="^switch_trap$"):
            select(cases)
    finally:
        stackless.switch_trap(-1)
    assert quiet(a, b)
    assert not getmain().blocked
    assert t.scheduled
    run()
    start(a.send, "v")
    assert select(cases).value == "v"
    run()


def test_deadlock_leaves_nothing_behind():
    a, b = channels(2)
    cases = [a.receiveCase(), b.sendCase(1)]
    with pytest.raises(RuntimeError, match="Deadlock"):
        select(cases)
    assert quiet(a, b)
    start(a.send, "v")
    assert select(cases).value == "v"
    run()


def test_main_selecting_when_the_last_one_ends():
    a, b = channels(2)
    tasklet(lambda: None)()
    with pytest.raises(RuntimeError, match="the main tasklet is selecting"):
        select([a.receiveCase(), b.sendCase(1)])
    assert quiet(a, b)
    assert not getmain().blocked


# -- no cases --------------------------------------------------------------------------------------------------------


def test_no_cases_wait_for_ever():
    """Rule 9."""
    t = start(select, [])
    assert t.blocked
    assert t.scheduled
    assert not t.paused
    t.kill()
    assert not t.alive


# -- kill and throw --------------------------------------------------------------------------------------------------


def test_kill_leaves_nothing_behind():
    """Rule 33."""
    a, b, finished = *channels(2), []

    def f():
        try:
            select([a.receiveCase(), b.sendCase(1), a.receiveCase(), a.sendCase(2)])
        finally:
            finished.append((quiet(a, b), getcurrent().blocked))

    t = start(f)
    t.kill()
    assert finished == [(True, False)]
    assert not t.alive
    assert quiet(a, b)
    sender = start(a.send, 1)
    assert sender.blocked
    sender.kill()


@pytest.mark.parametrize("pending", [False, True])
def test_throw(pending):
    a, b, got = *channels(2), []
    cases = [a.receiveCase(), b.receiveCase()]

    def f():
        try:
            select(cases)
        except KeyError as error:
            got.append(error.args)
        got.append(select(cases).value)

    t = start(f)
    t.throw(KeyError, "k", None, pending)
    assert quiet(a, b) == pending
    run()
    b.send("v")
    assert got == [("k",), "v"]
    assert quiet(a, b)


def test_error_of_another_reaches_main_in_select():
    a, b = channels(2)

    def fails():
        raise KeyError("k")

    tasklet(fails)()
    with pytest.raises(KeyError):
        select([a.receiveCase(), b.sendCase(1)])
    assert quiet(a, b)


def test_blocked_select_is_refused_what_the_blocked_are_refused():
    ch = channel()
    t = start(select, [ch.receiveCase()])
    for call in (t.insert, t.remove, t.run, t.switch):
        with pytest.raises(RuntimeError, match="blocked"):
            call()
    with pytest.raises(RuntimeError):
        t.bind(schedule)
    assert ch.balance == -1
    t.kill()


# -- what can be seen ------------------------------------------------------------------------------------------------


def test_state_of_a_blocked_select():
    """Rule 34 and decision 1."""
    a, b, c = channels(3)
    t = start(select, [a.receiveCase(), b.sendCase(1), c.sendCase(1), c.receiveCase(), a.receiveCase()])
    assert (t.blocked, t.scheduled, t.paused, t.alive) == (True, True, False, True)
    assert [ch.balance for ch in (a, b, c)] == [-2, 1, 0]
    assert [ch.queue for ch in (a, b, c)] == [t, t, t]
    assert "selects among" in repr(t)
    t.kill()


def test_queue_can_be_walked_past_a_select():
    """`queue` and `.next`: a list of waiters, whatever they wait in."""
    ch, other = channels(2)
    a = start(ch.receive)
    b = start(select, [other.receiveCase(), ch.receiveCase()])
    c = start(ch.receive)
    assert ch.queue is a
    assert a.next is b
    assert c.prev is b
    for t in (a, b, c):
        t.kill()


# -- exceptions as values --------------------------------------------------------------------------------------------


def test_exception_sent_surfaces_in_select():
    """Rule 32: whoever waits, select raises it."""
    ch, other = channels(2)
    tasklet(ch.send_exception)(KeyError, "ready")
    schedule()
    with pytest.raises(KeyError, match="ready"):
        select([other.receiveCase(), ch.receiveCase()])
    got = []

    def f():
        try:
            select([other.receiveCase(), ch.receiveCase()])
        except KeyError as error:
            got.append(error.args)

    start(f)
    ch.send_exception(KeyError, "waiting")
    assert got == [("waiting",)]
    run()
    assert quiet(ch, other)


def test_bomb_in_a_send_case_explodes_in_its_receiver():
    """Decision 13: in nobody else."""
    for first in ("receiver", "sender"):
        ch, other, got = *channels(2), []

        def receiver(ch=ch, got=got):
            try:
                ch.receive()
            except KeyError as error:
                got.append(error.args)

        def sender(ch=ch, other=other):
            select([ch.sendCase(stackless.bomb(KeyError, KeyError("b"))), other.receiveCase()])

        for func in (receiver, sender) if first == "receiver" else (sender, receiver):
            tasklet(func)()
            schedule()
        run()
        assert got == [("b",)]
        assert quiet(ch, other)


def test_bomb_in_a_send_case_that_waits_does_not_explode_in_run():
    ch = channel()
    t = start(select, [ch.sendCase(stackless.bomb(KeyError, KeyError("b")))])
    assert t.blocked
    stackless.set_channel_callback(lambda *args: None)
    try:
        u = start(select, [ch.sendCase(stackless.bomb(KeyError, KeyError("b")))])
    finally:
        stackless.set_channel_callback(None)
    assert u.blocked
    t.kill()
    u.kill()


# -- the case's own callback -----------------------------------------------------------------------------------------


def test_callback_of_the_case_runs_in_the_selecting_tasklet():
    ch, seen = channel(), []

    def callback(value):
        seen.append((value, getcurrent()))
        return "result"

    got = []
    t = start(selecting, [ch.receives(callback)], got)
    ch.send("v")
    assert seen == [("v", t)]
    assert got == ["result"]
    start(ch.send, "w")
    assert select([ch.receives(callback)]) == "result"
    assert seen[1] == ("w", getmain())
    run()


def test_callback_of_a_send_case():
    ch, seen = channel(), []
    start(ch.receive)
    assert select([ch.sends("v", seen.append)]) is None
    assert seen == ["v"]
    start(ch.receive)
    assert select([ch.sends("v", lambda: "no argument")]) == "no argument"


def test_callback_that_raises_or_switches_or_selects():
    ch, other = channels(2)
    start(ch.send, "v")

    def fails(value):
        raise KeyError(value)

    with pytest.raises(KeyError, match="v"):
        select([ch.receives(fails)])
    run()
    start(ch.send, "v")
    start(other.send, "w")
    assert select([ch.receives(lambda value: value + select([other.receives()]).value)]) == "vw"
    run()
    assert quiet(ch, other)


def test_callback_of_a_loser_is_not_called():
    a, b, seen = *channels(2), []
    start(b.send, "v")
    select([a.receives(seen.append), b.receives(seen.append)])
    assert seen == ["v"]
    run()


def test_callback_typeerror_of_its_own_is_not_mistaken():
    ch, calls = channel(), []

    def callback(value):
        calls.append(value)
        raise TypeError("mine")

    start(ch.send, "v")
    with pytest.raises(TypeError, match="mine"):
        select([ch.receives(callback)])
    assert calls == ["v"]
    run()


def test_callback_must_be_callable():
    with pytest.raises(TypeError, match=r"callback of a case on c\d+"):
        channel().receives(5)


# -- the channel callback --------------------------------------------------------------------------------------------


@pytest.fixture
def calls():
    seen = []
    stackless.set_channel_callback(lambda ch, task, sending, willblock: seen.append((ch, task, sending, willblock)))
    yield seen
    stackless.set_channel_callback(None)


def test_channel_callback_when_taken_at_once(calls):
    """Decision 7."""
    a, b = channels(2)
    t = start(b.send, 1)
    assert calls == [(b, t, 1, 1)]
    select([a.sendCase(1), b.receiveCase()])
    assert calls[1:] == [(b, getmain(), 0, 0)]
    run()


def test_channel_callback_when_it_waits(calls):
    a, b = channels(2)
    t = start(select, [a.sendCase(1), b.receiveCase()])
    assert calls == [(a, t, 1, 1), (b, t, 0, 1)]
    b.send(1)
    assert calls[2:] == [(b, getmain(), 1, 0)]
    run()


def test_channel_callback_sees_the_values_offered():
    a, b, seen = *channels(2), []
    stackless.set_channel_callback(lambda ch, task, sending, willblock: seen.append(task.tempval))
    try:
        t = start(select, [a.sendCase("x"), b.receiveCase(), b.sendCase("y")])
    finally:
        stackless.set_channel_callback(None)
    assert seen == ["x", None, "y"]
    t.kill()


def test_channel_callback_that_raises():
    a, b, cases = *channels(2), []
    cases = [a.sendCase(1), b.receiveCase()]

    def callback(ch, *rest):
        if ch is b:
            raise KeyError("callback")

    stackless.set_channel_callback(callback)
    try:
        with pytest.raises(KeyError, match="callback"):
            select(cases)
    finally:
        stackless.set_channel_callback(None)
    assert quiet(a, b)
    assert not getmain().blocked
    start(a.receive)
    assert select(cases).channel is a


def test_channel_callback_that_takes_itself_off():
    a, b, calls = *channels(2), []

    def callback(*args):
        calls.append(args)
        stackless.set_channel_callback(None)

    stackless.set_channel_callback(callback)
    t = start(select, [a.sendCase(1), b.receiveCase()])
    assert len(calls) == 1
    assert t.blocked
    t.kill()


def test_channel_callback_that_switches_while_a_case_is_taken_by_another():
    """What was found ready or free before the callback may be neither after it; nothing breaks."""
    ch, other, log = *channels(2), []
    mine = ch.receiveCase()

    def rival():
        log.append(("rival", select([mine]).value))

    def callback(*args):
        stackless.set_channel_callback(None)
        tasklet(rival)()
        schedule()

    def f():
        try:
            log.append(("f", select([mine, other.receiveCase()]).value))
        except RuntimeError as error:
            log.append(("f", "pending" in str(error)))

    stackless.set_channel_callback(callback)
    tasklet(f)()
    run()
    assert stackless.getruncount() == 1
    assert (ch.balance, other.balance) == (-1, 0)
    ch.send("v")
    run()
    assert ("f", True) in log
    assert ("rival", "v") in log
    assert quiet(ch, other)


def test_channel_callback_that_makes_a_partner_come():
    """A partner who came while the callback switched away is met, not missed."""
    ch, got = channel(), []

    def callback(*args):
        stackless.set_channel_callback(None)
        tasklet(ch.send)("came meanwhile")
        schedule()

    stackless.set_channel_callback(callback)
    tasklet(lambda: got.append(select([ch.receiveCase()]).value))()
    run()
    assert got == ["came meanwhile"]
    assert quiet(ch)


# -- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [1, "case", object(), (channel(), 1), channel, [1]], ids=repr)
def test_no_case(wrong):
    ch = channel()
    with pytest.raises(TypeError, match="item 1"):
        select([ch.receiveCase(), wrong])
    assert quiet(ch)


def test_a_channel_is_no_case():
    ch = channel()
    ch.label = "orders"
    with pytest.raises(TypeError, match="orders"):
        select([ch])


@pytest.mark.parametrize("wrong", [None, 5, object()], ids=repr)
def test_no_iterable(wrong):
    with pytest.raises(TypeError):
        select(wrong)


def test_no_argument():
    with pytest.raises(TypeError):
        select()


@pytest.mark.parametrize("wrong", [1, "c1", tasklet()], ids=str)
def test_case_on_no_channel(wrong):
    with pytest.raises(TypeError, match="a case needs a channel"):
        case(wrong, RECEIVE)


def test_case_that_is_pending_elsewhere():
    ch = channel()
    ch.label = "orders"
    c = ch.receiveCase()
    t = tasklet(select)
    t.label = "clerk"
    t([c])
    run()
    with pytest.raises(RuntimeError, match="clerk") as caught:
        select([channel().receiveCase(), c])
    assert "orders" in str(caught.value)
    assert "pending" in str(caught.value)
    assert ch.balance == -1
    t.kill()
    start(ch.send, "v")
    assert select([c]).value == "v"
    run()


def test_same_case_twice():
    ch = channel()
    c = ch.receiveCase()
    with pytest.raises(RuntimeError, match="twice"):
        select([c, c])
    assert quiet(ch)
    start(ch.send, "v")
    assert select([c]).value == "v"
    run()


def test_refused_list_leaves_its_cases_usable():
    ch = channel()
    good = ch.sendCase("v")
    with pytest.raises(TypeError):
        select([good, 1])
    got = []
    start(lambda: got.append(ch.receive()))
    assert select([good]) is good
    assert got == ["v"]


def test_iterable_that_raises_or_switches():
    ch = channel()

    def cases():
        yield ch.receiveCase()
        raise KeyError("half way")

    with pytest.raises(KeyError):
        select(cases())
    assert quiet(ch)

    def slow():
        yield ch.receiveCase()
        schedule()
        yield ch.receiveCase()

    tasklet(ch.send)("v")
    assert select(slow()).value == "v"
    run()


def test_case_whose_channel_was_replaced_by_nonsense():
    ch = channel()
    c = ch.receiveCase()
    c.channel = "no channel"
    with pytest.raises(TypeError):
        select([c])


def test_case_changed_while_it_is_posted():
    """A case belongs to the select that posted it: changing it must not tear the queues."""
    a, b, got = *channels(2), []
    c = a.receiveCase()
    t = start(selecting, [c, b.receiveCase()], got)
    try:
        c.channel = b
        c.direction = 1
    except (AttributeError, RuntimeError):
        pass
    b.send("v")
    run()
    assert quiet(a, b)
    assert not t.alive


def test_forgotten_case_objects():
    """The list may be a temporary: posted cases are kept by their queues."""
    import gc

    chs, got = channels(3), []
    start(lambda: got.append(select([ch.receiveCase() for ch in chs]).value))
    gc.collect()
    chs[1].send("v")
    assert got == ["v"]
    assert quiet(*chs)


def test_select_in_a_generator_and_in_a_callback_of_sort():
    ch = channel()
    start(ch.send_sequence, [3, 1, 2])

    def stream():
        while True:
            yield select([ch.receiveCase()]).value

    values = stream()
    assert sorted([next(values) for _ in range(3)], key=lambda x: (schedule(), x)[1]) == [1, 2, 3]
    run()


def test_paused_tasklet_is_not_taken_for_a_selecting_one():
    t = start(schedule_remove)
    assert not t.blocked
    t.kill()
