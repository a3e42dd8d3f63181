"""What goless promises, in its own manner, through tests/adapters/goless.py: one test for each promise.

goless's own tests are not in its source distributions.  These are made from its documentation and its source, and go
through the same adapter that runs the real ones (its head says how).  The last sections have what the adapter does
differently on purpose, because Go does.

With CHANLAB_GOLESS=path/to/goless-0.7.2 (an unpacked source distribution) all others run on goless itself, which then
stands on stackless.py: so they say of goless what is true.
"""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import stackless

ADAPTER = Path(__file__).resolve().parents[1] / "adapters" / "goless.py"
#: Where `import goless` finds it.
WHERE = os.environ.get("CHANLAB_GOLESS") or str(ADAPTER.parent)
sys.path.insert(0, WHERE)

import goless  # noqa: E402
from goless import backends, channels, selecting  # noqa: E402
from goless.backends import current as be  # noqa: E402
from goless.channels import (  # noqa: E402
    AsyncChannel,
    BufferedChannel,
    ChannelClosed,
    GoChannel,
    SyncChannel,
    chan,
)
from goless.selecting import dcase, rcase, scase, select  # noqa: E402

go_wins = pytest.mark.skipif("CHANLAB_GOLESS" in os.environ, reason="goless itself does otherwise than Go")

#: What chan() takes for each kind of channel.
SIZES = {"sync": 0, "buffered": 2, "async": -1}


@pytest.fixture(params=SIZES)
def ch(request):
    """A channel of every kind."""
    return chan(SIZES[request.param])


@pytest.fixture(params=["buffered", "async"])
def roomy(request):
    """A channel of every kind with a buffer."""
    return chan(SIZES[request.param])


class Log(list):
    """What has happened."""

    def doing(self, name, func, *args):
        """A function that logs `name`, calls func(*args), and logs what came of it: the result, or the error's type."""

        def act():
            self.append(name)
            try:
                self.append((name, func(*args)))
            except Exception as error:
                self.append((name, type(error)))

        return act


# -- goless.backends ---------------------------------------------------------------------------------------------------


def test_start_runs_later():
    log = []
    be.start(log.append, 1)
    assert log == []
    be.yield_()
    assert log == [1]


def test_start_passes_arguments():
    log = []
    be.start(lambda *args, **kwargs: log.append((args, kwargs)), 1, 2, three=3)
    be.yield_()
    assert log == [((1, 2), {"three": 3})]


def test_run_goes_on_until_it_ends():
    log = []
    be.run(log.append, 1)
    assert log == [1]


def test_run_goes_on_until_it_blocks():
    c, log = be.channel(), Log()
    be.run(log.doing("r", c.receive))
    assert log == ["r"]
    c.send("x")
    be.yield_()
    assert log == ["r", ("r", "x")]


def test_start_and_run_return_what_can_be_resumed():
    log = []

    def act():
        log.append(1)
        be.yield_()
        log.append(2)

    t = be.run(act)
    be.resume(t)
    assert log == [1, 2]
    be.resume(be.start(log.append, 3))
    assert log == [1, 2, 3]


def test_yield_lets_everybody_run():
    log = []
    for i in range(3):
        be.start(log.append, i)
    be.yield_()
    assert log == [0, 1, 2]


def test_yield_with_nobody_else_does_nothing():
    be.yield_()


def test_backend_channel_passes_values_both_ways():
    c, log = be.channel(), []
    be.run(c.send, "a")
    assert c.receive() == "a"
    be.run(lambda: log.append(c.receive()))
    c.send("b")
    be.yield_()
    assert log == ["b"]


def test_backend_channel_balance():
    c = be.channel()
    assert c.balance == 0
    be.run(c.send, 1)
    be.run(c.send, 2)
    assert c.balance == 2
    c.receive(), c.receive()
    for _ in range(2):
        be.run(c.receive)
    assert c.balance == -2
    c.send(1), c.send(2)
    be.yield_()


def test_backend_receiver_has_priority():
    """goless's channels stand on it: a receiver that waits runs before the sender goes on."""
    c, log = be.channel(), Log()
    be.run(log.doing("r", c.receive))
    be.run(log.doing("s", c.send, 1))
    be.yield_()
    assert log == ["r", "s", ("r", 1), ("s", None)]


