"""One tasklet selects from 2 channels, to each of which another sends; one operation is one select and one send.

Several cases, one or none are ready, as it happens.  Needs a module with `select()` and `channel.receiveCase()`.
"""

from __future__ import annotations

from itertools import repeat

import stackless
from _run import run, shares
from pipe import produce

N = 500_000
CASES = 2


def receive_all(cases: list, n: int) -> None:
    select = stackless.select
    for _ in repeat(None, n):
        select(cases)


def selecting(n: int, how_many: int) -> None:
    """Receive n items by select() over so many channels."""
    channels = [stackless.channel() for _ in range(how_many)]
    stackless.tasklet(receive_all)([ch.receiveCase() for ch in channels], n)
    for ch, items in zip(channels, shares(n, how_many)):
        stackless.tasklet(produce)(ch, items)
    stackless.run()


def main(n: int) -> None:
    selecting(n, CASES)


if __name__ == "__main__":
    run(main, N)
