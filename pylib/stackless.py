"""Stackless Python's tasklets and channels on stock CPython, with Go's select.

    import stackless

    ch = stackless.channel()
    stackless.tasklet(lambda: ch.send("hello"))()
    print(ch.receive())

This module only assembles the public names; the rules are in the modules of `chanlab`, one idea each.  What runs in
Python and what in C is decided at start-up; implementation() tells.
"""

from __future__ import annotations

import array  # noqa: F401  socket needs it, and where the recursion limit strikes its import harms CPython 3.11's counts
import atexit
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from chanlab import compat, core, rng, sched, threads, watchdog
from chanlab.bomb import bomb
from chanlab.channel import channel
from chanlab.compat import (
    PICKLEFLAGS_PRESERVE_AG_FINALIZER,
    PICKLEFLAGS_PRESERVE_TRACING_STATE,
    PICKLEFLAGS_RESET_AG_FINALIZER,
    enable_softswitch,
    getdebug,
    pickle_flags,
    pickle_flags_default,
    pickle_with_tracing_state,
)
from chanlab.hooks import implementation
from chanlab.sched import TaskletExit, here
from chanlab.tasklet import tasklet
from chanlab.watch import watch

__all__ = [  # noqa: F822  select and pri_select are resolved on first use
    "PICKLEFLAGS_PRESERVE_AG_FINALIZER",
    "PICKLEFLAGS_PRESERVE_TRACING_STATE",
    "PICKLEFLAGS_RESET_AG_FINALIZER",
    "TaskletExit",
    "atomic",
    "bomb",
    "channel",
    "enable_softswitch",
    "get_channel_callback",
    "get_schedule_callback",
    "get_thread_info",
    "getcurrent",
    "getcurrentid",
    "getdebug",
    "getmain",
    "getruncount",
    "getseed",
    "getthreads",
    "getuncollectables",
    "implementation",
    "pickle_flags",
    "pickle_flags_default",
    "pickle_with_tracing_state",
    "pri_select",
    "run",
    "schedule",
    "schedule_remove",
    "select",
    "set_channel_callback",
    "set_error_handler",
    "set_schedule_callback",
    "sleep",
    "switch_trap",
    "tasklet",
]

bomb.__module__ = "stackless"
_CURRENT = object()


def run(
    timeout: int = 0,
    threadblock: bool = False,
    soft: bool = False,
    ignore_nesting: bool = False,
    totaltimeout: bool = False,
) -> tasklet | None:
    """Run all other tasklets until none is runnable; an uncaught error of any of them is raised here.

    With a timeout, a tasklet that has run for so many instructions without a switch is interrupted, paused and
    returned.  With `totaltimeout` the timeout is for all of them together; with `soft` nobody is interrupted, but
    run() returns None at the first switch after the time; with `threadblock` it waits for other threads when nobody
    is runnable; with `ignore_nesting` it interrupts imports, too.  Without a timeout the other arguments mean nothing.
    """
    timeout = watchdog.checked(timeout)
    if timeout == 0:
        here.sched.run()
        return None
    return watchdog.run(here.sched, timeout, threadblock, soft, ignore_nesting, totaltimeout)


def schedule(retval: object = _CURRENT) -> Any:
    """Give way to the next runnable tasklet.  Returns `retval`, by default the caller itself."""
    sched = here.sched
    if sched.busy:
        sched.refuse()
    try:
        sched.enter()
        if len(sched.runq) > 1:
            sched.check_switch()
        me = sched.current
        me._tempval = me if retval is _CURRENT else retval
        sched.runq.rotate(sched.runq.after(me))
        del me, retval
        return sched.switch()
    except BaseException:
        sched.torn = sched.busy
        sched.recover()
        raise


def schedule_remove(retval: object = _CURRENT) -> Any:
    """Pause the caller until somebody inserts it again.  Returns `retval`, by default the caller itself."""
    sched = here.sched
    if sched.busy:
        sched.refuse()
    try:
        sched.enter()
        sched.check_leave()
        sched.current._tempval = sched.current if retval is _CURRENT else retval
        del retval
        sched.runq.remove(sched.current)
        if sched.runq.head is None:
            sched.refill()
        return sched.switch()
    except BaseException:
        sched.torn = sched.busy
        sched.recover()
        raise


def sleep(seconds: float) -> None:
    """Let the others run, and go on when so many seconds have passed.  With 0 or less it is schedule()."""
    from select_proto import select

    if seconds <= 0:
        schedule(None)
    else:
        select((), timeout=seconds)


def getcurrent() -> tasklet:
    """The tasklet that runs in this thread."""
    return here.sched.current


schedule, run, getcurrent = core.fuse(schedule, run, getcurrent)


