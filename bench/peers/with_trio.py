"""The workloads in trio: with_trio.py WORKLOAD N prints the same line of JSON.  Its memory channel is a rendezvous."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _run import shares, show_timed


async def produce(channel: trio.MemorySendChannel, n: int) -> None:
    for _ in range(n):
        await channel.send(None)


async def consume(channel: trio.MemoryReceiveChannel, n: int) -> None:
    for _ in range(n):
        await channel.receive()


async def ping(out: trio.MemorySendChannel, back: trio.MemoryReceiveChannel, n: int) -> None:
    for _ in range(n):
        await out.send(None)
        await back.receive()


async def pong(out: trio.MemoryReceiveChannel, back: trio.MemorySendChannel, n: int) -> None:
    for _ in range(n):
        await out.receive()
        await back.send(None)


async def give_way(times: int) -> None:
    for _ in range(times):
        await trio.lowlevel.cancel_shielded_checkpoint()


async def nothing() -> None:
    pass


async def pingpong(n: int) -> None:
    (send_out, take_out), (send_back, take_back) = trio.open_memory_channel(0), trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ping, send_out, take_back, n)
        nursery.start_soon(pong, take_out, send_back, n)


async def pipe(n: int) -> None:
    await fan_in(n, 1)


async def fanin(n: int) -> None:
    await fan_in(n, 100)


async def fan_in(n: int, senders: int) -> None:
    send, receive = trio.open_memory_channel(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume, receive, n)
        for items in shares(n, senders):
            nursery.start_soon(produce, send, items)


async def yielding(n: int, tasks: int) -> None:
    async with trio.open_nursery() as nursery:
        for times in shares(n, tasks):
            nursery.start_soon(give_way, times)


async def yield2(n: int) -> None:
    await yielding(n, 2)


async def yield1000(n: int) -> None:
    await yielding(n, 1000)


async def spawn(n: int) -> None:
    for done in range(0, n, 100):
        async with trio.open_nursery() as nursery:
            for _ in range(min(100, n - done)):
                nursery.start_soon(nothing)


WORKLOADS = {f.__name__: f for f in (pingpong, pipe, yield2, yield1000, spawn, fanin)}

if __name__ == "__main__":
    show_timed({name: lambda n, f=f: trio.run(f, n) for name, f in WORKLOADS.items()})
