"""One scheduler per OS thread: who runs, who comes next, who is told of an error.

The rules are Stackless's (scheduling.c, and measured on Stackless 3.7.5):

  * The tasklet that runs is the head of the run queue (runq.py).  Whoever blocks or pauses leaves the ring, and its
    successor runs.  Every switching call returns the caller's value slot, `tempval`, when the caller resumes, and
    empties it; a bomb in it explodes there.
  * run() takes its caller out of the ring until the ring is empty; then the innermost caller of run() wakes, or main
    when there is none.
  * A tasklet that ends hands over to its successor.  Its uncaught error goes to the innermost caller of run() (else
    main), which is unblocked if need be and runs at once.  TaskletExit is no error.
  * Nobody blocks when nobody could run: RuntimeError, and nothing has changed.  A thread whose tasklets are all
    blocked waits as long as another thread could still wake one of them.

Every operation has the same shape.  Between enter() and switch() no other operation runs, and no other thread's;
what can be refused is checked before anything is changed; recover() repairs what a KeyboardInterrupt or a
RecursionError tore apart:

    if sched.busy:
        sched.refuse()
    try:
        sched.enter()
        check ...; change the queues ...
        return sched.switch()      # on to the head of the ring
    except BaseException:
        sched.torn = sched.busy        # no call before this: CPython handles signals at calls
        sched.recover()
        raise

While a tasklet is parked no frame of ours may refer to it, so that a tasklet that everybody has forgotten is
collected (and killed, see forgotten.py); hence the `del`s.
"""

from __future__ import annotations

import builtins
import contextlib
import math
import sys
import threading
from typing import TYPE_CHECKING, Any

from . import forgotten, hooks, report, rng, switch, threads
from .bomb import bomb, of_error
from .runq import RunQueue
from .started import Started
from .watch import watch

if TYPE_CHECKING:
    from .channel import channel
    from .clock import Clock
    from .tasklet import tasklet
    from .watchdog import Watchdog


class TaskletExit(SystemExit):
    """Ends a tasklet in silence: what kill() raises in it.  As in Stackless it is a builtin, too."""


TaskletExit.__module__ = "builtins"
TaskletExit = builtins.__dict__.setdefault("TaskletExit", TaskletExit)


