"""Carrying out the plan: timed runs in fresh processes, without trace, their output thrown away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import child, plan
from .child import Times
from .sides import Side


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the plan: the two runs of each side in the order in which they were made, and one empty program."""

    a: tuple[Times, Times]
    b: tuple[Times, Times]
    startup_a: Times
    startup_b: Times


@dataclass(slots=True)
class Measurement:
    """The blocks that are complete, and how many were planned; it grows while it is being made."""

    planned: int = 0
    blocks: list[Block] = field(default_factory=list)


class UnsteadyError(Exception):
    """A timed run ended with another exit code than the checked one; the text says which and how."""


#: The program that does nothing but start up.
EMPTY_PROGRAM = ("-c", "import stackless")


def measure(
    sides: tuple[Side, Side],
    program: tuple[str, ...],
    empty: tuple[str, ...],
    runs: int | None,
    seed: int,
    result: Measurement,
    tick: Callable[[str], None],
) -> None:
    """Time `program` and the program `empty` on both sides and add the blocks to `result` as they are completed.

    `runs` of each side, or by default what fits the budget.  `result` is the caller's, who still has it when an
    exception (KeyboardInterrupt, say) ends this early.  Raises UnsteadyError and OSError.
    """
    tick("warming up")
    pair = [_timed(side, program).wall for side in sides]
    result.planned = count = plan.blocks_by_default(sum(pair)) if runs is None else plan.blocks_for(runs)
    begin = time.perf_counter()
    for number, order in enumerate(plan.blocks(count, seed)):
        tick(_progress(number, count, time.perf_counter() - begin, 2 * sum(pair)))
        result.blocks.append(_block(order, dict(zip("AB", sides, strict=True)), program, empty))


def _block(order: str, sides: dict[str, Side], program: tuple[str, ...], empty: tuple[str, ...]) -> Block:
    times: dict[str, list[Times]] = {"A": [], "B": []}
    for letter in order:
        times[letter].append(_timed(sides[letter], program))
    startup = {letter: _timed(sides[letter], empty) for letter in order[:2]}
    return Block((*times["A"],), (*times["B"],), startup["A"], startup["B"])


def _timed(side: Side, program: tuple[str, ...]) -> Times:
    run = child.run(side.words(program), side.env)
    if run.exit_code != 0:
        raise UnsteadyError(f"a timed run of {side.name} ended with {child.how_it_ended(run.exit_code)}")
    return run.times


def _progress(number: int, count: int, spent: float, guess: float) -> str:
    """`guess` is the length of a block in seconds, as long as none is finished."""
    left = (count - number) * (spent / number if number else guess)
    return f"timing: block {number + 1} of {count}, about {left:.0f} s left"
