"""Tasklets that are blocked on a channel, all at once; one operation is to make one and block it.

What counts is bytes_per_op, the growth of the resident set per tasklet (Linux only).
"""

from __future__ import annotations

import os

import stackless
from _run import run

N = 100_000

#: What keeps the blocked tasklets alive until the memory has been measured, and the memory before there were any.
kept, before = [], []


def resident() -> int:
    """The resident set of this process, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wait(ch) -> None:
    ch.receive()


def main(n: int) -> None:
    ch = stackless.channel()
    kept.append(ch)
    before.append(resident())
    for _ in range(n):
        stackless.tasklet(wait)(ch)
    stackless.run()


def growth() -> dict:
    blocked = -kept[0].balance
    return {"bytes_per_op": round((resident() - before[0]) / blocked)}


if __name__ == "__main__":
    run(main, N, more=growth)
    os._exit(0)  # without unwinding every tasklet
