"""The one timer that can interrupt Python code, SIGALRM's, shared with a program that uses it for itself.

CPython runs signal handlers in the main thread, between two bytecodes, and such a handler may switch to another
greenlet.  (A pending call may not: while it is switched away CPython calls no other one.)  There is only one such
timer in a process, and a test runner's time limit may be running on it.  So while we use it, the earlier of both
deadlines is set; the program's handler is called when its own is due; and when we are done, its handler is in place
again and its timer goes on with what remains of it.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable
from time import monotonic
from types import FrameType
from typing import Any

#: When the timer goes off again if nobody sets it, in seconds: an exception may strike before our handler has done so.
#: The timer is known as ours by this interval, hence the odd number.
AGAIN = 0.010007
#: The shortest time that the timer can be set to; 0 would switch it off.
TICK = 1e-6
#: How many calls deep we go when the timer has gone off.  Where less is left below the recursion limit we come again
#: later, so that nobody gets a RecursionError for what he did not call.
ROOM = 15


class Timer:
    """What is known of the timer while it is in use.

    action      called with the interrupted frame whenever the timer goes off; None while it is not in use
    due         when it goes off for us, as monotonic() counts
    ours        our handler, always the same object
    in_place    SIGALRM has our handler: else the timer must not be set, as it might end the process
    handler     the program's own handler
    theirs      when the program's own timer is due; inf when it has none
    interval    the interval of the program's own timer
    """

    __slots__ = ("action", "due", "handler", "in_place", "interval", "ours", "theirs")

    def __init__(self) -> None:
        self.action: Callable[[FrameType | None], None] | None = None
        self.in_place = False
        self.due = self.theirs = math.inf
        self.interval = 0.0
        self.handler: Any = None
        self.ours = self._gone_off

    def available(self) -> bool:
        """Whether it can be used here: in the main thread only, and not when C code handles SIGALRM."""
        return (
            hasattr(signal, "setitimer")
            and threading.get_ident() == threading.main_thread().ident
            and signal.getsignal(signal.SIGALRM) is not None
        )

    def start(self, action: Callable[[FrameType | None], None]) -> None:
        """Use the timer: from now on arm() says when `action` is called.  Whatever strikes here, stop() undoes."""
        found = signal.getsignal(signal.SIGALRM)
        if found is not self.ours:  # else an interrupt has struck in stop()
            self.handler = found
        self.action = action
        self.due = math.inf
        # The program's timer is taken before its handler: one that only was looked at could go off before ours is in
        # place, ring, and once more be called when it is due.
        if self._adopt(*signal.setitimer(signal.ITIMER_REAL, 0)) and self.theirs <= monotonic():
            self.theirs += self.interval  # its handler has been called when that returned
        signal.signal(signal.SIGALRM, self.ours)
        self.in_place = self.action is not None  # else a signal handler has used the timer meanwhile, and stopped it
        if self.theirs != math.inf:
            self.arm(math.inf)

    def arm(self, when: float) -> None:
        """Go off at `when`, or earlier for the program's own timer.  Nothing happens when it is not in use."""
        first = min(when, self.theirs) - monotonic()
        if not self.in_place:  # no call from here on
            return
        self.due = when
        if self._adopt(*signal.setitimer(signal.ITIMER_REAL, first if first > TICK else TICK, AGAIN)):
            self.arm(when)

    def stop(self) -> None:
        """Give the timer back.  Nothing happens when it is not in use."""
        self.action, self.in_place = None, False
        try:
            self._restore()
        except BaseException:  # a Ctrl-C, between two steps that can both be taken again
            self._restore()
            raise

    def _restore(self) -> None:
        self._adopt(*signal.setitimer(signal.ITIMER_REAL, 0))
        # From here on nothing of ours is on its way: what has gone off by now is handled when these calls return.
        if signal.getsignal(signal.SIGALRM) is self.ours:
            signal.signal(signal.SIGALRM, self.handler)
        if self.theirs != math.inf:
            signal.setitimer(signal.ITIMER_REAL, max(self.theirs - monotonic(), TICK), self.interval)
            self.theirs = math.inf

    def _adopt(self, left: float, interval: float) -> bool:
        """The timer held this; whether the program itself has set it.  Then it is kept in mind.

        Nothing is left of a periodic timer that has just gone off: Linux sets it again when the signal is delivered.
        """
        if interval == AGAIN or not (left or interval):
            return False
        self.theirs = monotonic() + left
        self.interval = interval
        return True

    def _gone_off(self, signum: int, frame: FrameType | None) -> None:
        """The handler of SIGALRM."""
        if self.action is None:  # stop() was interrupted, or this has come at its last moment
            self.stop()
            return
        try:
            _go_deeper(ROOM)
        except RecursionError:
            return
        self.due = math.inf
        left, interval = signal.getitimer(signal.ITIMER_REAL)
        if interval != AGAIN and (interval or not left) and callable(self.handler):
            # The program has set its timer over ours.  (Without a handler it is rather a signal from before a fork.)
            self.theirs, self.interval = monotonic(), interval
        if self.theirs <= monotonic():
            self._call_theirs(signum, frame)
        if self.action is not None:
            self.action(frame)

    def _call_theirs(self, signum: int, frame: FrameType | None) -> None:
        """The program's own timer is due.  Its handler may raise, and may set another handler or timer."""
        now = monotonic()
        if self.interval:
            self.theirs += self.interval * (1 + (now - self.theirs) // self.interval)
        else:
            self.theirs = math.inf
        self.arm(now + AGAIN)
        if self.handler is signal.SIG_DFL:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)  # it was to end the process
        elif callable(self.handler):
            self.handler(signum, frame)
        if (found := signal.getsignal(signum)) is not self.ours and self.action is not None:
            self.handler = found
            signal.signal(signum, self.ours)

    def after_fork(self, goes_on: bool) -> None:
        """In a forked child, which inherits the handler and no timer.  Whether what the timer is for goes on there."""
        self.theirs = math.inf
        if goes_on:
            self.arm(monotonic() + AGAIN)
        elif hasattr(signal, "SIGALRM") and signal.getsignal(signal.SIGALRM) is self.ours:
            self.stop()  # another thread has forked, maybe in the middle of start() or stop()


def _go_deeper(calls: int) -> None:
    if calls:
        _go_deeper(calls - 1)


timer = Timer()
