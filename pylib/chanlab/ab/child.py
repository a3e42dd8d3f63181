"""One run in a fresh process: its exit code, its wall time and its CPU time."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

#: Seconds that an interrupted run gets for its `finally` blocks.
GRACE = 2.0

#: Seconds that a run gets to end of the Ctrl-C that the terminal has sent to it as well.
OWN_CTRL_C = 0.3


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one run, from before its start until it was reaped.

    wall    by the clock on the wall
    cpu     user and system time of the process and of those children that it waited for
    """

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Run:
    """How a run ended: `exit_code` as subprocess has it (negative: killed by that signal)."""

    exit_code: int
    times: Times


def run(
    words: Sequence[str],
    env: Mapping[str, str],
    stdout: IO[bytes] | int = subprocess.DEVNULL,
    stderr: IO[bytes] | int = subprocess.DEVNULL,
) -> Run:
    """Start `words`, wait for the end, and return it.  Standard input is empty.

    Raises OSError when the process cannot be started.  Whatever else interrupts the wait ends the child first.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)
    try:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
    except BaseException:
        _end(process)
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(process.returncode, Times(wall, usage.ru_utime + usage.ru_stime))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a child that is of no more use, at first gently."""
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(OWN_CTRL_C)
            return
        process.send_signal(signal.SIGINT)
        process.wait(GRACE)
    except BaseException:  # it takes too long, or the user presses Ctrl-C again
        process.kill()
        process.wait()


def how_it_ended(exit_code: int) -> str:
    """'exit code 1' or 'killed by SIGSEGV'."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
