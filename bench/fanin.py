"""A hundred tasklets send to one receiver over one channel; one operation is an item (2 channel operations)."""

from __future__ import annotations

import stackless
from _run import run, shares
from pipe import consume, produce

N = 2_000_000
SENDERS = 100


def main(n: int) -> None:
    ch = stackless.channel()
    stackless.tasklet(consume)(ch, n)
    for items in shares(n, SENDERS):
        stackless.tasklet(produce)(ch, items)
    stackless.run()


if __name__ == "__main__":
    run(main, N)
