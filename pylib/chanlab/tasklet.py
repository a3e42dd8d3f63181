"""The tasklet: creation, binding, states, and what others may do to it.

    fresh --bind(f)--> bound --setup()/t(...)--> scheduled <--> running --> dead --bind--> ...
                                                     ^   \\
                                             insert()|    blocked (in a channel) or paused (nowhere)

Rules and texts: Stackless (taskletobject.c), unless said otherwise.
"""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from . import contexts, forgotten, hooks, report, threads
from .bomb import bomb, of_throw
from .labels import label_property
from .links import Link
from .sched import TaskletExit, here, unblock
from .stack import Stack

if TYPE_CHECKING:
    from .channel import channel
    from .sched import Scheduler

_numbers = itertools.count(1)


def flag(name: str, value: object) -> bool:
    """A flag's new value; TypeError unless it is a bool or an int."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be set to a bool or integer")
    return bool(value)


class tasklet(Link):
    """tasklet(func=None, args=None, kwargs=None): a thread of execution that gives way only by its own doing.

    `tasklet(f)(1, 2)` is ready to run f(1, 2).  Subclasses may have any __init__; one that does not call
    tasklet.__init__ leaves the tasklet unbound.
    """

    __slots__ = (
        "__weakref__",
        "_alive",
        "_atomic",
        "_block_trap",
        "_call",
        "_channel",
        "_context",
        "_direction",
        "_greenlet",
        "_ignore_nesting",
        "_label",
        "_number",
        "_offers",
        "_sched",
        "_stack",
        "_tempval",
    )

    def __new__(cls, *_args: object, **_kwargs: object) -> tasklet:
        self = Link.__new__(cls)
        self._alive = False
        self._sched: Scheduler = here.sched
        self._greenlet = None  # its C stack, from its first run on
        self._context = None  # the contextvars.Context that it runs in, from its first binding on
        self._stack = None  # and what goes with it; maybe before
        self._call: tuple | None = None  # (func, args, kwargs) until its first run
        self._channel: channel | None = None  # the channel of the plain send or receive that it is blocked in,
        self._direction = 0  # and which of them: 1 send, -1 receive
        self._offers = None  # the select that it is blocked in
        self._tempval: Any = None  # the value that passes: what it sends while blocked, what it resumes with
        self._block_trap = self._atomic = self._ignore_nesting = False
        self._number = next(_numbers)
        self._label: str | None = None
        return self

    def __init__(
        self, func: Callable | None = None, args: Sequence | None = None, kwargs: Mapping | None = None
    ) -> None:
        if func is not None or args is not None or kwargs is not None:
            tasklet.bind(self, func, args, kwargs)  # the base's own, as in C: a subclass may have another one

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.label} {self._state()}>"

    def _state(self) -> str:
        if not self._alive:
            return "dead"
        if self.is_current:
            return "running"
        return report.waits_for(self) if self.blocked else "scheduled" if self.scheduled else "paused"

    def __del__(self) -> None:
        try:
            alive = self._alive
        except AttributeError:  # an interrupt has struck in __new__()
            return
        if alive and self._greenlet is not None and self is not self._sched.main and not sys.is_finalizing():
            forgotten.collect(self._sched, self)

    def __reduce__(self) -> Any:
        if self._greenlet is not None and self._alive:
            raise TypeError(f"cannot pickle {self.label}: it has begun, and CPython cannot save a stack")
        return type(self), (), (self._call, self._tempval, self._block_trap, self._atomic, self._ignore_nesting)

    def __setstate__(self, state: tuple) -> None:
        """Become a tasklet that has not begun, as __reduce__() saved it; in no queue."""
        self._call, self._tempval, self._block_trap, self._atomic, self._ignore_nesting = state
        self._alive = self._call is not None
        self._context = contexts.current()

    # -- binding -------------------------------------------------------------------------------------------------------

    def bind(
        self, func: Callable | None = None, args: Sequence | None = None, kwargs: Mapping | None = None
    ) -> tasklet:
        """Bind a function, with arguments (then alive and paused) or without (see setup()); nothing unbinds.

        Returns the tasklet.  TypeError when `func` is not callable, RuntimeError when the tasklet is current,
        scheduled, blocked, main or started.
        """
        if func is not None and not callable(func):
            raise TypeError("tasklet function must be a callable")
        if self is self._sched.current:
            raise RuntimeError("can't (re)bind the current tasklet")
        if self is self._sched.main and func is None:
            raise RuntimeError("can't unbind the main tasklet")
        if self._queue is not None:
            raise RuntimeError("tasklet is scheduled")
        if self._alive and self._greenlet is not None:
            raise RuntimeError("tasklet has C state on its stack")
        if func is None and (args is not None or kwargs is not None):
            func = self._tempval
            if func is None:
                raise TypeError("tasklet function must be a callable")
        self._greenlet = None
        if func is not None and self._context is None:
            self._context = contexts.current()
        if args is None and kwargs is None:
            self._call, self._alive, self._tempval = None, False, func
        else:
            self._call = (func, () if args is None else tuple(args), {} if kwargs is None else dict(kwargs))
            self._alive, self._tempval = True, None
        return self

    def setup(self, *args: object, **kwargs: object) -> tasklet:
        """Give the bound function its arguments and make the tasklet runnable; `t(...)` is the same.  Returns it."""
        if here.sched.busy:
            here.sched.refuse()
        if self._alive:
            raise RuntimeError("tasklet is alive")
        if self._sched.thread_id == -1:
            raise RuntimeError("tasklet has no thread")
        func = self._tempval
        if func is None:
            raise RuntimeError("the tasklet was not bound to a function")
        self._greenlet = None
        self._call = (func, args, kwargs)
        self._tempval = None
        self._alive = True
        return tasklet.insert(self)

    __call__ = setup

    def bind_thread(self, thread_id: int = -1) -> None:
        """Move a tasklet that has not begun to another thread, by default to the caller's."""
        thread_id = operator.index(thread_id)
        if thread_id < -1:
            raise OverflowError("a thread id is not negative")
        if self._alive and self._greenlet is not None:
            raise RuntimeError("tasklet has C state on its stack")
        if self._queue is not None:
            raise RuntimeError("can't (re)bind a runnable tasklet")
        owner = here.sched if thread_id == -1 else threads.schedulers.get(thread_id)
        if owner is None:
            raise ValueError("bad thread")
        self._sched = owner

    # -- scheduling ----------------------------------------------------------------------------------------------------

    def _check_runnable(self) -> None:
        if self._sched.thread_id == -1:
            raise RuntimeError("tasklet has no thread")
        if self.blocked:
            raise self._refusal("You cannot run a blocked tasklet")
        if not self._alive:
            raise self._refusal("You cannot run an unbound(dead) tasklet")

    def _refusal(self, text: str) -> RuntimeError:
        """Stackless's error, whose text programs match, with a note that says which tasklet it is about."""
        error = RuntimeError(text)
        error.add_note(f"the tasklet is {self.label}: {self._state()}")
        return error

    def insert(self) -> tasklet:
        """Make a paused tasklet runnable, in the last place of its thread; a scheduled one stays where it is.

        Returns it.
        """
        sched = here.sched
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            self._check_runnable()
            if self._queue is None:
                sched.resume(self)
            sched.exit()
            return self
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise

    def remove(self) -> tasklet:
        """Pause a scheduled tasklet; nothing happens to a paused one.  Returns it."""
        sched = here.sched
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            if self.blocked:
                raise self._refusal("You cannot remove a blocked tasklet.")
            if self is self._sched.current:
                raise RuntimeError("The current tasklet cannot be removed.")
            if self._queue is not None:
                self._queue.remove(self)
            sched.exit()
            return self
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise

    def run(self) -> Any:
        """Switch to this tasklet now.  The caller stays in the ring, behind those who come after this tasklet.

        A tasklet of another thread is made the next to run there, and the caller goes on.
        """
        return self._switch(leave=False)

    def switch(self) -> Any:
        """Switch to this tasklet now and pause the caller.  Switching to oneself does nothing."""
        return self._switch(leave=True)

    def _switch(self, leave: bool) -> Any:
        sched = here.sched
        if self is sched.current:
            return None
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            self._check_runnable()
            if self._sched is not sched:
                if leave:
                    raise RuntimeError("can't switch to a different thread")
                self._put_next()
            else:
                sched.check_switch()
                if self._queue is None:
                    sched.runq.append(self)
                if leave:
                    sched.runq.remove(sched.current)
                sched.runq.rotate(self)
            return sched.switch()
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise

    def _put_next(self) -> None:
        """Make a tasklet of another thread the next to run there."""
        owner = self._sched
        if self is not owner.current:
            if self._queue is not None:
                self._queue.remove(self)
            owner.runq.insert_next(self)
        threads.wake(owner)

    # -- exceptions ----------------------------------------------------------------------------------------------------

    def throw(self, exc: object, val: object = None, tb: TracebackType | None = None, pending: bool = False) -> Any:
        """Raise an exception in this tasklet, as `raise` would make it of (exc, val, tb).

        At once, the caller staying in the ring; or, when `pending`, as soon as the tasklet's turn comes.  A tasklet
        that has not begun never runs its function.  RuntimeError for a dead tasklet, unless it is TaskletExit.
        """
        return self._throw(of_throw(exc, val, tb), pending)

    def raise_exception(self, exc: type[BaseException], *args: object) -> Any:
        """Raise exc(*args) in this tasklet at once."""
        return self._throw(of_throw(exc, args), False)

    def kill(self, pending: bool = False) -> Any:
        """Raise TaskletExit in this tasklet: it ends in silence unless it catches that.  A dead one is left alone."""
        return self._throw(bomb(TaskletExit, TaskletExit()), pending)

    def _throw(self, failed: bomb, pending: bool) -> Any:
        sched = here.sched
        if not self.alive:
            if issubclass(failed.type, TaskletExit):
                return None
            raise self._refusal("You cannot throw to a dead tasklet")
        if self is sched.current:
            failed.explode()
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            foreign = self._sched is not sched
            if not pending and not foreign:
                sched.check_switch()
            unblock(self)
            self._tempval = failed
            if foreign and not pending:
                self._put_next()
            elif self._queue is None:
                sched.resume(self)
            if pending or foreign:
                sched.exit()
                return None
            sched.runq.rotate(self)
            del failed
            return sched.switch()
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise

    @property
    def tempval(self) -> Any:
        """The value that passes: what it sends while it is blocked, what it resumes with otherwise."""
        return self._tempval

    @tempval.setter
    def tempval(self, value: object) -> None:
        self._tempval = value

    @tempval.deleter
    def tempval(self) -> None:
        self._tempval = None

    # -- states --------------------------------------------------------------------------------------------------------

    alive = property(
        lambda self: self._alive and self._sched.thread_id != -1,
        doc="It is bound with arguments, running or suspended, and its thread has not ended.",
    )
    blocked = property(
        lambda self: self._channel is not None or self._offers is not None, doc="It waits for a channel."
    )
    scheduled = property(lambda self: self._queue is not None or self.blocked, doc="It is runnable or blocked.")
    paused = property(lambda self: self.alive and not self.scheduled, doc="It is alive, and in no queue.")
    is_current = property(lambda self: self is self._sched.current, doc="It is its thread's running tasklet.")
    is_main = property(lambda self: self is self._sched.main, doc="It is its thread's main tasklet.")
    thread_id = property(lambda self: self._sched.thread_id, doc="The id of its thread; -1 when that has ended.")

    @property
    def next(self) -> tasklet | None:
        """The neighbour in the ring, or in the channel's queue (there None at the end); None for a paused tasklet."""
        return self._neighbour("after")

    @property
    def prev(self) -> tasklet | None:
        """The neighbour on the other side; see `next`."""
        return self._neighbour("before")

    def _neighbour(self, side: str) -> tasklet | None:
        if self._queue is None:
            return None
        node = getattr(self._queue, side)(self)
        return node if node is None or node._offers is None else node._offers.tasklet

    @property
    def block_trap(self) -> bool:
        """While true, an operation that would block this tasklet raises RuntimeError instead."""
        return self._block_trap

    @block_trap.setter
    def block_trap(self, value: bool) -> None:
        self._block_trap = flag("block_trap", value)

    @property
    def atomic(self) -> bool:
        """While true, the watchdog does not interrupt this tasklet; see set_atomic()."""
        return self._atomic

    @property
    def ignore_nesting(self) -> bool:
        """See set_ignore_nesting()."""
        return self._ignore_nesting

    def set_atomic(self, value: bool) -> bool:
        """Set `atomic`; returns what it was."""
        old, self._atomic = self._atomic, flag("atomic", value)
        return old

    def set_ignore_nesting(self, value: bool) -> bool:
        """Set `ignore_nesting`; returns what it was."""
        old, self._ignore_nesting = self._ignore_nesting, flag("ignore_nesting", value)
        return old

    @property
    def trace_function(self) -> Callable | None:
        """What sys.settrace() sets in this tasklet; for one that has not begun, what it will begin with.

        RuntimeError for a dead tasklet, and for the one that runs in another thread.
        """
        return self._tracing("trace")

    @trace_function.setter
    def trace_function(self, function: Callable | None) -> None:
        self._set_tracing("trace", function)

    @property
    def profile_function(self) -> Callable | None:
        """What sys.setprofile() sets in this tasklet; see trace_function."""
        return self._tracing("profile")

    @profile_function.setter
    def profile_function(self, function: Callable | None) -> None:
        self._set_tracing("profile", function)

    @property
    def context_id(self) -> int:
        """The id() of the contextvars.Context that it runs in: that of its binder, unless set_context() changed it."""
        return id(contexts.of(self))

    def set_context(self, context: Context) -> tasklet:
        """Let it run in this contextvars.Context from now on.  Returns the tasklet.

        TypeError for anything else; RuntimeError while it is inside Context.run(), and for one that is current or
        scheduled in another thread.  (Stackless 3.7.6)
        """
        contexts.give(self, context)
        return self

    def context_run(self, func: Callable, /, *args: object, **kwargs: object) -> Any:
        """Call func(*args, **kwargs) at once, in the Context of this tasklet.  Returns its result.  (Stackless 3.7.6)"""
        return contexts.run_in(contexts.of(self), func, args, kwargs)

    def _tracing(self, kind: str) -> Callable | None:
        self._check_tracing()
        if self.is_current:
            return getattr(sys, f"get{kind}")()
        return None if self._stack is None else getattr(self._stack, kind)

    def _set_tracing(self, kind: str, function: Callable | None) -> None:
        self._check_tracing()
        if self.is_current:
            getattr(sys, f"set{kind}")(function)
            return
        if self._stack is None:
            self._stack = Stack()
        setattr(self._stack, kind, function)

    def _check_tracing(self) -> None:
        if not self.alive:
            raise RuntimeError("tasklet is not alive")
        if self.is_current and self._sched is not here.sched:
            raise RuntimeError("the tasklet runs in another thread: only code of its own can see or set its tracing")

    @property
    def frame(self) -> FrameType | None:
        """The innermost Python frame of a tasklet that has begun and not ended, without the scheduler's own; else None."""
        if not self._alive or self._greenlet is None:
            return None
        return report.users_frame(sys._getframe(1) if self.is_current else self._greenlet.gr_frame)

    @property
    def recursion_depth(self) -> int:
        """How many Python frames of the user's are on its stack (Stackless counts its interpreter's recursions)."""
        depth, frame = 0, self.frame
        while frame is not None:
            depth, frame = depth + 1, report.users_frame(frame.f_back)
        return depth

    nesting_level = property(lambda self: int(self.alive and self._greenlet is not None), doc="1 once begun, else 0.")
    restorable = property(lambda self: self.nesting_level == 0, doc="Whether it could be pickled: it has not begun.")

    @property
    def cstate(self) -> Any:
        """Not here: a part of Stackless's own interpreter."""
        raise AttributeError("tasklet.cstate is part of Stackless's own interpreter, which stock CPython does not have")

    label = label_property("t")


PyTasklet = tasklet
tasklet.__module__ = "stackless"
tasklet = hooks.graft("tasklet", tasklet, {"__init__": "spawn", "__call__": "spawn", "setup": "spawn"})


def main_tasklet(sched: Scheduler) -> tasklet:
    """The tasklet that stands for the thread of `sched`: alive, and running already."""
    self = hooks._chanlab.bare_tasklet() if hooks.FUSED else Link.__new__(tasklet)
    self._sched = sched
    self._greenlet = self._context = self._stack = self._call = self._channel = self._offers = self._tempval = None
    self._alive = True
    self._direction = self._number = 0
    self._block_trap = self._atomic = self._ignore_nesting = False
    self._label = "main"
    return self
