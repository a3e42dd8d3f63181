"""Several OS threads, each with a scheduler of its own, and channels between them.

A tasklet belongs to the thread that made it and runs nowhere else.  Channels belong to nobody: a meeting between two
threads makes the waiting tasklet runnable in its own thread, wakes that thread, and the caller goes on.

Until a second thread uses tasklets nothing here costs anything; from then on one lock guards every operation of every
thread, so that a meeting is one step for everybody.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from . import forgotten, hooks, switch

if TYPE_CHECKING:
    from .sched import Scheduler

#: Held by an operation while more than one thread uses tasklets.
LOCK = threading.RLock()
#: Whether more than one thread uses, or ever used, tasklets.
many = False
#: Thread id -> the scheduler of a live thread.
schedulers: weakref.WeakValueDictionary[int, Scheduler] = weakref.WeakValueDictionary()


#: How often a waiting thread makes sure that another one is still there, in seconds.
LOOK_AGAIN = 1.0
#: The longest single wait, in seconds: the selector's timeout is an int of milliseconds.
LONGEST = 3600.0


def join(sched: Scheduler) -> None:
    """A thread begins to use tasklets.  An operation that began before the lock was needed is waited for."""
    global many
    with LOCK:  # threads may come and go at the same moment
        others = list(schedulers.values())
        schedulers[sched.thread_id] = sched
    if others:
        many = True
        if hooks.FUSED:
            hooks._chanlab.many_threads(True)
        while any(other.operates() and not (other.locked or other.idle) for other in others):
            time.sleep(0)


#: Ids of threads that will not use tasklets until they are given work: those that waits.py keeps.
resting: set[int] = set()
#: Work that was given to such threads, and that none of them has begun.
queued: set[object] = set()


def may_be_woken(sched: Scheduler) -> bool:
    """Whether another thread could still make a tasklet of this one runnable: one that is alive, and not waiting itself
    or waiting only for what comes from outside."""
    if queued:
        return True
    for ident in sys._current_frames():
        if ident != sched.thread_id and ident not in resting:
            other = schedulers.get(ident)
            if other is None or not other.idle or (other.clock is not None and other.clock.awaited()):
                return True
    return False


def wait(sched: Scheduler, seconds: float | None = None) -> bool:
    """The one idle wait: without using the processor, until another thread wakes this one or its clock has something.

    Called within an operation.  Waits at most `seconds` if that is given.  Returns False when nobody is left who could
    make a tasklet runnable.
    """
    clock = sched.clock
    until = math.inf if seconds is None else time.monotonic() + seconds
    if clock is not None:
        until = min(until, clock.due())
    happened: Any = ()
    sched.idle = True
    for _ in range(sched.locked):
        LOCK.release()
    sched.locked = 0  # but busy still: a signal handler must not use channels while its tasklet is half parked
    try:
        if clock is None or not clock.inbox:  # else something was brought before we were idle, without a ring
            happened = _rest(sched, until)
    finally:
        if many:
            LOCK.acquire()
            sched.locked = 1
        sched.idle = False
        sched.alarm.acquire(blocking=False)  # a call that came after all
    if clock is not None:
        clock.look(happened)
    return sched.runq.head is not None or (clock is not None and clock.awaited()) or may_be_woken(sched)


def _rest(sched: Scheduler, until: float) -> Any:
    """Wait until somebody rings, a descriptor is ready, or the time has come.  Returns what the selector has found.

    A thread that never used tasklets ends without a word: who depends on others looks once in a while.
    """
    clock = sched.clock
    while (left := until - time.monotonic()) > 0:
        depends = clock is None or not clock.awaited()
        if depends and not may_be_woken(sched):
            break
        pause = min(left, LOOK_AGAIN if depends else LONGEST)
        if clock is not None and clock.watched:
            if found := clock.selector.select(pause):
                return found
        elif sched.alarm.acquire(timeout=pause):
            break
    return ()


def wake(sched: Scheduler) -> None:
    """End the wait() of another thread, if it waits.  Called within an operation."""
    if sched.idle:
        sched.idle = False
        ring(sched)


def ring(sched: Scheduler) -> None:
    """End the wait() of another thread, even if it has just ended."""
    with contextlib.suppress(RuntimeError):  # somebody else has rung
        sched.alarm.release()
    if sched.clock is not None:
        sched.clock.ring()


def _after_fork_in_child() -> None:
    """Only the forking thread lives on in the child: nobody must meet the tasklets of the others."""
    from .sched import unblock

    global LOCK, many
    LOCK = threading.RLock()
    many = False
    if hooks.FUSED:
        hooks._chanlab.many_threads(False)
    resting.clear()
    queued.clear()
    for ident, sched in list(schedulers.items()):
        if ident == threading.get_ident():
            sched.locked = 0
            if sched.clock is not None:
                sched.clock.after_fork()
        else:
            for task in (sched.main, *sched.started.tasks()):
                unblock(task)
            del schedulers[ident]
            sched.thread_id = -1


def _before_fork() -> None:
    LOCK.acquire()  # so that no other thread's operation is copied half done


def _after_fork_in_parent() -> None:
    LOCK.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


class End:
    """Kept in a thread's local storage: it goes when the thread goes, and takes the thread's tasklets along."""

    __slots__ = ("_here", "_sched")

    def __init__(self, sched: Scheduler, here: threading.local) -> None:
        self._sched = sched
        self._here = here

    def __del__(self) -> None:
        sched = self._sched
        if sched.thread_id != threading.get_ident() or sys.is_finalizing():
            return
        if hooks.FUSED:
            hooks._chanlab.thread_has(None)
        self._here.sched = sched  # the local storage is going, but the dying tasklets' code still looks there
        forgotten.kill_all(sched)
        switch.finish(sched)
        if sched.clock is not None:
            sched.clock.close()
        del self._here.sched
        with LOCK:
            schedulers.pop(sched.thread_id, None)
        sched.thread_id = -1
