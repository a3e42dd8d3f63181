"""The exit codes of `chanlab compare`."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a comparison ended."""

    COMPARED = 0  # both sides behave alike; times are printed
    USAGE = 2  # bad input: one line on stderr, nothing was run
    DIFFERENT = 3  # the sides behave differently: no times
    FAILED = 4  # the script fails alike on both sides: no times
    UNSTEADY = 5  # the script differs by itself from run to run: no times
    INTERRUPTED = 130  # Ctrl-C: what is known so far was printed
    TERMINATED = 143  # SIGTERM
