"""One tasklet selects from 8 channels, to each of which another sends; one operation is one select and one send."""

from __future__ import annotations

from _run import run
from select2 import selecting

N = 500_000
CASES = 8


def main(n: int) -> None:
    selecting(n, CASES)


if __name__ == "__main__":
    run(main, N)
