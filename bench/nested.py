"""Pingpong in which each tasklet is 50 C-level frames deep, list(map()) in list(map()); one operation is a round trip."""

from __future__ import annotations

import stackless
from _run import run
from pingpong import ping, pong

N = 500_000
DEPTH = 50


def deep(levels: int, body, args: tuple) -> None:
    """Call body(*args) under so many calls of C that call Python."""
    if levels:
        list(map(deep, [levels - 1], [body], [args]))
    else:
        body(*args)


def main(n: int) -> None:
    to_pong, to_ping = stackless.channel(), stackless.channel()
    stackless.tasklet(deep)(DEPTH, ping, (to_pong, to_ping, n))
    stackless.tasklet(deep)(DEPTH, pong, (to_pong, to_ping, n))
    stackless.run()


if __name__ == "__main__":
    run(main, N)
