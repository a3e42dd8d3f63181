"""Dining philosophers: a deadlock with its report, and the cure, a footman who selects whom to admit.

usage: philosophers.py [MEALS]

Everybody takes the left fork, then the right one; in the first dinner all hold one fork and wait for the other.
In the second a footman lets no more than four sit down together, so that one of them always gets both forks.
"""

import sys

import stackless

NAMES = ("Plato", "Hypatia", "Kant", "Arendt", "Laozi")


def new_channel(label):
    ch = stackless.channel()
    ch.label = label
    return ch


def start(label, function, *args):
    task = stackless.tasklet(function)(*args)
    task.label = label
    return task


class Fork:
    """A fork can be taken up, then put down, then taken up again."""

    def __init__(self, number):
        self.take = new_channel(f"take {number}")
        self.put = new_channel(f"put {number}")
        self.task = start(f"fork {number}", self.lie)

    def lie(self):
        while True:
            self.take.receive()
            self.put.receive()


def dine(left, right, meals, full):
    """Think and eat by turns."""
    name = stackless.getcurrent().label
    for _ in range(meals):
        eat(left, right)
    full.send(name)


def dine_politely(left, right, meals, full, enter, leave):
    """Think and eat by turns, and ask the footman before sitting down."""
    name = stackless.getcurrent().label
    for _ in range(meals):
        enter.send(name)
        eat(left, right)
        leave.send(name)
    full.send(name)


def eat(left, right):
    left.take.send(None)
    stackless.schedule()  # reach over the table; the others are as fast
    right.take.send(None)
    right.put.send(None)
    left.put.send(None)


def footman(seats, enter, leave):
    """Admit philosophers while there is a seat."""
    seated = set()
    arrival, departure = enter.receives(seated.add), leave.receives(seated.remove)
    while True:
        stackless.select([arrival, departure] if len(seated) < seats else [departure])


def dinner(meals, philosopher, *doors):
    """Lay the table, and wait until everybody is full.  Returns the names in the order in which they were."""
    full = new_channel("full")
    forks = [Fork(number) for number in range(1, len(NAMES) + 1)]
    tasks = [fork.task for fork in forks]
    for place, name in enumerate(NAMES):
        left, right = forks[place], forks[place - 1]
        tasks.append(start(name, philosopher, left, right, meals, full, *doors))
    names = []
    try:
        while len(names) < len(NAMES):
            names.append(full.receive())
        return names
    finally:
        for task in tasks:
            task.kill()


def main(meals=5_000):
    try:
        dinner(meals, dine)
    except RuntimeError as deadlock:
        print(f"Without a footman: {deadlock}")
        print(*deadlock.__notes__, sep="\n")

    enter, leave = new_channel("enter"), new_channel("leave")
    start("footman", footman, len(NAMES) - 1, enter, leave)
    names = dinner(meals, dine_politely, enter, leave)
    print(f"\nWith a footman all are full after {meals} meals: {', '.join(names)}.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
