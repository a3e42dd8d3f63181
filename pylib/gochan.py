"""Go's channels, beside those of Stackless: buffered or not, with a close that wakes everybody, and timers.

    from gochan import chan, go

    c = chan(2)
    go(lambda: [c.send(i) for i in range(5)] and c.close())
    for i in c:
        print(i)

Rules: the Go specification and runtime/chan.go.  A Go channel is a channel of the core with other answers to its
hooks; so both kinds may appear in one select.  docs/go-and-stackless.md puts them side by side.
"""

from __future__ import annotations

import collections
import operator
import time
from collections.abc import Callable
from typing import Any

import stackless  # noqa: F401  first of all: it puts the layers together
from chanlab import clock, hooks
from chanlab.bomb import bomb
from chanlab.channel import ALONE, CLOSED, RECEIVE, SEND, channel, commit, notify, shown, wait, wake
from chanlab.sched import Scheduler, here
from chanlab.tasklet import tasklet
from chanlab.watch import watch

__all__ = ["ClosedError", "after", "chan", "close", "go", "nil", "tick"]

#: The greatest size of a buffer.
LARGEST = 2**48


#: A FIFO of values.  C twin: native/gochan.c, together with the channel's.
Buffer: Any = hooks._chanlab.Buffer if hooks.FUSED else collections.deque


class ClosedError(ValueError):
    """What Go panics with when a closed channel is sent to or closed, or the nil channel is closed."""


