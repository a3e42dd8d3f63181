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
@pytest.mark.parametrize("first", ["an old one ends", "a new one begins"])
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
if "{first}" == "a new one begins":
    tasklet(got.append)("new")
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
    new = "'new', " if first == "a new one begins" else ""
    values = "(0, 0), (1, 1), (2, 2)"
    expected = f"main is told\n[{new}{values}, 'newer'] [False, False, False, False] True 1 False\n"
    assert script(PRELUDE + body).ok() == expected


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
