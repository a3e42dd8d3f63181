"""The tasklets of a scheduler that have started and not ended, in the order of their starts; it keeps none of them alive.

C twin: native/started.c, together with the tasklet's.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from . import hooks

if TYPE_CHECKING:
    from .tasklet import tasklet


class PyStarted:
    """A set of tasklets, by their stacks."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[int, weakref.ref[tasklet]] = {}  # id of the stack -> its tasklet

    def __len__(self) -> int:
        return len(self._of)

    def add(self, task: tasklet) -> None:
        """It has started; or it is being forgotten, but will be killed before."""
        self._of[id(task._greenlet)] = weakref.ref(task)

    def discard(self, task: tasklet) -> None:
        """It has ended.  Nothing happens when it is not there."""
        self._of.pop(id(task._greenlet), None)

    def owner(self, stack: Any) -> tasklet | None:
        """Whose stack that is; None when it is nobody's here."""
        return self._of[id(stack)]() if id(stack) in self._of else None

    def tasks(self) -> list[tasklet]:
        """All of them that are not just being forgotten."""
        return [task for ref in list(self._of.values()) if (task := ref()) is not None]


Started: Any = hooks._chanlab.Started if hooks.FUSED else PyStarted
