"""Selects that face each other: dancers who all ask and accept on one channel, in the same select.

usage: selectmeet.py [DANCES]

Each dancer offers to lead (send) and to follow (receive) at once.  Nobody ever dances alone, each pair has exactly one
leader, and the two agree on it.  This takes two queues per channel, one for each direction.
"""

import sys
from collections import Counter

import stackless

DANCERS = ("Ada", "Ben", "Cleo", "Dan", "Edda")


def dance(floor, dances, led, followed):
    """Find a partner for each dance, and write down who led."""
    me = stackless.getcurrent().label
    lead = floor.sendCase(me)
    follow = floor.receiveCase()
    for _ in range(dances):
        if stackless.select([lead, follow]) is follow:
            followed[follow.value, me] += 1
        else:
            led[me] += 1


def main(dances=30_000):
    floor = stackless.channel()
    floor.label = "floor"
    led, followed = Counter(), Counter()
    dancers = []
    for name in DANCERS:
        dancer = stackless.tasklet(dance)(floor, dances, led, followed)
        dancer.label = name
        dancers.append(dancer)

    stackless.run()  # until nobody finds a partner any more

    print("leads\\follows", *(f"{name:>6}" for name in DANCERS), "   sum")
    for leader in DANCERS:
        row = [followed[leader, follower] for follower in DANCERS]
        assert followed[leader, leader] == 0, "danced alone"
        assert sum(row) == led[leader], "leader and followers disagree"
        print(f"{leader:13}", *(f"{number:6}" for number in row), f"{sum(row):6}")
    print("left without a partner:", ", ".join(d.label for d in dancers if d.alive) or "nobody")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
