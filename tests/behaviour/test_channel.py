"""Channels: who runs after a meeting, closing, iteration, exceptions, shapes and texts (Stackless)."""

import inspect
import sys

import pytest
import stackless
from select_proto import select
from stackless import channel, getcurrent, getmain, run, schedule, tasklet


def meeting(receiver_first, **settings):
    """The order in which a receiver, a sender and two others run, as one line."""
    ch, log = channel(), []
    for name, value in settings.items():
        setattr(ch, name, value)

    def receiver():
        log.append("r>")
        ch.receive()
        log.append("r<")

    def sender():
        log.append("s>")
        ch.send(1)
        log.append("s<")

    for func in (receiver, sender) if receiver_first else (sender, receiver):
        tasklet(func)()
    for name in ("o1", "o2"):
        tasklet(log.append)(name)
    run()
    assert ch.balance == 0
    return " ".join(log)


@pytest.mark.parametrize(
    ("settings", "receiver_first", "sender_first"),
    [
        ({"preference": -1}, "r> s> r< o1 o2 s<", "s> r> r< o1 o2 s<"),
        ({"preference": 0}, "r> s> s< o1 o2 r<", "s> r> r< o1 o2 s<"),
        ({"preference": 1}, "r> s> s< o1 o2 r<", "s> r> s< o1 o2 r<"),
        ({"schedule_all": 1}, "r> s> o1 o2 r< s<", "s> r> o1 o2 s< r<"),
        ({"schedule_all": 1, "preference": 0}, "r> s> o1 o2 r< s<", "s> r> o1 o2 s< r<"),
        ({"schedule_all": 1, "preference": 1}, "r> s> o1 o2 r< s<", "s> r> o1 o2 s< r<"),
        ({}, "r> s> r< o1 o2 s<", "s> r> r< o1 o2 s<"),
    ],
    ids=str,
)
def test_order_as_measured_on_stackless(settings, receiver_first, sender_first):
    assert meeting(True, **settings) == receiver_first
    assert meeting(False, **settings) == sender_first


def test_send_returns_none_and_receive_the_value():
    ch, got = channel(), []
    tasklet(lambda: got.append(ch.send("x")))()
    value = ch.receive()
    run()
    assert (value, got) == ("x", [None])


def test_first_in_first_out():
    ch, got = channel(), []
    for i in range(5):
        tasklet(ch.send)(i)
    run()
    assert ch.balance == 5
    for _ in range(5):
        got.append(ch.receive())
    assert got == [0, 1, 2, 3, 4]
    for i in range(3):
        tasklet(lambda i=i: got.append((i, ch.receive())))()
    run()
    assert ch.balance == -3
    for i in range(3):
        ch.send(i)
    assert got[5:] == [(0, 0), (1, 1), (2, 2)]


def test_queue_and_its_neighbours():
    ch = channel()
    assert ch.queue is None
    ts = [tasklet(ch.send)(i) for i in range(3)]
    run()
    assert ch.queue is ts[0]
    assert ts[0].next is ts[1]
    assert ts[1].next is ts[2]
    assert ts[2].next is None
    assert ts[0].prev is None
    assert ts[2].prev is ts[1]
    ts[1].kill()
    assert ts[0].next is ts[2]
    assert ch.balance == 2
    for t in ts:
        t.kill()
    assert (ch.balance, ch.queue) == (0, None)


def test_preference():
    ch = channel()
    assert ch.preference == -1
    for value, reads in [(-5, -1), (-1, -1), (0, 0), (1, 1), (99, 1), (True, 1), (10**30, 1)]:
        ch.preference = value
        assert ch.preference == reads
        assert type(ch.preference) is int
    for wrong in ("1", 1.0, None):
        with pytest.raises(TypeError, match="must be set to an integer"):
            ch.preference = wrong
    assert ch.preference == 1


def test_schedule_all():
    ch = channel()
    assert ch.schedule_all == 0
    for value, reads in [(1, 1), (0, 0), (7, 1), (-1, 1), (False, 0), (True, 1)]:
        ch.schedule_all = value
        assert ch.schedule_all == reads
        assert type(ch.schedule_all) is int
    for wrong in ("1", 1.0, None):
        with pytest.raises(TypeError, match="must be set to an integer"):
            ch.schedule_all = wrong


