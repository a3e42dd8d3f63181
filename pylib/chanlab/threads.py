"""Several OS threads, each with a scheduler of its own, and channels between them.

A tasklet belongs to the thread that made it and runs nowhere else.  Channels belong to nobody: a meeting between two
threads makes the waiting tasklet runnable in its own thread, wakes that thread, and the caller goes on.

Until a second thread uses tasklets nothing here costs anything; from then on one lock guards every operation of every
thread, so that a meeting is one step for everybody.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

from . import switch

if TYPE_CHECKING:
    from .sched import Scheduler

#: Held by an operation while more than one thread uses tasklets.
LOCK = threading.RLock()
#: Whether more than one thread uses, or ever used, tasklets.
many = False
#: Thread id -> the scheduler of a live thread.
schedulers: weakref.WeakValueDictionary[int, Scheduler] = weakref.WeakValueDictionary()


def join(sched: Scheduler) -> None:
    """A thread begins to use tasklets.  An operation that began before the lock was needed is waited for."""
    global many
    others = list(schedulers.values())
    schedulers[sched.thread_id] = sched
    if others:
        many = True
        while any(other.busy and not other.locked for other in others):
            time.sleep(0)


def may_be_woken(sched: Scheduler) -> bool:
    """Whether another thread could still make a tasklet of this one runnable: one that is alive and not waiting itself."""
    for ident in sys._current_frames():
        if ident != sched.thread_id:
            other = schedulers.get(ident)
            if other is None or not other.idle:
                return True
    return False


def wait(sched: Scheduler) -> None:
    """Wait, without using the processor, until another thread wakes this one.  Called within an operation."""
    sched.idle = True
    locked, busy = sched.locked, sched.busy
    for _ in range(locked):
        LOCK.release()
    sched.locked, sched.busy = 0, False
    try:
        sched.alarm.acquire()
    finally:
        sched.idle = False
        sched.busy = busy
        if many:
            LOCK.acquire()
            sched.locked = 1


def wake(sched: Scheduler) -> None:
    """End the wait() of another thread, if it waits.  Called within an operation."""
    if sched.idle:
        sched.idle = False
        sched.alarm.release()


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
        self._here.sched = sched  # the local storage is going, but the dying tasklets' code still looks there
        sched.kill_all()
        switch.finish(sched)
        del self._here.sched
        schedulers.pop(sched.thread_id, None)
        sched.thread_id = -1
