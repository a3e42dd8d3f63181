"""One scheduler per OS thread: who runs, who comes next, who is told of an error.

The rules are Stackless's (scheduling.c, and measured on Stackless 3.7.5):

  * The tasklet that runs is the head of the run queue (runq.py).  Whoever blocks or pauses leaves the ring, and its
    successor runs.  Every switching call returns the caller's value slot, `tempval`, when the caller resumes, and
    empties it; a bomb in it explodes there.
  * run() takes its caller out of the ring until the ring is empty; then the innermost caller of run() wakes, or main
    when there is none.
  * A tasklet that ends hands over to its successor.  Its uncaught error goes to the innermost caller of run() (else
    main), which is unblocked if need be and runs at once.  TaskletExit is no error.
  * Nobody blocks when nobody could run: RuntimeError, and nothing has changed.

Operations check everything that can be refused first, then change the queues, then call switch(), which goes on with
the head of the ring.  While a tasklet is parked no frame of ours may refer to it, so that a tasklet that everybody
has forgotten is collected (and killed, see collect()); hence the `del`s.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from . import report, rng, switch
from .bomb import bomb, of_error
from .runq import RunQueue
from .watch import watch

if TYPE_CHECKING:
    from .tasklet import tasklet


class TaskletExit(SystemExit):
    """Ends a tasklet in silence: what kill() raises in it.  As in Stackless it is a builtin, too."""


TaskletExit.__module__ = "builtins"
TaskletExit = builtins.__dict__.setdefault("TaskletExit", TaskletExit)

#: How often a forgotten tasklet is killed before it is given up (Stackless's number).
STUBBORN = 10


class Scheduler:
    """The tasklets of one OS thread.

    current         the tasklet that runs
    main            the tasklet of the thread itself
    runq            the ring of runnable tasklets; its head is `current` whenever user code runs
    runs            the tasklets that are inside run(), innermost last
    switch_trap     while non-zero, every real switch is refused
    rng             the generator of select's choices
    started         greenlet -> weak reference to its tasklet, for all that have started and not ended
    busy, doomed    see collect()
    failed          the error that the running tasklet is just ending with, or None
    """

    __slots__ = (
        "__weakref__",
        "busy",
        "current",
        "doomed",
        "failed",
        "hub",
        "in_callback",
        "main",
        "next_greenlet",
        "rng",
        "runq",
        "runs",
        "started",
        "switch_trap",
        "thread_id",
    )

    def __init__(self) -> None:
        from .tasklet import main_tasklet

        self.runq = RunQueue()
        self.runs: list[tasklet] = []
        self.switch_trap = 0
        self.rng = rng.for_new_thread()
        self.thread_id = threading.get_ident()
        self.started: dict[Any, weakref.ref] = {}
        self.busy = self.in_callback = False
        self.doomed: list[tasklet] = []
        self.failed: bomb | None = None
        self.main = self.current = main_tasklet(self)
        self.runq.append(self.main)
        switch.prepare(self)

    # -- switching ---------------------------------------------------------------------------------------------------

    def check_switch(self) -> None:
        """RuntimeError when the running tasklet must not switch now.  Called before anything is changed."""
        if self.switch_trap:
            raise RuntimeError("switch_trap")
        switch.check_place(self)

    def switch(self) -> Any:
        """Go on with the head of the ring.  Returns the caller's tempval when it resumes, or raises what is in it."""
        if self.runq.head is not self.current:
            if watch.schedule_callback is not None or watch.trace is not None:
                self.announce()
            self.current = self.runq.head
            self.busy = False
            switch.switch_to_current(self)
        self.busy = False
        me = self.current
        value = me.tempval
        me.tempval = None
        del me
        if self.doomed:
            self.reap()
        if type(value) is bomb:
            try:
                value.explode()
            finally:
                del value
        return value

    def announce(self) -> None:
        """Tell the schedule callback and the trace that the running tasklet hands over to the head of the ring."""
        prev, next_ = self.current, self.runq.head
        if watch.trace is not None:
            watch.trace("switch", prev, peer=next_)
        if watch.schedule_callback is not None:
            self.switch_trap += 1
            try:
                watch.schedule_callback(prev, next_)
            except Exception as error:  # like Stackless: reported, and the switch goes on
                _unraisable(error, watch.schedule_callback)
            finally:
                self.switch_trap -= 1

    # -- leaving the ring --------------------------------------------------------------------------------------------

    def whom_to_wake(self) -> tasklet:
        """Who runs when the ring is empty: the innermost caller of run(), else main."""
        return self.runs[-1] if self.runs else self.main

    def check_leave(self, blocking: bool) -> None:
        """RuntimeError unless the running tasklet may leave the ring: to block on a channel, or just to pause.

        A lone main that pauses is woken at once, so that nothing happens: that is allowed.
        """
        if len(self.runq) == 1:
            wake = self.whom_to_wake()
            if wake is self.current and not blocking:
                return
            if wake is self.current or wake.blocked:
                raise report.deadlock(self, "Deadlock: the last runnable tasklet cannot be blocked.")
        self.check_switch()

    def leave(self) -> None:
        """Take the running tasklet out of the ring.  Afterwards the head is the one to go on with.

        When that wakes a caller of run() (or main), an exception that the last runnable tasklet is about to send is
        raised there, too.  Genuine Stackless does so, and the recorded traces hold it: see docs/divergences.md.
        """
        me = self.current
        self.runq.remove(me)
        if self.runq.head is None:
            wake = self.whom_to_wake()
            self.runq.append(wake)
            if wake is not me and type(me.tempval) is bomb:
                wake.tempval = me.tempval

    # -- run -----------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let all others run until the ring is empty."""
        if len(self.runq) == 1:
            return
        self.check_switch()
        self.busy = True
        self.runs.append(self.current)
        self.runq.remove(self.current)
        try:
            self.switch()
        finally:
            self._end_run()

    def _end_run(self) -> None:
        """The running tasklet comes back from run(): callers further in that still wait there become runnable."""
        if self.current in self.runs:  # else somebody further out came back before and has dropped it
            while (caller := self.runs.pop()) is not self.current:
                if caller._queue is None:
                    self.runq.append(caller)

    # -- the life of a tasklet ---------------------------------------------------------------------------------------------

    def life(self, *_ignored: object) -> None:
        """The whole life of the tasklet that is current: the bottom of its stack."""
        self.busy = False
        try:
            me = self.current
            self.started[me._greenlet] = weakref.ref(me)
            if watch.trace is not None:
                watch.trace("start", me)
            value, me.tempval = me.tempval, None
            func, args, kwargs = me._call
            me._call = None
            del me
            if type(value) is bomb:  # thrown at before it began: the function never runs
                value.explode()
            del value
            func(*args, **kwargs)
        except TaskletExit:
            pass
        except BaseException as error:
            self.failed = _handled(error)
        self.end()

    def end(self) -> None:
        """The running tasklet is over.  Choose who goes on; the caller must return to the hub at once."""
        me, failed = self.current, self.failed
        self.failed = None
        if watch.trace is not None:
            if failed is None:
                watch.trace("end", me)
            else:
                watch.trace("end", me, value=failed.value)
        del self.started[me._greenlet]
        self.busy = True
        self.runq.remove(me)
        if failed is None and self.runq.head is None:
            failed = _nobody_left(self, self.whom_to_wake())
        if failed is not None:
            self.deliver(failed)
        elif self.runq.head is None:
            self.runq.append(self.whom_to_wake())
        if watch.schedule_callback is not None or watch.trace is not None:
            self.announce()
        me._alive = False
        self.current = self.runq.head
        switch.finish_into_current(self)

    def deliver(self, failed: bomb) -> None:
        """Give an error to the innermost caller of run(), else to main, and make that one the head of the ring."""
        target = self.whom_to_wake()
        unblock(target)
        target.tempval = failed
        if target._queue is None:
            self.runq.append(target)
        self.runq.rotate(target)

    # -- forgotten tasklets ---------------------------------------------------------------------------------------------

    def collect(self, task: tasklet) -> None:
        """A started tasklet of this thread that nobody refers to any more: kill it, so that its finally blocks run.

        Python may find out at any moment, even in the middle of one of our operations or in another thread.  Such a
        tasklet is doomed: killed as soon as the next switch of its own thread is complete.
        """
        self.started[task._greenlet] = weakref.ref(task)
        if self.busy or here.sched is not self or switch.getcurrent() is not self.current._greenlet:
            self.doomed.append(task)
        else:
            self.put_down(task)

    def reap(self) -> None:
        """Kill the doomed."""
        while self.doomed:
            self.put_down(self.doomed.pop())

    def put_down(self, task: tasklet) -> None:
        """Kill a tasklet until it is dead; one that survives even that goes to gc.garbage."""
        for _ in range(STUBBORN):
            if not task.alive:
                return
            task.kill()
        if task.alive:
            gc.garbage.append(task)

    def kill_all(self) -> None:
        """The thread or the process ends: kill every tasklet that has started, so that its finally blocks run."""
        self.switch_trap = 0
        if self.current is not self.main:
            return
        for node in list(self.runq):
            if node is not self.main:
                self.runq.remove(node)
        for _ in range(STUBBORN):
            live = [task for ref in list(self.started.values()) if (task := ref()) is not None]
            if not live:
                return
            for task in live:
                if task.alive and task is not self.current:
                    try:
                        task.kill()
                    except BaseException as error:
                        _unraisable(error, task)


