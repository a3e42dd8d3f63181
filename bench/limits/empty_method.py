"""The floor of whatever has methods in C: pingpong's loop with ones that do nothing; one operation is 4 method calls.

list.clear of an empty list: it takes no arguments, looks at one pointer, and returns None.
"""

from __future__ import annotations

import sys
from itertools import repeat
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _run import run

N = 5_000_000


def main(n: int) -> None:
    send, receive = [].clear, [].clear
    for _ in repeat(None, n):
        send()
        receive()
    for _ in repeat(None, n):
        receive()
        send()


if __name__ == "__main__":
    run(main, N)
