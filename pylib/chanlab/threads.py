"""Several OS threads, each with a scheduler of its own, and channels between them.

A tasklet belongs to the thread that made it and runs nowhere else.  Channels belong to nobody: a meeting between two
threads makes the waiting tasklet runnable in its own thread, wakes that thread, and the caller goes on.

Until a second thread uses tasklets nothing here costs anything; from then on one lock guards every operation of every
thread, so that a meeting is one step for everybody.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

from . import forgotten, switch

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


def join(sched: Scheduler) -> None:
    """A thread begins to use tasklets.  An operation that began before the lock was needed is waited for."""
    global many
    with LOCK:  # threads may come and go at the same moment
        others = list(schedulers.values())
        schedulers[sched.thread_id] = sched
    if others:
        many = True
        while any(other.busy and not other.locked and not other.idle for other in others):
            time.sleep(0)


def may_be_woken(sched: Scheduler) -> bool:
    """Whether another thread could still make a tasklet of this one runnable: one that is alive and not waiting itself."""
    for ident in sys._current_frames():
        if ident != sched.thread_id:
            other = schedulers.get(ident)
            if other is None or not other.idle:
                return True
    return False


def wait(sched: Scheduler, seconds: float | None = None) -> bool:
    """Wait, without using the processor, until another thread wakes this one.  Called within an operation.

    Waits at most `seconds` if that is given.  Returns False when nobody is left who could.  A thread that never used
    tasklets ends without a word, so that is looked at once in a while.
    """
    until = math.inf if seconds is None else time.monotonic() + seconds
    sched.idle = True
    for _ in range(sched.locked):
        LOCK.release()
    sched.locked = 0  # but busy still: a signal handler must not use channels while its tasklet is half parked
    try:
        while not sched.alarm.acquire(timeout=min(LOOK_AGAIN, max(0, until - time.monotonic()))):
            if not may_be_woken(sched) or time.monotonic() >= until:
                break
    finally:
        if many:
            LOCK.acquire()
            sched.locked = 1
        sched.idle = False
        sched.alarm.acquire(blocking=False)  # a call that came after all
    return sched.runq.head is not None or may_be_woken(sched)


def wake(sched: Scheduler) -> None:
    """End the wait() of another thread, if it waits.  Called within an operation."""
    if sched.idle:
        sched.idle = False
        sched.alarm.release()


def _after_fork_in_child() -> None:
    """Only the forking thread lives on in the child: nobody must meet the tasklets of the others."""
    from .sched import unblock

    global LOCK, many
    LOCK = threading.RLock()
    many = False
    for ident, sched in list(schedulers.items()):
        if ident == threading.get_ident():
            sched.locked = 0
        else:
            for task in (sched.main, *(ref() for ref in sched.started.values())):
                if task is not None:
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
        self._here.sched = sched  # the local storage is going, but the dying tasklets' code still looks there
        forgotten.kill_all(sched)
        switch.finish(sched)
        del self._here.sched
        with LOCK:
            schedulers.pop(sched.thread_id, None)
        sched.thread_id = -1