def test_backend_receiver_that_comes_second_goes_on():
    c, log = be.channel(), Log()
    be.run(log.doing("s", c.send, 1))
    be.run(log.doing("r", c.receive))
    be.yield_()
    assert log == ["s", "r", ("r", 1), ("s", None)]


@pytest.mark.parametrize("operation", ["send", "receive"])
def test_backend_channel_deadlock(operation):
    with pytest.raises(goless.Deadlock):
        getattr(be.channel(), operation)(*["x"] * (operation == "send"))


def test_propagate_exc_reaches_main():
    be.start(be.propagate_exc, ZeroDivisionError, "from far")
    with pytest.raises(ZeroDivisionError, match="from far"):
        be.yield_()
    be.yield_()


def test_propagate_exc_reaches_a_main_that_waits():
    c = chan()
    be.start(be.propagate_exc, KeyError, "k")
    with pytest.raises(KeyError):
        c.recv()
    assert not c.send_ready()
    be.yield_()


def test_an_error_that_is_propagated_is_not_taken_for_a_deadlock():
    be.start(be.propagate_exc, RuntimeError, "something else")
    with pytest.raises(RuntimeError, match="something else"):
        select(rcase(chan()))
    be.yield_()


def test_would_deadlock():
    assert be.would_deadlock()
    be.start(list)
    assert not be.would_deadlock()
    be.yield_()
    assert be.would_deadlock()


def test_blocked_goroutines_do_not_keep_from_a_deadlock():
    c = chan()
    be.run(c.recv)
    assert be.would_deadlock()
    c.send()
    be.yield_()


def test_shortname():
    assert be.shortname() == "stackless"
    assert backends.Backend().shortname() == "Backend"


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("start", (list,)),
        ("run", (list,)),
        ("channel", ()),
        ("yield_", ()),
        ("resume", (None,)),
        ("propagate_exc", (KeyError,)),
        ("would_deadlock", ()),
    ],
)
def test_a_backend_has_to_give_every_method(method, args):
    with pytest.raises(NotImplementedError):
        getattr(backends.Backend(), method)(*args)
    assert callable(getattr(be, method))


def test_as_deadlock():
    with pytest.raises(goless.Deadlock, match="KeyError") as raised, backends.as_deadlock(KeyError):
        raise KeyError("k")
    assert isinstance(raised.value, goless.GolessException)
    with pytest.raises(IndexError), backends.as_deadlock((KeyError, ValueError)):
        raise IndexError


def fails():
    raise ImportError("not here")


@pytest.mark.parametrize(
    ("name", "makers", "is_pypy", "made"),
    [
        ("a", {"a": lambda: 1, "stackless": lambda: 2}, False, 1),
        ("", {"gevent": lambda: 1, "stackless": lambda: 2}, False, 2),
        ("", {"stackless": lambda: 1, "gevent": lambda: 2}, True, 2),
        ("", {"stackless": lambda: 1}, True, 1),
        ("", {"stackless": fails, "gevent": lambda: 2}, False, 2),
        ("", {"other": lambda: 3}, False, 3),
    ],
)
def test_which_backend(name, makers, is_pypy, made, monkeypatch):
    monkeypatch.setattr(backends, "is_pypy", is_pypy)
    assert backends.calculate_backend(name, makers) == made


def test_a_backend_that_is_asked_for_must_be_known():
    with pytest.raises(RuntimeError, match="Invalid backend 'b'"):
        backends.calculate_backend("b", {"a": lambda: 1})
    with pytest.raises(RuntimeError, match=r"Invalid backend 'no such' .*stackless"):
        backends.calculate_backend("no such")


def test_a_backend_that_is_asked_for_may_fail():
    with pytest.raises(ImportError, match="not here"):
        backends.calculate_backend("a", {"a": fails, "stackless": lambda: 2})


@pytest.mark.parametrize("makers", [{}, {"stackless": fails, "gevent": fails}])
def test_without_a_backend_goless_can_be_imported_but_not_used(makers):
    null = backends.calculate_backend("", makers)
    assert type(null) is backends.NullBackend
    with pytest.raises(backends.NoValidBackend, match=r"^No valid backend could be created"):
        null.start(print)
    with pytest.raises(backends.NoValidBackend):
        null()


def test_the_default_backend():
    assert backends.calculate_backend("").shortname() == "stackless"
    assert isinstance(backends.calculate_backend("stackless"), backends.Backend)


