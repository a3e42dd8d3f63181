"""A second interrupt has torn apart the repair of what a first one has left: the next operation, of whatever kind, does
the rest.  And what only looks like such a leftover is refused as ever.

test_interrupt.py looks for trouble everywhere; here is what happens next, in one place that is known.
"""

import os
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PRELUDE = """
import os, signal, sys, threading, time
settrace, setprofile = sys.settrace, sys.setprofile  # stackless replaces them by some that hide the package's frames
import greenlet, stackless
from chanlab.sched import here
from select_proto import late, select
from stackless import *

PACKAGE = os.path.dirname(os.path.abspath(stackless.__file__)) + os.sep

def tear(operation, first="switch", second="_land"):
    "Call the operation; SIGINT when the package's function `first` begins, and again when `second` does after that."
    sent = []

    def interrupt(name, frame):
        if frame.f_code.co_filename.startswith(PACKAGE) and frame.f_code.co_name == name:
            sent.append(name)
            os.kill(os.getpid(), signal.SIGINT)

    def profiler(frame, what, arg):
        if what == "call" and not sent:
            interrupt(first, frame)

    def tracer(frame, what, arg):
        if sent == [first] and second:
            interrupt(second, frame)

    settrace(tracer)
    setprofile(profiler)
    try:
        operation()
    except KeyboardInterrupt:
        pass
    finally:
        setprofile(None)
        settrace(None)
    assert sent == [name for name in (first, second) if name], sent
    if second:
        assert here.sched.busy and here.sched.torn

def soon(condition):
    "Wait for another thread."
    for _ in range(1000):
        if condition():
            return True
        time.sleep(0.01)
"""

#: What is done next: it must not be refused, and print "fine".
NEXT = {
    "schedule": "tasklet(print)('fine'); schedule()",
    "channel": "c = channel(); tasklet(c.send)('fine'); print(c.receive())",
    "select": "c = channel(); tasklet(c.send)('fine'); print(select([c.receiveCase()]).value)",
    "spawn, run": "t = tasklet(print); t('fine'); run()",
    "kill": "t = tasklet(print)('not this'); t.kill(); print('fine')",
    "with a channel callback": """
c = channel()
stackless.set_channel_callback(lambda *args: None)
tasklet(c.send)('fine')
print(c.receive())
stackless.set_channel_callback(None)""",
    "run(timeout)": """
def spin():
    tear(schedule)
    while True:
        pass
run()
tasklet(spin)(); tasklet(lambda: None)()
t = run(10_000_000)
t.kill()
print('fine')""",
    "the end of a tasklet": """
tasklet(lambda: tear(schedule))()
run()
print('fine')""",
    "a select's callback": """
def callback(_value):
    tear(schedule)
    schedule()
    print('fine')
c = channel()
tasklet(c.send)(1)
tasklet(lambda: None)()
select([c.receives(callback)], timeout=9)""",
    "another thread begins": """
thread = threading.Thread(target=lambda: (tasklet(print)('fine'), run()))
thread.start()
thread.join()""",
    "the end of the program": """
def body():
    try:
        channel().receive()
    finally:
        print('fine')
t = tasklet(body)()
schedule()
tasklet(lambda: None)()
tear(schedule)""",
}


@pytest.mark.parametrize("what", NEXT)
def test_the_next_operation_repairs_it(script, what):
    body = "\n".join([PRELUDE, "tasklet(lambda: None)()", "tear(schedule)", NEXT[what]])
    assert script(body).ok() == "fine\n"


@pytest.mark.parametrize("where", ["run()", "schedule()", "channel().receive()"])
@pytest.mark.parametrize("first", ["an old one ends", "a new one begins", "an old one ends, a new one is next"])
def test_another_hub(script, where, first):
    """A second interrupt strikes just when the hub has dealt with one and goes back to its work: it ends, main is told.
    Those that began under it end under the next one."""
    body = f"""
from chanlab import switch
switch.MOST_CRASHES = 0  # the first one is as good then
ch, got = channel(), []
old = [tasklet(lambda n: got.append((n, ch.receive())))(n) for n in range(4)]
run()

def end_hub():
    here.sched.hub.throw(KeyboardInterrupt())

tasklet(end_hub)()
tasklet(got.append)("not at once")  # comes behind main, which is told first
try:
    {where}
except KeyboardInterrupt:
    print("main is told")
switch.MOST_CRASHES = 10
if "next" in "{first}":  # then there is another hub already
    tasklet(lambda: None)()
    run()
if "new" in "{first}":
    tasklet(got.append)("new")
if "{first}" == "a new one begins":
    run()
old[3].kill()
for n in range(3):
    ch.send(n)
run()
tasklet(got.append)("newer")
schedule()
got.remove("not at once")
print(got, [t.alive for t in old], getcurrent() is getmain(), getruncount(), here.sched.hub.dead)
"""
    order = {
        "an old one ends": "(0, 0), (1, 1), (2, 2)",
        "a new one begins": "'new', (0, 0), (1, 1), (2, 2)",
        "an old one ends, a new one is next": "(0, 0), 'new', (1, 1), (2, 2)",
    }[first]
    expected = f"main is told\n[{order}, 'newer'] [False, False, False, False] True 1 False\n"
    assert script(PRELUDE + body).ok() == expected


