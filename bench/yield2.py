"""Two tasklets give way to each other; one operation is one schedule()."""

from __future__ import annotations

from itertools import repeat

import stackless
from _run import run, shares

N = 4_000_000
TASKLETS = 2


def give_way(times: int) -> None:
    schedule = stackless.schedule
    for _ in repeat(None, times):
        schedule()


def yielding(n: int, tasklets: int) -> None:
    """Do n schedule() calls in so many tasklets."""
    for times in shares(n, tasklets):
        stackless.tasklet(give_way)(times)
    stackless.run()


def main(n: int) -> None:
    yielding(n, TASKLETS)


if __name__ == "__main__":
    run(main, N)
