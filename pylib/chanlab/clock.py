"""What wakes a thread's tasklets from outside: time, descriptors, and what other threads bring.

    push(timer)               timer.event.expire(sched, timer) is called when the timer is due: a heap
    watch(source)             source.happened(sched) is called when its descriptor is ready: one selector
    bring(source)             source.happened(sched) is called soon, whichever thread asks for it: an inbox

All three are looked at in a switch, so that nothing runs behind a tasklet's back, and by the one idle wait
(threads.wait()) when the ring is empty.  A scheduler has a clock from the first use on; a program without time and
descriptors pays nothing, and one with them little while nothing is due: `sched.look_at` says when to look next.

Rule (after Stackless, where run() returns when the ring is empty, and Go, where pending timers prevent a deadlock): an
empty ring waits as long as something from outside can make a tasklet runnable, that is, as long as somebody waits
for it.  A timer channel on which nobody waits keeps nobody from ending.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import heapq
import itertools
import math
import operator
import selectors
import socket
import weakref
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from . import threads

if TYPE_CHECKING:
    from .sched import Scheduler

#: While tasklets run, descriptors are looked at no more often than this, in seconds: it takes a system call.
GLANCE = 0.001
#: A heap smaller than this is not worth sweeping.
SMALL = 64


class Event(Protocol):
    """What can be told that its time has come."""

    def expire(self, sched: Scheduler, timer: Timer) -> None:
        """The time has come.  Called within an operation; once more when an interrupt has struck in the middle of it."""

    def awaited(self) -> bool:
        """Whether a tasklet waits for it."""


def seconds(value: float) -> float | None:
    """A time to wait, in seconds; None for an infinite one.  TypeError, ValueError for what is none."""
    if not isinstance(value, int | float):
        try:
            value = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"a time to wait is a number of seconds, not {value!r}") from None
    if value != value:
        raise ValueError("a time to wait is a number of seconds, not nan")
    return None if value == math.inf else value


class Timer:
    """An entry of the heap: when it is due, as monotonic() counts, and the event that it tells."""

    __slots__ = ("_event", "_weak", "due")

    def __init__(self, due: float, event: Event) -> None:
        self.due = due
        self._event: Event | None = event
        self._weak: Callable[[], Event | None] = _nothing

    @property
    def event(self) -> Event | None:
        """None when the timer was cancelled, or when nobody knows the event any more."""
        return self._event if self._event is not None else self._weak()

    def cancel(self) -> None:
        """Forget about it.  It leaves the heap later."""
        self._event, self._weak = None, _nothing

    def hold(self, event: Event) -> None:
        """Keep the event alive: somebody waits for it, whom maybe nobody else knows."""
        self._event = event

    def loosen(self) -> None:
        """Keep the event no longer unless somebody waits for it."""
        if self._event is not None and not self._event.awaited():
            self._weak, self._event = weakref.ref(self._event), None


def _nothing() -> None:
    return None


def after(seconds: float, event: Event) -> Timer:
    """A timer that is due in so many seconds, for push()."""
    return Timer(monotonic() + seconds, event)


class Clock:
    """The clock of one scheduler.

    heap        (due, number, Timer), the earliest first; those of one instant in the order in which they were set
    limit       how long the heap may get before it is swept
    inbox       the sources that something has happened to, from any thread
    promised    the sources without a descriptor that somebody has waited for, and that nothing has happened to
    watched     descriptor -> {(EVENT_READ or EVENT_WRITE, id(source)): source}
    selector    knows the same descriptors, and the reading end of `bell`
    bell        a pair of sockets: one byte ends the selector's wait
    """

    def __init__(self, sched: Scheduler) -> None:
        self.sched = sched
        self.heap: list[tuple[float, int, Timer]] = []
        self.limit = SMALL
        self.inbox: collections.deque[Any] = collections.deque()
        self.promised: dict[int, Any] = {}
        self.most_promised = SMALL
        self.watched: dict[int, dict[tuple[int, int], Any]] = {}
        self.selector: selectors.BaseSelector | None = None
        self.bell: tuple[socket.socket, socket.socket] | None = None
        self._numbers = itertools.count()
        self._glance = 0.0

    # -- time ------------------------------------------------------------------------------------------------------------

    def push(self, timer: Timer) -> None:
        """Put a timer into the heap: a new one, or one that ticks again.  Its event must know it already."""
        if len(self.heap) >= self.limit:
            self._sweep()
        heapq.heappush(self.heap, (timer.due, next(self._numbers), timer))
        self._plan()

    def _sweep(self) -> None:
        """Throw out what is cancelled or forgotten.  The next time is when there is twice as much as was left over."""
        for _, _, timer in self.heap:
            timer.loosen()
        self.heap = [entry for entry in self.heap if entry[2].event is not None]
        heapq.heapify(self.heap)
        self.limit = max(SMALL, 2 * len(self.heap))

    def due(self) -> float:
        """When the next timer is due, inf without one."""
        while self.heap and self.heap[0][2].event is None:
            heapq.heappop(self.heap)
        return self.heap[0][0] if self.heap else math.inf

    # -- descriptors and other threads ---------------------------------------------------------------------------------------

    def watch(self, source: Any) -> None:
        """Somebody is about to wait for source.event on the descriptor source.fd.  OSError when that is impossible."""
        if not source.awaited():
            sources = {k: s for k, s in self.watched.get(source.fd, {}).items() if s.awaited()}
            sources[source.event, id(source)] = source
            self._register(source.fd, sources)

    def _register(self, fd: int, sources: dict[tuple[int, int], Any]) -> None:
        """Watch the descriptor for these sources from now on, or no more when there are none.

        Always anew: the number may be that of another file by now, which the kernel does not know yet.
        """
        if self.selector is None:
            self._make_selector()
        self.watched.pop(fd, None)
        with contextlib.suppress(KeyError, ValueError, OSError):  # not known; closed meanwhile: the kernel forgot it
            self.selector.unregister(fd)  # even if it was not watched: an interrupt may have struck below
        if sources:
            self.selector.register(fd, functools.reduce(operator.or_, (event for event, _ in sources)))
            self.watched[fd] = sources
            self._plan()

    def _make_selector(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.bell = socket.socketpair()
        for end in self.bell:
            end.setblocking(False)
        self.selector.register(self.bell[0], selectors.EVENT_READ)

    def promise(self, source: Any) -> None:
        """Somebody waits for what will be brought to the source."""
        if len(self.promised) >= self.most_promised:
            self.promised = {k: s for k, s in self.promised.items() if s.awaited()}
            self.most_promised = max(SMALL, 2 * len(self.promised))
        self.promised[id(source)] = source

    def bring(self, source: Any) -> None:
        """Something has happened to the source.  Called by any thread, outside of any operation."""
        self.inbox.append(source)
        self.sched.look_at = 0.0  # after the source is there, see _plan()
        if self.sched.idle:
            threads.ring(self.sched)

    def ring(self) -> None:
        """End the selector's wait.  Called by another thread."""
        bell = self.bell
        if bell is not None:
            with contextlib.suppress(OSError):  # full: it has been rung often enough; closed: nobody waits
                bell[1].send(b"!")

    # -- the ends -------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """The thread ends."""
        selector, bell = self.selector, self.bell
        self.selector = self.bell = None
        if selector is not None:
            selector.close()
            for end in bell:
                end.close()

    def after_fork(self) -> None:
        """In the child: the parent's selector must be left alone, and what other threads would bring never comes."""
        self.close()
        self.inbox.clear()
        self.promised.clear()
        watched, self.watched = self.watched, {}
        for fd, sources in watched.items():
            with contextlib.suppress(OSError):
                self._register(fd, sources)
        self._plan()

    # -- what the scheduler asks -----------------------------------------------------------------------------------------------

    def look(self, found: Iterable | None = None) -> None:
        """Do what is due.  `found` is what the selector has just found.  Called within an operation."""
        if found is None and self.sched.look_at > monotonic():
            return
        while self.inbox:
            # It stays there until all is done: an interrupt must not let anybody wait in vain.
            source = self.inbox[0]
            source.happened(self.sched)
            self.promised.pop(id(source), None)
            self.inbox.popleft()
        if self.heap or self.watched:
            now = monotonic()
            if self.heap and self.heap[0][0] <= now:
                self._expire(now)
            if found is None and self.watched and now >= self._glance:
                self._glance = now + GLANCE
                found = self.selector.select(0)
        if found:
            self._tell(found)
        self._plan()

    def _plan(self) -> None:
        """Lay down when to look next, after an interrupted look() at once.

        Another thread may bring something at any moment.  It sets the time after it has filled the inbox, and this looks
        into the inbox after it has set the time, so that whoever is last says "at once".
        """
        due = self.heap[0][0] if self.heap else math.inf
        self.sched.look_at = min(due, self._glance) if self.watched else due
        if self.inbox:
            self.sched.look_at = 0.0

    def _expire(self, now: float) -> None:
        while self.heap and self.heap[0][0] <= now:
            timer = self.heap[0][2]
            event = timer.event
            if event is None:
                heapq.heappop(self.heap)
            else:
                event.expire(self.sched, timer)
                timer.cancel()  # not before, as above

    def _tell(self, found: Iterable) -> None:
        """Tell the sources what the selector has found."""
        for key, mask in found:
            if key.fileobj is self.bell[0]:
                with contextlib.suppress(BlockingIOError):
                    self.bell[0].recv(4096)
                continue
            before = self.watched.get(key.fd, {})
            sources = dict(before)
            for (event, number), source in list(sources.items()):
                if mask & event:
                    source.happened(self.sched)
                if not source.awaited():
                    del sources[event, number]
            if len(sources) < len(before) or not before:
                self._register(key.fd, sources)

    def awaited(self) -> bool:
        """Whether somebody waits for something from outside.  Asked by other threads, too."""
        return (
            any((event := timer.event) is not None and event.awaited() for _, _, timer in self.heap)
            or any(source.awaited() for sources in list(self.watched.values()) for source in list(sources.values()))
            or any(source.awaited() for source in list(self.promised.values()))
        )


def of(sched: Scheduler) -> Clock:
    """The scheduler's clock, made at the first use."""
    if sched.clock is None:
        sched.clock = Clock(sched)
    return sched.clock
