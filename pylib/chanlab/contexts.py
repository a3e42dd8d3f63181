"""contextvars and tasklets: a tasklet runs in the Context of whoever bound it, the same object (Stackless 3.7.6).

So by default a variable set in a tasklet is seen by its maker, as if the tasklet were a function called.  A tasklet that
is to have variables of its own is given a copy: tasklet(f).set_context(contextvars.copy_context())().
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .switch import getcurrent

if TYPE_CHECKING:
    from .tasklet import tasklet


def current() -> Context:
    """The Context of the code that runs, the object itself, not a copy."""
    stack = getcurrent()
    context = stack.gr_context
    if context is None:  # CPython makes it at the first use of a variable; we have to name it before
        stack.gr_context = context = Context()
    return context


def of(task: tasklet) -> Context:
    """The Context that the tasklet runs in, or will.  RuntimeError for one that runs in another thread."""
    if not task.is_current:
        if task._alive and task._greenlet is not None:
            return task._greenlet.gr_context
        if task._context is None:
            task._context = current()
        return task._context
    if task._greenlet is not getcurrent():
        try:
            return task._greenlet.gr_context
        except ValueError:
            raise RuntimeError("the tasklet runs in another thread: only code of its own knows its context") from None
    return current()


def give(task: tasklet, context: Context) -> None:
    """Let the tasklet run in `context` from now on; see tasklet.set_context()."""
    if not isinstance(context, Context):
        raise TypeError(f"a contextvars.Context is needed, not {type(context).__name__}")
    if task.thread_id != threading.get_ident() and (task.scheduled or task.is_current):
        raise RuntimeError("tasklet belongs to a different thread")
    if task._alive and task._greenlet is not None:
        _check_not_entered(of(task))
        task._greenlet.gr_context = context
    task._context = context


def _check_not_entered(context: Context) -> None:
    try:
        context.run(int)
    except RuntimeError:
        raise RuntimeError("the current context of the tasklet has been entered") from None


def run_in(context: Context, func: Callable, args: tuple, kwargs: dict) -> Any:
    """Call func(*args, **kwargs) in `context`, which need not be free, as Context.run() wants it."""
    old = current()
    getcurrent().gr_context = context
    try:
        return func(*args, **kwargs)
    finally:
        getcurrent().gr_context = old
