"""Time, descriptors and threads under siege: signals, forks, kills at whatever waits, many threads at once.

Each program runs in a process of its own.  CHANLAB_FULL=1 makes them long.
"""

import os
import sys

import pytest

FULL = os.environ.get("CHANLAB_FULL") == "1"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, fork")

# -- killed and thrown at, wherever one waits ------------------------------------------------------------------------------

#: What a tasklet waits in: none of these comes to an end by itself.
WAITS = {
    "sleep": "stackless.sleep(3600)",
    "sleep for ever": "stackless.sleep(math.inf)",
    "timeout": "select([c.receiveCase(), g.sendCase(1), full.sendCase(2)], timeout=3600)",
    "Selector": "Selector([[c.receiveCase()], None, g.receiveCase()]).pri_select(timeout=3600)",
    "readable": "readable(there).receive()",
    "readable twice": "select([readable(there).receiveCase(), readable(there).receiveCase(), c.receiveCase()])",
    "both ways": "select([readable(there).receiveCase(), writable(there).receiveCase()])",
    "writable": "writable(there).receive()",
    "result": "result(future).receive()",
    "result or": "select([result(future).receiveCase(), c.receiveCase()], timeout=3600)",
    "after": "after(3600).receive()",
    "tick": "tick(3600).receive()",
    "after in a select": "select([after(3600).receiveCase(), tick(3600).receiveCase(), g.receiveCase()])",
    "buffered send": "full.send(2)",
    "send": "g.send(1)",
    "receive": "g.receive()",
    "receive_ok": "g.receive_ok()",
    "range": "list(g)",
    "nil": "nil.receive()",
    "no case": "select([])",
    "send_exception": "g.send_exception(KeyError)",
    "send_sequence": "full.send_sequence([1, 2])",
    "late": "select([g.sendCase(late(print))])",
    "in_thread": "in_thread(stop.wait).receive()",
    "coroutine": "result(asyncio.sleep(3600)).receive()",  # ends with its thread, which is a daemon
}

KILLED = """
    import asyncio, concurrent.futures, gc, math, socket, threading
    import stackless
    from chanlab.sched import here
    from gochan import after, chan, go, nil, tick
    from select_proto import Selector, late, select
    from waits import in_thread, readable, result, writable

    WAITS = {waits!r}
    stop = threading.Event()
    class Thrown(Exception): pass

    def hit(how, t):
        if how == "kill": t.kill()
        elif how == "pending kill": t.kill(pending=True)
        elif how == "throw": t.throw(Thrown)
        elif how == "pending throw": t.throw(Thrown, pending=True)
        elif how == "kill before it begins": t.kill()
        elif how == "raise_exception": t.raise_exception(Thrown)

    def attempt(what, how):
        here_, there = socket.socketpair()
        here_.setblocking(False)
        there.setblocking(False)
        if what in ("both ways", "writable"):
            try:
                while there.send(b"x" * 65536): pass
            except BlockingIOError: pass
        c, g, full = stackless.channel(), chan(), chan(1)
        full.send(0)
        future = concurrent.futures.Future()
        names = dict(globals(), **locals())
        log = []
        def life():
            try:
                exec(WAITS[what], names)
                log.append("came to an end")
            except Thrown:
                log.append("caught")
            finally:
                if how != "forget":  # who is forgotten is killed again until he is dead
                    stackless.schedule()
                log.append("finally")
        t = go(life)
        began = how != "kill before it begins"
        if began:
            t.run()
            assert t.blocked, "it does not wait"
        if how == "forget":
            del t
            names.clear()
            gc.collect()
            if not log:  # others, such as the clock, know it: it is not forgotten
                for t in here.sched.started.tasks():
                    if t is not stackless.getcurrent() and t is not stackless.getmain(): t.kill()
            stackless.run()
        else:
            hit(how, t)
            stackless.run()
            assert not t.alive and not t.blocked, "it lives"
        caught = ["caught"] if how in ("throw", "pending throw", "raise_exception") else []
        assert log == (caught + ["finally"] if began else []), log
        own = here.sched.clock
        assert not own.awaited(), "the clock is awaited"
        assert (c.balance, g.balance, full.balance, nil.balance) == (0, 0, 0, 0), "somebody waits"
        assert stackless.getruncount() == 1 and len(full) == 1
        stackless.run()  # nothing keeps it
        if what not in ("in_thread", "coroutine"):  # else a thread works, which may use channels: that is no deadlock
            try:
                stackless.channel().receive()
            except RuntimeError as error:
                assert "Deadlock" in str(error), error
        here_.send(b"late")  # what nobody waits for any more does no harm
        future.set_result(1)
        stackless.sleep(0.0001)
        here_.close()
        there.close()

    stackless.sleep(0.0001)  # there is a clock
    wrong = 0
    HOWS = ("kill", "pending kill", "throw", "pending throw", "raise_exception", "kill before it begins", "forget")
    for what in WAITS:
        for how in HOWS:
            stop.clear()
            try:
                attempt(what, how)
            except BaseException as error:
                wrong += 1
                print(what, "|", how, "|", type(error).__name__, error)
            stop.set()
    print("wrong:", wrong)
"""


