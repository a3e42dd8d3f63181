"""The workloads in gevent: with_gevent.py WORKLOAD N prints the same line of JSON.  Channels are gevent's own."""

from __future__ import annotations

import sys
from pathlib import Path

import gevent
from gevent.queue import Channel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _run import shares, show_timed


def produce(ch: Channel, n: int) -> None:
    put = ch.put
    for _ in range(n):
        put(None)


def consume(ch: Channel, n: int) -> None:
    get = ch.get
    for _ in range(n):
        get()


def ping(out: Channel, back: Channel, n: int) -> None:
    put, get = out.put, back.get
    for _ in range(n):
        put(None)
        get()


def pong(out: Channel, back: Channel, n: int) -> None:
    get, put = out.get, back.put
    for _ in range(n):
        get()
        put(None)


def give_way(times: int) -> None:
    for _ in range(times):
        gevent.sleep(0)


def nothing() -> None:
    pass


def pingpong(n: int) -> None:
    out, back = Channel(), Channel()
    gevent.joinall([gevent.spawn(ping, out, back, n), gevent.spawn(pong, out, back, n)], raise_error=True)


def pipe(n: int) -> None:
    ch = Channel()
    gevent.joinall([gevent.spawn(consume, ch, n), gevent.spawn(produce, ch, n)], raise_error=True)


def yield2(n: int) -> None:
    gevent.joinall([gevent.spawn(give_way, times) for times in shares(n, 2)], raise_error=True)


def yield1000(n: int) -> None:
    gevent.joinall([gevent.spawn(give_way, times) for times in shares(n, 1000)], raise_error=True)


def spawn(n: int) -> None:
    for done in range(0, n, 100):
        gevent.joinall([gevent.spawn(nothing) for _ in range(min(100, n - done))], raise_error=True)


def fanin(n: int) -> None:
    ch = Channel()
    senders = [gevent.spawn(produce, ch, items) for items in shares(n, 100)]
    gevent.joinall([gevent.spawn(consume, ch, n), *senders], raise_error=True)


WORKLOADS = {f.__name__: f for f in (pingpong, pipe, yield2, yield1000, spawn, fanin)}

if __name__ == "__main__":
    show_timed(WORKLOADS)