class chan(channel):
    """chan(size=0): a Go channel with a buffer for `size` values.

    Without a buffer, or with it full, a sender waits until a receiver takes its value; a receiver waits while the
    buffer is empty.  Nobody switches at once: whoever could go on at a meeting does, and the other one joins the
    ring's end (preference 0, which may be changed as with any channel).

    ValueError when `size` is negative or too large.
    """

    __slots__ = ("_buffer", "_size")

    def __new__(cls, size: int = 0, *_args: object, **_kwargs: object) -> chan:
        size = operator.index(size)
        if not 0 <= size <= LARGEST:
            raise ValueError("makechan: size out of range")
        self = channel.__new__(cls)
        self._preference = 0
        self._buffer = Buffer()
        self._size = size
        return self

    def __repr__(self) -> str:
        buffered = f" len={len(self)} cap={self.cap}" if self.cap else ""
        closed = " closed" if self._closing else ""
        return (
            f"<{type(self).__module__}.{type(self).__qualname__} {self.label}{buffered} balance={self.balance}{closed}>"
        )

    def __reduce__(self) -> Any:
        made, _, state = channel.__reduce__(self)
        return made, (self._size,), (state, list(self._buffer))

    def __setstate__(self, state: tuple) -> None:
        """Become a channel on which nobody waits, as __reduce__() saved it."""
        channel.__setstate__(self, state[0])
        self._buffer.extend(state[1])

    cap = property(lambda self: self._size, doc="For how many values there is a buffer.")

    def __len__(self) -> int:
        """How many values are in the buffer."""
        return len(self._buffer)

    def __bool__(self) -> bool:
        return True

    # -- receiving, and the end ------------------------------------------------------------------------------------------------

    def receive(self) -> Any:
        """Return the next value, waiting for one if need be; None at once when it is closed and drained."""
        value = self._act(RECEIVE, None)
        return None if value is CLOSED else value

    def receive_ok(self) -> tuple[Any, bool]:
        """(the next value, True), waiting for one if need be; (None, False) when it is closed and drained."""
        value = self._act(RECEIVE, None)
        return (None, False) if value is CLOSED else (value, True)

    def __next__(self) -> Any:
        value = self._act(RECEIVE, None)
        if value is CLOSED:
            raise StopIteration
        return value

    def close(self) -> None:
        """No value will be sent any more: all who wait are woken, receivers with None, senders with ClosedError.

        What is in the buffer can still be received.  ClosedError when it is closed already.
        """
        sched = here.sched
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            if self._closing:
                raise ClosedError("close of closed channel")
            self._closing = True
            if watch.trace is not None:
                watch.trace("close", sched.current, self)
            self._settle(sched)
            sched.switch()
        except BaseException:
            sched.unsettled = self
            sched.torn = sched.busy
            sched.recover()
            raise

    def open(self) -> None:
        """A Go channel cannot be opened again: ClosedError."""
        raise ClosedError(f"{self.label} cannot be opened again: a Go channel that is closed stays closed")

    # -- the operation and the hooks -----------------------------------------------------------------------------------------

    def _act(self, direction: int, value: Any) -> Any:
        sched = here.sched
        if watch.callback is not None:
            notify(sched, self, direction, value, self._ready(direction) is None)
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            if sched.clock is not None:
                sched.clock.look()
            peer = self._ready(direction)
            if peer is not None:
                self._commit(sched, direction, peer, value)
            else:
                wait(sched, self, direction, value)
            del value, peer
            return sched.switch()
        except BaseException:
            sched.unsettled = self
            sched.torn = sched.busy
            sched.recover()
            raise

    def _ready(self, direction: int) -> Any:
        if direction > 0:
            if self._closing:
                return ALONE  # to fail
            peer = self._receivers.head
            room = len(self._buffer) < self._size
        else:
            if self._buffer:
                return ALONE
            peer = self._senders.head
            room = self._closing
        return ALONE if peer is None and room else peer

    def _commit(self, sched: Scheduler, direction: int, peer: Any, value: Any) -> None:
        if peer is not ALONE:
            commit(sched, self, direction, peer, value)
            return
        me = sched.current
        if direction > 0:
            if self._closing:
                raise ClosedError("send on closed channel")
            self._buffer.append(value)
            if watch.trace is not None:
                watch.trace("put", me, self, value=shown(value))
            me._tempval = None
        elif self._buffer:
            me._tempval = self._buffer.popleft()
            if watch.trace is not None:
                watch.trace("take", me, self, value=shown(me._tempval))
            if self._senders.head is not None:
                self._admit(sched)
        else:
            me._tempval = CLOSED
            if watch.trace is not None:
                watch.trace("drained", me, self)

    def _is_go(self) -> bool:
        return True

    def _admit(self, sched: Scheduler) -> None:
        """There is room for what the first waiting sender offers."""
        sender, value = wake(sched, self._senders.head, RECEIVE, None, self._buffer)
        if watch.trace is not None:
            watch.trace("put", sender, self, value=shown(value))

    def _settle(self, sched: Scheduler) -> None:
        """Let nobody wait on a closed channel, nor to send while there is room."""
        if self._closing:
            while self._receivers.head is not None:
                wake(sched, self._receivers.head, SEND, CLOSED)
            while self._senders.head is not None:
                wake(sched, self._senders.head, SEND, bomb(ClosedError, ClosedError("send on closed channel")))
        while self._senders.head is not None and len(self._buffer) < self._size:
            self._admit(sched)


PyChan = chan
chan.__module__ = "gochan"
chan = hooks.graft("chan", chan, {"receive": "channel", "receive_ok": "channel", "__next__": "channel"})
if hooks.FUSED:
    hooks._chanlab.core_knows(
        CLOSED=CLOSED, go_receive=PyChan.receive, go_receive_ok=PyChan.receive_ok, go_next=PyChan.__next__
    )


class _Nil(chan):
    """The nil channel: nothing ever happens on it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "nil"

    def __reduce__(self) -> str:
        return "nil"

    def _ready(self, direction: int) -> None:
        return None

    def _is_nil(self) -> bool:
        return True

    def close(self) -> None:
        """ClosedError."""
        raise ClosedError("close of nil channel")


#: The nil channel: a case on it is never ready, whoever uses it otherwise waits for ever.
nil = _Nil()
nil.label = "nil"


def close(c: chan | None) -> None:
    """Go's close(c).  ClosedError for a closed channel, for nil and for None."""
    (nil if c is None else c).close()