def test_killed_wherever_it_waits(script):
    out = script(KILLED.replace("{waits!r}", repr(WAITS))).ok()
    assert out == "wrong: 0\n"


# -- several OS threads ----------------------------------------------------------------------------------------------------

MESH = """
    import itertools, random, sys, threading
    import stackless
    from gochan import after, chan, go
    from select_proto import DEFAULT, TIMEOUT, Selector, select
    from waits import in_thread

    values, violent = int(sys.argv[1]), sys.argv[2] == "violent"
    THREADS, MAKERS, TAKERS = 4, 3, 3
    class Thrown(Exception): pass

    channels = [stackless.channel(), stackless.channel(), chan(), chan(1), chan(7)]
    channels[1].preference = 1
    todo = list(range(values))  # list.pop() and append() are one step for all threads
    done, unsure, got, hits, results, jobs, wrong = [], [], [], [], [], [], []
    numbers, selects = itertools.count(), [0] * THREADS
    sys.setswitchinterval(1e-5)

    def job(n):
        jobs.append(n)
        return n

    class Party:
        def __init__(self, number):
            self.number, self.draw, self.victims, self.over = number, random.Random(number), [], False

        def some(self):
            return self.draw.sample(channels, self.draw.randint(1, len(channels)))

        def wish(self):
            chance = self.draw.random()
            if chance < 0.1:
                return dict(default=True)
            return dict(timeout=self.draw.choice((0, 0.0002, 0.001, 0.01)))

        def select(self, cases):
            selects[self.number] += 1
            result = select(cases, **self.wish())
            marked = [c for c in cases if c.ok is not None]
            if marked != ([] if result is DEFAULT or result is TIMEOUT else [result]):
                wrong.append(f"{result}, marked are {marked}")
            return result

        def maker(self):
            while todo:
                try:
                    value = todo.pop()
                except IndexError:
                    break
                cases = [ch.sendCase(value) for ch in self.some()]
                while True:
                    try:
                        result = self.select(cases)
                    except Thrown:
                        unsure.append(value)
                        break
                    if result is not DEFAULT and result is not TIMEOUT:
                        done.append(value)
                        break
                    stackless.schedule()

        def taker(self):
            while not self.over:
                cases = [ch.receiveCase() for ch in self.some()]
                number = None
                if self.draw.random() < 0.3:
                    number = next(numbers)
                    cases.append(in_thread(job, number).receiveCase())
                if self.draw.random() < 0.1:
                    cases.append(after(0.0005).receiveCase())
                try:
                    result = self.select(cases)
                except Thrown:
                    hits.append(1)
                    continue
                if result is DEFAULT or result is TIMEOUT:
                    stackless.schedule()
                elif result.channel in channels:
                    got.append(result.value)
                elif type(result.value) is int:
                    results.append(result.value)
                    if result.value != number:
                        wrong.append(f"the result of {number} is {result.value}")

        def trouble(self):
            while not self.over:
                blocked = [t for t in self.victims if t.blocked]
                if blocked:
                    self.draw.choice(blocked).throw(Thrown, pending=self.draw.random() < 0.5)
                stackless.sleep(0.001)

        def live(self):
            makers = [go(self.maker) for _ in range(MAKERS)]
            takers = [go(self.taker) for _ in range(TAKERS)]
            self.victims = makers + takers
            if violent:
                go(self.trouble)
            while any(t.alive for t in makers):
                stackless.sleep(0.001)
            barrier[self.number] = True
            # Others may still send; and what they have sent must be taken.
            while not all(barrier) or any(map(len, channels[2:])):
                stackless.sleep(0.001)
            self.over = True
            stackless.run()
            if stackless.getruncount() != 1:
                wrong.append("somebody is left")

    barrier = [False] * THREADS
    threads = [threading.Thread(target=Party(n).live) for n in range(THREADS)]
    for t in threads: t.start()
    for t in threads: t.join()

    if len(got) != len(set(got)): wrong.append("received twice")
    if not set(done) <= set(got) and len(set(done) - set(got)) > len(hits): wrong.append("lost")
    if not set(got) <= set(done) | set(unsure): wrong.append("received, but not sent")
    if sorted(done + unsure) != list(range(values)): wrong.append("the makers")
    if not violent and sorted(got) != list(range(values)): wrong.append("not all arrived")
    if len(results) != len(set(results)) or not set(results) <= set(jobs) or len(set(jobs)) < len(jobs): wrong.append("results")
    if any((ch.balance, len(ch._senders), len(ch._receivers)) != (0, 0, 0) for ch in channels): wrong.append("waiters")
    print("wrong:", wrong[:5])
    print(sum(selects), len(hits), len(results))
"""


