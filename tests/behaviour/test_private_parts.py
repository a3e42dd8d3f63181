"""Nonsense in what is private: it may break the program, but not the interpreter.

What dies while the core puts something else into its place may run any code (Noisy); what the collector shows
(gc.get_objects()) may be half made.
"""

from __future__ import annotations

import pytest
from chanlab import hooks

NOISY = """
import gc, os, signal, sys, threading
import stackless
from chanlab import hooks
from stackless import channel, schedule, tasklet
from gochan import chan
from select_proto import select
from chanlab.sched import here

class Noisy:
    def __init__(self, do):
        self.do = do
    def __call__(self, *args):
        pass
    def __del__(self):
        try:
            self.do()
        except BaseException:
            pass

def attempt(*acts):
    for act in acts:
        try:
            act()
        except BaseException:
            pass
"""


def survives(script, source):
    ended = script(NOISY + source)
    assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended


@pytest.mark.parametrize("make", ["channel()", "chan()", "chan(1)"])
@pytest.mark.parametrize("direction", ["send", "receive"])
def test_channel_of_a_blocked_tasklet_dies_at_the_meeting(script, make, direction):
    """The peer is in no queue just then, and would join the ring twice."""
    survives(
        script,
        f"""
for _ in range(20):
    ch = {make}
    ch.preference = 0
    fill = lambda: [ch.send(0) for _ in range(2)]
    t = tasklet(fill if "{direction}" == "receive" else ch.receive)()
    stackless.run()
    def join():
        t.insert()
        if isinstance(ch, chan):
            ch._buffer.extend(range(9))
    t._channel = Noisy(join)
    attempt(lambda: ch.send(1) if "{direction}" == "send" else ch.receive(), stackless.run)
    tasklet(len)([])
    attempt(stackless.run, t.kill)
print("alive")
""",
    )


@pytest.mark.parametrize("when", ["at its end", "while it blocks", "at its setup", "when it is forgotten"])
def test_fields_of_a_tasklet_whose_death_uses_tasklets(script, when):
    survives(
        script,
        f"""
names = (
    "_alive _atomic _block_trap _call _channel _context _direction _greenlet _ignore_nesting _label _offers _stack _tempval"
).split()
def many():
    del [tasklet(len) for _ in range(1000)][:]
def use(t, do):
    value = Noisy(do)
    setattr(t, name, (value, (), {{}}) if name == "_call" else value)
def ends(do):
    tasklet(lambda: attempt(lambda: use(stackless.getcurrent(), do)))()
def blocks(do):
    ch = channel()
    tasklet(lambda: attempt(lambda: use(stackless.getcurrent(), do), ch.receive))()
def set_up(do):
    t = tasklet(len)
    attempt(lambda: use(t, lambda: (setattr(t, "_tempval", None), do())), lambda: t([]))
def forgotten(do):
    t = tasklet(len)
    attempt(lambda: use(t, do))
way = {{"at its end": ends, "while it blocks": blocks, "at its setup": set_up, "when it is forgotten": forgotten}}["{when}"]
for name in names:
    for do in (schedule, lambda: channel().receive(), stackless.run, lambda: tasklet(len)([]).run(), many):
        for _ in range(4):
            way(do)
        attempt(stackless.run, stackless.run, gc.collect)
        many()
        attempt(*[tasklet(len)([]).run for _ in range(20)])
print("alive")
""",
    )


def test_call_that_is_replaced_while_it_is_dropped(script):
    survives(
        script,
        """
for _ in range(20):
    t = tasklet(len)
    def again():
        t._alive, t._tempval = False, len
        t([])
    t._call = (Noisy(again), (), {})
    t._call = None
    attempt(stackless.run)
print("alive")
""",
    )


@pytest.mark.skipif(not hooks.FUSED, reason="it is about pointers, and the Python twins may well hang")
@pytest.mark.parametrize("where", ["main", "tasklet"])
def test_fields_of_a_scheduler(script, where):
    ended = script(
        NOISY
        + f"""
values = [
    lambda: None, lambda: 5, list, lambda: [5], lambda: [tasklet(len)], lambda: tasklet(len), lambda: tasklet(len)([]),
    lambda: here.sched.hub, lambda: type(here.sched.hub)(), lambda: here.sched.runq, lambda: Noisy(schedule),
    lambda: type(here.sched.runq)(), lambda: type(here.sched.started)(),
]
def vandalise(do):
    ch, c = channel(), chan(1)
    def work():
        ch.send(1); c.send(2); schedule(); ch.receive()
    for _ in range(3):
        tasklet(work)()
    def inner():
        attempt(do, schedule, c.receive, ch.receive, lambda: tasklet(len)([]), schedule)
    if "{where}" == "tasklet":
        tasklet(inner)()
        attempt(stackless.run)
    else:
        inner()
    attempt(stackless.run, schedule, lambda: ch.send(1), tasklet(work), stackless.run)

ways = [lambda name, make=make: setattr(here.sched, name, make()) for make in values]
ways.append(lambda name: delattr(here.sched, name))
ways.append(lambda name: getattr(type(here.sched), name).__set__(here.sched, 5))
ways.append(lambda name: getattr(here.sched, name).insert(0, 5))
names = "busy current doomed failed hub idle locked main moving next_greenlet rng runq runs started".split()
for name, i in [(name, i) for name in names for i in range(len(ways))]:
    pid = os.fork()
    if pid == 0:
        signal.setitimer(signal.ITIMER_REAL, 0.5)  # it may hang
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        attempt(lambda: vandalise(lambda: ways[i](name)))
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    if status not in (0, signal.SIGALRM):
        print("crashed:", name, i, status)
"""
    )
    assert (ended.returncode, ended.stdout) == (0, ""), ended


