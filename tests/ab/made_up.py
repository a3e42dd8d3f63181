"""Results of comparisons that never took place."""

from __future__ import annotations

from chanlab.ab.child import Times
from chanlab.ab.result import Alike, Result
from chanlab.ab.sides import Side
from chanlab.ab.timing import Block, Measurement


def result(
    a: float = 1.0,
    b: float = 1.0,
    startup: float | None = 0.01,
    count: int = 12,
    jitter: float = 0.0,
    events: int | None = 100,
) -> Result:
    """A result of `count` blocks; `jitter` is the share by which a and a' differ, now this way, now that."""

    def runs(seconds: float) -> tuple[Times, Times]:
        # Equal to five digits: pyperf tests for significance, and cannot when nothing varies at all.
        return tuple(Times(wall=2 * s, cpu=s) for s in (seconds * (1 - 1e-6), seconds * (1 + 1e-6)))

    pair = Side("a", "no hook in C (the prototype)", ("script.py",)), Side("b", "all in C", ("script.py",))
    blocks = [Block((runs(a), runs(b), runs(a * (1 + jitter) ** (1 if i % 2 else -1)))) for i in range(count)]
    startups = [[] if startup is None else [Times(startup, startup)] for _ in pair]
    measured = Measurement(pair, startups, count, blocks, cpu=1)
    return Result("script.py", pair, Alike((1, 2), 10, 0, events), {"python": "CPython 3.x", "greenlet": "3"}, measured)