@pytest.mark.parametrize("name", ["balance", "queue", "closing", "closed"])
def test_read_only(name):
    with pytest.raises(AttributeError):
        setattr(channel(), name, 1)


# -- closing ---------------------------------------------------------------------------------------------------------


def test_closed_channel_refuses_to_let_anybody_wait():
    ch = channel()
    ch.close()
    for call in (ch.receive, lambda: ch.send(1), lambda: ch.send_exception(KeyError), lambda: ch.send_throw(KeyError)):
        with pytest.raises(ValueError, match="^Send/receive operation on a closed channel$"):
            call()
    assert (ch.balance, ch.closing, ch.closed) == (0, True, True)
    ch.open()
    assert (ch.closing, ch.closed) == (False, False)


def test_close_wakes_nobody_and_serves_who_waits():
    ch = channel()
    senders = [tasklet(ch.send)(i) for i in range(2)]
    run()
    ch.close()
    assert (ch.closing, ch.closed) == (True, False)
    assert all(t.blocked for t in senders)
    assert ch.receive() == 0
    assert ch.receive() == 1
    assert ch.closed
    with pytest.raises(ValueError, match="closed channel"):
        ch.receive()
    run()


def test_block_trap_comes_before_closed():
    ch = channel()
    ch.close()
    getmain().block_trap = True
    try:
        with pytest.raises(RuntimeError, match="this tasklet does not like to be blocked"):
            ch.receive()
    finally:
        getmain().block_trap = False


def test_closed_comes_before_deadlock():
    ch = channel()
    ch.close()
    with pytest.raises(ValueError, match="closed"):
        ch.receive()


# -- iteration -------------------------------------------------------------------------------------------------------


def test_iteration_until_closed_and_drained():
    ch, got = channel(), []
    ch.preference = 1  # else the receiver waits again before the sender can close

    def producer():
        ch.send_sequence("abc")
        ch.close()

    tasklet(producer)()
    assert iter(ch) is ch
    got.extend(ch)
    assert got == ["a", "b", "c"]
    with pytest.raises(StopIteration):
        next(ch)


def test_iteration_over_a_closing_channel_drains_it():
    ch = channel()
    for i in range(3):
        tasklet(ch.send)(i)
    run()
    ch.close()
    assert list(ch) == [0, 1, 2]
    run()


def test_iteration_stops_with_receivers_waiting():
    ch = channel()
    t = tasklet(ch.receive)()
    run()
    ch.close()
    assert list(ch) == []
    t.kill()


def test_stop_iteration_sent():
    ch = channel()

    def producer():
        ch.send(1)
        ch.send_exception(StopIteration)
        ch.send_exception(StopIteration)

    tasklet(producer)()
    assert list(ch) == [1]
    with pytest.raises(StopIteration):
        ch.receive()
    run()


# -- exceptions as values --------------------------------------------------------------------------------------------


def test_send_exception():
    ch = channel()
    tasklet(ch.send_exception)(KeyError, "a", 2)
    with pytest.raises(KeyError) as caught:
        ch.receive()
    assert caught.value.args == ("a", 2)
    run()


def test_send_exception_to_one_who_waits():
    ch, got = channel(), []

    def receiver():
        try:
            ch.receive()
        except ZeroDivisionError as error:
            got.append(error.args)

    tasklet(receiver)()
    run()
    ch.send_exception(ZeroDivisionError, "z")
    assert got == [("z",)]


@pytest.mark.parametrize("wrong", [KeyError("instance"), "KeyError", 1, None, int, object()], ids=repr)
def test_send_exception_wants_a_class(wrong):
    ch = channel()
    t = tasklet(ch.receive)()
    run()
    with pytest.raises(TypeError):
        ch.send_exception(wrong)
    assert ch.balance == -1
    assert t.blocked
    t.kill()


def test_send_throw_keeps_the_traceback():
    ch = channel()

    def origin():
        raise LookupError("there")

    def sender():
        try:
            origin()
        except LookupError:
            ch.send_throw(*sys.exc_info())

    tasklet(sender)()
    with pytest.raises(LookupError, match="there") as caught:
        ch.receive()
    assert "origin" in [entry.name for entry in caught.traceback]
    run()


