"""The order of the timed runs.

A fixed order lies: whatever drifts with time (temperature, frequency, neighbours) then favours somebody.  Runs come in
blocks in which every arm runs twice, in some order and then in the reverse of it: A A' B B A' A.  A steady drift cancels
inside every block.  Of few arms each order comes equally often, so that nobody is first more often; the order of the
blocks is shuffled.

The arms are the sides, and the first side once more (A'): what that differs from A by is noise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations

#: The fewest blocks for which an interval of 95 % exists (see stats).
FEWEST = 6
#: The number after which it is first looked whether the result is precise enough.  Looking earlier, and ever again,
#: would stop when the blocks happen to agree, and the intervals would promise too much.
FIRST_LOOK = 12
#: Of more arms than this the orders are drawn, not counted through.
FEW_ARMS = 4
#: A longest program, or a longest wish for precision, ends here.
MOST = 10_000


def blocks_for(runs: int) -> int:
    """How many blocks give each arm `runs` runs, or one more."""
    return (runs + 1) // 2


def blocks(arms: int, seed: int) -> Iterator[tuple[int, ...]]:
    """Blocks without end, each of them the numbers of the arms in their order; `seed` decides."""
    generator = random.Random(seed)
    while True:
        if arms <= FEW_ARMS:
            orders = list(permutations(range(arms)))
            generator.shuffle(orders)
        else:
            orders = [tuple(generator.sample(range(arms), arms))]
        for order in orders:
            yield (*order, *reversed(order))


def enough(done: int, seconds: float, budget: float, width: float, precision: float) -> bool:
    """Whether to stop after `done` blocks, which took `seconds` together.

    width        half the width of the widest interval, as a share (0.01 is 1 %)
    precision    what is wanted of it
    """
    if done < FEWEST:
        return False
    another = seconds / done
    return seconds + another > budget or (done >= FIRST_LOOK and width <= precision) or done >= MOST
