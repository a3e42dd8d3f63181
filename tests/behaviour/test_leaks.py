"""Tasklets of every fate leave no tasklet, channel, stack or frame behind."""

import os

import pytest
from chanlab.stack import collector_sees_stacks

#: How many of each fate.  CHANLAB_LEAKS=100000 for a long run.
COUNT = int(os.environ.get("CHANLAB_LEAKS", "1000"))

FATES = {
    "finished": "tasklet(lambda: None)()",
    "never begun": "tasklet(schedule_remove)",
    "bound and forgotten": "tasklet(schedule_remove, (None,))",
    "killed": "t = tasklet(schedule_remove)(None); t.run(); t.kill()",
    "killed before it began": "tasklet(schedule_remove)(None).kill()",
    "killed while blocked": "c = channel(); t = tasklet(c.receive)(); t.run(); t.kill()",
    "killed pending": "t = tasklet(schedule_remove)(None); t.run(); t.kill(pending=True)",
    "errored": "tasklet(errs)()",
    "thrown at": "t = tasklet(schedule_remove)(None); t.run(); throw_at(t)",
    "paused and forgotten": "tasklet(schedule_remove)(None)",
    "killed with an entered frame": "t = tasklet(knows_itself)(); t.run(); t.frame; t.kill()",
    "served": "c = channel(); tasklet(c.receive)(); tasklet(c.send)(c)",
    "sent itself": "c = channel(); t = tasklet(c.receive)(); tasklet(c.send)(t)",
    "bombed": "c = channel(); tasklet(takes_error, (c,)).insert(); tasklet(c.send_exception)(KeyError, c)",
    "selected": "c = channel(); tasklet(stackless.select)([c.receiveCase(), channel().sendCase(c)]); tasklet(c.send)(1)",
}

#: Only the collector can find these: everything that knows them is on their own stacks.
DROPPED = {
    "knows itself": "tasklet(knows_itself)()",
    "blocked and dropped": "tasklet(receives)(channel())",
    "blocked in a send": "c = channel(); tasklet(c.send)([c])",
    "blocked in a select": "tasklet(selects)(channel(), channel())",
    "blocked below others": "tasklet(below)(5, channel())",
    "blocked in a loop": "tasklet(consumes)(channel(), channel())",
    "blocked in loops in loops": "tasklet(consumes_pairs)(channel(), channel())",
    "two that know each other": "c, d = channel(), channel(); tasklet(relays)(c, d); tasklet(relays)(d, c)",
    "in an object that it knows": "Thing()",
}

PROGRAM = """
import collections, contextlib, gc, stackless
from stackless import *

def errs():
    raise KeyError

def knows_itself():
    me = getcurrent()
    ring = [me]
    ring.append(ring)
    schedule_remove(None)

def receives(c):
    try:
        c.receive()
    finally:
        ended[0] += 1

def takes_error(c):
    try:
        c.receive()
    except KeyError:
        pass

def throw_at(t):
    try:
        t.raise_exception(KeyError, t)
    except KeyError:
        pass

def selects(c, d):
    stackless.select([c.receiveCase(), d.sendCase(c)])

def below(n, c):
    return below(n - 1, c) if n else c.receive()

def consumes(c, d):
    for c in [c]:
        for _ in c:
            d.send(c)

def consumes_pairs(c, d):
    with contextlib.suppress(KeyError):
        for _, e in enumerate([c, d]):
            for _ in range(2):
                [x for x in e]

def relays(c, d):
    d.send(c.receive())

class Thing:
    def __init__(self):
        self.inbox = channel()
        self.task = tasklet(self.live)()

    def live(self):
        while True:
            self.inbox.receive()

def census():
    gc.collect()
    gc.collect()
    return collections.Counter(type(o).__name__ for o in gc.get_objects())

def batch(count):
    for _ in range(count):
        try:
            make()
        except KeyError:
            pass
    while True:
        try:
            run()
            return
        except KeyError:
            pass

def make():
    {make}

ended = [0]
batch(2)
before = census()
for _ in range({count} // 500):
    batch(500)
after = census()
kinds = "tasklet channel Stack Fiber greenlet frame Offers case bomb traceback KeyError WaitQueue PyWaitQueue Context cell Thing"
print({{kind: after[kind] - before[kind] for kind in kinds.split() if after[kind] > before[kind]}})
"""


@pytest.mark.parametrize("fate", FATES)
def test_nothing_is_left(script, fate):
    assert script(PROGRAM.format(make=FATES[fate], count=COUNT)).ok() == "{}\n"


@pytest.mark.skipif(not collector_sees_stacks(), reason="the collector cannot look into stacks without the C module")
@pytest.mark.parametrize("fate", DROPPED)
def test_nothing_is_left_of_the_dropped(script, fate):
    assert script(PROGRAM.format(make=DROPPED[fate], count=COUNT)).ok() == "{}\n"
