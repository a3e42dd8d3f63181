"""Go's select for Stackless channels, built on the four hooks of the core: ready, post, withdraw, commit.

    c = select([orders.receiveCase(), done.receiveCase(), log.sendCase("waiting")])
    if c.channel is orders: handle(c.value)

Newsqueak's algorithm (Pike, "The Implementation of Newsqueak", 1989), Go's rules:

    1. Find every case that is ready, at one instant.
    2. One or more: choose one, each equally likely, and commit it.
    3. None: post all cases, and park.  Whoever meets one of them first completes it and withdraws the others before
       anybody else runs, so that exactly one case happens.

The order of the random draws is laid down in chanlab/rng.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chanlab import channel as core
from chanlab.bomb import bomb
from chanlab.channel import RECEIVE, SEND
from chanlab.links import Link
from chanlab.sched import Scheduler, here
from chanlab.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chanlab.channel import channel
    from chanlab.tasklet import tasklet

__all__ = ["RECEIVE", "SEND", "case", "select"]


class case(Link):
    """One alternative of a select, and its result: made by channel.receiveCase(), sendCase(), receives(), sends().

    channel     the channel
    direction   1 send (SEND), -1 receive (RECEIVE)
    value       what is to be sent; what was received, None until then
    index       its place in the list of the select that it was last given to
    callback    called by select with the value, in the selecting tasklet; select returns its result (that of a send
                case may also take no argument)

    Cases compare and hash by identity.  A case belongs to the tasklet that selects on it, whoever made it; it may be
    used again and again, but by one blocked select at a time.
    """

    __slots__ = ("_offers", "callback", "channel", "direction", "index", "value")
    __match_args__ = ("channel", "direction", "value")

    def __init__(
        self, channel: channel, direction: int, value: object = None, callback: Callable | None = None
    ) -> None:
        if not isinstance(channel, core.channel):
            raise TypeError(f"a case needs a channel, not {type(channel).__name__}")
        if direction not in (SEND, RECEIVE):
            raise ValueError(
                f"the direction of a case on {channel.label} is 1 (send) or -1 (receive), not {direction!r}"
            )
        if callback is not None and not callable(callback):
            raise TypeError(
                f"the callback of a case on {channel.label} must be callable, not {type(callback).__name__}"
            )
        self.channel = channel
        self.direction = direction
        self.value = value
        self.callback = callback
        self.index: int | None = None
        self._offers: Offers | None = None  # the blocked select that it is posted by

    def __repr__(self) -> str:
        name = getattr(self.channel, "label", repr(self.channel))
        return f"<case {self.value!r} -> {name}>" if self.direction > 0 else f"<case {name} -> {self.value!r}>"


class Offers:
    """A blocked select: the tasklet, and its cases, each posted to the queue of its channel and direction."""

    __slots__ = ("cases", "tasklet")

    def __init__(self, tasklet: tasklet, cases: list[case]) -> None:
        self.tasklet = tasklet
        self.cases = cases

    def post_all(self) -> None:
        self.tasklet._offers = self
        for c in self.cases:
            c._offers = self
            core.post(c, c.channel, c.direction)
            if watch.trace is not None:
                core.trace_post(self.tasklet, c.channel, c.direction, c.value)

    def withdraw_all(self, winner: case | None = None) -> None:
        """Leave every queue; the tasklet is no longer blocked."""
        for c in self.cases:
            if c._offers is self:
                if c._queue is not None:
                    core.withdraw(c)
                c._offers = None
                if watch.trace is not None and c is not winner:
                    watch.trace("withdraw", self.tasklet, c.channel, c.direction)
        self.tasklet._offers = None

    def complete(self, sched: Scheduler, found: case, value: Any) -> Any:
        """A partner, running in `sched`, has met `found` and brings `value`: the select is decided.

        Cases alike in channel and direction are equally good; one of them is chosen (as in Newsqueak).  The tasklet
        will resume with the winning case.  Returns the value that passes.
        """
        alike = [c for c in self.cases if c._queue is found._queue]
        winner = alike[0] if len(alike) == 1 else alike[sched.rng.below(len(alike))]
        if winner.direction > 0:
            value = winner.value
            self.tasklet._tempval = winner
        elif type(value) is bomb:
            self.tasklet._tempval = value
        else:
            winner.value = value
            self.tasklet._tempval = winner
        sched.moving = self.tasklet
        self.withdraw_all(winner)
        return value


def select(cases: Iterable[case]) -> Any:
    """Wait until one of the cases can go on, make it happen, and return it (or its callback's result).

    TypeError for what is no case, RuntimeError for a case that another blocked select has posted or that is listed
    twice, and when the select would block but may not (block_trap, switch_trap, deadlock); nothing is posted then.
    An exception sent over the chosen channel is raised here, and so is ValueError when the chosen channel is closed.
    """
    sched = here.sched
    cases = _adopted(cases)
    chosen = None
    if watch.callback is not None:
        chosen = _choose(sched, cases)
        for c in cases if chosen is None else [chosen]:  # once for the case that is taken, else once for each
            core.notify(sched, c.channel, c.direction, _offered(c), chosen is None)
    if sched.busy:
        sched.refuse()
    try:
        sched.enter()
        _check_free(cases)
        if chosen is None or not _ready(chosen):
            chosen = _choose(sched, cases)
        if chosen is not None:
            peer = core.ready(chosen.channel, chosen.direction)
            if peer is None:
                raise ValueError("Send/receive operation on a closed channel")
            core.commit(sched, chosen.channel, chosen.direction, peer, _offered(chosen))
            del peer
        else:
            core.check_wait(sched, cases)
            sched.runq.remove(sched.current)
            Offers(sched.current, cases).post_all()
            if sched.runq.head is None:
                sched.refill()
        del cases
        result = sched.switch()
    except BaseException:
        sched.recover()
        raise
    if chosen is None:
        chosen = result
    elif chosen.direction < 0:
        chosen.value = result
    del result
    if chosen.callback is None:
        return chosen
    return _call_back(chosen)


def _ready(c: case) -> bool:
    """Whether the case can go on now: a partner waits; or, on a closed channel, it can fail."""
    return core.ready(c.channel, c.direction) is not None or c.channel._closing


def _choose(sched: Scheduler, cases: list[case]) -> case | None:
    """One of the cases that are ready, each equally likely; None when none is."""
    ready = [c for c in cases if _ready(c)]
    if len(ready) < 2:
        return ready[0] if ready else None
    return ready[sched.rng.below(len(ready))]


def _adopted(cases: Iterable[case]) -> list[case]:
    """The cases as a list of the select's own, each checked and with its index."""
    if isinstance(cases, core.channel) or not hasattr(cases, "__iter__"):
        raise TypeError(f"{_who()} needs a list of cases, not {cases!r}")
    adopted = list(cases)
    for index, c in enumerate(adopted):
        if type(c) is not case:
            raise TypeError(
                f"{_who()} needs cases (channel.receiveCase(), channel.sendCase(value)), but item {index} is {c!r}"
            )
        if not isinstance(c.channel, core.channel) or c.direction not in (SEND, RECEIVE):
            raise TypeError(
                f"{_who()}: case {index} has been changed into one of {c.channel!r} in direction {c.direction!r}"
            )
    if len({id(c) for c in adopted}) != len(adopted):
        raise RuntimeError(f"{_who()}: the same case object is listed twice; make two cases of one channel instead")
    _check_free(adopted)
    for index, c in enumerate(adopted):
        c.index = index
        if c.direction < 0:
            c.value = None
    return adopted


def _who() -> str:
    return f"select() by {here.sched.current.label}"


def _check_free(cases: list[case]) -> None:
    """RuntimeError when another select that is blocked has posted one of the cases."""
    for index, c in enumerate(cases):
        if c._offers is not None:
            raise RuntimeError(
                f"case {index} ({c!r}) is pending: {c._offers.tasklet.label} is blocked in a select on it"
            )


def _offered(c: case) -> Any:
    return c.value if c.direction > 0 else None


def _call_back(chosen: case) -> Any:
    """Call the case's callback: with the value; that of a send case may take no argument."""
    if chosen.direction > 0:
        import inspect  # a slow one to import, for a rare use

        try:
            inspect.signature(chosen.callback).bind(chosen.value)
        except TypeError:
            return chosen.callback()
        except ValueError:  # a builtin that tells nothing about its arguments
            pass
    return chosen.callback(chosen.value)
