"""The channel, and the four hooks that every construct on channels is made of.

    channel._ready(direction)            who waits there for a partner in this direction, else ALONE when the operation
                                         needs none (to fail on a closed channel), or None
    channel._post(waiter, direction)     wait in the queue of that direction
    withdraw(waiter)                     stop waiting
    channel._commit(sched, direction, peer, value)     act with what _ready() has returned: the value passes, and it is
                                         decided who goes on

A direction is 1 for send and -1 for receive.  Each channel has two queues of waiters.  Plain send and receive are
written out in _act(), so that they cost no more than they did without select; select_proto is built on the hooks, and
other kinds of channels (gochan, waits) are other answers to them.

Who goes on after a meeting, for the tasklet that acts in direction d (Stackless, channelobject.c):

    schedule_all   preference     effect
    yes            any            the peer joins the ring's end; the caller switches to its successor
    no             -d             the peer is put right after the caller and switched to: the caller comes last
    no             other          the peer joins the ring's end; the caller goes on without a switch

So with preference -1, the default, the receiver runs first; with 1 the sender.  A peer of another thread joins its own
ring's end, and the caller goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import hooks
from .bomb import bomb, of_throw
from .labels import label_property
from .sched import Scheduler, here
from .waitq import WaitQueue
from .watch import watch

if TYPE_CHECKING:
    from .tasklet import tasklet

SEND = 1
RECEIVE = -1


class Constant:
    """A value that is nothing but itself."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


#: What _ready() says when an operation can be completed without a partner.
ALONE = Constant("ALONE")
#: What a receiver of a closed and drained Go channel resumes with.
CLOSED = Constant("CLOSED")

_numbers = itertools.count(1)


class channel:
    """A place where tasklets meet: a send and a receive complete together, and the value passes.

    Takes and ignores any arguments, so that a subclass may have any __init__.
    """

    __slots__ = (
        "__weakref__",
        "_closing",
        "_label",
        "_number",
        "_preference",
        "_receivers",
        "_schedule_all",
        "_senders",
    )

    def __new__(cls, *_args: object, **_kwargs: object) -> channel:
        self = object.__new__(cls)
        self._senders = WaitQueue()
        self._receivers = WaitQueue()
        self._preference = -1
        self._schedule_all = self._closing = False
        self._number = next(_numbers)
        self._label: str | None = None
        return self

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        pass

    def __repr__(self) -> str:
        state = " closed" if self.closed else " closing" if self._closing else ""
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.label} balance={self.balance}{state}>"

    def __reduce__(self) -> Any:
        if self.queue is not None:
            raise TypeError(f"cannot pickle {self.label}: tasklets wait on it, and CPython cannot save their stacks")
        return type(self), (), (self._preference, self._schedule_all, self._closing)

    def __setstate__(self, state: tuple) -> None:
        """Become a channel on which nobody waits, as __reduce__() saved it."""
        self._preference, self._schedule_all, self._closing = state

    # -- send and receive ------------------------------------------------------------------------------------------------

    def send(self, value: object) -> None:
        """Pass `value` to a receiver, waiting for one if need be."""
        self._act(SEND, value)

    def receive(self) -> Any:
        """Return the value of a sender, waiting for one if need be; raises what was sent by send_exception()."""
        return self._act(RECEIVE, None)

    def send_exception(self, exc: type[BaseException], *args: object) -> None:
        """Make the receiver raise exc(*args).  TypeError unless `exc` is an exception class."""
        if not (isinstance(exc, type) and issubclass(exc, BaseException)):
            raise TypeError(f"send_exception() needs an exception class, not {type(exc).__name__}")
        self._act(SEND, of_throw(exc, args))

    def send_throw(self, exc: object, val: object = None, tb: TracebackType | None = None) -> None:
        """Make the receiver raise what `raise` would make of (exc, val, tb)."""
        self._act(SEND, of_throw(exc, val, tb))

    def send_sequence(self, values: Iterable) -> int:
        """Send every one of `values`.  Returns how many there were."""
        count = 0
        for value in values:
            self._act(SEND, value)
            count += 1
        return count

    def __iter__(self) -> channel:
        return self

    def __next__(self) -> Any:
        if self._closing and self._senders.head is None:
            raise StopIteration
        return self._act(RECEIVE, None)

    def _act(self, direction: int, value: Any) -> Any:
        """Send (1) or receive (-1), whichever `direction` says: the rendezvous.  Returns what is received, else None."""
        sched = here.sched
        if watch.callback is not None:
            notify(sched, self, direction, value, (self._receivers if direction > 0 else self._senders).head is None)
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            peer = (self._receivers if direction > 0 else self._senders).head
            if peer is not None:
                commit(sched, self, direction, peer, value)
            elif self._closing and not sched.current._block_trap:
                raise ValueError("Send/receive operation on a closed channel")
            else:
                wait(sched, self, direction, value)
            del value, peer
            return sched.switch()
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise

    # -- the hooks -----------------------------------------------------------------------------------------------------------

    def _ready(self, direction: int) -> Any:
        peer = (self._receivers if direction > 0 else self._senders).head
        return ALONE if peer is None and self._closing else peer

    def _post(self, waiter: Any, direction: int) -> None:
        (self._senders if direction > 0 else self._receivers).append(waiter)

    def _commit(self, sched: Scheduler, direction: int, peer: Any, value: object) -> None:
        if peer is ALONE:
            raise ValueError("Send/receive operation on a closed channel")
        commit(sched, self, direction, peer, value)

    def _settle(self, sched: Scheduler) -> None:
        """An interrupt has struck in the middle of an operation here: let nobody wait who need not."""

    def _comes(self) -> bool:
        """Whether something will be received here that no tasklet sends: it comes with time, or from outside."""
        return False

    def _check_send(self) -> None:
        """TypeError when nothing can be sent here."""

    def _is_nil(self) -> bool:
        """Whether nothing can ever happen here."""
        return False

    def _is_go(self) -> bool:
        """Whether a deadlock on it is told as Go tells it."""
        return False

    # -- cases of a select -------------------------------------------------------------------------------------------------

    def receiveCase(self) -> Any:
        """A case that receives from this channel (Francis)."""
        return _select_proto().case(self, RECEIVE)

    def sendCase(self, value: object) -> Any:
        """A case that sends `value`, maybe a select_proto.late one, over this channel (Francis)."""
        return _select_proto().case(self, SEND, value)

    def receives(self, callback: Any = None) -> Any:
        """A case that receives, and what to call with the value (Bulušek)."""
        return _select_proto().case(self, RECEIVE, None, callback)

    def sends(self, value: object, callback: Any = None) -> Any:
        """A case that sends `value`, and what to call when it was sent (Bulušek)."""
        return _select_proto().case(self, SEND, value, callback)

    # -- closing -------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let nobody new wait here.  Those who wait already are served."""
        self._closing = True
        if watch.trace is not None:
            watch.trace("close", here.sched.current, self)

    def open(self) -> None:
        """Take close() back."""
        self._closing = False

    closing = property(lambda self: self._closing, doc="close() was called.")
    closed = property(lambda self: self._closing and self.queue is None, doc="It is closing, and nobody waits.")

    # -- state ---------------------------------------------------------------------------------------------------------------

    @property
    def balance(self) -> int:
        """How many offers to send wait, less the offers to receive (a select that waits makes several offers)."""
        return len(self._senders) - len(self._receivers)

    @property
    def queue(self) -> tasklet | None:
        """The tasklet that a partner would meet first, or None when nobody waits."""
        node = self._senders.head
        if node is None:
            node = self._receivers.head
        return node if node is None or node._offers is None else node._offers.tasklet

    @property
    def preference(self) -> int:
        """Who runs on after a meeting: -1 the receiver (default), 1 the sender, 0 whoever came second."""
        return self._preference

    @preference.setter
    def preference(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("preference must be set to an integer")
        self._preference = (value > 0) - (value < 0)

    @property
    def schedule_all(self) -> int:
        """When set, both partners go to the ring's end, whatever the preference: 0 or 1."""
        return int(self._schedule_all)

    @schedule_all.setter
    def schedule_all(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError("schedule_all must be set to an integer")
        self._schedule_all = bool(value)

    label = label_property("c")


PyChannel = channel
channel.__module__ = "stackless"
channel = hooks.graft(
    "channel",
    channel,
    {
        "send": "channel",
        "receive": "channel",
        "__next__": "channel",
        "receiveCase": "select",
        "sendCase": "select",
    },
)


def _select_proto() -> Any:
    import select_proto  # on first use: whoever does not select does not pay for it

    return select_proto


def check_wait(sched: Scheduler, *wish: Any) -> None:
    """RuntimeError unless the running tasklet may wait: (channel, direction) for a plain one, (cases) for a select.

    A tasklet that time will wake has no wish.
    """
    if sched.current._block_trap:
        raise RuntimeError("this tasklet does not like to be blocked.")
    if wish:
        sched.check_leave(*wish)
    else:
        sched.check_switch()


def wait(sched: Scheduler, self: channel, direction: int, value: Any) -> None:
    """The running tasklet waits in a plain send or receive.  The caller must call sched.switch() next."""
    check_wait(sched, self, direction)
    me = sched.current
    me._tempval = value
    me._channel = self
    me._direction = direction
    sched.runq.remove(me)
    self._post(me, direction)
    if watch.trace is not None:
        trace_post(me, self, direction, value)
    del me
    if sched.runq.head is None:
        sched.refill()


def withdraw(waiter: Any) -> None:
    """Leave the queue that the waiter was posted to."""
    waiter._queue.remove(waiter)


def commit(sched: Scheduler, self: channel, direction: int, peer: Any, value: Any) -> None:
    """The running tasklet acts in `direction` and meets `peer`, who waits on the channel.

    The peer leaves all its queues before anybody runs on.  What is received is in the caller's tempval when it
    resumes.  Raises, with nothing changed, when the meeting would make a switch that is refused.  The caller must
    call sched.switch() next.
    """
    task = peer if peer._offers is None else peer._offers.tasklet
    stays = task._sched is not sched  # a partner in another thread: it is woken there, and the caller goes on
    switches = not stays and (self._schedule_all or self._preference == -direction)
    if switches:
        sched.check_switch()
    me = sched.current
    value = serve(sched, peer, direction, value)
    me._tempval = value if direction < 0 else None
    if watch.trace is not None:
        watch.trace("commit", me, self, direction, peer=task, value=shown(value))
    if switches and not self._schedule_all:
        sched.runq.insert_next(task)
        sched.runq.rotate(task)
    else:
        sched.resume(task)
        if switches:
            sched.runq.rotate(sched.runq.after(me))
    sched.moving = None


def serve(sched: Scheduler, peer: Any, direction: int, value: Any, buffer: Any = None) -> Any:
    """What `peer` waits for happens, done by somebody in `direction` who brings `value`.

    The peer is off all its queues then, and on its way to the ring (sched.moving): the caller must see to that.
    A bomb that is brought explodes in it, whatever it waits for.  Returns the value that passes.

    With a `buffer` the value passes through that: a sender's is appended to it, a receiver's taken from its head.
    """
    if peer._offers is not None:
        return peer._offers.complete(sched, peer, value, buffer)
    # No call from here until it moves: CPython handles signals at calls, and what passes must be in one place.
    if direction > 0:
        peer._tempval = value
        if buffer is not None:
            del buffer[0]
    else:
        value = peer._tempval
        peer._tempval = None
        if buffer is not None:
            buffer += (value,)
    peer._channel = None
    sched.moving = peer
    withdraw(peer)
    return value


def wake(sched: Scheduler, peer: Any, direction: int, value: Any = None, buffer: Any = None) -> tuple[tasklet, Any]:
    """serve(), and the peer joins the end of its ring: where no tasklet acts itself.  Returns it, and what passes."""
    task = peer if peer._offers is None else peer._offers.tasklet
    value = serve(sched, peer, direction, value, buffer)
    sched.resume(task)
    sched.moving = None
    return task, value


def notify(sched: Scheduler, self: channel, direction: int, value: Any, willblock: bool) -> None:
    """Call the channel callback before the running tasklet acts.  Whatever it raises is raised in the caller.

    It may do what it likes, take itself off included, except use channels; what was ready before may not be so after.
    """
    callback = watch.callback
    if callback is None:
        return
    if sched.busy:  # before anything is touched: the value slot is another operation's
        sched.refuse()
    if sched.in_callback:
        raise RuntimeError("Recursive channel call due to callbacks!")
    sched.current._tempval = value
    sched.in_callback = True
    try:
        callback(self, sched.current, int(direction > 0), int(willblock))
    finally:
        sched.in_callback = False
        sched.current._tempval = None


def trace_post(me: tasklet, self: channel, direction: int, value: Any) -> None:
    """Trace that `me` waits; what it offers is told only when it sends."""
    if direction > 0:
        watch.trace("post", me, self, direction, value=shown(value))
    else:
        watch.trace("post", me, self, direction)


def shown(value: Any) -> Any:
    """What the trace shows of a value that passes: of a bomb the exception."""
    return value.value if type(value) is bomb else value