def test_what_the_collector_shows(script):
    """Everything that is being made is used as soon as it can be found."""
    survives(
        script,
        """
def use_all(phase, info):
    for o in gc.get_objects():
        if isinstance(o, channel):
            acts = ["__next__", "receive", "receive_ok", "__len__", "__repr__", "receiveCase", "close"]
            attempt(*[getattr(o, name) for name in acts if hasattr(o, name)])
            attempt(lambda: o.send(1), lambda: list(o._buffer), lambda: select([o.sendCase(2), o.receiveCase()], True))
        elif isinstance(o, tasklet):
            attempt(lambda: (repr(o), o._call, o.alive))
class sub(chan):
    pass
class odd(chan):
    def _ready(self, direction):
        return chan._ready(self, direction)
gc.callbacks.append(use_all)
gc.set_threshold(1)
for _ in range(25):
    keep = [channel(), chan(), chan(3), sub(1), odd(2), tasklet(len), tasklet(len, (), {})]
    keep = [channel().sendCase(1), chan().receiveCase(), [], []]
gc.callbacks.remove(use_all)
print("alive")
""",
    )


def test_stacks_made_by_hand(script):
    """A chain of them of any length, and one that would have nobody to go on after it."""
    survives(
        script,
        """
mine = stackless.getcurrent()._greenlet
Fiber = type(mine)
if Fiber.__name__ == "Fiber":
    chain = None
    for _ in range(200_000):
        chain = Fiber(chain, mine)
    del chain
    first, second = Fiber(), Fiber()
    attempt(lambda: first.prepare(len, second), lambda: second.prepare(len, first), first.switch)
    attempt(lambda: Fiber(list, Fiber()).switch())
    Fiber(list, mine).switch()
    for fresh in Fiber(), Fiber(list, mine):
        here.sched.next_greenlet = fresh
        attempt(lambda: hooks._chanlab.switch_next(here.sched))
    here.sched.next_greenlet = Fiber()  # which nobody else knows
    attempt(lambda: hooks._chanlab.switch_next(here.sched))
print("alive")
""",
    )


def test_stack_of_another_thread(script):
    """It begins below a stack of the thread that asks, or not at all; a tasklet's parent is a hub of its own thread."""
    survives(
        script,
        """
mine, ran, hubs = stackless.getcurrent()._greenlet, [], []
hub, Fiber = here.sched.hub, type(mine)
below = Fiber(ran.append, hub)

def other():
    schedule()
    hubs.append(here.sched.hub)
    attempt(below.switch)
    t = tasklet(schedule)()
    schedule()
    for stack in t._greenlet, here.sched.hub, below, stackless.getcurrent()._greenlet:
        for parent in hub, mine, t._greenlet, here.sched.hub, below, Fiber(), None, 5:
            def set_parent():
                stack.parent = parent
            if Fiber.__name__ == "Fiber":
                attempt(set_parent)
    stackless.run()
    ended.release()
    stay.acquire()

ended, stay = threading.Semaphore(0), threading.Semaphore(0)
thread = threading.Thread(target=other)
thread.start()
ended.acquire()
def begin_there():
    here.sched.current._greenlet.parent = hubs[0]
tasklet(attempt)(begin_there)
stackless.run()
stay.release()
thread.join()
assert not ran
print("alive")
""",
    )


@pytest.mark.parametrize("whose", ["t._stack", "here().main._stack", "here().hub"])
def test_stack_that_is_started_twice(script, whose):
    """It has been in use since it began; what it knows of its memory stays as it is."""
    survives(
        script,
        f"""
def deep(n, ch):
    return deep(n - 1, ch) if n else ch.receive()

def go():
    t = tasklet(schedule)()
    schedule()
    attempt(lambda: {whose}.start(stackless.getcurrent()._greenlet, print, (), {{}}))
    stackless.run()
    ch = channel()
    for _ in range(4):
        tasklet(deep)(20, ch)
    stackless.run()
    for _ in range(4):
        ch.send(None)
go()
print("alive")
""",
    )


@pytest.mark.skipif(hooks._chanlab is None, reason="a stack without the C module keeps nothing: it can start often")
def test_stack_in_use_says_so(script):
    ended = script(
        NOISY
        + """
t = tasklet(schedule)()
schedule()
t._stack.start(t._greenlet, print, (), {})
"""
    )
    assert ended.stderr.endswith("RuntimeError: the stack is in use\n"), ended
