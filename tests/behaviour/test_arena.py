"""The hook `arena` stands in the way of every chunk of frames (native/arena.c) and every PyMem_Malloc() (copies.c)."""

from __future__ import annotations

import sys

import pytest
from chanlab import hooks

KEEPS = "arena" in hooks.NATIVE and "switch:private" not in hooks.NATIVE and sys.version_info < (3, 12)
keeps = pytest.mark.skipif(not KEEPS, reason="nothing is kept: no hook arena, no greenlets, or CPython 3.12 or newer")

SWITCHES = """
import random, sys, tracemalloc
import stackless

def deep(n, ch):
    return deep(n - 1, ch) if n else [ch.receive(), ch.receive()]

def many(ch, depths):
    got = []
    for depth in depths:
        stackless.tasklet(lambda depth=depth: got.append((depth, sorted([depth], key=lambda d: deep(d, ch)))))()
    stackless.run()
    for value in range(2 * len(depths)):
        ch.send(value)
    stackless.run()
    return sorted(got) == sorted((depth, [depth]) for depth in depths)
"""

DEEP = """
import sys
sys.setrecursionlimit(100_000)
def deep(n):
    a = b = c = d = n
    return n and deep(n - 1)
for _ in range(200):
    deep(3000)
"""


def test_interpreters_that_run_at_once(script):
    """From CPython 3.12 on each may have a lock of its own, and all have their chunks of frames from the same cache."""
    ended = script(
        f"""
import threading
import stackless
try:
    import _interpreters as interpreters
    made = [interpreters.create("isolated") for _ in range(3)]
    run = interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    made = [interpreters.create() for _ in range(3)]
    run = interpreters.run_string
threads = [threading.Thread(target=run, args=(one, {DEEP!r})) for one in made]
for thread in threads:
    thread.start()
exec({DEEP!r})
for thread in threads:
    thread.join()
print("alive")
"""
    )
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended


@pytest.mark.parametrize("when", ["before", "between", "twice"])
def test_tracemalloc(script, when):
    """It wraps the allocators when it starts, and puts back those that it found when it stops."""
    ended = script(
        f"""
import tracemalloc
if {when!r} == "before":
    tracemalloc.start()
{SWITCHES}
ch = stackless.channel()
for round in range(3):
    if not many(ch, [0, 1, 5, 20, 50] * 5):
        print("wrong")
    if {when!r} != "before":
        (tracemalloc.stop if tracemalloc.is_tracing() else tracemalloc.start)()
        if not many(ch, [2, 3, 40] * 5):
            print("wrong")
    elif tracemalloc.is_tracing():
        tracemalloc.stop()
if {when!r} == "twice":
    for _ in range(2):
        tracemalloc.start()
        many(ch, [7] * 9)
        tracemalloc.stop()
print("alive")
"""
    )
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended


@pytest.mark.parametrize("allocator", ["default", "malloc", "debug", "malloc_debug"])
def test_lists_of_all_sizes(script, monkeypatch, allocator):
    """Lists have their items from there: they grow, shrink and die, while stacks are copied."""
    monkeypatch.setenv("PYTHONMALLOC", allocator)
    ended = script(
        SWITCHES
        + """
rng = random.Random(5)
ch = stackless.channel()
lists = [[] for _ in range(100)]
sizes = [0] * 100
for step in range(20_000):
    i = rng.randrange(100)
    size = rng.choice((0, 5, 60, 70, 130, 500, 1000, 1020, 1030, rng.randrange(3000)))
    if rng.random() < 0.5:
        lists[i] = [i] * size
    elif size < sizes[i]:
        del lists[i][size:]
    else:
        lists[i].extend([i] * (size - sizes[i]))
    sizes[i] = size
    if step % 1000 == 0 and not many(ch, [rng.randrange(60) for _ in range(30)]):
        print("wrong")
print(all(items == [i] * sizes[i] for i, items in enumerate(lists)))
"""
    )
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended


@keeps
def test_some_are_kept_and_not_too_many(script):
    ended = script(
        SWITCHES
        + """
import _chanlab
ch = stackless.channel()
for depth in range(0, 90, 3):
    many(ch, [depth] * 100)
print(0 < _chanlab.kept_copies() <= 32 * 8192 / 64)
"""
    )
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended
