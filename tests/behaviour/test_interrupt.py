"""A signal handler that raises, wherever CPython may run it inside the core: nothing is half done.

CPython handles signals when a function begins and when a C function returns. A profile function sends the process a
SIGINT at the n-th such moment inside the package, for n = 1, 2, 3, ...; the KeyboardInterrupt may come out anywhere in
the program, but afterwards the scheduler must be in order, and no value lost but one that was just being received.

The profile function must see the package's own frames, which is why the script takes sys.setprofile() before stackless
replaces it.  While it is on the core in C hands everything to its Python twins, so that these are tested on the data in C.

A second interrupt may strike while recover() repairs what the first has left: a trace function (a profile function that
raises is taken off) sends it when the k-th function begins there.  Then the next operation repairs the rest.
"""

import os
import sys

import pytest

FULL = os.environ.get("CHANLAB_FULL") == "1"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PRELUDE = """
import os, signal, sys, time
setprofile, settrace = sys.setprofile, sys.settrace  # stackless replaces them by some that hide the package's frames
import stackless
from chanlab.sched import here
from gochan import ClosedError, after, chan, nil, tick
from select_proto import Selector, TIMEOUT, pri_select, select
from waits import in_thread, readable
from stackless import channel, getcurrent, getmain, getruncount, run, schedule, schedule_remove, sleep, tasklet

PACKAGE = os.path.dirname(os.path.abspath(stackless.__file__)) + os.sep
made, victims, channels, unraisable = [], [], [], []
begun, sent, got, torn = [], [], [], []  # the values of Go channels; the receives that were interrupted
at, points, fired = 0, 0, False
twice = "twice" in sys.argv
again, struck = 1, False  # when to interrupt the repair, and whether that was done
calls, armed = 0, True

def profiler(frame, event, arg):
    global points, fired
    if event in ("call", "c_return") and armed and not fired and frame.f_code.co_filename.startswith(PACKAGE):
        points += 1
        if points == at:
            fired = True
            setprofile(None)
            os.kill(os.getpid(), signal.SIGINT)

def repairs(frame):
    while frame is not None and frame.f_code.co_name != "recover":
        frame = frame.f_back
    return frame is not None

def tracer(frame, event, arg):
    global calls, struck
    if fired and armed and not struck and frame.f_code.co_filename.startswith(PACKAGE) and repairs(frame):
        calls += 1
        if calls == again:
            struck = True
            settrace(None)
            os.kill(os.getpid(), signal.SIGINT)

def profiled(f, *args, **kwargs):
    setprofile(profiler)
    if twice:
        settrace(tracer)
    return f(*args, **kwargs)

def spawn(f, *args, **kwargs):
    made.append(tasklet(profiled)(f, *args, **kwargs))
    return made[-1]

def new(kind, *args):
    channels.append(kind(*args))
    return channels[-1]

def put(c, value):
    begun.append(value)
    try:
        c.send(value)
    except ClosedError:
        return
    sent.append(value)

def take(c):
    try:
        value, ok = c.receive_ok()
    except KeyboardInterrupt:
        torn.append(c)
        raise
    if ok:
        got.append(value)

def take_all(c):
    try:
        for value in c:
            got.append(value)
    except KeyboardInterrupt:
        torn.append(c)
        raise

def choose(select, *cases, **options):
    begun.extend(c.value for c in cases if c.direction > 0)
    try:
        chosen = select(cases, **options) if cases else select(**options)
    except ClosedError:
        return
    except KeyboardInterrupt:
        torn.append(select)
        raise
    if chosen is not TIMEOUT and chosen.ok:
        (got if chosen.direction < 0 else sent).append(chosen.value)

def finish():
    "What must happen for the program to go on, should the interrupt have kept it from happening."

class Dies:
    def __init__(self, f):
        self.f = f
    def __del__(self):
        self.f()
"""

