"""Do both sides behave alike?  Output, exit code and trace; and does the program repeat itself at all?"""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from .. import OWN_FILES
from . import child, diff
from .sides import Side

#: How often side a is run again before a difference is blamed on the hooks.  A program that tosses a coin would repeat
#: itself by chance in one case of two to the power of this.
REPEATS = 4


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one run did: its exit code, and the paths of its stdout, stderr and trace (which may not exist).

    side    'a' or 'b'
    name    the same, with a mark when it was run again
    """

    side: str
    name: str
    exit_code: int
    stdout: str
    stderr: str
    trace: str

    def traced(self) -> bool:
        """Whether the program used tasklets at all.  (The host makes the file in any case, plain python3 does not.)"""
        return os.path.exists(self.trace) and os.path.getsize(self.trace) > 0

    def events(self) -> int:
        """How many events the trace has."""
        return sum(1 for _ in _lines(self.trace))


@dataclass(frozen=True, slots=True)
class Difference:
    """In what two behaviours differ ('stdout', 'trace', …) and the lines that show it."""

    what: str
    shown: list[str]


@dataclass(frozen=True, slots=True)
class Check:
    """The answer: what was seen on either side, how they differ, and who differs from itself.

    seed           with which it was seen
    differences    between a and b; empty: they behave alike
    unsteady       between two runs of one side, when a and b differ and one of them does not repeat itself
    again          the second of those two runs; None: both sides repeat themselves, or nobody had to ask
    """

    seed: int
    a: Behaviour
    b: Behaviour
    differences: list[Difference]
    unsteady: list[Difference] = field(default_factory=list)
    again: Behaviour | None = None


def check(a: Side, b: Side, seeds: Sequence[int], directory: str, tick: Callable[[str], None]) -> Check:
    """Run both sides with a trace for each seed, and compare; when they differ, find out whether each repeats itself.

    Ends with the first seed for which they differ, or fail; else returns what was seen with the last one.  `directory`
    takes the files.  `tick` is told what is going on.  Raises OSError.
    """
    for seed in seeds:
        seen = check_one(a, b, seed, directory, tick)
        if seen.differences or seen.a.exit_code != 0:
            break
    return seen


def check_one(a: Side, b: Side, seed: int, directory: str, tick: Callable[[str], None]) -> Check:
    """check() for one seed."""
    tick(f"checking that {a.name} and {b.name} behave alike, seed {seed}: {a.name}")
    first = observe(a, seed, directory, a.name)
    tick(f"checking that {a.name} and {b.name} behave alike, seed {seed}: {b.name}")
    second = observe(b, seed, directory, b.name)
    differences = compare(first, second)
    if differences:
        for side, seen, times in ((a, first, REPEATS), (b, second, 1)):
            for number in range(times):
                tick(f"{a.name} and {b.name} differ; does {side.name} repeat itself? ({number + 1} of {times})")
                again = observe(side, seed, directory, f"{side.name}'")
                unsteady = compare(seen, again)
                if unsteady:
                    return Check(seed, first, second, differences, unsteady, again)
    return Check(seed, first, second, differences)


def observe(side: Side, seed: int, directory: str, name: str) -> Behaviour:
    """Run `side` and keep what it did, in files of `directory` that start with `name`."""
    # Every run traces into a file of the same name: a program that looks at its command line shall see no difference.
    trace = os.path.join(directory, "trace.jsonl")
    kept = {what: os.path.join(directory, f"{name}.{what}") for what in ("stdout", "stderr", "trace")}
    with open(kept["stdout"], "wb") as stdout, open(kept["stderr"], "wb") as stderr:
        run = child.run(side.words(trace), side.environment(seed), stdout, stderr)
    with suppress(FileNotFoundError):
        os.remove(kept["trace"])
    with suppress(FileNotFoundError):  # a program that does not import stackless leaves none
        os.rename(trace, kept["trace"])
    return Behaviour(side.name, name, run.exit_code, **kept)


def compare(x: Behaviour, y: Behaviour) -> list[Difference]:
    """All aspects in which two behaviours differ, each with its first difference."""
    found = []
    if x.exit_code != y.exit_code:
        ends = [f"  {seen.name:4} {child.how_it_ended(seen.exit_code)}" for seen in (x, y)]
        found.append(Difference("exit code", ends))
    if parting := _first(x.trace, y.trace):
        found.append(Difference("trace", diff.show_trace(parting, x.name, y.name)))
    if parting := _first(x.stdout, y.stdout):
        found.append(Difference("stdout", diff.show_line(parting, x.name, y.name)))
    if parting := _first(x.stderr, y.stderr, without_own_frames):
        found.append(Difference("stderr", diff.show_line(parting, x.name, y.name)))
    return found


def only_addresses(x: Behaviour, y: Behaviour) -> bool:
    """Whether all that differs between two runs is addresses of objects in their output ('<thing at 0x7f…>')."""
    return (
        x.exit_code == y.exit_code
        and _first(x.trace, y.trace) is None
        and _first(x.stdout, y.stdout, _without_addresses) is None
        and _first(x.stderr, y.stderr, lambda lines: _without_addresses(without_own_frames(lines))) is None
    )


def _first(left: str, right: str, clean: Callable[[Iterable[bytes]], Iterable[bytes]] = iter) -> diff.Parting | None:
    if os.path.exists(left) and os.path.exists(right) and filecmp.cmp(left, right, shallow=False):
        return None
    return diff.first_difference(clean(_lines(left)), clean(_lines(right)))


def _lines(path: str) -> Iterator[bytes]:
    if os.path.exists(path):
        with open(path, "rb") as file:
            yield from file


_FRAME = re.compile(rb'(?P<indent>[ |]*)File "(?P<file>.*)", line \d+, in ')
_OWN = tuple(os.fsencode(name) for name in OWN_FILES)


def without_own_frames(lines: Iterable[bytes]) -> Iterator[bytes]:
    """`lines` without those of a traceback that show chanlab's own frames: a hook in C has none.

    The exception, its text and every frame of the user's stay.
    """
    deeper: bytes | None = None  # what the lines below a dropped frame start with: its source, its marks
    for line in lines:
        if deeper is not None and line.startswith(deeper):
            continue
        deeper = None
        frame = _FRAME.match(line)
        if frame and frame["file"].startswith(_OWN):
            deeper = frame["indent"] + b"  "
        else:
            yield line


def users_stderr(seen: Behaviour) -> list[str]:
    """The lines of stderr for a terminal, without chanlab's own frames."""
    return [diff.text(line.rstrip(b"\r\n") + b"\n") for line in without_own_frames(_lines(seen.stderr))]


def _without_addresses(lines: Iterable[bytes]) -> Iterator[bytes]:
    return (re.sub(rb"\b0x[0-9a-fA-F]+", b"", line) for line in lines)
