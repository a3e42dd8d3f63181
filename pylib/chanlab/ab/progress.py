"""What goes on, on stderr when that is a terminal: a text and a bar, gone when it is over; otherwise nothing."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """One line that each call replaces.  `clear()` takes it away, before anything else is printed."""

    def __init__(self) -> None:
        self._on = sys.stderr is not None and sys.stderr.isatty()
        self._bar: Bar | None = None

    def __call__(self, text: str, share: float | None = None) -> None:
        """Show `text`, and the share (0 to 1) that is done; None: nobody knows."""
        if not self._on:
            return
        if self._bar is None:
            columns = (BarColumn(24), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task("", total=None)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], description=text, completed=share or 0.0, total=share and 1.0)

    def clear(self) -> None:
        """Leave nothing behind."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
