"""What a tasklet's stack carries besides the C stack, which is greenlet's: its trace and profile functions.

sys.settrace() and sys.setprofile() belong to the running tasklet, as in Stackless: a tasklet that is parked keeps its
own, and one that starts has those it was given by `trace_function` and `profile_function`, else those of
threading.settrace() and threading.setprofile(), as a new thread would.

C twin: native/stack.c and tracing.c (fiberobject.c where the core is in C), used whenever the C module is there, since Python alone can do only half of it:

  * the collector sees through a parked stack, so that a tasklet blocked on a channel that nobody else knows is found;
  * a trace function may itself switch to another tasklet, which is traced nevertheless;
  * trace and profile functions do not see the package's own frames.  For that sys.settrace and sys.setprofile are
    replaced by functions that filter them out.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any

from . import OWN_FILES, hooks


class PyStack:
    """The state of one stack while it is parked.

    trace, profile   what sys.settrace() and sys.setprofile() had set; None while the stack runs
    """

    __slots__ = ("profile", "trace")

    def __init__(self) -> None:
        self.trace: Any = None
        self.profile: Any = None

    def park(self) -> None:
        """The stack is about to be left: take its tracing off the thread."""
        self.trace = sys.gettrace()
        self.profile = sys.getprofile()
        if self.trace is not None:
            sys.settrace(None)
        if self.profile is not None:
            sys.setprofile(None)

    def resume(self) -> None:
        """The stack goes on."""
        trace, self.trace = self.trace, None
        profile, self.profile = self.profile, None
        if trace is not None:
            sys.settrace(trace)
        if profile is not None:
            sys.setprofile(profile)

    def start(self, _greenlet: Any, func: Callable, args: Sequence, kwargs: Mapping) -> Callable[[], object]:
        """What runs func(*args, **kwargs) as this stack's only business."""
        return functools.partial(func, *args, **kwargs)


def for_start() -> Any:
    """The stack of a tasklet that nobody has given a trace function."""
    stack = Stack()
    if _new_threads_trace() is not None:
        stack.trace = _new_threads_trace()
    if _new_threads_profile() is not None:
        stack.profile = _new_threads_profile()
    return stack


def _loop_depths(code: CodeType) -> bytes:
    from . import depths  # on first use: it needs the standard library's dis

    return depths.loop_depths(code)


def collector_sees_stacks() -> bool:
    """Whether the collector finds a tasklet that waits for what only its own stack refers to."""
    return hooks._chanlab is not None and bool(hooks._chanlab.sees_frames)


_new_threads_trace = threading.gettrace
_new_threads_profile = threading.getprofile
Stack: Any = PyStack
if hooks._chanlab is not None:
    Stack = hooks._chanlab.Fiber if "switch" in hooks.NATIVE else hooks._chanlab.Stack
    hooks._chanlab.use_loop_depths(_loop_depths)
    if "arena" in hooks.NATIVE:
        hooks._chanlab.keep_chunks()
        if "switch:private" not in hooks.NATIVE:
            hooks._chanlab.keep_copies()
    if sys.settrace is not hooks._chanlab.settrace:
        hooks._chanlab.hide_frames(sys.settrace, sys.setprofile, OWN_FILES)
        sys.settrace = hooks._chanlab.settrace
        sys.setprofile = hooks._chanlab.setprofile
