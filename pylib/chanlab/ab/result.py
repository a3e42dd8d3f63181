"""Everything that a comparison has found, for those who show or store it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .sides import Side
from .stats import Verdict
from .timing import Measurement


@dataclass(frozen=True, slots=True)
class Alike:
    """The proof that both sides behave alike, in figures.

    seeds     for which they were compared
    stdout    bytes, with the last seed; stderr likewise
    events    of the trace with the last seed; None: the program cannot be traced
    """

    seeds: Sequence[int]
    stdout: int
    stderr: int
    events: int | None

    def by_hooks(self) -> bool:
        """Whether hooks can make a difference."""
        return self.events != 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Instructions of one side: of a whole run, and of an empty program (None when there is none)."""

    whole: int
    startup: int | None

    def net(self) -> int:
        return self.whole - (self.startup or 0)


@dataclass(slots=True)
class Result:
    """A finished comparison, or one that was interrupted after some blocks.

    subject     the program as one line
    sides       a and b
    metadata    the machine and the software, from metadata.collect()
    measured    the times
    counts      instructions of a and b, when they were wanted; or why there are none
    change      with a baseline: how b/a has changed since
    loops       of functions: calls in each timed run, else 1
    """

    subject: str
    sides: tuple[Side, Side]
    alike: Alike
    metadata: dict[str, str]
    measured: Measurement
    counts: tuple[Counts, Counts] | str | None = None
    change: Verdict | None = None
    loops: int = 1

    def verdict(self, clock: str = "cpu") -> Verdict:
        return self.measured.verdict(clock)

    def net(self) -> Verdict | None:
        """The verdict without start-up, where that is known and smaller than what remains can bear."""
        startups = [self.measured.startup(side, "cpu") for side in (0, 1)]
        if None in startups:
            return None
        enough = all(min(self.measured.runs(side, "cpu")) > 1.05 * startup for side, startup in enumerate(startups))
        return self.measured.verdict("cpu", net=True) if enough else None