CHECKS = """
def attempt():
    global points
    points = 0  # of what was spawned before
    try:
        profiled(program)
    except (KeyboardInterrupt, ValueError):  # the one thrown at the victim, which is nobody's
        pass
    finally:
        setprofile(None)
        settrace(None)

def in_order(sched):
    assert getcurrent() is getmain(), "main is not current"
    assert not sched.busy and not sched.locked and sched.moving is None, "an operation has not ended"
    assert not sched.runs, "somebody is inside run() still"

def run_on():
    for _ in range(5):
        try:
            run()
        except (KeyboardInterrupt, ValueError):  # which came to its turn only now
            pass

def nobody_waits_in_vain():
    for t in made:
        assert not t.alive or t.blocked, f"stranded: {t}"
    for c in channels:
        senders, receivers = len(c._senders), len(c._receivers)
        assert not (senders and receivers), c
        if isinstance(c, chan):
            assert not ((senders or receivers) and c._closing), c
            assert not (senders and len(c) < c.cap), c
            assert not (receivers and len(c)), c

def no_value_is_lost_or_doubled():
    there = got + [value for c in channels if isinstance(c, chan) for value in c._buffer]
    assert len(set(there)) == len(there), f"doubled: {there}"
    assert set(there) <= set(begun), f"out of thin air: {there}"
    lost = set(sent) - set(there)
    assert len(lost) <= len(torn), f"lost: {lost}"

def it_works():
    global armed
    armed = False
    for t in made + victims:
        t.kill()
        assert not t.alive, t
    received = []
    tasklet(received.append)("works")
    schedule()
    assert received == ["works"], received
    for fresh in channel(), chan():
        tasklet(fresh.send)("too")
        assert fresh.receive() == "too"
    sleep(1e-6)
    assert getruncount() == 1, "somebody is left in the ring"

def child():
    sys.unraisablehook = lambda args: args.exc_type is KeyboardInterrupt or unraisable.append(repr(args.exc_value))
    signal.alarm(10)  # for one that hangs; nothing is measured
    attempt()
    if not struck:  # else the next operation sees to that
        in_order(here.sched)
    finish()
    run_on()
    in_order(here.sched)
    assert getruncount() == 1, "somebody is left in the ring"
    nobody_waits_in_vain()
    no_value_is_lost_or_doubled()
    it_works()
    assert not unraisable, unraisable

def forked():
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        child()
        code = 7 if not fired else 8 if twice and not struck else 0
    except BaseException as error:
        print(at, again if twice else "", type(error).__name__, error, flush=True)
    finally:
        os._exit(code)

broken = 0
at = 1
while broken < 10:
    code = forked()
    if code == 7:
        break
    if code == 8:  # the repair was over before that
        at, again = at + int(sys.argv[2]), 1
        continue
    if twice:
        again += 1
    else:
        at += 1
    broken += code != 0
    if code < 0:
        print(at, "crashed or hung", code, flush=True)
        break
print("points:", at - 1)
sys.exit(bool(broken))
"""

VICTIM = """
victim = tasklet(lambda: schedule_remove(None))()
run()
victims.append(victim)
"""