@pytest.mark.parametrize("manner", ["peaceful", "violent"])
def test_selects_of_several_threads(script, manner):
    out = script(MESH, str(80_000 if FULL else 1_500), manner).ok()
    assert out.startswith("wrong: []\n"), out
    selects = int(out.split()[2])
    assert selects >= (160_000 if FULL else 1_500)


# -- fork ------------------------------------------------------------------------------------------------------------------

FORKS = """
    import asyncio, os, random, socket, sys, threading, traceback
    import stackless
    from chanlab.sched import here
    from gochan import after, chan, go, tick
    from select_proto import TIMEOUT, select
    from waits import in_thread, readable, result, writable

    draw = random.Random(int(sys.argv[1]))
    forks = int(sys.argv[2])
    log, children, is_child = [], [], False

    # Another thread of the parent, which waits in a selector of its own while the forks happen.
    asked, answered = stackless.channel(), chan(1)
    stop = threading.Event()
    def other_thread():
        mine, _other = socket.socketpair()
        go(lambda: answered.send(select([asked.receiveCase(), readable(mine).receiveCase()]).value))
        go(lambda: select([chan().receiveCase()], timeout=0.001))
        stackless.run()
        stop.wait()  # or a child that asks would be told that the thread is gone
    thread = threading.Thread(target=other_thread)
    thread.start()
    while not asked.balance:
        stackless.sleep(0.0005)

    pairs = [socket.socketpair() for _ in range(5)]
    never = in_thread(stop.wait)

    def sleeper(n):
        for _ in range(3):
            stackless.sleep(draw.random() / 300)
        log.append(f"slept {n}")

    def reader(n, sock):
        if select([readable(sock).receiveCase(), chan().receiveCase(), asked.sendCase("no").when(False)]).value is sock:
            log.append(f"read {n}")

    def choosy(n):
        c = chan()
        while select([c.receiveCase(), after(30).receiveCase()], timeout=draw.random() / 300) is not TIMEOUT:
            pass
        log.append(f"timeout {n}")

    def ticker(n):
        t = tick(0.001)
        t.receive(), t.receive()
        log.append(f"ticked {n}")

    def waiter():
        never.receive()
        log.append("the thread has stopped")

    EXPECTED = sorted(f"{what} {n}" for n in range(5) for what in ("slept", "read", "timeout", "ticked"))

    def check_child():
        # The descriptors that it waits for are its own copies; whoever is killed must not be forgotten by the parent.
        stackless.run()
        for t in readers:
            t.kill()
        for n, (a, b) in enumerate(pairs):
            a.close(); b.close()
            log.append(f"read {n}")
        assert sorted(log) == EXPECTED, sorted(log)
        assert asked.balance == 0, "the tasklet of a thread that does not exist here waits"
        assert select([asked.sendCase("nobody")], timeout=0.001) is TIMEOUT
        lost.kill()
        assert in_thread(pow, 2, 5).receive() == 32
        assert result(asyncio.sleep(0.001, "awake")).receive() == "awake"
        a, b = socket.socketpair()
        go(lambda: (stackless.sleep(0.001), a.send(b"x")))
        assert select([readable(b).receiveCase()], timeout=20).value is b
        stackless.run()
        assert not here.sched.clock.awaited() and stackless.getruncount() == 1

    def forker():
        global is_child
        for _ in range(forks):
            stackless.sleep(draw.random() / 1000)
            pid = os.fork()
            if pid == 0:
                is_child = True
                return
            children.append(pid)

    for n in range(5):
        go(sleeper, n); go(choosy, n); go(ticker, n)
    readers = [go(reader, n, pairs[n][1]) for n in range(5)]
    lost = go(waiter)
    stackless.schedule()
    forking = go(forker)
    while forking.alive:
        stackless.sleep(0.0005)
    if is_child:
        code = 1
        try:
            # Nobody brings the result of a thread that is not there: this must not keep run() waiting, but those who
            # wait for a descriptor do.
            for t in readers:
                t.kill()
            check_child()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    for a, b in pairs:
        a.send(b"x")
    stop.set()
    stackless.run()
    assert sorted(log) == sorted([*EXPECTED, "the thread has stopped"]), sorted(log)
    asked.send("question")
    print(codes.count(0) == forks, answered.receive())
    thread.join()
"""