# -- goless.channels: what chan() returns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "kind"),
    [(0, SyncChannel), (None, SyncChannel), (1, BufferedChannel), (1000, BufferedChannel), (-1, AsyncChannel)],
)
def test_chan_returns_the_kind_for_its_size(size, kind):
    c = chan(size)
    assert type(c) is kind
    assert isinstance(c, GoChannel)


def test_chan_is_synchronous_by_default():
    assert type(chan()) is type(goless.chan(size=0)) is SyncChannel


def test_constructors():
    assert (SyncChannel().maxsize, BufferedChannel(3).maxsize) == (0, 3)
    assert AsyncChannel().maxsize > 2**40
    with pytest.raises(TypeError):
        SyncChannel(1)
    with pytest.raises(TypeError):
        BufferedChannel()


@pytest.mark.parametrize("size", ["", None, 1.0, -1])
def test_a_buffer_has_a_size(size):
    with pytest.raises(AssertionError):
        BufferedChannel(size)


# -- sending and receiving ---------------------------------------------------------------------------------------------


def test_a_value_comes_as_it_was_sent(ch):
    sent, got = object(), []
    be.run(ch.send, sent)
    be.run(lambda: got.append(ch.recv()))
    assert got == [sent]
    be.yield_()


def test_send_sends_none_by_default(ch):
    be.run(ch.send)
    assert ch.recv() is None
    be.yield_()


def test_values_come_in_order(ch):
    def send():
        for i in range(10):
            ch.send(i)

    be.start(send)
    assert [ch.recv() for _ in range(10)] == list(range(10))
    be.yield_()


def test_recv_blocks_until_a_value_comes(ch):
    log = Log()
    be.run(log.doing("r", ch.recv))
    assert log == ["r"]
    ch.send(1)
    be.yield_()
    assert log == ["r", ("r", 1)]


def test_a_receiver_that_waits_runs_before_the_sender_goes_on(ch):
    """scase.exec_() and its like lean on it."""
    got = []
    be.run(lambda: got.append(ch.recv()))
    ch.send(1)
    assert got == [1]


def test_receivers_are_served_in_order(ch):
    log = Log()
    for name in "abc":
        be.run(log.doing(name, ch.recv))
    for i in range(3):
        ch.send(i)
    be.yield_()
    assert log == ["a", "b", "c", ("a", 0), ("b", 1), ("c", 2)]


def test_sync_send_blocks_until_somebody_receives():
    c, log = chan(), Log()
    be.run(log.doing("s", c.send, 1))
    assert log == ["s"]
    assert c.recv() == 1
    be.yield_()
    assert log == ["s", ("s", None)]


def test_sync_senders_are_served_in_order():
    c, log = chan(), Log()
    for name in "abc":
        be.run(log.doing(name, c.send, name))
    assert [c.recv() for _ in "abc"] == ["a", "b", "c"]
    be.yield_()
    assert log[3:] == [("a", None), ("b", None), ("c", None)]


def test_buffered_send_blocks_when_the_buffer_is_full():
    c, log = chan(2), Log()
    c.send(1), c.send(2)
    be.run(log.doing("s", c.send, 3))
    assert log == ["s"]
    assert c.recv() == 1  # which makes room for what the sender offers
    be.yield_()
    assert log == ["s", ("s", None)]
    assert [c.recv(), c.recv()] == [2, 3]


def test_buffered_values_come_before_those_of_senders_that_wait():
    c = chan(1)
    for i in range(4):
        be.run(c.send, i)
    assert [c.recv() for _ in range(4)] == [0, 1, 2, 3]
    be.yield_()


def test_a_value_for_a_receiver_that_waits_takes_no_room():
    c, got = chan(1), []
    be.run(lambda: got.append(c.recv()))
    c.send("for the receiver"), c.send("for the buffer")
    assert got == ["for the receiver"]
    assert c.recv() == "for the buffer"


def test_async_send_never_blocks():
    c = chan(-1)
    for i in range(1000):
        c.send(i)
    assert [c.recv() for _ in range(1000)] == list(range(1000))


def test_two_goroutines_talk():
    ping, pong, log = chan(), chan(), []

    def answer():
        for n in ping:
            pong.send(-n)

    goless.go(answer)
    for n in range(3):
        ping.send(n)
        log.append(pong.recv())
    ping.close()
    assert log == [0, -1, -2]


# -- readiness ---------------------------------------------------------------------------------------------------------


def test_an_empty_channel_is_not_ready_for_recv(ch):
    assert not ch.recv_ready()


def test_send_ready_when_there_is_room(roomy):
    assert not chan().send_ready()
    assert roomy.send_ready()


def test_send_ready_when_a_receiver_waits(ch):
    be.run(ch.recv)
    assert ch.send_ready()
    assert not ch.recv_ready()
    ch.send()
    be.yield_()


def test_recv_ready_when_a_sender_waits():
    c = chan()
    be.run(c.send)
    assert c.recv_ready()
    assert not c.send_ready()
    c.recv()
    be.yield_()
    assert not c.recv_ready()


def test_recv_ready_when_the_buffer_has_values(roomy):
    roomy.send(None)
    assert roomy.recv_ready()
    roomy.recv()
    assert not roomy.recv_ready()


def test_a_full_buffer_is_not_ready_for_send():
    c = chan(2)
    c.send(1)
    assert c.send_ready()
    c.send(2)
    assert not c.send_ready()
    c.recv()
    assert c.send_ready()


def test_readiness_of_a_closed_channel(roomy):
    roomy.send("x")
    roomy.close()
    assert roomy.recv_ready()
    assert roomy.send_ready()
    roomy.recv()
    assert not roomy.recv_ready()


# -- closing -----------------------------------------------------------------------------------------------------------


def test_send_on_closed(ch):
    ch.close()
    with pytest.raises(ChannelClosed):
        ch.send(1)


def test_recv_on_closed(ch):
    ch.close()
    for _ in range(2):
        with pytest.raises(ChannelClosed):
            ch.recv()


def test_recv_on_closed_gets_what_is_buffered_first(roomy):
    roomy.send(1), roomy.send(2)
    roomy.close()
    assert [roomy.recv(), roomy.recv()] == [1, 2]
    with pytest.raises(ChannelClosed):
        roomy.recv()


def test_close_wakes_receivers_with_an_error(ch):
    log = Log()
    for name in "ab":
        be.run(log.doing(name, ch.recv))
    ch.close()
    assert log == ["a", "b", ("a", ChannelClosed), ("b", ChannelClosed)]


def test_close_wakes_senders_with_an_error():
    for c in (chan(), chan(1)):
        log = Log()
        for _ in range(c.maxsize):
            c.send("kept")
        for name in "ab":
            be.run(log.doing(name, c.send, "lost"))
        c.close()
        be.yield_()
        assert log == ["a", "b", ("a", ChannelClosed), ("b", ChannelClosed)]
        assert list(c) == ["kept"] * c.maxsize


def test_close_lets_the_others_run_first(ch):
    """Who is ready to receive what has been sent, or about to send what somebody waits for, is not cut off."""
    log = Log()
    be.run(log.doing("r", ch.recv))
    be.start(log.doing("s", ch.send, 1))
    ch.close()
    assert log[:3] == ["r", "s", ("r", 1)]
    be.yield_()


def test_close_of_one_channel_leaves_others_alone(ch):
    other = chan(1)
    ch.close()
    other.send(1)
    assert other.recv() == 1


def test_channel_closed_is_an_error_of_goless():
    assert issubclass(ChannelClosed, goless.GolessException)
    assert issubclass(goless.Deadlock, goless.GolessException)
    assert goless.GolessException.__bases__ == (Exception,)
    assert goless.ChannelClosed is ChannelClosed


# -- iteration ---------------------------------------------------------------------------------------------------------


def test_iteration_ends_when_the_channel_is_closed(ch):
    def send():
        for i in range(10):
            ch.send(i)
        ch.close()

    be.run(send)
    assert list(ch) == list(range(10))
    be.yield_()


def test_iteration_over_a_closed_channel(ch):
    ch.close()
    assert list(ch) == []
    assert list(ch) == []


def test_iteration_over_what_is_left(roomy):
    roomy.send(1), roomy.send(2)
    roomy.close()
    assert list(roomy) == [1, 2]


def test_iteration_over_an_open_channel_blocks(ch):
    log = []

    def listen():
        for value in ch:
            log.append(value)
        log.append("end")

    be.run(listen)
    for i in range(3):
        ch.send(i)
        be.yield_()
    assert log == [0, 1, 2]
    ch.close()
    assert log == [0, 1, 2, "end"]


