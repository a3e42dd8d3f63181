"""Who waits for what: the notes on a deadlock's error, and the position of a parked tasklet in the user's source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from select_proto import case

    from .channel import channel
    from .sched import Scheduler
    from .tasklet import tasklet

#: How many blocked tasklets a deadlock's report lists one by one.
LISTED = 20

_HERE = os.path.dirname(os.path.abspath(__file__))
_OURS = (
    _HERE + os.sep,
    *(os.path.join(os.path.dirname(_HERE), f"{name}.py") for name in ("stackless", "select_proto")),
)


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame at or above `frame` that is not this package's own."""
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame


def position(task: tasklet) -> str:
    """'file.py:12 in name' where the user's code of a parked tasklet stands, or '' when there is none to see."""
    frame = task.frame
    if frame is None:
        return ""
    code = frame.f_code
    return f"{os.path.basename(code.co_filename)}:{frame.f_lineno} in {code.co_name}"


def waits_for(task: tasklet) -> str:
    """'receives from c1' and the like, for a blocked tasklet."""
    return phrase(task._offers.cases) if task._offers is not None else phrase(task._channel, task._direction)


def phrase(wish: channel | Sequence[case], direction: int = 0) -> str:
    """'receives from c1' for a channel and a direction, 'selects among ...' for the cases of a select."""
    if direction:
        return f"{'sends to' if direction > 0 else 'receives from'} {wish.label}"
    shown = ", ".join(phrase(c.channel, c.direction) for c in wish[:8]) or "no case at all"
    return f"selects among {shown}{f', … ({len(wish)} cases)' if len(wish) > 8 else ''}"


def deadlock(sched: Scheduler, text: str, wish: str = "") -> RuntimeError:
    """Stackless's RuntimeError with `text`, and notes: what the tasklet it is raised in wanted, and every blocked one."""
    error = RuntimeError(text)
    started = [task for ref in list(sched.started.values()) if (task := ref()) is not None]
    blocked = sorted((t for t in [sched.main, *started] if t.blocked), key=lambda t: t._number)
    why = f"{sched.current.label} {wish}: it would be the last to block" if wish else "Nobody is left to run"
    error.add_note(f"{why}. Blocked already:" if blocked else f"{why}, and nobody else is blocked.")
    for task in blocked[:LISTED]:
        where = position(task)
        error.add_note(f"  {task.label} {waits_for(task)}{', ' + where if where else ''}")
    if len(blocked) > LISTED:
        error.add_note(f"  … and {len(blocked) - LISTED} more")
    return error
