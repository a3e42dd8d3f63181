"""Random vandalism: vandals.py SEED… does nonsense to the private parts of blocked selects, and goes on using them.

It may raise whatever it likes and lose values and tasklets; but the interpreter must live to print "alive".
"""

from __future__ import annotations

import gc
import random
import sys

import select_proto
import stackless
from chanlab.sched import here

STEPS = 60


class Noisy:
    """A value whose end runs code that uses channels."""

    def __init__(self, world):
        self.world = world

    def __del__(self):
        vandal(self.world)


def nonsense(world):
    """A value that has no business where it will be put."""
    draw = world["draw"]
    return draw.choice(
        [
            lambda: None,
            lambda: 5,
            lambda: -1,
            lambda: 1,
            lambda: True,
            lambda: "x",
            lambda: Noisy(world),
            lambda: draw.choice(world["channels"]),
            lambda: draw.choice(world["cases"]),
            lambda: draw.choice(world["tasklets"]),
            lambda: draw.choice(world["tasklets"])._offers,
            lambda: select_proto.Offers(draw.choice(world["tasklets"]), draw.choices(world["cases"], k=3)),
            lambda: select_proto.late(lambda: vandal(world)),
            lambda: stackless.bomb(KeyError, KeyError("bomb")),
            lambda: draw.choice(world["channels"])._senders,
            lambda: here.sched.runq,
        ]
    )()


def requeue(world):
    node = world["draw"].choice(world["cases"] + world["tasklets"][1:])
    queue = node._queue
    if world["draw"].random() < 0.6 and queue is not None:
        queue.remove(node)
    ch = world["draw"].choice(world["channels"])
    world["draw"].choice([ch._senders, ch._receivers]).append(node)


FIELDS = ["_offers", "callback", "channel", "direction", "element", "guard", "index", "ok", "value", "_queue"]


def vandal(world):
    """One act."""
    draw = world["draw"]
    case, task = draw.choice(world["cases"]), draw.choice(world["tasklets"])
    act = draw.randrange(14)
    try:
        if act < 4:
            setattr(case, draw.choice(FIELDS), nonsense(world))
        elif act == 4:
            delattr(case, draw.choice(FIELDS))
        elif act == 5:
            task._offers = nonsense(world)
        elif act == 6:
            task._tempval = nonsense(world)
        elif act == 7:
            requeue(world)
        elif act == 8:
            task._offers.withdraw_all()
        elif act == 9:
            task._offers.complete(here.sched, case, 1)
        elif act == 10:
            task._offers.timer = nonsense(world)
        elif act == 11:
            world["cases"].append(draw.choice(world["channels"]).receiveCase())
            del world["cases"][0]
        elif act == 12:
            world["list"][:] = draw.choices(world["cases"], k=3)
        else:
            here.sched.rng.state = draw.getrandbits(70)
    except Exception:
        pass


def use(world):
    """Something legal."""
    draw = world["draw"]
    ch, task = draw.choice(world["channels"]), draw.choice(world["tasklets"])
    act = draw.randrange(12)
    if act < 2:
        ch.send(Noisy(world) if draw.random() < 0.3 else act)
    elif act < 4:
        ch.receive()
    elif act < 7:
        world["list"] = draw.sample(world["cases"], draw.randint(1, 4))
        select_proto.select(world["list"], default=draw.random() < 0.2)
    elif act == 7:
        select_proto.Selector(draw.sample(world["cases"], 2)).pri_select()
    elif act == 8:
        task.kill(pending=draw.random() < 0.5)
    elif act == 9:
        task.throw(KeyError, pending=draw.random() < 0.5)
    elif act == 10:
        ch.preference = draw.randint(-1, 1)
    else:
        stackless.schedule()


def body(world):
    while world["steps"] > 0:
        world["steps"] -= 1
        try:
            (use if world["draw"].random() < 0.7 else vandal)(world)
        except Exception:
            pass


def run(seed):
    draw = random.Random(seed)
    channels = [stackless.channel() for _ in range(3)]
    world = {"draw": draw, "channels": channels, "steps": STEPS, "list": []}
    world["cases"] = [draw.choice(channels).receiveCase() for _ in range(6)]
    world["cases"] += [draw.choice(channels).sendCase(i) for i in range(4)]
    world["tasklets"] = [stackless.tasklet(body)(world) for _ in range(5)]
    for _ in range(5):
        try:
            stackless.run()
        except BaseException:
            pass
    for t in world["tasklets"]:
        try:
            t.kill()
        except BaseException:
            pass
    world["steps"] = 0
    world.clear()
    if seed % 5 == 0:
        gc.collect()


if __name__ == "__main__":
    sys.unraisablehook = lambda *_: None
    first, last = map(int, sys.argv[1].split("-"))
    for seed in range(first, last + 1):
        print(seed, flush=True)
        try:
            run(seed)
        except BaseException as error:
            print(type(error).__name__)
    print("alive", flush=True)
