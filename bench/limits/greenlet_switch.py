"""The floor of whatever switches through greenlet, seen from Python; one operation is a round trip, two switch() calls."""

from __future__ import annotations

import sys
from itertools import repeat
from pathlib import Path

import greenlet

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _run import run

N = 2_000_000


def main(n: int) -> None:
    back = greenlet.getcurrent().switch

    def other() -> None:
        for _ in repeat(None, n):
            back()

    there = greenlet.greenlet(other).switch
    for _ in repeat(None, n):
        there()
    there()  # lets it finish


if __name__ == "__main__":
    run(main, N)