def test_a_channel_is_its_own_iterator(ch):
    assert iter(ch) is ch
    be.run(ch.send, 1)
    assert next(ch) == 1
    be.yield_()
    ch.close()
    with pytest.raises(StopIteration):
        next(ch)


# -- deadlocks ---------------------------------------------------------------------------------------------------------


def test_recv_deadlock(ch):
    with pytest.raises(goless.Deadlock):
        ch.recv()
    assert not ch.recv_ready()


def test_send_deadlock():
    c = chan(1)
    c.send(1)
    for full in (chan(), c):
        with pytest.raises(goless.Deadlock):
            full.send(2)


def test_iteration_deadlock(ch):
    with pytest.raises(goless.Deadlock):
        list(ch)


def test_select_deadlock(ch):
    with pytest.raises(goless.Deadlock):
        select(rcase(ch), scase(chan(), 1))


def test_deadlock_when_the_last_goroutine_ends(ch):
    goless.go(list)
    with pytest.raises(goless.Deadlock):
        ch.recv()


# -- goless.selecting: cases -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1])
def test_rcase_ready(size):
    case = rcase(chan(size))
    assert not case.ready()
    be.run(case.chan.send, 1)
    assert case.ready()
    be.run(case.chan.recv)
    assert not case.ready()
    be.yield_()


@pytest.mark.parametrize("size", [0, 1])
def test_rcase_exec(size):
    case = rcase(chan(size))
    be.run(case.chan.send, "a")
    assert case.exec_() == "a"
    be.yield_()


@pytest.mark.parametrize("size", [0, 1])
def test_scase_ready(size):
    case = scase(chan(size), "value")
    at_first = size > 0
    assert case.ready() == at_first
    for _ in range(2):
        be.run(case.chan.send)
        assert not case.ready()
        be.run(case.chan.recv)
        be.yield_()
        assert case.ready() == at_first


@pytest.mark.parametrize("size", [0, 1])
def test_scase_exec(size):
    case, got = scase(chan(size), "value"), []
    be.run(lambda: got.append(case.chan.recv()))
    assert case.ready()
    assert case.exec_() is None
    assert got == ["value"]


def test_dcase_is_never_ready():
    assert not dcase().ready()


# -- select ------------------------------------------------------------------------------------------------------------


def test_select_of_nothing():
    assert select() is None
    assert select([]) is None


@pytest.mark.parametrize("listed", [True, False])
def test_select_takes_a_list_or_cases(listed):
    c = chan(1)
    c.send("x")
    cases = [rcase(c), rcase(chan())]
    assert (select(cases) if listed else select(*cases)) == (cases[0], "x")


def test_select_takes_no_list_and_cases():
    for more in (dcase(), None, []):
        with pytest.raises(TypeError, match="not both"):
            select([dcase()], more)


def test_select_takes_one_default_only():
    with pytest.raises(AssertionError):
        select(dcase(), dcase())
    with pytest.raises(AssertionError):
        select([dcase(), rcase(chan()), dcase()])


def test_select_uses_the_default_when_nothing_is_ready():
    cases = [rcase(chan()), dcase(), scase(chan(), 1)]
    assert select(cases) == (cases[1], None)
    assert select(cases[1]) == (cases[1], None)


def test_select_chooses_what_is_ready_before_the_default():
    c = chan(1)
    c.send(3)
    for place in range(3):
        cases = [rcase(chan()), rcase(c)]
        cases.insert(place, dcase())
        chosen, value = select(cases)
        assert chosen.chan is c
        assert value == 3
        c.send(3)
    c.recv()


def test_select_sends():
    c = chan(1)
    case = scase(c, "sent")
    assert select([case]) == (case, None)
    assert c.recv() == "sent"


def test_select_sends_to_a_receiver_that_waits(ch):
    got = []
    be.run(lambda: got.append(ch.recv()))
    case = scase(ch, "sent")
    assert select(rcase(chan()), case) == (case, None)
    assert got == ["sent"]


def test_select_receives_from_a_sender_that_waits(ch):
    be.run(ch.send, "sent")
    case = rcase(ch)
    assert select(case, dcase()) == (case, "sent")
    be.yield_()


def test_select_receives_none():
    c = chan(1)
    c.send(None)
    case = rcase(c)
    assert select(case, dcase()) == (case, None)


def test_select_blocks_until_a_case_is_ready(ch):
    got = []
    cases = [rcase(chan()), rcase(ch)]
    be.run(lambda: got.append(select(cases)))
    assert got == []
    ch.send(5)
    be.yield_()
    assert got == [(cases[1], 5)]


