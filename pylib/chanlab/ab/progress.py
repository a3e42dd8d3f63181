"""One quiet line on stderr that says what is going on, when stderr is a terminal; otherwise nothing."""

from __future__ import annotations

import sys


class Progress:
    """A line that each call replaces.  `clear()` takes it away, before anything else is printed."""

    def __init__(self) -> None:
        self._on = sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        """Show `text` in place of what was shown."""
        if self._on:
            sys.stderr.write(f"\r\x1b[K{text} …")
            sys.stderr.flush()

    def clear(self) -> None:
        """Leave an empty line behind."""
        if self._on:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
