"""Who watches: Stackless's callbacks and the trace, each one test away from costing nothing.

Operations read `watch.callback`, `watch.schedule_callback` and `watch.trace`; each is None unless somebody looks.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import hooks

if TYPE_CHECKING:
    from .trace import Trace


class Watch:
    """What is being watched in this process (the callbacks are global in Stackless, too)."""

    __slots__ = ("callback", "error_handler", "schedule_callback", "trace")

    def __init__(self) -> None:
        self.callback: Any = None  # set_channel_callback
        self.schedule_callback: Any = None  # set_schedule_callback
        self.error_handler: Any = None  # set_error_handler
        self.trace: Trace | None = None


watch: Watch = hooks._chanlab.Watch() if hooks.FUSED else Watch()

#: The file named by the host's --trace, or by `python3 -X chanlab_trace=FILE`.
TRACE_FILE = sys._xoptions.get("chanlab_trace")
if isinstance(TRACE_FILE, str):
    from . import trace

    trace.start(TRACE_FILE)
