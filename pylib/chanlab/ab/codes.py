"""The exit codes of the commands that compare."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a comparison ended."""

    COMPARED = 0  # both sides behave alike; times are printed
    GATE = 1  # the same, but --fail-if forbids this result
    USAGE = 2  # bad input: one line on stderr, nothing was run
    DIFFERENT = 3  # the sides behave differently: no times
    FAILED = 4  # the program fails alike on both sides: no times
    UNSTEADY = 5  # the program differs by itself from run to run: no times
    TOO_SHORT = 6  # the program does too little to be timed: no times
    INTERRUPTED = 130  # Ctrl-C: what is known so far was printed
    TERMINATED = 143  # SIGTERM