@pytest.mark.parametrize(
    ("args", "kind", "values"),
    [
        ((KeyError,), KeyError, ()),
        ((KeyError, "v"), KeyError, ("v",)),
        ((KeyError, ("v", 1)), KeyError, ("v", 1)),
        ((KeyError, KeyError("made")), KeyError, ("made",)),
        ((LookupError, KeyError("derived")), KeyError, ("derived",)),
        ((KeyError("instance"),), KeyError, ("instance",)),
        ((KeyError, None, None), KeyError, ()),
    ],
)
def test_send_throw_follows_raise(args, kind, values):
    ch = channel()
    tasklet(ch.send_throw)(*args)
    with pytest.raises(kind) as caught:
        ch.receive()
    assert type(caught.value) is kind
    assert caught.value.args == values
    run()


@pytest.mark.parametrize("args", [("text",), (int,), (KeyError("x"), 1), (KeyError, None, 5), ()], ids=str)
def test_send_throw_refuses(args):
    ch = channel()
    t = tasklet(ch.receive)()
    run()
    with pytest.raises(TypeError):
        ch.send_throw(*args)
    assert t.blocked
    t.kill()


def test_exception_class_that_makes_no_exception():
    class Odd(Exception):
        def __new__(cls):
            return 5

    ch = channel()
    t = tasklet(ch.receive)()
    run()
    with pytest.raises(TypeError):
        ch.send_throw(Odd)
    assert t.blocked
    t.kill()


def test_same_exception_twice():
    """Sending one instance again and again does not make its traceback grow."""
    ch, error = channel(), KeyError("again")
    lengths = []

    def sender():
        for _ in range(3):
            ch.send_throw(KeyError, error)

    tasklet(sender)()
    for _ in range(3):
        try:
            ch.receive()
        except KeyError as caught:
            tb, n = caught.__traceback__, 0
            while tb is not None:
                tb, n = tb.tb_next, n + 1
            lengths.append(n)
            error.__traceback__ = None
    assert lengths[1:] == lengths[:1] * 2
    run()


def test_bomb_as_a_value_explodes_in_the_receiver():
    ch, got = channel(), []

    def receiver():
        try:
            got.append(ch.receive())
        except KeyError as error:
            got.append(repr(error))

    tasklet(receiver)()
    run()
    ch.send(stackless.bomb(KeyError, KeyError("b")))
    assert got == ["KeyError('b')"]


@pytest.mark.parametrize(
    "value", [None, False, (), [], Exception("as a value"), KeyError, stackless.getmain()], ids=repr
)
def test_any_value_passes(value):
    ch = channel()
    tasklet(ch.send)(value)
    assert ch.receive() is value
    run()


# -- sequences -------------------------------------------------------------------------------------------------------


def test_send_sequence_counts():
    ch, got = channel(), []
    t = tasklet(lambda: got.append(ch.send_sequence(iter("abcd"))))()
    assert [ch.receive() for _ in range(4)] == list("abcd")
    run()
    assert got == [4]
    assert not t.alive


def test_send_sequence_of_nothing():
    assert channel().send_sequence([]) == 0


def test_send_sequence_of_a_generator_that_switches():
    ch, inner, got = channel(), channel(), []
    tasklet(inner.send_sequence)(range(3))

    def relay():
        inner.receive()
        yield inner.receive()
        yield inner.receive()

    tasklet(lambda: got.append(ch.send_sequence(relay())))()
    assert (ch.receive(), ch.receive()) == (1, 2)
    run()
    assert got == [2]


def test_send_sequence_of_a_generator_that_fails():
    ch, got = channel(), []

    def values():
        yield 1
        raise KeyError("dry")

    def sender():
        try:
            ch.send_sequence(values())
        except KeyError as error:
            got.append(error.args)

    tasklet(sender)()
    assert ch.receive() == 1
    run()
    assert got == [("dry",)]
    assert ch.balance == 0


def test_send_sequence_of_no_sequence():
    with pytest.raises(TypeError):
        channel().send_sequence(5)


# -- shapes ----------------------------------------------------------------------------------------------------------


def test_constructor_ignores_arguments():
    assert channel(1, 2, three=3).balance == 0

    class Named(channel):
        def __init__(self, name):
            self.name = name

    ch = Named("n")
    assert ch.name == "n"
    assert ch.preference == -1
    tasklet(ch.send)(1)
    assert ch.receive() == 1
    run()


def test_subclass_that_overrides_send_and_receive():
    class Doubling(channel):
        def send(self, value):
            return channel.send(self, value * 2)

        def receive(self):
            return channel.receive(self) + 1

    ch = Doubling()
    tasklet(ch.send)(5)
    assert ch.receive() == 11
    run()


def test_no_dict_but_weak_references():
    import weakref

    ch = channel()
    assert not hasattr(ch, "__dict__")
    with pytest.raises(AttributeError):
        ch.anything = 1
    ref = weakref.ref(ch)
    del ch
    assert ref() is None


def test_attributes_are_descriptors_and_methods_routines():
    for name in "balance closing closed queue preference schedule_all".split():
        attribute = inspect.getattr_static(channel, name)
        assert inspect.isdatadescriptor(attribute), name
    for name in "send receive send_exception send_throw send_sequence close open".split():
        assert inspect.isroutine(getattr(channel, name)), name


def test_identity():
    a, b = channel(), channel()
    assert a != b
    assert len({a, b, a}) == 2


def test_label():
    ch = channel()
    assert ch.label[0] == "c"
    ch.label = "orders"
    assert ch.label == "orders"
    assert "orders" in repr(ch)
    with pytest.raises(TypeError):
        ch.label = 5


def test_repr_tells_the_state():
    ch = channel()
    assert "stackless.channel" in repr(ch)
    t = tasklet(ch.send)(1)
    run()
    assert "balance=1" in repr(ch)
    ch.close()
    assert "closing" in repr(ch)
    t.kill()
    assert "closed" in repr(ch)


def test_positional_arguments_only_matter_by_type():
    ch = channel()
    for call in (ch.send, lambda: ch.send(1, 2), lambda: ch.receive(1), ch.send_exception, ch.send_sequence):
        with pytest.raises(TypeError):
            call()
    assert ch.balance == 0


def test_a_meeting_of_many():
    """Every value arrives once, whatever the preference."""
    for preference in (-1, 0, 1):
        for schedule_all in (0, 1):
            ch, got = channel(), []
            ch.preference, ch.schedule_all = preference, schedule_all

            def sender(base, ch=ch):
                for i in range(10):
                    ch.send((base, i))
                    if i % 3 == 0:
                        schedule()

            def receiver(ch=ch, got=got):
                while True:
                    got.append(ch.receive())

            for base in range(4):
                tasklet(sender)(base)
            receivers = [tasklet(receiver)() for _ in range(3)]
            run()
            assert sorted(got) == [(base, i) for base in range(4) for i in range(10)]
            assert ch.balance == -3
            for t in receivers:
                t.kill()


def test_arguments_by_name():
    ch = channel()
    tasklet(ch.send)(value=1)
    assert ch.receive() == 1
    with pytest.raises(TypeError):
        ch.receive(1)
    with pytest.raises(TypeError):
        ch.receive(timeout=1)
    with pytest.raises(TypeError):
        ch.send()
    with pytest.raises(TypeError):
        ch.send(1, value=2)
    run()
    assert ch.balance == 0


@pytest.mark.parametrize("partner", ["receive", "select", "send"])
def test_what_was_in_tempval_is_not_what_an_operation_returns(partner):
    """Nor is a bomb that was put there raised by a send that switches."""
    ch, me = channel(), getcurrent()
    ch.preference = 1 if partner == "send" else -1
    bodies = {"receive": ch.receive, "send": lambda: ch.send(3), "select": lambda: select([ch.receiveCase()])}
    tasklet(bodies[partner])()
    run()
    me.tempval = 5
    assert (ch.receive() if partner == "send" else ch.send(1)) == (3 if partner == "send" else None)
    assert me.tempval is None
    run()
