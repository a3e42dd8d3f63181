"""A token goes round a ring of 503 tasklets and as many channels; one operation is one hop (2 channel operations).

The thread-ring of the Computer Language Benchmarks Game.  The token says how many hops are left.
"""

from __future__ import annotations

import stackless
from _run import run

N = 1_500_000
TASKLETS = 503


def node(inlet, outlet) -> None:
    receive, send = inlet.receive, outlet.send
    hops = receive()
    while hops:
        send(hops - 1)
        hops = receive()


def main(n: int) -> None:
    channels = [stackless.channel() for _ in range(TASKLETS)]
    for inlet, outlet in zip(channels, channels[1:] + channels[:1]):
        stackless.tasklet(node)(inlet, outlet)
    stackless.tasklet(channels[0].send)(n - 1)
    stackless.run()


if __name__ == "__main__":
    run(main, N)
