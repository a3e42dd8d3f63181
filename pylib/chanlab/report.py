"""Who waits for what: the notes on a deadlock's error, and the position of a parked tasklet in the user's source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from . import OWN_FILES

if TYPE_CHECKING:
    from select_proto import case

    from .channel import channel
    from .sched import Scheduler
    from .tasklet import tasklet

#: What Go says when nobody is left who could run.
ALL_ASLEEP = "all goroutines are asleep - deadlock!"
#: How many blocked tasklets a deadlock's report lists one by one.
LISTED = 20


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame at or above `frame` that is not this package's own."""
    while frame is not None and frame.f_code.co_filename.startswith(OWN_FILES):
        frame = frame.f_back
    return frame


def position(task: tasklet) -> str:
    """'file.py:12 in name' where the user's code of a parked tasklet stands, or '' when there is none to see."""
    frame = task.frame
    if frame is None:
        return ""
    code = frame.f_code
    return f"{os.path.basename(code.co_filename)}:{frame.f_lineno} in {code.co_name}"


def wish(task: tasklet) -> tuple:
    """What a tasklet is blocked in: (channel, direction), or (cases,) in a select, or () when it is not blocked."""
    if task._offers is not None:
        return (task._offers.cases,)
    return () if task._channel is None else (task._channel, task._direction)


def waits_for(task: tasklet) -> str:
    """'receives from c1' and the like, for a blocked tasklet."""
    text = phrase(*wish(task))
    if task._offers is None or task._offers.timer is None:
        return text
    return f"{text} until a timeout" if task._offers.cases else "sleeps"


def _pairs(wish: channel | Sequence[case], direction: int = 0) -> list[tuple]:
    """(channel, direction) of all that a tasklet waits for."""
    return [(wish, direction)] if direction else [(c.channel, c.direction) for c in wish]


def comes(*wish: Any) -> bool:
    """Whether something that is waited for will come without a tasklet's doing."""
    return bool(wish) and any(channel._comes() for channel, direction in _pairs(*wish) if direction < 0)


def is_go(*wish: Any) -> bool:
    """Whether a Go channel is waited for."""
    return bool(wish) and any(channel._is_go() for channel, _ in _pairs(*wish))


def last_one(*wish: Any) -> str:
    """The text of the error when the last runnable tasklet wants to wait: Stackless's, or on a Go channel Go's."""
    return ALL_ASLEEP if is_go(*wish) else "Deadlock: the last runnable tasklet cannot be blocked."


def phrase(wish: channel | Sequence[case], direction: int = 0) -> str:
    """'receives from c1' for a channel and a direction, 'selects among ...' for the cases of a select."""
    if direction:
        return f"{'sends to' if direction > 0 else 'receives from'} {wish.label}"
    shown = ", ".join(phrase(c.channel, c.direction) for c in wish[:8]) or "no case at all"
    return f"selects among {shown}{f', … ({len(wish)} cases)' if len(wish) > 8 else ''}"


def deadlock(sched: Scheduler, text: str, wish: str = "") -> RuntimeError:
    """Stackless's RuntimeError with `text`, and notes: what the tasklet it is raised in wanted, and every blocked one."""
    error = RuntimeError(text)
    blocked = sorted((t for t in [sched.main, *sched.started.tasks()] if t.blocked), key=lambda t: t._number)
    why = f"{sched.current.label} {wish}: it would be the last to block" if wish else "Nobody is left to run"
    error.add_note(f"{why}. Blocked already:" if blocked else f"{why}, and nobody else is blocked.")
    for task in blocked[:LISTED]:
        where = position(task)
        error.add_note(f"  {task.label} {waits_for(task)}{', ' + where if where else ''}")
    if len(blocked) > LISTED:
        error.add_note(f"  … and {len(blocked) - LISTED} more")
    return error