#: name: (the program, what happens before the signals)
PROGRAMS = {
    "schedule": ("spawn(schedule); spawn(schedule); run()", ""),
    "make": ("t = tasklet(lambda: None); t.bind(lambda: None, ()); t.insert(); t.remove(); t.run()", ""),
    "send": ("spawn(ch.send, 1); ch.receive()", ""),
    "receive": ("spawn(ch.receive); spawn(ch.receive); ch.send(1); ch.send(2)", ""),
    "select": (
        "spawn(select, [ch.receiveCase(), other.sendCase(1)]); schedule(); other.receive()",
        "",
    ),
    "kill": ("victim.kill(); spawn(schedule).kill()", VICTIM),
    "throw": ("victim.throw(ValueError)", VICTIM),
    "nested": ("spawn(lambda: (spawn(schedule), run())); run()", ""),
    "go": ("spawn(put, c, 1); take(c); spawn(take, c); put(c, 2); run()", "c = new(chan)"),
    "go, buffered": (
        "spawn(lambda: [put(c, i) for i in range(4)]); take(c); take(c); take(c); take(c)",
        "c = new(chan, 1)",
    ),
    "go, full": (
        "take(c); take(c); take(c); run()",
        "c = new(chan, 2)\nfor i in range(4): spawn(put, c, i)\nrun()",
    ),
    "go, full of selects": (
        "choose(select, c.receiveCase(), nil.receiveCase()); take(c); run()",
        "c, d = new(chan, 1), new(chan, 1)\n"
        "for i in range(3): spawn(choose, select, c.sendCase(i), d.sendCase(10 + i))\nrun()",
    ),
    "close": (
        "c.close(); run()",
        "c = new(chan)\nfor i in range(3): spawn(take, c)\nspawn(choose, select, c.receiveCase())\nrun()",
    ),
    "close, senders": (
        "c.close(); run()",
        "c = new(chan, 1)\nfor i in range(4): spawn(put, c, i)\nrun()",
    ),
    "range": ("spawn(lambda: [put(c, i) for i in range(3)] and c.close()); take_all(c)", "c = new(chan, 1)"),
    "selector": (
        "spawn(take, c); choose(s.select); spawn(put, d, 2); choose(s.select); choose(s.pri_select, timeout=0)",
        "c, d = new(chan), new(chan)\ns = Selector([c.sendCase(1), d.receiveCase()])\nbegun.append(1)",
    ),
    "sleep": ("spawn(sleep, 1e-5); spawn(sleep, 1e-6); sleep(2e-5); run()", ""),
    "timeout": (
        "spawn(choose, select, ch.receiveCase(), timeout=1e-6); select([other.receiveCase()], timeout=1e-5); run()",
        "",
    ),
    "after": ("spawn(after(1e-6).receive); select([after(1e-5).receiveCase(), ch.receiveCase()]); run()", ""),
    "tick": ("t = tick(1e-5); spawn(t.receive); t.receive(); run()", ""),
    "descriptor": (
        "spawn(readable(there).receive); spawn(readable(there).receive); spawn(os.write, end, b'!'); run()",
        "there, end = os.pipe()\ndef finish(): os.write(end, b'!')",
    ),
    "in_thread": (
        "in_thread(int).receive(); select([in_thread(int).receiveCase()])",
        "from chanlab import threads\ndef finish():\n    while threads.queued: time.sleep(1e-3)",
    ),
    "argument": ("spawn(lambda r: None, Dies(c.close)); spawn(take, c); run()", "c = new(chan)"),
}


@pytest.mark.parametrize("times", ["once", "twice"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_interrupted_anywhere(script, name, times):
    program, before = PROGRAMS[name]
    body = "\n".join(["ch, other = new(channel), new(channel)", before, "def program():", f"    {program}"])
    step = 1 if FULL else 5  # the second interrupt multiplies the cases
    ended = script("\n".join([PRELUDE, body, CHECKS]), times, str(step))
    assert ended.returncode == 0, f"point, what came of it:\n{ended.stdout[-1500:]}{ended.stderr[-1500:]}"
    points = int(ended.stdout.split()[-1])
    assert points >= 10, f"only {points} signals were sent: the profile function does not see the package's frames"


def test_handler_that_uses_channels_while_its_thread_waits(script):
    """It is refused: its tasklet is half parked.  Nothing is lost."""
    ended = script(
        """
        import signal, stackless, threading
        ch = stackless.channel()
        waiting = threading.Event()
        def handler(*args):
            try:
                ch.send("from the handler")
            except RuntimeError:
                waiting.set()
        signal.signal(signal.SIGALRM, handler)
        def other():
            waiting.wait()
            ch.send("from the thread")
        threading.Thread(target=other).start()
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.05)
        try:
            print(ch.receive())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        """
    )
    assert ended.ok() == "from the thread\n"
