"""Go's select, built on the four hooks of the core: ready, post, withdraw, commit (chanlab/channel.py).

    chosen = select([orders.receiveCase(), done.receiveCase(), log.sendCase("waiting")])
    if chosen.channel is orders:
        handle(chosen.value)

Newsqueak's algorithm (Pike, "The Implementation of Newsqueak", 1989), Go's rules:

    1. Find every case that is ready, at one instant.
    2. One or more: choose one, each equally likely (pri_select: the first), and commit it.
    3. None: with a default that is the result; else post all cases, and park.  Whoever meets one of them first
       completes it and withdraws the others before anybody else runs, so that exactly one case happens.

The order of the random draws is laid down in chanlab/rng.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import stackless  # noqa: F401  first of all: it puts the layers together
from chanlab import channel as core
from chanlab import clock, hooks
from chanlab.bomb import bomb, of_error
from chanlab.channel import CLOSED, RECEIVE, SEND, Constant
from chanlab.links import Link
from chanlab.sched import Scheduler, here
from chanlab.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chanlab.channel import channel
    from chanlab.tasklet import tasklet

__all__ = ["DEFAULT", "MOST_CASES", "RECEIVE", "SEND", "TIMEOUT", "Selector", "case", "late", "pri_select", "select"]

#: What select(..., default=True) returns when no case was ready.
DEFAULT = Constant("DEFAULT")
#: What select(..., timeout=seconds) returns when no case was ready in that time.
TIMEOUT = Constant("TIMEOUT")
#: How many cases a select may have (Go's limit).
MOST_CASES = 65536


class case(Link):
    """One alternative of a select, and its result: made by channel.receiveCase(), sendCase(), receives(), sends().

    channel     the channel, or None: then the case never happens (Go's nil channel)
    direction   1 send (SEND), -1 receive (RECEIVE)
    value       what is to be sent, maybe late(f); what was received, None until then
    ok          whether the case has passed a value: True, False for a receive from a closed Go channel, None until then
    index       its place in the list of the select that it was last given to
    element     its place in the array there that it is from, else None
    callback    called by select with the value, in the selecting tasklet; select returns its result (that of a send
                case may also take no argument)
    guard       a bool, or what is called without arguments at the beginning of every select, in list order: when it
                is false the case does not happen in that select (occam)

    Cases compare and hash by identity.  A case belongs to the tasklet that selects on it, whoever made it; it may be
    used again and again, but by one blocked select at a time.
    """

    __slots__ = ("_offers", "callback", "channel", "direction", "element", "guard", "index", "ok", "value")
    __match_args__ = ("channel", "direction", "value", "ok", "index")

    def __init__(
        self, channel: channel | None, direction: int, value: object = None, callback: Callable | None = None
    ) -> None:
        if not isinstance(channel, core.channel | None):
            raise TypeError(f"a case needs a channel or None, not {type(channel).__name__}")
        name = "None" if channel is None else channel.label
        if direction not in (SEND, RECEIVE):
            raise ValueError(f"the direction of a case on {name} is 1 (send) or -1 (receive), not {direction!r}")
        if callback is not None and not callable(callback):
            raise TypeError(f"the callback of a case on {name} must be callable, not {type(callback).__name__}")
        if direction > 0 and channel is not None:
            channel._check_send()
        self.channel = channel
        self.direction = direction
        self.value = value
        self.callback = callback
        self.guard: Any = True
        self.ok: bool | None = None
        self.index: int | None = None
        self.element: int | None = None
        self._offers: Offers | None = None  # the blocked select that it is posted by

    def when(self, guard: object) -> case:
        """Set the guard.  Returns the case."""
        self.guard = guard
        return self

    def __repr__(self) -> str:
        name = getattr(self.channel, "label", repr(self.channel))
        return f"<case {self.value!r} -> {name}>" if self.direction > 0 else f"<case {name} -> {self.value!r}>"


PyCase = case
case = hooks.graft("case", case, {}) if "select" in hooks.FUSED else case
case.__slots__ = PyCase.__slots__  # or pickle would take a case in C for one without attributes


class late:
    """late(f): as a case's value to send, stands for f(), called when the case has been chosen and not before.

    Newsqueak's rule, where Go computes every value beforehand.  Whoever completes the select calls it, in the middle
    of the operation, so that f can use no channels; an Exception that it raises is sent instead.
    """

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[], object]) -> None:
        if not callable(compute):
            raise TypeError(f"late() needs what computes the value, not {compute!r}")
        self.compute = compute

    def __repr__(self) -> str:
        return f"late({self.compute!r})"


class Offers:
    """A blocked select: the tasklet, and its cases, each posted to the queue of its channel and direction."""

    __slots__ = ("cases", "tasklet", "timer")

    def __init__(self, tasklet: tasklet, cases: list[case]) -> None:
        self.tasklet = tasklet
        self.cases = cases
        self.timer: clock.Timer | None = None  # for its timeout

    def post_all(self) -> None:
        self.tasklet._offers = self
        for c in self.cases:
            if c.channel._is_nil():  # what is never met; but a deadlock's report tells of it
                continue
            c._offers = self
            c.channel._post(c, c.direction)
            if watch.trace is not None:
                core.trace_post(self.tasklet, c.channel, c.direction, c.value)

    def withdraw_all(self, winner: case | None = None) -> None:
        """Leave every queue; the tasklet is no longer blocked."""
        if self.timer is not None:
            self.timer.cancel()
        for c in self.cases:
            if c._offers is self:
                if c._queue is not None:
                    core.withdraw(c)
                c._offers = None
                if watch.trace is not None and c is not winner:
                    watch.trace("withdraw", self.tasklet, c.channel, c.direction)
        self.tasklet._offers = None

    def complete(self, sched: Scheduler, found: case, value: Any, buffer: Any = None) -> Any:
        """A partner, running in `sched`, has met `found` and brings `value`: the select is decided.

        Cases alike in channel and direction are equally good; one of them is chosen (as in Newsqueak).  The tasklet
        will resume with the winning case.  Returns the value that passes; for `buffer` see serve().
        """
        alike = [c for c in self.cases if c._queue is found._queue]
        winner = alike[0] if len(alike) == 1 else alike[sched.rng.below(len(alike))]
        outcome = winner
        if type(value) is bomb:
            outcome = value
        elif winner.direction > 0:
            value = _value_to_send(winner)
            winner.ok = True
            if buffer is not None:  # no call from here until it moves, see serve()
                buffer += (value,)
        else:
            _received(winner, value)
            if buffer is not None:
                del buffer[0]
        self.tasklet._tempval = outcome
        sched.moving = self.tasklet
        self.withdraw_all(winner)
        return value

    # As an event of the clock:

    def awaited(self) -> bool:
        return self.tasklet._offers is self

    def expire(self, sched: Scheduler, _timer: clock.Timer) -> None:
        """The timeout has come."""
        task = self.tasklet
        if task._offers is not self:  # an interrupt kept the select from beginning to wait
            return
        if watch.trace is not None:
            watch.trace("timeout", task)
        task._tempval = TIMEOUT
        sched.moving = task
        self.withdraw_all()
        sched.resume(task)
        sched.moving = None


PyOffers = Offers
Offers = hooks.graft("Offers", Offers, {"__init__": "select"}) if "select" in hooks.FUSED else Offers


def select(cases: Iterable, default: bool = False, timeout: float | None = None) -> Any:
    """Wait until one of the cases can go on, make it happen, and return it (or its callback's result).

    cases       `case` objects; None for a case that never happens; a list or tuple of cases, an array, whose members
                have the array's place as their index and their own place in it as their element
    default     do not wait: return DEFAULT when no case is ready
    timeout     wait at most so many seconds, then return TIMEOUT

    TypeError for what is no case, ValueError for more than MOST_CASES, RuntimeError for a case that another blocked
    select has posted or that is listed twice, and when the select would block but may not (block_trap, switch_trap,
    deadlock); nothing is posted then.  An exception sent over the chosen channel is raised here, and so is ValueError
    when the chosen channel is closed (a Go channel: only when sending to it).
    """
    given = [cases]
    del cases  # handed over: no frame of ours may refer to a case, which refers to its parked tasklet
    return _select(given, _adopted, default, timeout, _one_of)


def pri_select(cases: Iterable, default: bool = False, timeout: float | None = None) -> Any:
    """select(), but of several cases that are ready the first in the list happens (occam's PRI ALT)."""
    given = [cases]
    del cases
    return _select(given, _adopted, default, timeout, _first)


def _fused(select: Callable, pri_select: Callable) -> tuple[Callable, Callable]:
    """Acquaint the core in C with select.  Returns the functions' twins there, or those given when it is not fused."""
    if "select" not in hooks.FUSED:
        return select, pri_select
    native = hooks._chanlab
    native.core_knows(
        late=late, CLOSED=CLOSED, DEFAULT=DEFAULT, select=select, pri_select=pri_select, selected=_selected
    )
    return native.select, native.pri_select


class Selector:
    """A set of cases that is selected on again and again: it is looked through only once.

    Guards, channels and values to send may be changed between one select and the next; which cases there are may not.
    """

    __slots__ = ("_places", "_quick", "cases")

    def __init__(self, cases: Iterable) -> None:
        self.cases = tuple(_adopted(cases))
        self._places = [(c.index, c.element) for c in self.cases]
        # In C to look through a list costs next to nothing; these cases are such a list when each is at its own place.
        self._quick = "select" in hooks.FUSED and self._places == [(i, None) for i in range(len(self.cases))]

    def __repr__(self) -> str:
        return f"<Selector of {len(self.cases)} case{'' if len(self.cases) == 1 else 's'}>"

    def select(self, default: bool = False, timeout: float | None = None) -> Any:
        """select(cases, default, timeout)."""
        if self._quick:
            return select(self.cases, default, timeout)
        return _select([self], Selector._renewed, default, timeout, _one_of)

    def pri_select(self, default: bool = False, timeout: float | None = None) -> Any:
        """pri_select(cases, default, timeout)."""
        if self._quick:
            return pri_select(self.cases, default, timeout)
        return _select([self], Selector._renewed, default, timeout, _first)

    def _renewed(self) -> tuple[case, ...]:
        """The cases, each as it was in the beginning: they may have been used elsewhere meanwhile."""
        _check_free(self.cases)
        for c, place in zip(self.cases, self._places, strict=True):
            _renew(c, place)
        return self.cases


def _select(given: list, adopt: Callable, default: bool, timeout: float | None, choose: Callable) -> Any:
    """The operation.  `given` holds the only reference of ours to the cases, or to the Selector: it is emptied."""
    sched = here.sched
    if timeout is not None:
        timeout = clock.seconds(timeout)
    cases = _live(adopt(given.pop()))
    waits = not default and (timeout is None or timeout > 0)
    chosen = None
    if watch.callback is not None:
        chosen = choose(sched, _ready(cases))
        for c in [chosen] if chosen is not None else cases if waits else []:  # else once for each
            if not c.channel._is_nil():
                core.notify(sched, c.channel, c.direction, c.value if c.direction > 0 else None, chosen is None)
    if sched.busy:
        sched.refuse()
    try:
        sched.enter()
        if sched.clock is not None:
            sched.clock.look()
        _check_free(cases)
        if chosen is None or chosen.channel._ready(chosen.direction) is None:
            chosen = choose(sched, _ready(cases))
        if chosen is not None:
            _commit(sched, chosen)
        elif waits:
            core.check_wait(sched, *(() if timeout is not None else (cases,)))
            _park(sched, cases, timeout)
        else:
            sched.current._tempval = DEFAULT if default else TIMEOUT
        del cases
        result = sched.switch()
    except BaseException:
        sched.unsettled = None if chosen is None else chosen.channel
        sched.torn = sched.busy
        sched.recover()
        raise
    return _selected(chosen, result)


def _selected(chosen: case | None, result: Any) -> Any:
    """What select returns when it goes on with `result`, after it has committed a case or (None) was completed."""
    if chosen is not None:
        if chosen.direction < 0:
            _received(chosen, result)
        else:
            chosen.ok = True
    elif type(result) is Constant:
        return result
    else:
        chosen = result
    del result
    if chosen.callback is None:
        return chosen
    return _call_back(chosen)


def _ready(cases: Iterable[case]) -> list[case]:
    """Those that can go on now: a partner waits; or none is needed, if only to fail on a closed channel."""
    return [c for c in cases if c.channel._ready(c.direction) is not None and not c.channel._is_nil()]


def _one_of(sched: Scheduler, ready: list[case]) -> case | None:
    """One of the cases, each equally likely; None when there is none."""
    if len(ready) < 2:
        return ready[0] if ready else None
    return ready[sched.rng.below(len(ready))]


def _first(_sched: Scheduler, ready: list[case]) -> case | None:
    return ready[0] if ready else None


def _commit(sched: Scheduler, chosen: case) -> None:
    """The running tasklet makes the chosen case happen."""
    peer = chosen.channel._ready(chosen.direction)
    value = None
    if chosen.direction > 0:
        fails = peer is core.ALONE and chosen.channel.closing
        value = None if fails else _value_to_send(chosen)
    chosen.channel._commit(sched, chosen.direction, peer, value)


def _park(sched: Scheduler, cases: list[case], timeout: float | None) -> None:
    """The running tasklet offers all the cases, and waits."""
    me = sched.current
    offers = Offers(me, cases)
    sched.runq.remove(me)
    offers.post_all()
    if timeout is not None:
        own = clock.of(sched)
        offers.timer = clock.after(timeout, offers)
        own.push(offers.timer)
    del me, offers
    if sched.runq.head is None:
        sched.refill()


def _value_to_send(c: case) -> Any:
    """What passes when a case that sends happens."""
    if type(c.value) is not late:
        return c.value
    try:
        return c.value.compute()
    except Exception as error:
        return of_error(error)


def _received(c: case, value: Any) -> None:
    """A case that receives has happened."""
    c.value, c.ok = (None, False) if value is CLOSED else (value, True)


def _adopted(cases: Iterable) -> list[case]:
    """The cases as a list of the select's own, without None, each checked and with its place."""
    if isinstance(cases, core.channel | case) or not hasattr(cases, "__iter__"):
        raise TypeError(f"{_who()} needs a list of cases, not {cases!r}")
    adopted, places = [], []
    for index, item in enumerate(cases):
        is_array = isinstance(item, list | tuple)
        for element, c in enumerate(item if is_array else (item,)):
            if type(c) is case:
                adopted.append(c)
                places.append((index, element if is_array else None))
            elif c is not None:
                where = f"item {index}, element {element}," if is_array else f"item {index}"
                raise TypeError(
                    f"{_who()} needs cases (channel.receiveCase(), channel.sendCase(value)), but {where} is {c!r}"
                )
    if len(adopted) > MOST_CASES:
        raise ValueError(f"{_who()} has {len(adopted):,} cases: {MOST_CASES:,} is the most")
    if len({id(c) for c in adopted}) != len(adopted):
        raise RuntimeError(f"{_who()}: the same case object is listed twice; make two cases of one channel instead")
    _check_free(adopted)
    for c, place in zip(adopted, places, strict=True):
        _renew(c, place)
    return adopted


def _renew(c: case, place: tuple[int, int | None]) -> None:
    """Forget what the case has been in an earlier select."""
    c.index, c.element = place
    c.ok = None
    if c.direction < 0:
        c.value = None


def _live(cases: Iterable[case]) -> list[case]:
    """The cases of this time: those with a channel, if only nil, and a guard that holds."""
    live = []
    for c in cases:
        if c.guard is not True and not (c.guard() if callable(c.guard) else c.guard):
            continue
        if c.channel is None:
            continue
        if not isinstance(c.channel, core.channel) or c.direction not in (SEND, RECEIVE):
            raise TypeError(
                f"{_who()}: case {c.index} has been changed into one of {c.channel!r} in direction {c.direction!r}"
            )
        live.append(c)
    return live


def _check_free(cases: Iterable[case]) -> None:
    """RuntimeError when another select that is blocked has posted one of the cases."""
    for c in cases:
        if c._offers is not None:
            raise RuntimeError(
                f"case {c.index} ({c!r}) is pending: {c._offers.tasklet.label} is blocked in a select on it"
            )


def _who() -> str:
    return f"select() by {here.sched.current.label}"


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


select, pri_select = _fused(select, pri_select)