class Scheduler:
    """The tasklets of one OS thread.

    current         the tasklet that runs
    main            the tasklet of the thread itself
    runq            the ring of runnable tasklets; its head is `current` whenever user code runs
    runs            the tasklets that are inside run(), innermost last
    switch_trap     while non-zero, every real switch is refused
    rng             the generator of select's choices
    thread_id       as threading.get_ident(), -1 once the thread has ended
    bottoms         what the hub's greenlet runs, and what a tasklet's runs: life
    started         the tasklets that have started and not ended
    moving          a tasklet on its way from a channel's queue to the ring
    unsettled       the channel of an operation that has raised, until recover() has settled it, or None
    failed          the error that the running tasklet is just ending with, or None
    watchdog        the run(timeout) that is in force, or None
    clock           what wakes tasklets from outside, or None before the first use
    look_at         when the clock must be looked at next, as monotonic() counts; inf for never
    torn            an operation has raised, and nobody has repaired yet what it has left
    busy, locked    see enter();      idle, alarm   see threads.wait();      doomed, collecting   see forgotten.py
    """

    __slots__ = (
        "__weakref__",
        "alarm",
        "bottoms",
        "busy",
        "clock",
        "collecting",
        "current",
        "doomed",
        "failed",
        "hub",
        "idle",
        "in_callback",
        "locked",
        "look_at",
        "main",
        "moving",
        "next_greenlet",
        "rng",
        "runq",
        "runs",
        "started",
        "switch_trap",
        "thread_id",
        "torn",
        "unsettled",
        "watchdog",
    )

    def __init__(self) -> None:
        from .tasklet import main_tasklet

        self.runq = RunQueue()
        self.runs: list[tasklet] = []
        self.switch_trap = 0
        self.rng = rng.for_new_thread()
        self.thread_id = threading.get_ident()
        self.started = Started()
        self.doomed: list[tasklet] = []
        self.busy = self.torn = self.idle = self.in_callback = False
        self.collecting = False if hooks.FUSED else vars(forgotten.collector)  # true while the collector is at work
        self.locked = 0
        self.alarm = threading.Lock()
        self.alarm.acquire()
        self.failed: bomb | None = None
        self.moving: tasklet | None = None
        self.unsettled: channel | None = None
        self.watchdog: Watchdog | None = None
        self.clock: Clock | None = None
        self.look_at = math.inf
        self.main = main_tasklet(self)
        self.runq.append(self.main)
        self.current = self.main
        switch.prepare(self)
        threads.join(self)

    # -- the shape of an operation -------------------------------------------------------------------------------------

    def refuse(self) -> None:
        """RuntimeError: an operation cannot begin inside another one, where only callbacks and the like can ask for it.

        But when there is no other one, as a second interrupt has torn recover() apart, the rest is repaired, and the
        caller goes on.
        """
        if self.torn:
            self.enter()
            self.recover()
            return
        raise RuntimeError(
            f"tasklets and channels cannot be used in the middle of a switch (by {self.current.label}): "
            "not in a schedule callback, nor in a __repr__, __del__ or signal handler that happens to run there"
        )

    def operates(self) -> bool:
        """Whether an operation goes on: not one that has raised, and has left `busy` as it was."""
        return self.busy and not self.torn

    def enter(self) -> None:
        """Begin an operation: from here to exit() nobody else touches tasklets and channels.

        A switch is part of it: it ends when the tasklet that goes on has taken its value.
        """
        self.busy = True  # first: signal handlers run while this waits for the lock, and must not give it back
        if threads.many:
            self.locked += 1
            threads.LOCK.acquire()

    def exit(self) -> None:
        """End an operation."""
        self.busy = False
        if self.locked:
            self._unlock()

    def _unlock(self) -> None:
        while self.locked:
            self.locked -= 1
            try:  # noqa: SIM105  contextlib's own frames would be seen by a trace function
                threads.LOCK.release()
            except RuntimeError:  # an interrupt came between enter()'s two steps
                pass

    def recover(self) -> None:
        """An operation raises.  Mostly it has changed nothing, or is over; but an interrupt may strike in its middle.

        The tasklet whose stack this is runs on, even if it was another one's turn.  It is put back to the head of the
        ring, in no channel's queue, a peer that was on its way to the ring arrives there, and `unsettled`, the channel
        that was acted on, finishes what has been begun with others.

        A second interrupt may strike in here, too: then all stays as it is, `torn` and `busy`, and the lock taken; the next
        operation calls this again.
        """
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + 200)  # the operation may have failed for want of depth; this must not
        try:
            self.torn = False  # who asks for an operation from now on, a signal handler, does so in the middle of one
            if self.busy and threads.many and not self.locked:  # it has left its stack, and others have given it back
                self.enter()
            switch.come_back(self)
            self._land()
            me = self.current
            if me._queue is self.runq:
                me._channel = None
            else:
                unblock(me)
                self.runq.append(me)
            if self.runq.head is not me:
                self.runq.rotate(me)
            me._tempval = None  # what it was to resume with is lost with the operation
            if me in self.runs:  # run() does not know that it is over when it ends with another one current
                self._end_run()
            if self.unsettled is not None:
                if self.busy:  # else it is over, and others may be in the middle of theirs
                    self.unsettled._settle(self)
                self.unsettled = None
            self.exit()
        except BaseException:
            self.torn = self.busy
            raise
        finally:
            _restore_limit(limit)

    def _land(self) -> None:
        """Who was on his way to the ring arrives there."""
        moving = self.moving
        if moving is not None:
            if moving._queue is not moving._sched.runq:
                unblock(moving)
                if moving._queue is not None:
                    moving._queue.remove(moving)
                self.resume(moving)
            elif moving._sched is not self:
                threads.wake(moving._sched)
            self.moving = None

    def switch(self) -> Any:
        """Go on with the head of the ring.  Returns the caller's tempval when it resumes, or raises what is in it."""
        if self.clock is not None:
            self.clock.look()
        if self.watchdog is not None:
            self.watchdog.look()
        if self.runq.head is not self.current:
            if watch.schedule_callback is not None or watch.trace is not None:
                self.announce()
            switch.switch_to_head(self)
        me = self.current
        value = me._tempval
        me._tempval = None
        del me
        self.exit()  # not before: a finalizer or signal handler that comes between must not use up the value
        if self.doomed:
            forgotten.reap(self)
        if type(value) is bomb:
            try:
                value.explode()
            finally:
                del value
        return value

    def check_switch(self) -> None:
        """RuntimeError when the running tasklet must not switch now.  Called before anything is changed."""
        if self.switch_trap:
            raise RuntimeError("switch_trap")
        if self.collecting:
            forgotten.check_collecting(self)
        if switch.getcurrent() is not self.current._greenlet:
            switch.refuse(self)

    def announce(self) -> None:
        """Tell the schedule callback and the trace that the running tasklet hands over to the head of the ring."""
        prev, next_ = self.current, self.runq.head
        if watch.trace is not None:
            watch.trace("switch", prev, peer=next_)
        if watch.schedule_callback is not None:
            self.switch_trap += 1
            try:
                watch.schedule_callback(prev, next_)
            except BaseException as error:  # like Stackless: reported, and the switch goes on
                unraisable(error, watch.schedule_callback)
            finally:
                self.switch_trap -= 1

    # -- leaving the ring ----------------------------------------------------------------------------------------------

    def whom_to_wake(self) -> tasklet:
        """Who runs when the ring is empty: the innermost caller of run(), else main."""
        while self.runs and not self.runs[-1]._alive:  # an interrupt kept it from saying that its run() is over
            self.runs.pop()
        return self.runs[-1] if self.runs else self.main

    def check_leave(self, *wish: Any) -> None:
        """RuntimeError unless the running tasklet may leave the ring: to block for a wish, or (no wish) just to pause.

        A lone main that pauses is woken at once, so that nothing happens: that is allowed.
        """
        if len(self.runq) == 1 and (self.clock is None or not self.clock.awaited()):
            wake = self.whom_to_wake()
            if wake is self.current and not wish:
                return
            if (wake is self.current or wake.blocked) and not (report.comes(*wish) or threads.may_be_woken(self)):
                raise report.deadlock(self, report.last_one(*wish), report.phrase(*wish) if wish else "pauses")
        self.check_switch()

    def refill(self) -> None:
        """The ring is empty: wake the caller of run(), or wait until somebody is in it.

        An exception that the last runnable tasklet is about to send is raised in the one who wakes, too.  Genuine
        Stackless does so, and the recorded traces hold it: see docs/divergences.md.
        """
        while self.runq.head is None:
            if self._waited():
                continue
            wake = self.whom_to_wake()
            if wake.blocked:
                if not threads.wait(self):
                    raise report.deadlock(self, report.last_one(*report.wish(wake)), "waits")
            else:
                self.runq.append(wake)
                if wake is not self.current and type(self.current._tempval) is bomb:
                    wake._tempval = self.current._tempval

    def _waited(self) -> bool:
        """The ring is empty: wait, if something from outside may fill it.  False when nothing can.

        Rule: as in Go, pending timers prevent a deadlock; and whoever sleeps or waits for a descriptor keeps run() going.
        """
        if self.watchdog is not None and self.watchdog.waited():
            return True
        if self.clock is None or not self.clock.awaited():
            return False
        threads.wait(self)
        return True

    def resume(self, task: tasklet) -> None:
        """Make a tasklet of any thread runnable, in the last place of its ring, and wake its thread."""
        owner = task._sched
        owner.runq.append(task)
        if owner is not self:
            threads.wake(owner)

    # -- run -------------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let all others run until the ring is empty."""
        if self.busy:
            self.refuse()
        try:
            self.enter()
            if len(self.runq) > 1:
                self.check_switch()
            self.runs.append(self.current)
            self.runq.remove(self.current)
            if self.runq.head is None:
                self.refill()
            self.switch()
        except BaseException:
            self.torn = self.busy
            self.recover()
            raise
        finally:
            if self.runs and self.runs[-1] is self.current:
                del self.runs[-1]  # no call: an interrupt must not come between
            else:
                self._end_run()

    def _end_run(self) -> None:
        """The running tasklet comes back from run(): callers further in that still wait there become runnable."""
        if self.current in self.runs:  # else somebody further out came back before and has dropped it
            while (caller := self.runs.pop()) is not self.current:
                if caller._queue is None:
                    self.runq.append(caller)

    # -- the life of a tasklet -------------------------------------------------------------------------------------------

    def life(self, *_ignored: object) -> None:
        """The whole life of the tasklet that is current: the bottom of its stack."""
        try:
            me = self.current
            self.started.add(me)
            if watch.trace is not None:
                watch.trace("start", me)
            value, me._tempval = me._tempval, None
            self.exit()  # the operation that switched here is over
            call = me._stack.start(me._greenlet, *me._call)
            me._call = None
            if type(value) is bomb:  # thrown at before it began: the function never runs
                value.explode()
            me._stack.resume()
            me = value = None
            call()
        except TaskletExit:
            pass
        except BaseException as error:
            error.__traceback__ = error.__traceback__.tb_next  # it begins in the user's code, not here
            me = value = call = None
            self.died(error)
        # Not later, when nobody is current: finalizers of what it was called with may use channels, and even switch.
        me = value = call = None
        self.end()

    def died(self, error: BaseException) -> None:
        """The function of the running tasklet has raised this."""
        self.failed = _handled(error)

    def crashed(self, error: BaseException) -> None:
        """An interrupt struck between two steps of ours at the bottom of a stack, where no user code could see it."""
        self.failed = of_error(error)
        stack = self.current._greenlet
        if self.current._alive and stack is not None and stack.dead:
            self.end()
        else:
            self.enter()
            self._land()
            self.deliver(self.failed)
            self.failed = None
            self.current = self.runq.head
            switch.finish_into_current(self)

    def end(self) -> None:
        """The running tasklet is over.  Choose who goes on; the caller must return to the hub at once."""
        if self.torn:
            self.recover()
        self.enter()
        me, failed = self.current, self.failed
        self.failed = None
        if me._stack is not None:
            me._stack.park()
            me._stack = None
        if watch.trace is not None:
            if failed is None:
                watch.trace("end", me)
            else:
                watch.trace("end", me, value=failed.value)
        self.forget(me)
        while failed is None and self.runq.head is None:
            if self._waited():
                continue
            wake = self.whom_to_wake()
            if not wake.blocked:
                self.runq.append(wake)
            elif not threads.may_be_woken(self) or not threads.wait(self):
                failed = self._nobody_left(wake)
        if failed is not None:
            self.deliver(failed)
        if self.watchdog is not None:
            self.watchdog.look()
        if watch.schedule_callback is not None or watch.trace is not None:
            self.announce()
        self.current = self.runq.head
        switch.finish_into_current(self)

    def owner_of(self, stack: Any) -> tasklet | None:
        """The tasklet whose stack this is; None when it is nobody's: the hub, or a greenlet of the program's own."""
        return self.main if stack is self.main._greenlet else self.started.owner(stack)

    def forget(self, task: tasklet) -> None:
        """A tasklet's stack is gone or just going: it is dead, and in no queue."""
        self.started.discard(task)
        if task._queue is not None:
            task._queue.remove(task)
        task._alive = False

    def deliver(self, failed: bomb) -> None:
        """Give an error to the innermost caller of run(), else to main, and make that one the head of the ring."""
        target = self.whom_to_wake()
        unblock(target)
        target._tempval = failed
        if target._queue is None:
            self.runq.append(target)
        self.runq.rotate(target)

    def _nobody_left(self, wake: tasklet) -> bomb:
        """The error of the one who is to wake because all others have ended, but who is blocked."""
        if report.is_go(*report.wish(wake)):
            text = report.ALL_ASLEEP
        elif wake._offers is not None:
            text = "the main tasklet is selecting without a partner available."
        elif wake._direction > 0:
            text = "the main tasklet is sending without a receiver available."
        else:
            text = "the main tasklet is receiving without a sender available."
        return of_error(report.deadlock(self, text))