def go(func: Callable, /, *args: object, **kwargs: object) -> tasklet:
    """Start func(*args, **kwargs) as a tasklet of its own, which runs when its turn comes.  Returns it."""
    return tasklet(func)(*args, **kwargs)


# -- time ----------------------------------------------------------------------------------------------------------------


class timer_channel(chan):
    """A channel that the time is sent to, by time: see after() and tick().  It can only be received from.

    Nobody can tell whether the value waits in a buffer of one, or is handed over at once: len and cap are 0 (Go 1.23).
    The heap of timers keeps the channel only while somebody waits on it.
    """

    __slots__ = ("_clock", "_period", "_timer")
    cap = property(lambda self: 0, doc="0.")

    def __new__(cls, seconds: float, period: float = 0) -> timer_channel:
        self = chan.__new__(cls, 1)
        self._period = period
        sched = here.sched
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            self._clock = clock.of(sched)
            self._timer: clock.Timer | None = clock.after(seconds, self)
            self._clock.push(self._timer)
            self._timer.loosen()
            sched.exit()
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise
        return self

    def __len__(self) -> int:
        return 0

    def __reduce__(self) -> Any:
        raise TypeError(f"cannot pickle {self.label}: time does not stop")

    def _check_send(self) -> None:
        raise TypeError(f"{self.label} belongs to a timer: it can only be received from")

    def _act(self, direction: int, value: Any) -> Any:
        if direction > 0:
            self._check_send()
        return chan._act(self, direction, value)

    def close(self) -> None:
        """TypeError."""
        raise TypeError(f"{self.label} belongs to a timer: it cannot be closed")

    def _post(self, waiter: Any, direction: int) -> None:
        chan._post(self, waiter, direction)
        if self._timer is not None:
            mine = clock.of(here.sched)
            if mine is not self._clock:  # made by another thread, which may not be there any more
                due = self._timer.due
                self._timer.cancel()
                self._clock, self._timer = mine, clock.Timer(due, self)
                mine.push(self._timer)
            self._timer.hold(self)

    def _ready(self, direction: int) -> Any:
        if direction > 0:  # a case that was not made for this channel
            self._check_send()
        return chan._ready(self, direction)

    def _comes(self) -> bool:
        return self._timer is not None

    # As an event of the clock:

    def awaited(self) -> bool:
        return self._receivers.head is not None

    def expire(self, sched: Scheduler, timer: clock.Timer) -> None:
        """The time has come: the first who waits gets it, else the buffer if there is room.

        After an interrupt this is called again, and must go on where it was: hence through the buffer.
        """
        now = time.time()
        if timer is self._timer:  # no call in here
            self._timer = None
            buffer = self._buffer
            if not buffer:
                buffer += (now,)
        if self._buffer and self._receivers.head is not None:
            task, _ = wake(sched, self._receivers.head, SEND, self._buffer[0], self._buffer)
            if watch.trace is not None:
                watch.trace("fire", channel=self, peer=task)
        if self._period and self._timer is None:
            self._tick_on(timer.due + self._period)

    def _tick_on(self, due: float) -> None:
        late = time.monotonic() - due
        if late > 0:  # ticks that nobody can have seen
            due += self._period * (1 + late // self._period)
        timer = clock.Timer(due, self)
        timer.loosen()
        self._clock.push(timer)
        self._timer = timer


timer_channel.__module__ = "gochan"


def after(seconds: float) -> chan:
    """A channel that gets one value, the time (as time.time()), when so many seconds have passed (Go's time.After)."""
    length = clock.seconds(seconds)
    return nil if length is None else timer_channel(max(length, 0.0))


def tick(seconds: float) -> chan:
    """A channel that gets the time (as time.time()) every so many seconds (Go's time.Tick).

    What nobody has received when the next value comes is kept, and that one dropped.  `nil` unless seconds > 0.
    """
    length = clock.seconds(seconds)
    return nil if length is None or length <= 0 else timer_channel(length, length)
