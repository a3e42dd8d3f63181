"""A signal handler that uses what it interrupts, wherever CPython may run it: it is served or refused, and nobody waits in
vain.

A profile function calls the handler at the n-th moment at which CPython handles signals, for n = 1, 2, 3, ..., in the
package or in the standard library below it, each time in a process of its own.  The handler does what the program is
just doing, and lets a tasklet run that does it, too: a lock that is held there would never be free.  It may be refused
only in the middle of an operation.

While the profile function is on the core in C hands everything to its Python twins, as in test_interrupt.py.
"""

import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="fork")

HARNESS = """
import faulthandler, gc, os, sys, traceback
setprofile = sys.setprofile  # stackless replaces it by one that hides the package's frames
import asyncio, socket
import stackless
from chanlab.sched import here
from gochan import after, chan, go, nil, tick
from select_proto import DEFAULT, TIMEOUT, Selector, late, select
from stackless import channel, run, schedule, sleep, tasklet
from waits import in_thread, readable, result, writable

{before}

def use(x):
{use}

where, got, expected, unraisable = None, [], [0], []  # every use(x) that is not refused must return x

def handler():
    if here.sched.operates():
        try:
            use(1)
        except RuntimeError as refused:
            assert "middle of a switch" in str(refused), refused
        else:
            raise AssertionError("an operation has begun inside another one")
    else:
        expected.extend((1, 2))
        over = chan(1)
        go(lambda: over.send(use(1)))
        schedule()
        got.append(use(2))
        got.append(over.receive())

def child(at):
    "The handler strikes at the n-th moment.  What is wrong then; None when there is no such moment."
    points = 0

    def profiler(frame, event, arg):
        nonlocal points
        global where
        if event in ("call", "c_return") and where is None:
            points += 1
            if points == at:
                where = f"{{frame.f_code.co_filename}}:{{frame.f_lineno}}"
                setprofile(None)
                try:
                    handler()
                except BaseException as error:  # whatever it strikes shall not be torn apart by that
                    got.append(error)

    sys.unraisablehook = lambda args: unraisable.append(args.exc_value)
    gc.disable()  # inside the collector's callbacks nobody may switch
    setprofile(profiler)
    try:
        got.append(use(0))
    finally:
        setprofile(None)
    run()
    if where is None:
        return None
    sched = here.sched
    left = sched.busy or sched.locked or sched.runs or stackless.getruncount() != 1 or unraisable
    return [where, got, unraisable] if left or sorted(got, key=repr) != expected else []

def forked(at):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(10, exit=True)  # for one that hangs; nothing is measured
        try:
            came = repr(child(at))
        except BaseException:
            came = traceback.format_exc()
        os.write(writing, came[-4000:].encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as came:
        text = came.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return text if code == 0 else f"exit code {{code}}"

at, broken = 1, 0
while broken < 3 and (came := forked(at)) != "None":
    if came != "[]":
        print(at, came)
        broken += 1
    at += 1
print("points:", at - 1)
sys.exit(bool(broken))
"""

#: name: (what is done; it returns x), or (that, what comes before)
USES = {
    "in_thread": ("return in_thread(int, x).receive()",),
    "more work than threads": (
        "a, b = in_thread(int, x), in_thread(int, x); return (a.receive() + b.receive()) // 2",
        "import waits; waits.Pool.MOST = 1",
    ),
    "thread in a select": ("return select([chan().receiveCase(), in_thread(int, x).receiveCase()]).value",),
    "coroutine": ("return result(comes(x)).receive()", "async def comes(x): return x"),
    "sleep": ("sleep(1e-5); return x",),
    "timeout": ("assert select([chan().receiveCase()], timeout=1e-5) is TIMEOUT; return x",),
    "after": ("after(1e-5).receive(); return x",),
    "many timers": (
        "kept = [after(3600) for _ in range(8)]; after(1e-5).receive(); return x",
        "for _ in range(60): after(3600)  # who keeps none: the heap is swept",
    ),
    "tick": ("t = tick(1e-5); t.receive(); t.receive(); return x",),
    "readable": ("a, b = socket.socketpair(); b.send(b'!'); assert readable(a).receive() is a; return x",),
    "readable later": (
        """
        a, b = socket.socketpair()
        go(lambda: b.send(b'!'))
        assert select([readable(a).receiveCase()]).value is a
        return x
        """,
    ),
    "writable": ("a, b = socket.socketpair(); assert writable(a).receive() is a; return x",),
    "channel": ("c = channel(); tasklet(c.send)(x); return c.receive()",),
    "go": ("c = chan(1); go(lambda: (c.send(x), c.close())); return list(c)[0]",),
    "select": (
        """
        c, d = channel(), chan()
        go(lambda: select([c.sendCase(late(lambda: x)), d.receiveCase()]))
        return select([c.receiveCase(), d.receiveCase()]).value
        """,
    ),
    "Selector": (
        """
        c = chan(1)
        s = Selector([c.sendCase(x), nil.receiveCase()])
        s.select()
        assert s.select(default=True) is DEFAULT and s.pri_select(timeout=1e-5) is TIMEOUT
        return c.receive()
        """,
    ),
    "run": ("done = []; tasklet(done.append)(x); run(); return done[0]",),
    "run with a timeout": ("done = []; tasklet(done.append)(x); run(10**6); return done[0]",),
    "run with a timeout that is soon over": (
        """
        done = []
        tasklet(done.append)(x)
        while not done:
            late = run(1)
            if late is not None:
                late.insert()
        return done[0]
        """,
    ),
    "kill": ("t = tasklet(chan().receive)(); schedule(); t.kill(); return x",),
}


@pytest.mark.parametrize("name", USES)
def test_handler_that_uses_what_it_interrupts(script, name):
    use, before = (*USES[name], "")[:2]
    ended = script(HARNESS.format(before=before, use=textwrap.indent(textwrap.dedent(use), "    ")))
    assert ended.returncode == 0, f"point, where, what came of it:\n{ended.stdout[-2500:]}{ended.stderr[-2500:]}"
    assert int(ended.stdout.split()[-1]) >= 10
