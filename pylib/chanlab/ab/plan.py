"""The order of the timed runs.

A fixed order lies: whatever drifts with time (temperature, frequency, neighbours) then favours one side.  Runs come in
blocks of four, ABBA or BAAB, so that a steady drift cancels inside every block; half of the blocks are of either kind,
so that no side is first more often, and their order is shuffled.
"""

from __future__ import annotations

import random

#: The default spends about this many seconds on timed runs …
BUDGET = 20.0
#: … but within these numbers of blocks.  Six is the least for which an interval of 95 % exists (see stats).
FEWEST, MOST = 6, 20


def blocks_for(runs: int) -> int:
    """How many blocks give each side `runs` runs, or one more."""
    return (runs + 1) // 2


def blocks_by_default(pair_seconds: float) -> int:
    """How many blocks fit the budget, when one run of each side takes `pair_seconds` together."""
    return max(FEWEST, min(MOST, int(BUDGET / (2 * max(pair_seconds, 1e-9)))))


def blocks(count: int, seed: int) -> list[str]:
    """`count` words 'ABBA' and 'BAAB' in an order that `seed` decides; their numbers differ by one at most."""
    generator = random.Random(seed)
    kinds = ["ABBA", "BAAB"]
    generator.shuffle(kinds)  # of an odd count, either kind may be the more frequent one
    plan = [kinds[i % 2] for i in range(count)]
    generator.shuffle(plan)
    return plan
