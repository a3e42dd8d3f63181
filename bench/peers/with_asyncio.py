"""The workloads in asyncio: with_asyncio.py WORKLOAD N prints the same line of JSON.

asyncio has no rendezvous; a queue of one place is its nearest.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _run import shares, show_timed


async def produce(queue: asyncio.Queue, n: int) -> None:
    for _ in range(n):
        await queue.put(None)


async def consume(queue: asyncio.Queue, n: int) -> None:
    for _ in range(n):
        await queue.get()


async def ping(out: asyncio.Queue, back: asyncio.Queue, n: int) -> None:
    for _ in range(n):
        await out.put(None)
        await back.get()


async def pong(out: asyncio.Queue, back: asyncio.Queue, n: int) -> None:
    for _ in range(n):
        await out.get()
        await back.put(None)


async def give_way(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def nothing() -> None:
    pass


async def pingpong(n: int) -> None:
    out, back = asyncio.Queue(1), asyncio.Queue(1)
    await asyncio.gather(ping(out, back, n), pong(out, back, n))


async def pipe(n: int) -> None:
    queue = asyncio.Queue(1)
    await asyncio.gather(consume(queue, n), produce(queue, n))


async def yield2(n: int) -> None:
    await asyncio.gather(*map(give_way, shares(n, 2)))


async def yield1000(n: int) -> None:
    await asyncio.gather(*map(give_way, shares(n, 1000)))


async def spawn(n: int) -> None:
    for done in range(0, n, 100):
        await asyncio.gather(*(nothing() for _ in range(min(100, n - done))))


async def fanin(n: int) -> None:
    queue = asyncio.Queue(1)
    await asyncio.gather(consume(queue, n), *(produce(queue, items) for items in shares(n, 100)))


WORKLOADS = {f.__name__: f for f in (pingpong, pipe, yield2, yield1000, spawn, fanin)}

if __name__ == "__main__":
    show_timed({name: lambda n, f=f: asyncio.run(f(n)) for name, f in WORKLOADS.items()})