def test_select_blocks_until_it_can_send():
    for c in (chan(), chan(1)):
        for _ in range(c.maxsize):
            c.send("first")
        got = []
        cases = [scase(c, "sent"), rcase(chan())]
        be.run(lambda got=got, cases=cases: got.append(select(cases)))
        assert got == []
        assert [c.recv() for _ in range(c.maxsize + 1)] == ["first"] * c.maxsize + ["sent"]
        be.yield_()
        assert got == [(cases[0], None)]


def test_main_can_block_in_select(ch):
    goless.go(ch.send, 1)
    case = rcase(ch)
    assert select([rcase(chan()), case]) == (case, 1)
    be.yield_()


def test_select_makes_one_case_happen():
    a, b = chan(1), chan(1)
    a.send("a"), b.send("b")
    chosen, value = select(rcase(a), rcase(b))
    other = b if chosen.chan is a else a
    assert not chosen.chan.recv_ready()
    assert {value, other.recv()} == {"a", "b"}


def test_select_that_has_waited_makes_one_case_happen():
    a, b, got = chan(), chan(), []
    be.run(lambda: got.append(select(rcase(a), scase(b, 1))[1]))
    a.send("a")
    assert got == ["a"]
    assert not b.recv_ready()


def test_cases_can_be_used_again():
    c = chan(2)
    cases = [scase(c, "x"), dcase()]
    assert [select(cases)[0] is cases[0] for _ in range(4)] == [True, True, False, False]
    cases[0].value = "y"
    c.recv(), c.recv()
    select(cases)
    assert c.recv() == "y"


def test_select_may_have_a_channel_twice():
    c, got = chan(), []
    cases = [rcase(c), scase(c, "out")]
    be.run(lambda: got.append(select(cases)))
    be.run(lambda: got.append(c.recv()))
    be.yield_()
    be.yield_()
    assert sorted(got, key=str) == [(cases[1], None), "out"]


def test_a_loop_over_select():
    """The program that goless's documentation is full of: several talkers, and one who says that it is enough."""
    a, b, quit_ = chan(), chan(), chan()

    def talk(c, words):
        for word in words:
            c.send(word)

    def end(n):
        for _ in range(n):
            be.yield_()
        quit_.send()

    goless.go(talk, a, "abc")
    goless.go(talk, b, "xyz")
    goless.go(end, 20)
    heard = []
    cases = [rcase(a), rcase(b), rcase(quit_)]
    while True:
        chosen, value = select(cases)
        if chosen is cases[2]:
            break
        heard.append(value)
    assert sorted(heard) == list("abcxyz")
    assert [w for w in heard if w in "abc"] == list("abc")
    be.yield_()


# -- go and on_panic ---------------------------------------------------------------------------------------------------


@pytest.fixture
def panics(monkeypatch):
    """What on_panic has been called with."""
    called = []
    monkeypatch.setattr(goless, "on_panic", lambda *args: called.append(args))
    return called


def test_go_runs_the_function_later():
    log = []
    assert goless.go(log.append, 1) is None
    assert log == []
    be.yield_()
    assert log == [1]


def test_go_passes_arguments():
    log = []
    goless.go(lambda *args, **kwargs: log.append((args, kwargs)), 1, 2, three=3)
    be.yield_()
    assert log == [((1, 2), {"three": 3})]


def test_goroutines_start_in_order():
    log = []
    for i in range(3):
        goless.go(log.append, i)
    be.yield_()
    assert log == [0, 1, 2]


def test_on_panic_is_called_with_the_error(panics):
    goless.go(lambda: 1 / 0)
    be.yield_()
    [(etype, value, tb)] = panics
    assert etype is ZeroDivisionError
    assert str(value) == "division by zero"
    while tb.tb_next:
        tb = tb.tb_next
    assert tb.tb_frame.f_code.co_name == "<lambda>"


def test_on_panic_is_called_for_every_goroutine_that_fails(panics):
    for key in "ab":
        goless.go({}.__getitem__, key)
    goless.go(list)
    be.yield_()
    assert [(etype, value.args) for etype, value, _ in panics] == [(KeyError, ("a",)), (KeyError, ("b",))]


