"""A producer sends items to a consumer over one channel; one operation is an item (2 channel operations)."""

from __future__ import annotations

from itertools import repeat

import stackless
from _run import run

N = 2_000_000


def produce(ch, n: int) -> None:
    send = ch.send
    for _ in repeat(None, n):
        send(None)


def consume(ch, n: int) -> None:
    receive = ch.receive
    for _ in repeat(None, n):
        receive()


def main(n: int) -> None:
    ch = stackless.channel()
    stackless.tasklet(consume)(ch, n)
    stackless.tasklet(produce)(ch, n)
    stackless.run()


if __name__ == "__main__":
    run(main, N)
