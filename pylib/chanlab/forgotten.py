"""Tasklets that nobody refers to any more, and those that are left at the end: they are killed.

Rule: Stackless (taskletobject.c): a forgotten tasklet is killed, so that its finally blocks run; after STUBBORN attempts
it goes to gc.garbage.  Here that holds for every tasklet, as the collector can look into parked stacks (stack.py).

Python may find out about a forgotten tasklet at any moment: in the middle of one of our operations, in another thread,
or in the middle of its collector's work.  Then the tasklet is doomed, and killed when that is over.
"""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import sched as core  # its names are looked up when they are needed: it imports this module
from . import switch

if TYPE_CHECKING:
    from .sched import Scheduler
    from .tasklet import tasklet

#: How often a tasklet is killed before it is given up (Stackless's number).
STUBBORN = 10
#: How often in a row an interrupt may keep from us that a collection is over.
INTERRUPTED = 10
#: Its attributes, other ones in each thread, say that the collector is at work there: none when it is not.
collector = threading.local()
#: Sets them: gc.callbacks has it before around_collection().  It is in C, since a signal handler that raised at the
#: start of a callback in Python would keep the beginning of a collection from us, and a switch inside one crashes.
note_collection = functools.partial(setattr, collector)


def collect(sched: Scheduler, task: tasklet) -> None:
    """A started tasklet of this scheduler is being deallocated: kill it now, or doom it."""
    if sched.thread_id == -1:
        return
    sched.started.add(task)
    if core.here.sched is not sched or not may_kill(sched):
        sched.doomed.append(task)
    else:
        put_down(task)


def may_kill(sched: Scheduler) -> bool:
    """Whether the running tasklet could switch to another one just now."""
    return not (sched.operates() or sched.collecting) and switch.getcurrent() is sched.current._greenlet


def reap(sched: Scheduler) -> None:
    """Kill the doomed."""
    while sched.doomed and may_kill(sched):
        put_down(sched.doomed.pop())


def put_down(task: tasklet) -> None:
    """Kill a tasklet until it is dead; one that survives even that goes to gc.garbage."""
    for _ in range(STUBBORN):
        if not task.alive:
            return
        task.kill()
    if task.alive:
        gc.garbage.append(task)


def kill_all(sched: Scheduler) -> None:
    """The thread or the process ends: kill every tasklet that has started, so that its finally blocks run."""
    sched.switch_trap = 0
    if sched.current is not sched.main:
        return
    for node in list(sched.runq):
        if node is not sched.main:
            sched.runq.remove(node)
    for _ in range(STUBBORN):
        live = sched.started.tasks()
        if not live:
            return
        for task in live:
            if task.alive and task is not sched.current:
                try:
                    task.kill()
                except BaseException as error:
                    core.unraisable(error, task)
    sched.enter()
    for task in live:  # they do not want to die: keep them as they are, but let nobody meet them
        gc.garbage.append(task)
        core.unblock(task)
        if task._queue is not None:
            task._queue.remove(task)
    sched.exit()


def check_collecting(sched: Scheduler) -> None:
    """RuntimeError when it is a finalizer called by the collector that wants to switch.

    The collector keeps its lists on the C stack, and greenlet would put another one in its place meanwhile.
    """
    # It does nothing inside a collection; else it tells us what an interrupt has kept from us: that it is over.  And may
    # be interrupted, too: signals that arrive during a collection are handled just when we are told.
    for _ in range(INTERRUPTED):
        gc.collect(0)
        if not sched.collecting:
            return
    raise RuntimeError(
        f"{sched.current.label} cannot switch to another tasklet while the garbage collector runs: "
        "let the finalizer (__del__, weakref callback) start a tasklet instead, which will do it later"
    )


_callbacks: list[Callable] = []


def watch_collector(*callbacks: Callable) -> None:
    """Have the collector call these in each thread, in place of those that it was given before."""
    for callback in _callbacks:
        gc.callbacks.remove(callback)
    _callbacks[:] = callbacks
    gc.callbacks.extend(callbacks)


def around_collection(phase: str, _info: Any) -> None:
    """The collector has begun, or ended, its work in this thread (see gc.callbacks)."""
    if phase == "start":
        return  # note_collection() has seen it
    vars(collector).clear()
    sched = core.here.__dict__.get("sched")
    if sched is not None and sched.doomed:
        reap(sched)