def test_on_panic_is_called_for_the_exit_of_a_goroutine(panics):
    goless.go(sys.exit, 3)
    be.yield_()
    assert [(etype, value.code) for etype, value, _ in panics] == [(SystemExit, 3)]


def test_on_panic_is_called_for_a_closed_channel(panics):
    c = chan()
    c.close()
    goless.go(c.send)
    be.yield_()
    assert [etype for etype, *_ in panics] == [ChannelClosed]


def test_others_go_on_after_a_panic(panics):
    c = chan()
    goless.go(lambda: 1 / 0)
    goless.go(c.send, "still here")
    assert c.recv() == "still here"
    be.yield_()
    assert len(panics) == 1


def test_by_default_a_panic_is_logged_and_ends_the_program(caplog):
    goless.go(lambda: 1 / 0)
    with caplog.at_level(logging.CRITICAL), pytest.raises(SystemExit) as raised:
        be.yield_()
    assert raised.value.code == 1
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    assert "ZeroDivisionError: division by zero" in caplog.text
    be.yield_()


def test_by_default_a_panic_ends_a_main_that_waits(caplog):
    c = chan()
    goless.go(lambda: 1 / 0)
    with pytest.raises(SystemExit):
        select(rcase(c))
    be.yield_()
    assert not c.send_ready()


def test_a_program_that_panics(script):
    done = script(
        f"""
        import sys
        sys.path.insert(0, {WHERE!r})
        import goless
        done = goless.chan()
        goless.go(lambda: {{}}["key"])
        done.recv()
        """
    )
    assert done.returncode == 1
    assert done.stderr.startswith("CRITICAL:root:")
    assert "KeyError: 'key'" in done.stderr


# -- names -------------------------------------------------------------------------------------------------------------


def test_goless_has_the_names_of_its_submodules():
    assert goless.chan is channels.chan
    assert goless.Deadlock is backends.Deadlock
    assert goless.GolessException is backends.GolessException
    assert [getattr(goless, name) for name in ("dcase", "rcase", "scase", "select")] == [
        getattr(selecting, name) for name in ("dcase", "rcase", "scase", "select")
    ]


def test_submodules_can_be_imported():
    import goless.backends
    import goless.channels
    import goless.compat
    import goless.selecting

    assert goless.channels is channels
    assert list(goless.compat.range(3)) == [0, 1, 2]
    assert goless.compat.maxint == sys.maxsize
    assert goless.compat.PY3
    with pytest.raises(ValueError, match="new"):
        goless.compat.reraise(ValueError, "new", KeyError("old"))


def test_version():
    assert goless.version == goless.__version__ == ".".join(map(str, goless.version_info)) == "0.7.2"


# -- where Go's rule wins ----------------------------------------------------------------------------------------------


@go_wins
def test_select_gives_every_case_that_is_ready_a_chance():
    """goless takes the first."""
    a, b = chan(-1), chan(-1)
    for _ in range(200):
        a.send("a"), b.send("b")
    heard = [select(rcase(a), rcase(b))[1] for _ in range(200)]
    assert 50 < heard.count("a") < 150


@go_wins
def test_a_select_that_waits_is_blocked():
    """In goless it is always runnable, and nobody notices that it waits for ever."""
    c = chan()
    t = be.run(lambda: select(rcase(c)))
    assert t.blocked
    assert be.would_deadlock()
    assert c.send_ready()
    with pytest.raises(goless.Deadlock):
        chan().recv()
    c.send()
    assert not t.alive


@go_wins
def test_selects_meet():
    """In goless neither of the two finds anybody."""
    c, got = chan(), []
    receive, send = rcase(c), scase(c, "met")
    be.run(lambda: got.append(select(receive)))
    assert select(send, rcase(chan())) == (send, None)
    be.yield_()
    assert got == [(receive, "met")]


@go_wins
def test_select_notices_a_closed_channel(ch):
    """In goless nothing ever happens on it."""
    ch.close()
    with pytest.raises(ChannelClosed):
        select(rcase(ch), rcase(chan()))
    with pytest.raises(ChannelClosed):
        select(rcase(ch), dcase())
    with pytest.raises(ChannelClosed):
        select(scase(ch, 1), dcase())


@go_wins
def test_select_gets_what_is_left_in_a_closed_channel(roomy):
    roomy.send("left")
    roomy.close()
    assert select(rcase(roomy))[1] == "left"
    with pytest.raises(ChannelClosed):
        select(rcase(roomy))