def getmain() -> tasklet:
    """The main tasklet of this thread."""
    return here.sched.main


def getruncount() -> int:
    """How many tasklets of this thread are runnable, the current one included."""
    return len(here.sched.runq)


def getthreads() -> list[int]:
    """The ids of all OS threads, the main thread's first."""
    main_id = threading.main_thread().ident
    return [main_id, *(ident for ident in sys._current_frames() if ident != main_id)]


def get_thread_info(thread_id: int = -1, flags: int = 0) -> tuple:
    """(main, current, runcount) of a thread, by default of this one.  RuntimeError when there is no such thread.

    Flags, undocumented in Stackless: 1 << 30 appends two serial numbers of C stacks, which do not exist here and are
    0; 1 << 31 appends the list of the tasklets that are inside run(), innermost last.
    """
    if thread_id == -1:
        found = here.sched
    elif thread_id in sys._current_frames():
        found = threads.schedulers.get(thread_id)
    else:
        raise RuntimeError("Thread id not found")
    info = (None, None, 0) if found is None else (found.main, found.current, len(found.runq))
    if flags & 1 << 30:
        info += (0, 0)
    if flags & 1 << 31:
        info += ([] if found is None else list(found.runs),)
    return info


def getuncollectables() -> list[tasklet]:
    """The tasklets of this thread that own a C stack: all that have started and not ended."""
    sched = here.sched
    return [task for task in sched.started.tasks() if task is not sched.current]


def getcurrentid() -> int:
    """A number for the current tasklet: the thread's id for main, else one derived from its address."""
    sched = here.sched
    return sched.thread_id if sched.current is sched.main else id(sched.current)


def switch_trap(change: int = 0) -> int:
    """Add `change` to this thread's switch trap and return what it was; non-zero refuses every real switch."""
    sched = here.sched
    old = sched.switch_trap
    sched.switch_trap = old + change
    return old


def set_channel_callback(callback: Callable | None) -> Callable | None:
    """Call `callback(channel, tasklet, sending, willblock)` before every channel operation.  Returns the previous one."""
    return _set("callback", callback)


def get_channel_callback() -> Callable | None:
    """The callback of set_channel_callback(), or None."""
    return watch.callback


def set_schedule_callback(callback: Callable | None) -> Callable | None:
    """Call `callback(prev, next)` before every switch.  Returns the previous one."""
    return _set("schedule_callback", callback)


def get_schedule_callback() -> Callable | None:
    """The callback of set_schedule_callback(), or None."""
    return watch.schedule_callback


def set_error_handler(handler: Callable | None) -> Callable | None:
    """Call `handler(type, value, traceback)` in a tasklet that ends by an error.  Returns the previous one.

    When the handler returns, the error is forgotten; what it raises takes the error's place.
    """
    return _set("error_handler", handler)


def _set(name: str, value: Callable | None) -> Callable | None:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, not {type(value).__name__}")
    old = getattr(watch, name)
    setattr(watch, name, value)
    return old


class atomic:
    """Context manager: the current tasklet is atomic inside."""

    __slots__ = ("_old",)

    def __enter__(self) -> None:
        self._old = here.sched.current.set_atomic(True)

    def __exit__(self, *_error: object) -> None:
        here.sched.current.set_atomic(self._old)


def getseed() -> int:
    """The seed of select's choices in this process: CHANLAB_SEED (the host's --seed), else a random one."""
    return rng.SEED


def __getattr__(name: str) -> Any:
    if name in ("select", "pri_select"):  # resolved on first use: whoever does not select does not load it
        import select_proto

        globals()[name] = value = getattr(select_proto, name)
        return value
    if name in compat.IMPOSSIBLE:
        raise AttributeError(f"stackless.{name} {compat.IMPOSSIBLE[name]}")
    raise AttributeError(f"module 'stackless' has no attribute '{name}'")


class _Module(types.ModuleType):
    """The module's own properties."""

    current = property(lambda self: getcurrent(), doc="The tasklet that runs in this thread.")
    main = property(lambda self: getmain(), doc="The main tasklet of this thread.")
    runcount = property(lambda self: getruncount(), doc="How many tasklets of this thread are runnable.")
    threads = property(lambda self: getthreads(), doc="The ids of all OS threads, the main thread's first.")
    debug = property(lambda self: getdebug(), doc="Whether this is a debug build: False.")
    uncollectables = property(lambda self: getuncollectables(), doc="The tasklets that own a C stack.")
    stackless = property(lambda self: self, doc="The module itself.")

    def __reduce__(self) -> str:
        return "stackless"  # its property of that name is the module


sys.modules[__name__].__class__ = _Module
here.sched  # noqa: B018  the importing thread's scheduler, its hub on a shallow stack
atexit.register(sched.at_exit)
