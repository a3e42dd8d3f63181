"""run(timeout): nobody runs for longer than that without giving way.

Stackless counts the instructions of its interpreter.  CPython does not, so here a number of instructions is the time
that they take (seconds_per_instruction()), and what looks at the time depends:

    the main thread     the timer of timer.py interrupts the running tasklet between two bytecodes; its signal handler
                        makes an ordinary switch, to the caller of run(), and returns when the tasklet resumes
    soft=True,          the time is looked at when a tasklet switches (or could), see look()
    other threads

Of several run(timeout) inside one another only the outermost counts.
"""

from __future__ import annotations

import math
import operator
import os
import threading
from time import monotonic, perf_counter
from types import FrameType
from typing import TYPE_CHECKING

from . import report, switch, threads
from .timer import timer

if TYPE_CHECKING:
    from .sched import Scheduler
    from .tasklet import tasklet

#: No slice is shorter, in seconds: much less than it takes to switch there and back would be all overhead.
SHORTEST = 10e-6
#: A tasklet that cannot be interrupted just now is tried again so soon, then after twice that, and so on, in seconds.
PATIENCE = 20e-6
#: But not later than this.
LONGEST_PATIENCE = 1e-3

#: How many instructions Stackless 3.7 takes for one round of the loop in _measure().
_INSTRUCTIONS = 7
_ROUNDS = 1000
#: How often the loop is measured; the fastest counts.
_MEASUREMENTS = 20
#: Where frames of the standard library come from.
_STDLIB = (os.path.dirname(os.__file__) + os.sep, "<frozen ")

_seconds_per_instruction = 0.0


def seconds_per_instruction() -> float:
    """How long one of Stackless's instructions takes here.  Measured at the first use, which takes about a millisecond."""
    if not _seconds_per_instruction:
        calibrate()
    return _seconds_per_instruction


def calibrate(seconds: float | None = None) -> None:
    """Let an instruction last so many seconds; by default measure it anew.  ValueError unless that is positive."""
    global _seconds_per_instruction
    if seconds is None:
        seconds = min(_measure() for _ in range(_MEASUREMENTS)) / (_ROUNDS * _INSTRUCTIONS)
    if not 0 < seconds < math.inf:
        raise ValueError(f"an instruction takes a positive number of seconds, not {seconds!r}")
    _seconds_per_instruction = seconds


def _measure() -> float:
    begin = perf_counter()
    x = 0
    for i in range(_ROUNDS):
        x += i
    return perf_counter() - begin


def checked(timeout: int) -> int:
    """The timeout of run(): TypeError unless it is an integer, ValueError when it is negative."""
    try:
        timeout = operator.index(timeout)
    except TypeError:
        raise TypeError(
            f"run(timeout) is a number of instructions, an int, not {type(timeout).__name__}: "
            "chanlab.watchdog.seconds_per_instruction() tells how long one takes"
        ) from None
    if timeout < 0:
        raise ValueError(f"run(timeout) is a number of instructions and cannot be {timeout}: 0 means no limit")
    return timeout


def run(
    sched: Scheduler, timeout: int, threadblock: bool, soft: bool, ignore_nesting: bool, totaltimeout: bool
) -> tasklet | None:
    """run(timeout) for a timeout above 0.  Returns the tasklet that was interrupted, paused, or None."""
    if sched.busy:
        sched.refuse()
    outer = sched.watchdog
    if outer is not None and outer.caller is not sched.current and outer.in_force():
        sched.run()
        return None
    watchdog = Watchdog(sched, timeout * seconds_per_instruction(), threadblock, soft, ignore_nesting, totaltimeout)
    try:
        watchdog.begin()
        sched.run()
    except BaseException:
        watchdog.put_back()
        raise
    finally:
        watchdog.end()
    return watchdog.take()