@go_wins
def test_close_wakes_selects_with_an_error():
    c, log = chan(), Log()
    be.run(log.doing("r", lambda: select(rcase(c), rcase(chan()))))
    be.run(log.doing("r", lambda: select(rcase(c))))
    c.close()
    assert log == ["r", "r", ("r", ChannelClosed), ("r", ChannelClosed)]
    c = chan()
    be.run(log.doing("s", lambda: select(scase(c, 1))))
    c.close()
    be.yield_()
    assert log[4:] == ["s", ("s", ChannelClosed)]


@go_wins
def test_who_has_met_somebody_before_the_close_has_succeeded(ch):
    """goless tells whoever runs only afterwards that the channel is closed, although the value has been received."""
    log = Log()
    be.run(log.doing("r", ch.recv))
    be.start(log.doing("s", ch.send, 1))
    ch.close()
    be.yield_()
    assert log == ["r", "s", ("r", 1), ("s", None)]


@go_wins
def test_a_channel_is_closed_once(ch):
    """goless accepts another close."""
    ch.close()
    with pytest.raises(ChannelClosed, match="close of closed channel"):
        ch.close()


@go_wins
def test_a_case_on_nil_never_happens():
    c = chan(1)
    cases = [rcase(None), scase(None, 1), scase(c, 2)]
    assert select(cases) == (cases[2], None)
    default = dcase()
    assert select(cases[0], default) == (default, None)
    with pytest.raises(goless.Deadlock):
        select(cases[:2])
    goless.go(list)
    with pytest.raises(goless.Deadlock):  # noticed by the last one who ends
        select(cases[0])


@go_wins
def test_two_defaults_are_an_error_also_when_a_case_is_ready():
    c = chan(1)
    with pytest.raises(AssertionError):
        select(scase(c, 1), dcase(), dcase())
    assert not c.recv_ready()


@go_wins
def test_a_goroutine_that_is_killed_does_not_panic(panics):
    c = chan()
    goless.go(c.recv)
    be.yield_()
    c.queue.kill()
    assert panics == []
    assert not c.send_ready()


@go_wins
def test_a_program_may_end_while_goroutines_wait(script):
    done = script(
        f"""
        import sys
        sys.path.insert(0, {WHERE!r})
        import goless
        c = goless.chan()
        for _ in range(3):
            goless.go(c.recv)
            goless.go(goless.select, goless.rcase(c))
        goless.backends.current.yield_()
        print("the end")
        """
    )
    assert done.ok() == "the end\n"


@go_wins
def test_a_deadlock_says_why():
    with pytest.raises(goless.Deadlock, match="all goroutines are asleep - deadlock!") as raised:
        chan().recv()
    assert "main receives from" in raised.value.__cause__.__notes__[0]


# -- the adapter as a program ------------------------------------------------------------------------------------------


def test_it_runs_the_tests_of_a_checkout(tmp_path):
    """They get the adapter, and not the goless that stands beside them."""
    (tmp_path / "goless").mkdir()
    (tmp_path / "goless" / "__init__.py").write_text("raise ImportError('the real one')\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "__init__.py").write_text("import unittest\nclass BaseTests(unittest.TestCase):\n    pass\n")
    (tmp_path / "tests" / "test_channels.py").write_text(
        "import goless\n"
        "from goless.backends import current as be\n"
        "from goless.channels import chan\n"
        "from . import BaseTests\n"
        "class ChanTests(BaseTests):\n"
        "    def test_send(self):\n"
        "        c = chan(1)\n"
        "        c.send(2)\n"
        "        self.assertEquals(goless.select(goless.rcase(c))[1], 2)\n"
        "    def test_deadlock(self):\n"
        "        self.assertRaises(goless.Deadlock, be.channel().receive)\n"
    )
    done = subprocess.run(
        [sys.executable, str(ADAPTER), str(tmp_path / "tests")],
        capture_output=True,
        encoding="utf-8",
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_it_says_how_to_use_it():
    done = subprocess.run([sys.executable, str(ADAPTER)], capture_output=True, encoding="utf-8")
    assert done.returncode == 1
    assert "path/to/goless/tests" in done.stderr


def test_tasklets_are_what_runs_goroutines():
    seen = []
    goless.go(lambda: seen.append(stackless.getcurrent()))
    be.yield_()
    assert isinstance(seen[0], stackless.tasklet)
    assert seen[0] is not stackless.getmain()
