"""What the host costs where no tasklet is: a mix of calls, attributes, dicts and strings; run it on python3 and on chanlab."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from _run import run

N = 300_000


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y

    def moved(self, by: int) -> Point:
        return Point(self.x + by, self.y - by)


def main(n: int) -> None:
    seen: dict[str, int] = {}
    point = Point(0, 0)
    for i in range(n):
        point = point.moved(i & 7)
        key = f"{point.x & 63}:{i & 15}"
        seen[key] = seen.get(key, 0) + len(key)
        if key.startswith("1") and key.split(":")[1] != "0":
            point.y = sum((point.x, i, seen[key]))


if __name__ == "__main__":
    run(main, N)
