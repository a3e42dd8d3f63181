"""A tasklet that has ended hands its C stack on to the next one that has not begun: nobody may notice."""

from __future__ import annotations

import contextvars
import gc
import itertools
import sys
import weakref

import pytest
import stackless
from stackless import channel, getcurrent, run, schedule, tasklet


def test_each_has_the_context_it_was_given():
    seen = []
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)

    def body(n):
        seen.append(variable.get())
        variable.set(n)

    def bound_in(context, n):
        context.run(lambda: tasklet(body))(n)

    one, other = contextvars.Context(), contextvars.Context()
    for n, context in enumerate([one, one, other, one, other, contextvars.Context()], 1):
        bound_in(context, n)
    run()
    assert seen == [0, 1, 0, 2, 3, 0]
    assert (one[variable], other[variable], variable.get()) == (4, 5, 0)


def test_the_end_of_an_exception():
    """What one dies of is gone when the next begins."""
    seen = []

    def fails():
        try:
            raise KeyError("k")
        finally:
            seen.append(sys.exc_info()[0])

    def looks():
        seen.append(sys.exc_info())
        try:
            raise ValueError
        except ValueError as error:
            seen.append(error.__context__)

    for body in (fails, looks, fails, looks):
        tasklet(body)()
    for _ in range(2):
        with pytest.raises(KeyError):
            run()
    run()
    assert seen == [KeyError, (None, None, None), None] * 2


def test_killed_within():
    """A TaskletExit ends one, not its heirs."""
    seen = []
    for _ in range(3):
        tasklet(lambda: getcurrent().kill())()
        tasklet(lambda: seen.append(sys.exc_info()))()
    run()
    assert seen == [(None, None, None)] * 3


def test_thrown_at_before_the_beginning():
    seen = []
    for n in range(6):
        task = tasklet(seen.append)(n)
        if n % 3 == 1:
            task.kill(pending=True)
        elif n % 3 == 2:
            task.throw(KeyError, n, pending=True)
    for n in (2, 5):
        with pytest.raises(KeyError, match=str(n)):
            run()
    assert seen == [0, 3]


def test_the_last_owner_of_something():
    """A tasklet's own attributes die in nobody's life: their finalizers cannot use channels."""
    ch, seen = channel(), []

    class Owner(tasklet):
        """It can have attributes."""

    class Thing:
        def __del__(self):
            try:
                ch.send(1)
            except RuntimeError:
                seen.append("refused")

    tasklet(ch.receive)()
    for n in range(3):
        task = Owner(seen.append)(n)
        task.thing = Thing()
        del task
        tasklet(seen.append)(-n)
    run()
    assert seen == [0, "refused", 0, 1, "refused", -1, 2, "refused", -2]
    ch.send(None)


def test_weak_references():
    """Each dies at its own end, not with its stack."""
    ends, refs = [], []

    def body(n):
        assert [ref() is None for ref in refs] == [True] * n + [False] * (5 - n)
        assert ends == list(range(n))

    for n in range(5):
        refs.append(weakref.ref(tasklet(body)(n), lambda _, n=n: ends.append(n)))
    run()
    assert ends == list(range(5))


def test_some_park():
    """The stack of one that has parked is not handed on before it has ended."""
    seen, ch = [], channel()

    def body(n):
        seen.append((n, getcurrent() is tasks[n]))
        if n % 3 == 1:
            schedule()
        elif n % 3 == 2:
            seen.append(ch.receive())
        seen.append((n, getcurrent() is tasks[n]))

    tasks = [tasklet(body)(n) for n in range(30)]
    for n in range(10):
        tasklet(ch.send)(-n)
    run()
    assert sorted(s for s in seen if isinstance(s, tuple)) == sorted([(n, True) for n in range(30)] * 2)
    assert sorted(s for s in seen if isinstance(s, int)) == list(range(-9, 1))


def test_a_chain_of_any_length():
    """Each starts the next one."""
    left = [20_000]

    def body():
        if left[0]:
            left[0] -= 1
            tasklet(body)()

    tasklet(body)()
    run()
    assert not left[0]


def test_deep_ones():
    """The depth of recursion is as in a new one."""
    depths = []

    def deep(n=0):
        try:
            deep(n + 1)
        except RecursionError:
            depths.append(n)
            raise

    def body():
        try:
            deep()
        except RecursionError:
            pass

    for _ in range(3):
        tasklet(body)()
    run()
    ends = [depths[0], *(b for a, b in itertools.pairwise(depths) if b > a)]
    assert len(ends) == 3 and max(ends) - min(ends) <= 2


def test_traced_ones():
    """A trace function that one sets is not its heir's."""
    seen = []

    def trace(frame, event, arg):
        seen.append(frame.f_code.co_name)

    def first():
        sys.settrace(trace)

    def second():
        seen.append(sys.gettrace())

    tasklet(first)()
    tasklet(second)()
    run()
    assert "second" not in seen
    assert sys.gettrace() is None


def test_stacks_that_somebody_keeps():
    """Who has the stack of one that is over has not got another one's."""
    kept, seen = [], []

    def body():
        stack = getcurrent()._greenlet
        assert all(other is not stack and other.dead for other in kept)
        kept.append(stack)
        seen.append(1)

    for _ in range(5):
        tasklet(body)()
    run()
    assert len(seen) == 5 and all(stack.dead for stack in kept)


def test_the_collector_looks():
    """In the middle of everything; an heir that only its own frame knows lives while it runs."""
    seen = []

    def body(n):
        cycle = [getcurrent()]
        cycle.append(cycle)
        gc.collect()
        seen.append(n)
        schedule()
        gc.collect()
        seen.append(n)

    for n in range(5):
        tasklet(body)(n)
        tasklet(gc.collect)()
    run()
    assert seen == [0, 1, 2, 3, 4] * 2


def test_arguments_that_use_channels_when_they_die():
    """They die with the one that was called with them."""
    ch, got = channel(), []

    class Sends:
        def __del__(self):
            ch.send(getcurrent() is me[0])

    me = [None]

    def body(_):
        me[0] = getcurrent()

    for _ in range(4):
        tasklet(body)(Sends())
    for _ in range(4):
        tasklet(lambda: got.append(ch.receive()))()
    run()
    assert got == [True] * 4


def test_main_goes_on_between():
    """run() in a tasklet, and others that begin and end meanwhile."""
    seen = []

    def outer():
        tasklet(seen.append)("a")
        tasklet(seen.append)("b")
        stackless.run()
        seen.append("c")

    tasklet(outer)()
    tasklet(seen.append)("d")
    run()
    assert seen == ["d", "a", "b", "c"]


def test_a_context_that_dies_cannot_get_between():
    """What the Context of the one who has ended owned dies while the heir begins: that is in the middle of a switch."""
    variable: contextvars.ContextVar[object] = contextvars.ContextVar("variable")
    refused, ran = [], []

    class Schedules:
        def __del__(self):
            try:
                schedule()
            except RuntimeError as error:
                refused.append("in the middle of a switch" in str(error))

    first = tasklet(lambda: variable.set(Schedules()) and None)()
    first.set_context(contextvars.Context())
    del first
    heir = tasklet(ran.append)("ran")
    heir.throw(ValueError, pending=True)
    with pytest.raises(ValueError):
        run()
    assert refused == [True]
    assert not ran
