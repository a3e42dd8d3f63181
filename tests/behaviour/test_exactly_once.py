"""A mesh of selecting tasklets: no value is lost, none arrives twice, whoever is killed."""

import random

import pytest
import stackless
from stackless import channel, run, schedule, tasklet


class Mesh:
    """Producers and consumers that select on the same few channels, and somebody who kills and throws at random."""

    def __init__(self, seed, producers, consumers, channels):
        self.draw = random.Random(seed)
        self.channels = [channel() for _ in range(channels)]
        for ch in self.channels:
            ch.preference = self.draw.randint(-1, 1)
            ch.schedule_all = self.draw.random() < 0.2
        self.todo = []  # values to be sent, taken by whichever producer is free
        self.done = []  # values whose send has returned
        self.unsure = []  # values whose producer was hit in the middle of its select
        self.got = []
        self.tasklets = [tasklet(self.producer)() for _ in range(producers)]
        self.tasklets += [tasklet(self.consumer)() for _ in range(consumers)]

    def some(self):
        return self.draw.sample(self.channels, self.draw.randint(1, len(self.channels)))

    def producer(self):
        while self.todo:
            value = self.todo.pop()
            cases = [ch.sendCase(value) for ch in self.some()]
            try:
                chosen = stackless.select(cases)
            except KeyError:
                self.unsure.append(value)
                continue
            except TaskletExit:  # noqa: F821  a builtin, as in Stackless
                self.unsure.append(value)
                raise
            assert chosen.value == value
            self.done.append(value)
            if self.draw.random() < 0.1:
                schedule()

    def consumer(self):
        while True:
            cases = [ch.receiveCase() for ch in self.some() + self.some()[:2]]
            try:
                chosen = stackless.select(cases) if self.draw.random() < 0.7 else None
                value = chosen.value if chosen else self.draw.choice(self.channels).receive()
            except KeyError:
                continue
            assert chosen is None or [c.value for c in cases if c is not chosen] == [None] * (len(cases) - 1)
            self.got.append(value)

    def blow(self, pending):
        """Kill or throw at somebody who is still blocked, so that no value is under way to him."""
        blocked = [t for t in self.tasklets if t.blocked]
        if not blocked:
            return
        t = self.draw.choice(blocked)
        if self.draw.random() < 0.4 and len(blocked) > 6:
            t.kill(pending=pending)
        else:
            t.throw(KeyError, "blow", pending=pending)

    def settle(self):
        run()
        for t in self.tasklets:
            t.kill()
        run()
        for ch in self.channels:
            assert (ch.balance, ch.queue) == (0, None)
            assert (len(ch._senders), len(ch._receivers)) == (0, 0)


@pytest.mark.parametrize("seed", range(6))
def test_without_violence(seed):
    mesh = Mesh(seed, 12, 9, 5)
    mesh.todo = list(range(1000))
    run()
    for ch in mesh.channels:  # the last producers may offer where no consumer happens to listen
        while ch.balance > 0:
            mesh.got.append(ch.receive())
            run()
    assert sorted(mesh.got) == list(range(1000))
    assert sorted(mesh.done) == list(range(1000))
    mesh.settle()


@pytest.mark.parametrize("seed", range(6))
def test_with_kills_and_throws(seed):
    """Whoever is hit is blocked at that moment: his offers are withdrawn, so that none of them may arrive."""
    mesh = Mesh(seed, 30, 20, 6)
    mesh.todo = list(range(1500))

    def trouble():
        for i in range(250):
            mesh.blow(pending=i % 2 == 0)
            schedule()

    tasklet(trouble)()
    run()
    assert len(set(mesh.got)) == len(mesh.got)
    assert sorted(mesh.got) == sorted(mesh.done)
    assert not set(mesh.got) & set(mesh.unsure)
    assert sorted(mesh.done + mesh.unsure + mesh.todo) == sorted(
        set(range(1500)) - {c.value for t in mesh.tasklets if t._offers for c in t._offers.cases if c.direction > 0}
    )
    mesh.settle()


def test_many_on_one_channel_in_both_directions():
    """Everybody offers both directions on the same channel; the pairs are disjoint."""
    ch, pairs = channel(), []

    def party(i):
        c = stackless.select([ch.sendCase(i), ch.receiveCase()])
        if c.direction < 0:
            pairs.append((c.value, i))

    ts = [tasklet(party)(i) for i in range(501)]
    run()
    met = [i for pair in pairs for i in pair]
    assert len(met) == len(set(met)) == 500
    assert sum(t.alive for t in ts) == 1
    for t in ts:
        t.kill()
    assert ch.balance == 0