PyScheduler = Scheduler
Scheduler = hooks.graft("Scheduler", Scheduler, {"run": "sched"})


#: The recursion limit while it is higher than it should be, and what it should be.
_too_high = (0, 0)


def _restore_limit(limit: int) -> None:
    """Set the recursion limit to what it was before recover() raised it.

    CPython refuses that to the last calls that there is room for: then it is a bit more, until the next time.
    """
    global _too_high
    right = _too_high[1] if limit == _too_high[0] else limit
    try:
        sys.setrecursionlimit(right)
    except RecursionError:
        _too_high = (limit + 2, right)
        sys.setrecursionlimit(limit + 2)
    else:
        _too_high = (0, 0)


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


def _handled(error: BaseException) -> bomb | None:
    """What is left of a tasklet's uncaught error after the error handler: None when the handler returns."""
    handler = watch.error_handler
    if handler is None:
        return of_error(error)
    try:
        handler(type(error), error, error.__traceback__)
    except TaskletExit:  # killed while the handler waited
        return None
    except BaseException as raised:
        return of_error(raised)
    return None


def unraisable(error: BaseException, where: object) -> None:
    """Report an error that nobody can be given, the way CPython does."""
    sys.unraisablehook(_hook_args_type()((type(error), error, error.__traceback__, None, where)))


def _hook_args_type() -> type:
    """The type that sys.unraisablehook insists on; CPython does not name it, so one has to be caught (and not kept)."""
    caught = []
    hook, sys.unraisablehook = sys.unraisablehook, lambda args: caught.append(type(args))
    try:
        _Fails()
    finally:
        sys.unraisablehook = hook
    return caught[0]


class _Fails:
    def __del__(self) -> None:
        raise RuntimeError


class _Here(threading.local):
    """`here.sched` is the scheduler of the thread that asks; it is made at the first question."""

    def __getattr__(self, name: str) -> Any:
        if name != "sched":
            raise AttributeError(name)
        self.sched = sched = Scheduler()
        if hooks.FUSED:
            hooks._chanlab.thread_has(sched)
        self.end = threads.End(sched, self)
        return sched


here = _Here()
forgotten.watch_collector(forgotten.note_collection, forgotten.around_collection)


def at_exit() -> None:
    """Before the interpreter is taken down: kill the main thread's live tasklets, complete the trace."""
    with contextlib.suppress(BaseException):
        forgotten.kill_all(here.sched)
        forgotten.watch_collector()
    if watch.trace is not None:
        watch.trace.flush()
