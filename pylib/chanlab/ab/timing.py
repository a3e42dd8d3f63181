"""Carrying out the plan: timed runs in fresh processes, without trace, their output thrown away."""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from . import child, plan, stats
from .callee import TIMES
from .child import Times
from .sides import Side
from .stats import Verdict

#: Bytes by which the environments of two runs differ at most: where the stack begins moves with them, and nobody shall
#: be faster because it begins at a lucky place (Mytkowicz et al., ASPLOS 2009).
PADDING = 4096
#: In so many of the first blocks an empty program is timed, too.
STARTUPS = 8


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the plan: for each arm its two runs, in the order in which they were made."""

    runs: tuple[tuple[Times, Times], ...]

    def seconds(self, arm: int, clock: str) -> float:
        """Both runs of the arm together, by that clock ('cpu' or 'wall')."""
        first, second = self.runs[arm]
        return getattr(first, clock) + getattr(second, clock)


@dataclass(slots=True)
class Measurement:
    """The blocks that are complete; it grows while it is being made.

    sides       what was timed; arm i is sides[i], and the last arm is sides[0] once more
    startups    for each side the times of an empty program; empty when it has none
    planned     how many blocks were asked for; None: as many as it takes
    cpu         the processor that all runs were bound to, or None
    """

    sides: Sequence[Side]
    startups: list[list[Times]]
    planned: int | None = None
    blocks: list[Block] = field(default_factory=list)
    cpu: int | None = None

    def runs(self, arm: int, clock: str) -> list[float]:
        """The seconds of every run of an arm."""
        return [getattr(run, clock) for block in self.blocks for run in block.runs[arm]]

    def startup(self, side: int, clock: str) -> float | None:
        """The median seconds of an empty program, or None when there is none."""
        times = self.startups[side]
        return median(getattr(t, clock) for t in times) if times else None

    def verdict(self, clock: str, b: int = 1, a: int = 0, net: bool = False) -> Verdict:
        """On side b against side a; `net`: without the start-up that both have, which must be known."""

        def seconds(block: Block, arm: int) -> float:
            side = 0 if arm == len(self.sides) else arm
            return block.seconds(arm, clock) - (2 * self.startup(side, clock) if net else 0)

        return stats.judge(
            [stats.log_ratio(seconds(block, b), seconds(block, a)) for block in self.blocks],
            [stats.log_ratio(seconds(block, len(self.sides)), seconds(block, 0)) for block in self.blocks],
        )


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: `runs` of each side, or until `precision` (0.01 is 1 %) or `budget` (seconds) is reached."""

    runs: int | None = None
    precision: float = 0.01
    budget: float = 30.0


class UnsteadyError(Exception):
    """A timed run ended with another exit code than the checked one; the text says which and how."""


def new(sides: Sequence[Side]) -> Measurement:
    """A Measurement that has not begun."""
    return Measurement(sides, [[] for _ in sides])


def measure(
    result: Measurement, effort: Effort, seed: int, tick: Callable[[str, float], None], cpu: int | None = None
) -> None:
    """Time the sides of `result` and add the blocks to it as they are completed.

    `tick` is told what goes on, and the share that is done.  `result` is the caller's, who still has it when an
    exception (KeyboardInterrupt, say) ends this early.  Raises UnsteadyError and OSError.
    """
    tick("warming up", 0.0)
    result.planned = None if effort.runs is None else plan.blocks_for(effort.runs)
    arms = [*result.sides, result.sides[0]]
    with bound(cpu) as result.cpu, Stopwatch(seed) as stopwatch:
        for side in result.sides:
            stopwatch.time(side)
        begin = time.perf_counter()
        for order in plan.blocks(len(arms), seed):
            spent = time.perf_counter() - begin
            if _enough(result, effort, spent):
                return
            tick(*_progress(result, effort, spent))
            result.blocks.append(_block(order, arms, stopwatch))
            if len(result.blocks) <= STARTUPS:
                _startups(order, result, stopwatch)


def _enough(result: Measurement, effort: Effort, spent: float) -> bool:
    done = len(result.blocks)
    if result.planned is not None:
        return done >= result.planned
    if done < plan.FEWEST:
        return False
    width = max(result.verdict("cpu", b).width() for b in range(1, len(result.sides)))
    return plan.enough(done, spent, effort.budget, width, effort.precision)


def _block(order: Sequence[int], arms: Sequence[Side], stopwatch: Stopwatch) -> Block:
    times: list[list[Times]] = [[] for _ in arms]
    for arm in order:
        times[arm].append(stopwatch.time(arms[arm]))
    return Block(tuple((first, second) for first, second in times))


def _startups(order: Sequence[int], result: Measurement, stopwatch: Stopwatch) -> None:
    for arm in order[: len(order) // 2]:
        if arm < len(result.sides) and result.sides[arm].empty:
            result.startups[arm].append(stopwatch.time(result.sides[arm], empty=True))


class Stopwatch:
    """Times single runs.  A context manager, for the file in which a process that times itself leaves its times."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._paddings = random.Random(seed)
        self._directory = tempfile.TemporaryDirectory(prefix="chanlab-")
        self._path = os.path.join(self._directory.name, "times")

    def __enter__(self) -> Stopwatch:
        return self

    def __exit__(self, *_: object) -> None:
        self._directory.cleanup()

    def time(self, side: Side, empty: bool = False) -> Times:
        """One run in a fresh process.  Raises UnsteadyError unless it succeeds."""
        env = side.environment(self._seed)
        env["CHANLAB_PADDING"] = "." * self._paddings.randrange(PADDING)
        if side.times_itself:
            env[TIMES] = self._path
        run = child.run(side.empty_words() if empty else side.words(), env)
        if run.exit_code != 0:
            raise UnsteadyError(f"a timed run of {side.name} ended with {child.how_it_ended(run.exit_code)}")
        if not side.times_itself:
            return run.times
        with open(self._path) as file:
            return Times(**json.load(file))


@contextmanager
def bound(cpu: int | None) -> Iterator[int | None]:
    """Bind this process and those that it starts to a processor.  Gives it, or None where that cannot be done."""
    if cpu is None or not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:  # not ours: a container may have fewer processors than it sees
        cpu = None
    try:
        yield cpu
    finally:
        os.sched_setaffinity(0, before)


def some_processor() -> int | None:
    """One that runs may be bound to: the last, for the first has the interrupts."""
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _progress(result: Measurement, effort: Effort, spent: float) -> tuple[str, float]:
    """What to tell: the text, and the share that is done."""
    done = len(result.blocks)
    if result.planned is not None:
        return f"timing: block {done + 1} of {result.planned}", done / result.planned
    text = f"timing: block {done + 1}"
    if done >= plan.FEWEST:
        width = max(result.verdict("cpu", b).width() for b in range(1, len(result.sides)))
        text += f", ±{width:.1%} so far, ±{effort.precision:.1%} wanted"
    return text, min(spent / effort.budget, 1.0)
