"""A thousand tasklets give way in turn, so that stacks and queues leave the nearest cache; one operation is one schedule()."""

from __future__ import annotations

from _run import run
from yield2 import yielding

N = 4_000_000
TASKLETS = 1000


def main(n: int) -> None:
    yielding(n, TASKLETS)


if __name__ == "__main__":
    run(main, N)