def unblock(task: tasklet) -> None:
    """Withdraw a blocked tasklet from every queue that it waits in.  Nothing happens when it is not blocked."""
    if task._offers is not None:
        task._offers.withdraw_all()
    elif task._channel is not None:
        if task._queue is not None:  # its channel is gone: then nobody else can meet it either
            task._queue.remove(task)
        if watch.trace is not None:
            watch.trace("withdraw", task, task._channel, task._direction)
        task._channel = None


def _nobody_left(sched: Scheduler, wake: tasklet) -> bomb | None:
    """The error of one who is to wake because all others have ended, but who is blocked; None when it is not."""
    if not wake.blocked:
        return None
    if wake._offers is not None:
        text = "the main tasklet is selecting without a partner available."
    elif wake._direction > 0:
        text = "the main tasklet is sending without a receiver available."
    else:
        text = "the main tasklet is receiving without a sender available."
    error = report.deadlock(sched, text)
    return bomb(type(error), error)


def _handled(error: BaseException) -> bomb | None:
    """What is left of a tasklet's uncaught error after the error handler: None when the handler returns."""
    handler = watch.error_handler
    if handler is None:
        return of_error(error)
    try:
        handler(type(error), error, error.__traceback__)
    except BaseException as raised:
        return of_error(raised)
    return None


def _unraisable(error: BaseException, where: object) -> None:
    """Report an error that nobody can be given, the way CPython does."""
    sys.unraisablehook(_Unraisable(type(error), error, error.__traceback__, None, where))


class _Unraisable:
    def __init__(self, *fields: object) -> None:
        self.exc_type, self.exc_value, self.exc_traceback, self.err_msg, self.object = fields


class _Here(threading.local):
    """`here.sched` is the scheduler of the thread that asks; it is made at the first question."""

    def __getattr__(self, name: str) -> Any:
        if name != "sched":
            raise AttributeError(name)
        self.sched = sched = Scheduler()
        return sched


here = _Here()


def at_exit() -> None:
    """Before the interpreter is taken down: kill the main thread's live tasklets, complete the trace."""
    with contextlib.suppress(BaseException):
        here.sched.kill_all()
    if watch.trace is not None:
        watch.trace.flush()
