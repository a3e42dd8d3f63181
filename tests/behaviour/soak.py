"""soak.py SEED SECONDS: tasklets that use everything are killed, thrown at and run, while a signal comes every millisecond.

It may raise whatever it likes; but the interpreter must live to print "alive".
"""

from __future__ import annotations

import random
import signal
import sys
import time

import stackless
from gochan import chan
from select_proto import select
from stackless import channel, schedule, tasklet


class Tick(BaseException):
    """Raised by the signal handler."""


class Noisy:
    """A value whose end uses channels and tasklets."""

    def __init__(self, world):
        self.world = world

    def __del__(self):
        draw = self.world.draw
        if draw.random() < 0.3:
            draw.choice(self.world.channels).send(1)
        elif self.world.tasklets:
            draw.choice(self.world.tasklets).kill(pending=True)


class World:
    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.channels = [channel(), channel(), chan(), chan(1), chan(3)]
        self.tasklets = []
        self.ticks = 0
        self.armed = False

    def tick(self, *_):
        self.ticks += 1
        if self.armed and self.ticks % 7 == 0:
            raise Tick

    def use(self):
        """What a tasklet does."""
        draw = self.draw
        ch, other, third = draw.choices(self.channels, k=3)
        act = draw.randrange(16)
        if act < 3:
            ch.send(Noisy(self) if act == 0 else act)
        elif act < 6:
            ch.receive()
        elif act == 6 and isinstance(ch, chan):
            ch.receive_ok()
        elif act == 7:
            for _ in ch:
                if draw.random() < 0.5:
                    break
        elif act < 10:
            select([ch.receiveCase(), other.sendCase(2), third.receiveCase()], default=draw.random() < 0.3)
        elif act == 10:
            stackless.sleep(0.0005 if draw.random() < 0.2 else 0)
        elif act == 11:
            ch.send_exception(KeyError, 1)
        elif act == 12:
            select([ch.receiveCase()], timeout=0.0003)
        else:
            schedule()

    def body(self):
        while True:
            try:
                self.use()
            except (Exception, Tick):
                pass

    def meddle(self):
        """What main does."""
        draw = self.draw
        act = draw.randrange(12)
        if act < 3 or len(self.tasklets) < 6:
            self.tasklets.append(tasklet(self.body)())
        if len(self.tasklets) > 30:
            del self.tasklets[draw.randrange(len(self.tasklets))]
        task = draw.choice(self.tasklets)
        if act == 3:
            task.kill(pending=draw.random() < 0.5)
        elif act == 4:
            task.throw(ValueError, pending=draw.random() < 0.5)
        elif act == 5:
            task.run()
        elif act == 6:
            i = draw.randrange(2, 5)
            self.channels[i].close()
            self.channels[i] = chan(draw.randrange(3))
        elif act == 7:
            select([draw.choice(self.channels).sendCase(1), draw.choice(self.channels).receiveCase()], default=True)
        elif act == 8:
            task.remove()
        elif act == 9:
            task.insert()
        elif act == 10:
            stackless.run(draw.randrange(1, 300))
        elif act == 11:
            schedule()


def main(seed, seconds):
    sys.unraisablehook = lambda *_: None
    world = World(seed)
    signal.signal(signal.SIGALRM, world.tick)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            world.armed = True
            world.meddle()
        except BaseException:
            pass
        finally:
            world.armed = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    for task in world.tasklets:
        for _ in range(3):
            try:
                task.kill()
            except BaseException:
                pass
    print("alive", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
