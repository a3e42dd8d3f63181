"""Tasklets that do nothing, in batches of 100; one operation is to make one, run it and finish it."""

from __future__ import annotations

from itertools import repeat

import stackless
from _run import run

N = 1_000_000
BATCH = 100


def nothing() -> None:
    pass


def main(n: int) -> None:
    tasklet, body = stackless.tasklet, nothing
    for done in range(0, n, BATCH):
        for _ in repeat(None, min(BATCH, n - done)):
            tasklet(body)()
        stackless.run()


if __name__ == "__main__":
    run(main, N)
