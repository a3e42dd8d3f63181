"""Two tasklets hit a ball back and forth over two channels; one operation is a round trip (4 channel operations)."""

from __future__ import annotations

from itertools import repeat

import stackless
from _run import run

N = 1_000_000


def ping(to_pong, to_ping, n: int) -> None:
    send, receive = to_pong.send, to_ping.receive
    for _ in repeat(None, n):
        send(None)
        receive()


def pong(to_pong, to_ping, n: int) -> None:
    receive, send = to_pong.receive, to_ping.send
    for _ in repeat(None, n):
        receive()
        send(None)


def main(n: int) -> None:
    to_pong, to_ping = stackless.channel(), stackless.channel()
    stackless.tasklet(ping)(to_pong, to_ping, n)
    stackless.tasklet(pong)(to_pong, to_ping, n)
    stackless.run()


if __name__ == "__main__":
    run(main, N)