def test_forks_while_all_wait(script):
    for seed in range(20 if FULL else 2):
        ended = script(
            FORKS,
            str(seed),
            "20" if FULL else "4",
            options=("-W", "ignore::DeprecationWarning"),  # forking while there are threads
        )
        assert ended.ok() == "True question\n"


# -- signals ---------------------------------------------------------------------------------------------------------------

SIGNALS = """
    import random, signal, socket, sys, time
    import stackless
    from chanlab import OWN_FILES
    from chanlab.sched import here
    from gochan import after, chan, go, tick
    from select_proto import DEFAULT, TIMEOUT, select
    from waits import in_thread, readable, writable

    draw, wanted, raises = random.Random(int(sys.argv[1])), int(sys.argv[2]), sys.argv[3] == "raises"
    class Signalled(Exception): pass

    g, buffer, s, side = chan(), chan(2), stackless.channel(), chan(3)
    pairs = [socket.socketpair() for _ in range(4)]
    for pair in pairs:
        for end in pair:
            end.setblocking(False)
    signals = refused = 0

    def handler(_number, frame):
        global signals, refused
        signals += 1
        if raises:
            # Anywhere in the package, but not in the standard library: its locks are not made for this.
            if frame.f_code.co_filename.startswith(OWN_FILES) and signals < wanted:
                raise Signalled
            return
        try:
            match signals % 7:
                case 0: select([side.sendCase(signals)], default=True)
                case 1: select([side.receiveCase(), buffer.receiveCase()], default=True)
                case 2: stackless.schedule()
                case 3: go(lambda: select([g.receiveCase()], timeout=0.001))
                case 4: stackless.sleep(0.0001)
                case 5: select([s.receiveCase(), g.sendCase("h")], timeout=0.0005)
                case 6: after(0.001)
        except RuntimeError:
            refused += 1  # in the middle of an operation

    def one():
        chance = draw.random()
        if chance < 0.15:
            stackless.sleep(draw.choice((0.0005, 0.001, 0.002)))
        elif chance < 0.3:
            select([g.receiveCase(), s.sendCase(1), buffer.sendCase(2)], timeout=0.001)
        elif chance < 0.45:
            select([g.sendCase(1), s.receiveCase(), buffer.receiveCase(), after(0.0007).receiveCase()])
        elif chance < 0.6:
            x, y = draw.choice(pairs)
            select([readable(x).receiveCase(), buffer.receiveCase(), writable(y).receiveCase()], timeout=0.002)
        elif chance < 0.7:
            x, y = draw.choice(pairs)
            y.send(b"x")
            readable(x).receive()
            x.recv(100)
        elif chance < 0.8:
            in_thread(time.sleep, 0.0003).receive()
        elif chance < 0.85:
            t = tick(0.0005)
            t.receive(), t.receive()
        elif chance < 0.9:
            select([buffer.sendCase(1)], timeout=0.001)
        elif chance < 0.95:
            select([buffer.receiveCase()], timeout=0.001)
        else:
            stackless.schedule()

    def life():
        while signals < wanted:
            try:
                one()
            except (Signalled, BlockingIOError):
                pass

    sys.unraisablehook = id  # signals in finalizers; a Python function could be interrupted as well
    tasks = [go(life) for _ in range(12)]
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    while signals < wanted:
        try:
            stackless.sleep(0.001)
        except Signalled:
            pass
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    for t in tasks:
        t.kill()
    for _ in range(3):
        for t in here.sched.started.tasks():
            if t is not stackless.getmain(): t.kill()
    stackless.run()
    waiters = [(len(ch._senders), len(ch._receivers)) for ch in (g, buffer, s, side)]
    print(stackless.getruncount(), here.sched.clock.awaited(), waiters == [(0, 0)] * 4, here.sched.runs)
    got = []
    x, y = socket.socketpair()
    y.send(b"k")
    go(lambda: got.append(readable(x).receive() is x))
    go(lambda: got.append(select([chan().receiveCase()], timeout=0.001) is TIMEOUT))
    stackless.run()
    print(got, in_thread(int).receive())
"""