BELOW_A_DEAD_HUB = """
from chanlab import switch
ch = channel()

def strike(name):
    "SIGINT when the package's function of this name begins."
    def profiler(frame, what, arg):
        if what == "call" and frame.f_code.co_name == name and frame.f_code.co_filename.startswith(PACKAGE):
            setprofile(None)
            os.kill(os.getpid(), signal.SIGINT)
    setprofile(profiler)

def under(f):
    "A tasklet that will call f() when something is sent on ch; the hub under which it has begun ends."
    t = tasklet(lambda: (ch.receive(), f()))()
    run()
    switch.MOST_CRASHES = 0
    tasklet(lambda: here.sched.hub.throw(KeyboardInterrupt()))()
    try:
        run()
    except KeyboardInterrupt:
        switch.MOST_CRASHES = 10
    return t
"""


def test_main_is_itself_although_that_was_interrupted_too(script):
    """The first interrupt strikes at a tasklet's end and reaches main, the second when main makes itself current."""
    body = """
real, left = switch.come_back, [1]
def come_back(sched):  # a signal is handled when a function begins
    if left:
        raise KeyboardInterrupt(left.pop())
    real(sched)

t = under(lambda: strike("end"))
switch.come_back = come_back
try:
    ch.send(1)
except KeyboardInterrupt:
    print("interrupted", left)
tasklet(print)("another one")
run()
print(getcurrent() is getmain(), t.alive, here.sched.busy, getruncount())
"""
    assert script(PRELUDE + BELOW_A_DEAD_HUB + body).ok() == "interrupted []\nanother one\nTrue False False 1\n"


def test_error_of_a_tasklet_whose_end_is_interrupted(script):
    """It is told as one that nobody can be given, not at the end of some other tasklet."""
    body = """
def fails():
    strike("end")
    raise ValueError("mine")

t = under(fails)
sys.unraisablehook = lambda args: print("unraisable", args.exc_value)
try:
    ch.send(1)
except KeyboardInterrupt:
    print("interrupted")
tasklet(print)("another one")
run()
"""
    assert script(PRELUDE + BELOW_A_DEAD_HUB + body).ok() == "unraisable mine\ninterrupted\nanother one\n"


def test_handler_while_an_operation_waits_for_the_lock(script):
    """It is refused.  Else it would give the lock back for the operation, which then would keep it for ever."""
    body = """
from chanlab import threads
from gochan import chan
c, main, sched, handled, seen = chan(5), threading.get_ident(), here.sched, threading.Event(), []
threading.Thread(target=getmain).start()
assert soon(lambda: threads.many)

def handler(*_):
    handled.set()
    try:
        c.send("handler")
        seen.append("served")
    except RuntimeError:
        seen.append("refused")

def other():
    with threads.LOCK:
        locked.set()
        assert soon(lambda: sched.locked)
        signal.pthread_kill(main, signal.SIGUSR1)
        handled.wait()
    assert soon(lambda: over.is_set())
    seen.append(threads.LOCK.acquire(timeout=20))

signal.signal(signal.SIGUSR1, handler)
locked, over = threading.Event(), threading.Event()
thread = threading.Thread(target=other, daemon=True)
thread.start()
locked.wait()
c.send("main")
over.set()
thread.join()
print(seen, sched.locked, len(c))
"""
    assert script(PRELUDE + body).ok() == "['refused', True] 0 1\n"


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="greenlet copies the red zones on the stack of C's select()")
def test_an_operation_that_waits_in_a_greenlet_is_no_leftover(script):
    """Its stack is not the one that asks: nobody but the flag can tell."""
    body = """
c = channel()
c.preference = 0
got = []
for _ in range(2):
    tasklet(lambda: got.append(c.receive()))()
    schedule()

def compute():
    g.parent.switch()
    return 42

g = greenlet.greenlet(lambda: select([c.sendCase(late(compute))]))
g.switch()
try:
    c.send("lost")
except RuntimeError as error:
    print("in the middle of a switch" in str(error))
g.switch()
run()
c.send("received")
run()
print(got)
"""
    assert script(PRELUDE + body).ok() == "True\n[42, 'received']\n"


@pytest.mark.parametrize("second", [None, "_land"])
def test_the_peer_in_another_thread_is_woken(script, second):
    """The interrupt strikes between its entry into its ring and the call that wakes its thread."""
    body = f"""
c, d, got = channel(), channel(), []
def other():
    got.append(c.receive())
    got.append(d.receive())
threading.Thread(target=other).start()
assert soon(lambda: c.balance == -1)
tear(lambda: c.send("c"), "wake", {second!r})
schedule()
assert soon(lambda: d.balance == -1)
d.send("d")
assert soon(lambda: len(got) == 2)
print(got)
"""
    assert script(PRELUDE + body).ok() == "['c', 'd']\n"
