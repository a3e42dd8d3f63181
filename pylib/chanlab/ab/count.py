"""Counting instructions with valgrind's callgrind: the same from run to run, where times are not."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

from .result import Counts
from .sides import Side


class CountError(Exception):
    """The instructions could not be counted; the text says why."""


def count(sides: Sequence[Side], seed: int, tick: Callable[[str], None]) -> tuple[Counts, ...]:
    """The instructions of every side.  Raises CountError."""
    if shutil.which("valgrind") is None:
        raise CountError("valgrind is not installed")
    found = []
    for side in sides:
        tick(f"counting the instructions of {side.name} (some 50 times slower than a plain run)")
        env = side.environment(seed)
        whole = _executed(side.words(), env)
        found.append(Counts(whole, _executed(side.empty_words(), env) if side.empty else None))
    return tuple(found)


def _executed(words: Sequence[str], env: dict[str, str]) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *words]
    done = subprocess.run(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        raise CountError(f"under valgrind the program ended with exit code {done.returncode}")
    return int(collected[1])