class Watchdog:
    """A run(timeout) that is in force in a thread.

    sched           the thread's scheduler
    caller          the tasklet that is inside run(timeout)
    length          how long a slice lasts, in seconds
    deadline        when the slice ends, as monotonic() counts
    total           there is only one slice; else one begins at every switch
    soft            nobody is interrupted
    threadblock     an empty ring waits for other threads
    anywhere        interrupt even where it is delicate, see _delicate()
    timed           the timer looks at the time
    interrupted     the tasklet that run() is to return
    patience        how soon to try again to interrupt a tasklet that cannot be interrupted now, in seconds
    """

    __slots__ = (
        "anywhere",
        "caller",
        "deadline",
        "interrupted",
        "length",
        "patience",
        "sched",
        "soft",
        "threadblock",
        "timed",
        "total",
    )

    def __init__(
        self, sched: Scheduler, seconds: float, threadblock: bool, soft: bool, ignore_nesting: bool, totaltimeout: bool
    ) -> None:
        self.sched = sched
        self.caller: tasklet | None = sched.current
        self.length = max(seconds, SHORTEST)
        self.deadline = math.inf
        self.threadblock = bool(threadblock)
        self.soft = bool(soft)
        self.anywhere = bool(ignore_nesting)
        self.total = bool(totaltimeout)
        self.timed = not soft and timer.available()
        self.interrupted: tasklet | None = None
        self.patience = PATIENCE

    # -- from begin to end -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """From now on the time counts.  The timer is set by the first switch."""
        self.sched.watchdog = self
        self.deadline = monotonic() + self.length  # before start(): the program's own timer may go off inside it
        if self.timed:
            timer.start(self.strike)

    def end(self) -> None:
        """The run(timeout) is over, in whatever way."""
        if self.sched.watchdog is self:
            self.sched.watchdog = None
        if self.timed:
            timer.stop()
        self.caller = None

    def in_force(self) -> bool:
        """Whether the caller is inside its run() still: an interrupt may have kept it from saying that it is not."""
        caller = self.caller
        return caller is not None and caller._alive and not caller.blocked and caller in self.sched.runs

    def take(self) -> tasklet | None:
        """What run() returns."""
        task, self.interrupted = self.interrupted, None
        return task

    def put_back(self) -> None:
        """run() raises and cannot return the tasklet that was interrupted: it is runnable again."""
        task = self.take()
        if task is not None and task.paused:
            task.insert()

    # -- what the scheduler asks -----------------------------------------------------------------------------------------

    def look(self) -> None:
        """The running tasklet is about to give way to the head of the ring, which may be itself.

        Called within an operation, when it has changed what it had to change.
        """
        sched = self.sched
        head = sched.runq.head
        if head is self.caller:
            return
        now = monotonic()
        if sched.current is self.caller:  # run() begins: whatever that took, the first tasklet gets something done
            self.deadline = max(self.deadline, now + SHORTEST) if self.total else now + self.length
        elif head is not sched.current and not self.total and (self.timed or now < self.deadline):
            self._new_slice(now)
        if now < self.deadline:
            if self.timed and timer.due > self.deadline:
                timer.arm(self.deadline)
        elif self.caller._queue is None and not sched.switch_trap:
            del head
            self._stop_at_switch(now)

    def _new_slice(self, now: float) -> None:
        self.deadline = now + self.length
        self.patience = PATIENCE

    def _stop_at_switch(self, now: float) -> None:
        """The time is over, and a tasklet switches: wake the caller of run(), and leave all others in their places.

        Unless soft, a tasklet that would stay runnable is paused and returned, as if the timer had interrupted it.
        One that blocks, pauses or ends has given way, so that there is nobody to interrupt: as in Stackless the next
        one begins a slice of its own, unless the time was for all.
        """
        sched = self.sched
        me = sched.current
        if not _on_its_own_stack(sched) or not self.in_force():
            return
        if self.soft:
            self._wake_caller()
        elif me._queue is sched.runq:
            if not me._atomic:
                self._wake_caller()
                sched.runq.remove(me)
                self.interrupted = me
        elif self.timed:  # time for all: the timer gets the next one
            if timer.due == math.inf:
                timer.arm(now + self.patience)
        elif self.total:
            self._wake_caller()
        else:
            self._new_slice(now)

    def _wake_caller(self) -> None:
        """Make the caller of run() the head of the ring; it joins in front of the head, so that nobody loses his place."""
        runq = self.sched.runq
        runq.append(self.caller)
        runq.rotate(self.caller)

    def waited(self) -> bool:
        """The ring is empty.  Wait for the clock, or with threadblock for other threads, but not beyond a time for all.

        False when there is nothing to wait for; else the ring should be looked at again.
        """
        sched = self.sched
        comes = sched.clock is not None and sched.clock.awaited()
        if not comes and not (self.threadblock and threads.may_be_woken(sched)):
            return False
        left = self.deadline - monotonic() if self.total else None
        if left is not None and left <= 0:
            self._wake_caller()
        else:
            threads.wait(sched, left)
            if not self.total:  # nobody ran meanwhile
                self._new_slice(monotonic())
        return True

    # -- the interrupt -----------------------------------------------------------------------------------------------------

    def strike(self, frame: FrameType | None) -> None:
        """The timer has gone off, in this frame: interrupt the running tasklet if its time is over."""
        sched = self.sched
        if sched.watchdog is not self or self._forgotten(frame):
            self.end()
            return
        now = monotonic()
        if now < self.deadline:  # a new slice has begun since the timer was set
            timer.arm(self.deadline)
        elif sched.idle:  # look() sets the timer again
            pass
        elif self._may_interrupt(frame):
            del frame
            self._interrupt()
        else:
            # Doubled first, and from this moment on: where all this takes longer than `patience` the timer has gone off
            # again before arm() returns, and strike() would nest in itself without end.
            self.patience = min(2 * self.patience, LONGEST_PATIENCE)
            timer.arm(monotonic() + self.patience)

    def _forgotten(self, frame: FrameType | None) -> bool:
        """Whether an interrupt has kept the caller from ending its run(timeout)."""
        if self.caller is not self.sched.current:
            return not self.in_force()
        while frame is not None and frame.f_code is not _RUN:
            frame = frame.f_back
        return frame is None

    def _may_interrupt(self, frame: FrameType | None) -> bool:
        """Whether the tasklet that runs in `frame` can be parked there."""
        sched = self.sched
        me = sched.current
        return not (
            sched.operates()
            or sched.collecting
            or sched.switch_trap
            or sched.in_callback
            or me is self.caller
            or me._atomic
            or not _on_its_own_stack(sched)
            or _is_ours(frame)
            or not (self.anywhere or me._ignore_nesting or not _delicate(frame))
        )

    def _interrupt(self) -> None:
        """Pause the running tasklet and wake the caller of run(), who returns it.  Returns when the tasklet resumes.

        When somebody has woken the caller already, the tasklet only gives way, so that nothing that waits for the
        caller in its tempval is lost.
        """
        sched = self.sched
        if sched.busy:
            sched.refuse()
        kept = sched.current._tempval
        try:
            sched.enter()
            if self.caller._queue is None:
                self._wake_caller()
                sched.runq.remove(sched.current)
                self.interrupted = sched.current
            else:
                sched.runq.remove(self.caller)
                self._wake_caller()
            sched.switch()
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise
        sched.current._tempval = kept


_RUN = run.__code__


def _on_its_own_stack(sched: Scheduler) -> bool:
    """Whether the running tasklet is in no greenlet of the program's own, which could not be parked."""
    return switch.getcurrent() is sched.current._greenlet


def _is_ours(frame: FrameType | None) -> bool:
    """Whether it is our own code that runs in `frame`, or code of the standard library that we have called."""
    inner = frame
    while inner is not None and inner.f_code.co_filename.startswith(_STDLIB):
        inner = inner.f_back
    if report.users_frame(inner) is inner:
        return False
    return inner is frame or inner.f_code.co_name != "life"  # a tasklet's function may come from the standard library


def _delicate(frame: FrameType | None) -> bool:
    """Whether a module is being imported or a __del__ runs: others would meet half a module, or no garbage collector.

    This is what can be seen of the calls from C into Python in which Stackless does not interrupt either.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__" or code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _after_fork_in_child() -> None:
    sched = threads.schedulers.get(threading.get_ident())
    timer.after_fork(goes_on=sched is not None and sched.watchdog is not None and sched.watchdog.timed)


os.register_at_fork(after_in_child=_after_fork_in_child)