PAIRS = """
    import random, signal, sys
    import stackless
    from chanlab import switch
    from chanlab.sched import here
    from gochan import after, chan
    from select_proto import select
    from stackless import *

    draw, rounds = random.Random(int(sys.argv[1])), int(sys.argv[2])
    class Signalled(Exception): pass
    sched, ch, armed, again = here.sched, channel(), False, False
    sys.unraisablehook = id  # signals in finalizers; a Python function could be interrupted as well

    def handler(*_):
        global again
        if again:
            again = False
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-6, 6e-5))
        if armed:
            raise Signalled

    def work():
        while draw.random() > 0.2:
            try:
                match draw.randrange(6):
                    case 0: ch.receive()
                    case 1: schedule()
                    case 2: tasklet(schedule)()
                    case 3: select([ch.receiveCase()], timeout=1e-5)
                    case 4: after(1e-5).receive()
                    case 5: sleep(1e-5)
            except Signalled:
                pass

    def use():
        for _ in range(10):
            for _ in range(draw.randrange(4)):
                tasklet(work)()
            match draw.randrange(6):
                case 0: schedule()
                case 1 if ch.balance < 0: ch.send(1)
                case 2: run()
                case 3: after(1e-5).receive()
                case 4: select([chan().receiveCase()], timeout=1e-5)
                case 5: sleep(1e-5)

    signal.signal(signal.SIGALRM, handler)
    for number in range(rounds):
        try:
            armed = again = True
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-6, 2.5e-4))
            use()
        except Signalled:
            pass
        armed = again = False
        schedule()  # the next operation, should the second signal have torn the repair apart
        wrong = not (getcurrent() is getmain() and sched.current._greenlet is switch.getcurrent() and sched.runq.head is getmain())
        if wrong or sched.busy or sched.torn or sched.locked or sched.failed or sched.runs:
            print(number, sched.current, sched.runq.head, sched.busy, sched.torn, sched.locked, sched.failed, sched.runs)
            break
        if len(sched.started) > 60:
            for t in sched.started.tasks():
                t.kill()
    for t in sched.started.tasks():
        t.kill()
    run()
    print("well", getruncount(), len(sched.started), ch.balance)
"""


def test_signals_in_pairs(script):
    """Each but a moment after the other, so that the second strikes while the first is dealt with."""
    for seed in range(10 if FULL else 1):
        assert script(PAIRS, str(seed), "4000" if FULL else "400").ok() == "well 1 0 0\n"


@pytest.mark.parametrize("manner", ["uses channels", "raises"])
def test_a_signal_every_millisecond(script, manner):
    for seed in range(10 if FULL else 1):
        out = script(SIGNALS, str(seed), "3000" if FULL else "300", manner).ok()
        assert out == "1 False True []\n[True, True] 0\n"
