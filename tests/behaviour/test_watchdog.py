"""run(timeout): interrupts, slices, soft and total timeouts, threadblock, and everybody else's SIGALRM.

No verdict depends on how long something takes: what is to be interrupted never ends by itself, and what might hang
runs in a script, which has a guard.
"""

import gc
import math
import random
import sys
import threading
import weakref

import pytest
import stackless
from chanlab import watchdog
from chanlab.sched import here
from chanlab.timer import timer
from stackless import atomic, channel, getcurrent, getmain, getruncount, run, schedule, schedule_remove, tasklet

signal = pytest.importorskip("signal")
pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that interrupts")


@pytest.fixture(autouse=True)
def _disarmed():
    """However a run(timeout) ends, nothing of it is left."""
    before = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[1]
    yield
    assert here.sched.watchdog is None
    assert timer.action is None
    assert timer.theirs == math.inf
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[1]) == before


class Spin:
    """Tasklets that run until they are told to stop."""

    def __init__(self):
        self.rounds = 0
        self.over = False

    def __call__(self):
        while not self.over:
            self.rounds += 1


def autoschedule(timeout=100, **options):
    """Run everybody in slices until all have ended.  Returns how many interrupts it took."""
    interrupts = 0
    while getruncount() > 1:
        task = run(timeout, **options)
        if task is not None:
            assert task.paused
            task.insert()
            interrupts += 1
    return interrupts


def in_thread(func):
    got = []
    thread = threading.Thread(target=lambda: got.append(func()))
    thread.start()
    thread.join()
    return got[0]


# -- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [1.5, "1", None])
def test_not_an_int(timeout):
    with pytest.raises(TypeError, match="number of instructions"):
        run(timeout)


def test_negative():
    with pytest.raises(ValueError, match="cannot be -1: 0 means no limit"):
        run(-1)


def test_without_a_timeout_the_flags_mean_nothing():
    log = []
    tasklet(lambda: (schedule(), log.append(1)))()
    assert run(0, True, True, True, True) is None
    assert run(threadblock=True) is None
    assert log == [1]


def test_nobody_to_run():
    assert run(1000) is None
    assert run(1000, soft=True) is None
    assert run(1000, threadblock=True, totaltimeout=True) is None


def test_seconds_per_instruction_can_be_set():
    measured = watchdog.seconds_per_instruction()
    assert measured > 0
    try:
        watchdog.calibrate(1.5)
        assert watchdog.seconds_per_instruction() == 1.5
        for wrong in (0, -1, math.inf, math.nan):
            with pytest.raises(ValueError, match="positive"):
                watchdog.calibrate(wrong)
    finally:
        watchdog.calibrate()
    assert 0 < watchdog.seconds_per_instruction() < 1.5


# -- the interrupt -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [1, 100, 1000, 100_000])
def test_busy_loop_is_interrupted_and_goes_on(timeout):
    spin = Spin()
    t = tasklet(spin)()
    for _ in range(20):
        before = spin.rounds
        assert run(timeout) is t
        assert t.alive
        assert t.paused
        assert (getruncount(), getcurrent()) == (1, getmain())
        assert t.frame.f_code is Spin.__call__.__code__
        t.insert()
        while spin.rounds == before:  # a slice may end within a round, but everybody gets on
            run(timeout).insert()
    spin.over = True
    assert run() is None
    assert not t.alive


def test_interrupted_tasklet_can_be_run():
    spin = Spin()
    t = tasklet(spin)()
    assert run(1000) is t
    spin.over = True
    t.run()
    assert not t.alive


def test_for_loops_a_few_hundred_rounds_long():
    sums = []

    def add():
        total = 0
        for i in range(300):
            total += i
        sums.append(total)

    for _ in range(100):
        tasklet(add)()
    autoschedule(100)
    assert sums == [44850] * 100


def test_one_who_never_gives_way_does_not_keep_the_others_from_running():
    spin = Spin()
    tasklet(spin)()
    tasklet(lambda: setattr(spin, "over", True))()
    assert autoschedule(1000) > 0


def test_the_others_keep_their_places():
    spin, log = Spin(), []
    first = tasklet(spin)()
    others = [tasklet(lambda name=name: (log.append(name), schedule(), log.append(name)))() for name in "abc"]
    assert run(1000) is first
    assert (getmain().next, getmain().prev) == (others[0], others[2])
    assert run(10_000_000_000) is None
    assert "".join(log) == "abcabc"
    first.kill()


def test_value_slot_survives():
    spin = Spin()

    def body():
        getcurrent().tempval = "kept"
        spin()
        return log.append(getcurrent().tempval)

    log = []
    t = tasklet(body)()
    assert run(1000) is t
    spin.over = True
    t.tempval = "thrown away"
    t.run()
    assert log == ["kept"]


def test_generator_comprehension_and_callback():
    over = []

    def numbers():
        i = 0
        while not over:
            yield i
            i += 1

    got = []
    tasklets = [
        tasklet(lambda: got.append(sum(1 for _ in numbers())))(),
        tasklet(lambda: got.append(len([0 for _ in numbers()])))(),
        tasklet(lambda: got.append(sorted([3, 1, 2], key=lambda n: (n, [0 for _ in numbers()])[0])))(),
        tasklet(lambda: got.append(max(map(abs, numbers()), default=0)))(),
    ]
    seen = set()
    while seen != set(tasklets):
        t = run(1000)
        seen.add(t)
        t.insert()
    over.append(1)
    run()
    assert len(got) == 4
    assert [1, 2, 3] in got


def test_with_the_main_tasklet_as_victim():
    """run(timeout) called by a worker interrupts main like any other tasklet."""
    spin, got = Spin(), []

    def runner():
        got.append(run(1000))
        spin.over = True
        got[0].insert()

    tasklet(runner)()
    schedule()
    spin()
    assert got == [getmain()]
    run()


# -- exceptions and ends -------------------------------------------------------------------------------------------------


def test_error_of_a_tasklet():
    def fails():
        raise UserWarning("u")

    spin = Spin()
    t = tasklet(spin)()
    tasklet(fails)().set_atomic(True)
    assert run(1000) is t
    with pytest.raises(UserWarning):
        run(1000)
    t.kill()


def test_exception_thrown_at_the_interrupted():
    begun, caught = [], []

    def body():
        try:
            begun.append(1)
            while True:
                pass
        except KeyError as error:
            caught.append(error.args)
            while True:
                pass

    t = tasklet(body)()
    while not begun:
        assert run(1000) is t
        t.insert()
    assert run(1000) is t
    t.throw(KeyError("k"), pending=True)
    while not caught:
        assert run(1000) is t
        t.insert()
    assert caught == [("k",)]
    t.kill()
    assert not t.alive


def test_killed_and_dropped_tasklets_run_their_finally():
    ended, begun = [], []

    def body(name):
        try:
            begun.append(name)
            while True:
                pass
        finally:
            ended.append(name)

    def interrupted(name):
        t = tasklet(body)(name)
        while name not in begun:
            assert run(1000) is t
            t.insert()
        assert run(1000) is t
        return t

    t = interrupted("killed")
    t.kill()
    assert ended == ["killed"]
    t = interrupted("dropped")
    gone = weakref.ref(t)
    del t
    gc.collect()
    assert ended == ["killed", "dropped"]
    assert gone() is None


def test_no_hidden_references_to_the_interrupted():
    t = tasklet(Spin())()
    assert run(1000) is t
    gc.collect()
    mine = object()
    assert sys.getrefcount(t) == sys.getrefcount(mine)
    t.kill()


def test_kill_of_the_caller():
    spin, ended = Spin(), []

    def runner():
        try:
            run(10_000_000_000)
        finally:
            ended.append(here.sched.watchdog)

    r = tasklet(runner)()
    tasklet(lambda: (r.kill(), setattr(spin, "over", True)))()
    tasklet(spin)()
    run()
    assert ended == [None]


def test_deadlock_inside():
    """The error of a run() that can never go on leaves run(timeout), too."""
    ch = channel()

    def body():
        getmain().throw(RuntimeError("Deadlock"), pending=True)
        ch.receive()

    t = tasklet(body)()
    t.set_atomic(True)
    with pytest.raises(RuntimeError, match="Deadlock"):
        run(1000)
    t.kill()


def test_ctrl_c(script):
    ended = script(
        """
        import os, signal, stackless
        signal.signal(signal.SIGINT, signal.default_int_handler)
        from stackless import run, tasklet
        def busy():
            n = 0
            while True:
                n += 1
                if n == 100_000:
                    os.kill(os.getpid(), signal.SIGINT)
        t = tasklet(busy)()
        other = tasklet(lambda: print("other"))
        try:
            while True:
                run(1000).insert()
        except KeyboardInterrupt:
            print("stopped", stackless.getruncount(), signal.getsignal(signal.SIGALRM) is signal.SIG_DFL)
        print(signal.getitimer(signal.ITIMER_REAL))
        """
    )
    assert ended.ok() == "stopped 1 True\n(0.0, 0.0)\n"


def test_interrupted_anywhere(script):
    """A Ctrl-C at every step of run(timeout) and of its interrupts: the timer is given back, and all goes on."""
    ended = script(
        """
        import os, signal, sys, time
        import stackless
        from chanlab.sched import here
        from chanlab import watchdog
        from stackless import getcurrent, getmain, getruncount, run, schedule, tasklet

        PACKAGE = os.path.dirname(os.path.abspath(stackless.__file__))
        OURS = (os.path.join(PACKAGE, "chanlab"), os.path.join(PACKAGE, "stackless.py"))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        theirs = lambda *args: None
        signal.signal(signal.SIGALRM, theirs)
        watchdog.seconds_per_instruction()
        over = False
        def busy():
            while not over:
                pass

        def program():
            t = tasklet(busy)()
            tasklet(schedule)()
            while (got := run(1000)) is None:
                pass

        def attempt(at):
            count, fired = 0, False
            def profiler(frame, event, arg):
                nonlocal count, fired
                if event in ("call", "c_return") and not fired and frame.f_code.co_filename.startswith(OURS):
                    count += 1
                    if count == at:
                        fired = True
                        sys.setprofile(None)
                        os.kill(os.getpid(), signal.SIGINT)
            sys.setprofile(profiler)
            try:
                program()
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)
            return fired

        at, broken, beyond = 1, [], 0
        while beyond < 3:
            pid = os.fork()
            if pid == 0:
                code = 1
                try:
                    fired = attempt(at)
                    assert getcurrent() is getmain(), "main is not current"
                    over = True
                    until = time.monotonic() + 20  # for one that hangs; nothing is measured
                    while signal.getsignal(signal.SIGALRM) is not theirs or here.sched.watchdog is not None:
                        assert time.monotonic() < until, "the timer was not given back"
                        run()  # a run(timeout) that was torn apart is noticed when the timer goes off next
                        if here.sched.watchdog is not None:
                            run(1000)
                    while getruncount() > 1:
                        run()
                    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
                    got = []
                    tasklet(got.append)("works")
                    assert run(1_000_000_000) is None
                    assert got == ["works"], got
                    code = 0 if fired else 7
                except BaseException as error:
                    print(at, type(error).__name__, error, flush=True)
                finally:
                    os._exit(code)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            beyond = beyond + 1 if code == 7 else 0
            if code not in (0, 7):
                broken.append(at)
                if code < 0:
                    print(at, "crashed", code, flush=True)
                if len(broken) == 10:
                    break
            at += 1
        sys.exit(bool(broken))
        """
    )
    assert ended.returncode == 0, ended.stdout[-1500:] + ended.stderr[-1500:]


def test_near_the_recursion_limit(script):
    """Whoever has no room for an interrupt is not struck by a RecursionError that is none of his."""
    ended = script(
        """
        import stackless, sys
        from stackless import run, tasklet
        def room(n=0):
            try:
                return room(n + 1)
            except RecursionError:
                return n
        def deep(n):
            if n:
                return deep(n - 1) + 1
            i = 0
            while i < 20_000:
                i += 1
            return 0
        done = []
        def body():
            most = room()
            for spare in range(3, 40):
                done.append(deep(most - spare))
        t = tasklet(body)()
        while stackless.getruncount() > 1:
            got = run(1000)
            if got:
                got.insert()
        print(len(done))
        """
    )
    assert ended.ok() == "37\n"


def test_program_ends_inside(script):
    ended = script(
        """
        import stackless, sys
        from stackless import run, tasklet
        def body():
            try:
                begun.append(1)
                while True:
                    pass
            finally:
                print("finally")
        begun = []
        t = tasklet(body)()
        while not begun:
            assert run(1000) is t
            t.insert()
        assert run(1000) is t
        tasklet(sys.exit)(3)
        run(1000)
        """
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "finally\n", "")


def never_while(inside, task):
    """Run a tasklet, which is busy for ever after, until it is interrupted after `inside` has been entered and left."""
    for _ in range(3):
        while len(inside) < 2:
            assert run(100) is task
            assert len(inside) != 1, "interrupted inside"
            task.insert()
    assert run(100) is task
    task.kill()


# -- where nobody is interrupted -------------------------------------------------------------------------------------------


def test_atomic_is_not_interrupted():
    inside = []

    def body():
        with atomic():
            inside.append(1)
            for _ in range(200_000):
                pass
            inside.append(0)
        while True:
            pass

    never_while(inside, tasklet(body)())


def test_atomic_caller_interrupts_others():
    spin = Spin()
    t = tasklet(spin)()
    with atomic():
        assert run(1000) is t
    t.kill()


def test_switch_trap():
    inside = []

    def body():
        stackless.switch_trap(1)
        inside.append(1)
        for _ in range(200_000):
            pass
        inside.append(0)
        stackless.switch_trap(-1)
        while True:
            pass

    never_while(inside, tasklet(body)())


def test_greenlet_of_the_program():
    import greenlet

    inside = []

    def inner():
        inside.append(1)
        for _ in range(200_000):
            pass
        inside.append(0)

    def body():
        greenlet.greenlet(inner).switch()
        while True:
            pass

    never_while(inside, tasklet(body)())


@pytest.mark.parametrize("which", ["channel", "schedule"])
def test_callbacks(which):
    inside, ch = [], channel()

    def callback(*_args):
        if not inside and getcurrent() is t:
            inside.append(1)
            for _ in range(100_000):
                pass
            inside.append(0)

    def body():
        tasklet(ch.send)(1)
        ch.receive()
        while True:
            pass

    t = tasklet(body)()
    getattr(stackless, f"set_{which}_callback")(callback)
    try:
        while len(inside) < 2:
            task = run(100)
            assert len(inside) != 1, "interrupted inside"
            task.insert()
    finally:
        getattr(stackless, f"set_{which}_callback")(None)
    while t.alive:
        t.kill()
    autoschedule()
    if ch.balance > 0:  # an interrupt between the send and the receive was the one that called back
        ch.receive()
        run()  # the sender ends


class Busy:
    """Busy while it is deleted."""

    def __init__(self, inside):
        self.inside = inside

    def __del__(self):
        self.inside.append(1)
        for _ in range(200_000):
            pass
        self.inside.append(0)


def test_finalizer_is_not_interrupted_unless_nesting_is_ignored():
    inside = []

    def body():
        Busy(inside)
        while True:
            pass

    never_while(inside, tasklet(body)())
    for of_the_tasklet in (True, False):
        inside.clear()
        t = tasklet(lambda: Busy(inside) and None)()
        t.set_ignore_nesting(of_the_tasklet)
        while len(inside) < 1:
            assert run(100, ignore_nesting=not of_the_tasklet) is t
            t.insert()
        assert inside == [1]
        run()
        assert inside == [1, 0]


def test_import_is_not_interrupted(tmp_path, monkeypatch):
    (tmp_path / "slow_module_of_ours.py").write_text("for _ in range(200_000):\n    pass\nready = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    log = []

    def body():
        import slow_module_of_ours

        log.append(slow_module_of_ours.ready)

    for _ in range(2):
        tasklet(body)()
    autoschedule(100)
    assert log == [True, True]
    sys.modules.pop("slow_module_of_ours")


# -- several of them -------------------------------------------------------------------------------------------------------


def test_only_the_outermost_timeout_counts():
    spin, log = Spin(), []

    def inner():
        log.append(run(1))

    i = tasklet(inner)()
    i.set_atomic(True)  # it shall get as far as its run()
    t = tasklet(spin)()
    assert run(10_000) is t
    assert log == []  # the timeout of 1 meant nothing; its run() becomes runnable now that the outer one is over
    schedule()
    assert log == [None]
    spin.over = True
    t.run()


@pytest.mark.parametrize("soft", [True, False])
def test_outermost_timeout_wakes_first(soft):
    """After Stackless's own test of the watchdog's priority."""
    awoken, done = [], []

    def worker():
        while not done:
            for _ in range(10):
                pass
            schedule()

    def runner(recursive, start):
        if recursive:
            tasklet(runner)(recursive - 1, start)
        with atomic():
            run(100_000_000, soft=soft, totaltimeout=True, ignore_nesting=True)
            awoken.append(recursive)
        if recursive == start:
            assert awoken == [start]
            for _ in range(10):
                schedule()
            assert sorted(awoken) == list(range(start + 1))
            done.append(True)

    tasklet(worker)()
    runner(3, 3)
    assert done
    while run(1_000_000, soft=soft) is not None:
        pass
    for t in [t for t in here.sched.runq if t is not getmain()]:
        t.kill()
    gc.collect()
    for task in here.sched.started.tasks():
        task.kill()


def test_timeout_inside_a_plain_run():
    spin, log = Spin(), []

    def runner():
        log.append(run(1000))
        spin.over = True
        log[0].insert()

    tasklet(runner)()
    t = tasklet(spin)()
    run()
    assert log == [t]


def test_caller_woken_by_hand():
    log = []

    def runner():
        log.append(run(1_000_000_000))

    r = tasklet(runner)()
    tasklet(lambda: (r.insert(), schedule(), log.append("after")))()
    run()
    assert log == [None, "after"]


def test_caller_woken_with_an_error_is_not_robbed_of_it():
    """The interrupted tasklet only gives way to a caller who is awake already."""
    log = []

    def runner():
        try:
            run(1000)
        except KeyError as error:
            log.append(error.args)
            log.append(t.scheduled)
            spin.over = True

    spin = Spin()

    def body():
        r.throw(KeyError("k"), pending=True)
        getcurrent().set_atomic(False)
        spin()

    r = tasklet(runner)()
    t = tasklet(body)()
    t.set_atomic(True)
    run()
    assert log == [("k",), True]


def test_run_from_a_worker():
    done = []
    tasklet(lambda: (schedule(), done.append(1)))()
    r = tasklet(run)(1_000_000_000)
    r.run()
    schedule_remove()  # the ring becomes empty: the worker comes back from run() and ends
    assert done == [1]
    assert not r.alive


# -- soft ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", [True, False])
def test_soft_returns_at_a_switch(total):
    spin, log = Spin(), []

    def body(name):
        while not spin.over:
            for _ in range(1000):
                pass
            log.append(name)
            schedule()

    tasklets = [tasklet(body)(name) for name in "abc"]
    for _ in range(10):
        assert run(100, soft=True, totaltimeout=total) is None
        assert getruncount() == 4
        assert all(t.scheduled for t in tasklets)
    assert "".join(log) == ("abc" * len(log))[: len(log)]
    spin.over = True
    run()


def test_soft_with_a_lone_tasklet():
    t = tasklet(lambda: [schedule() for _ in iter(int, 1)])()
    assert run(1000, soft=True) is None
    assert t.scheduled
    t.kill()


def test_soft_does_not_disturb_a_meeting():
    ch, got = channel(), []
    tasklet(lambda: got.extend(ch.receive() for _ in range(500)))()
    tasklet(lambda: ch.send_sequence(range(500)))()
    while getruncount() > 1:
        assert run(1, soft=True) is None
    assert got == list(range(500))


# -- total ---------------------------------------------------------------------------------------------------------------


def test_total_timeout_counts_over_switches():
    def body():
        while True:
            schedule()

    tasklets = [tasklet(body)() for _ in range(3)]
    assert run(10_000, totaltimeout=True) in tasklets
    assert getruncount() == 3
    for t in tasklets:
        t.kill()


# -- threads ---------------------------------------------------------------------------------------------------------------


def test_in_another_thread_the_time_is_looked_at_when_tasklets_switch():
    def body():
        def busy():
            while True:
                for _ in range(100_000):
                    pass
                schedule()

        a, b = tasklet(busy)(), tasklet(busy)()
        got = [run(100) is a, a.paused, b.scheduled]
        a.insert()
        got += [run(100) is b, b.paused, run(100) is a]
        b.insert()
        got += [run(100, totaltimeout=True) is b, run(100, soft=True) is None]
        a.kill()
        b.kill()
        return got

    assert in_thread(body) == [True] * 8


def test_in_another_thread_values_survive():
    def body():
        ch, got = channel(), []
        tasklet(lambda: got.extend(ch.receive() for _ in range(300)))()
        tasklet(lambda: ch.send_sequence(range(300)))()
        autoschedule(1)
        return got

    assert in_thread(body) == list(range(300))


@pytest.mark.parametrize("total", [True, False])
def test_threadblock_waits_for_a_thread_that_sends_later(script, total):
    ended = script(
        f"""
        import stackless, threading
        from stackless import channel, run, tasklet
        ch, got = channel(), []
        started = threading.Event()
        def other():
            started.wait()
            for i in range(5):
                ch.send(i)
        thread = threading.Thread(target=other)
        thread.start()
        tasklet(lambda: (started.set(), got.extend(ch.receive() for _ in range(5))))()
        assert run(10_000_000_000, threadblock=True, totaltimeout={total}) is None
        thread.join()
        print(got)
        """
    )
    assert ended.ok() == "[0, 1, 2, 3, 4]\n"


def test_threadblock_ends_with_the_total_time(script):
    ended = script(
        """
        import stackless, threading
        from stackless import channel, run, tasklet
        over = threading.Event()
        thread = threading.Thread(target=over.wait)
        thread.start()
        ch = channel()
        t = tasklet(ch.receive)()
        for soft in (False, True):
            print(run(10_000, threadblock=True, totaltimeout=True, soft=soft), t.blocked)
        over.set()
        thread.join()
        print(run(10_000, threadblock=True), t.blocked)  # nobody is left to wait for
        ch.send(1)
        """
    )
    assert ended.ok() == "None True\nNone True\nNone True\n"


def test_interrupts_while_threads_meet(script):
    ended = script(
        """
        import stackless, threading
        from stackless import channel, run, tasklet
        ch, back = channel(), channel()
        def other():
            while (n := ch.receive()) is not None:
                back.send(n * n)
        thread = threading.Thread(target=other)
        thread.start()
        total = []
        def ask():
            total.append(0)
            for n in range(50):
                ch.send(n)
                total[0] += back.receive()
            ch.send(None)
        def busy():
            while t.alive:
                pass
        t, b = tasklet(ask)(), tasklet(busy)()
        while t.alive or b.alive:
            got = run(1000, threadblock=True)
            if got:
                got.insert()
        thread.join()
        print(total[0] == sum(n * n for n in range(50)))
        """
    )
    assert ended.ok() == "True\n"


# -- other people's timers -----------------------------------------------------------------------------------------------


def test_timer_that_goes_off_while_it_is_taken(script):
    """Its signal is on the way, so that nothing is left of it; it goes on all the same."""
    out = script(
        """
        import signal, stackless, time
        rings = []
        signal.signal(signal.SIGALRM, lambda signum, frame: rings.append(signum))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.01)
        while not signal.sigpending():
            time.sleep(0.001)
        def waits():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
            while len(rings) < 3:
                pass
        stackless.tasklet(waits)()
        stackless.run(10_000_000_000)
        print(signal.setitimer(signal.ITIMER_REAL, 0)[1])
        """
    ).ok()
    assert out == "0.01\n"


def test_handler_and_timer_of_the_program_are_served(script):
    """Its handler runs in the middle of run(timeout), again and again, and is in place afterwards."""
    ended = script(
        """
        import signal, stackless
        from stackless import run, tasklet
        rings = []
        def handler(signum, frame):
            rings.append(signum)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        def busy():
            while len(rings) < 5:
                pass
        tasklet(busy)()
        slices = 0
        while stackless.getruncount() > 1:
            got = run(1000)
            slices += 1
            if got:
                got.insert()
        tasklet(lambda: None)()
        run(1000)
        print(slices > 1, signal.getsignal(signal.SIGALRM) is handler, signal.getitimer(signal.ITIMER_REAL)[1])
        while len(rings) < 7:
            signal.pause()
        signal.setitimer(signal.ITIMER_REAL, 0)
        """
    )
    assert ended.ok() == "True True 0.01\n"


def test_one_shot_alarm_that_is_not_due_goes_on(script):
    ended = script(
        """
        import signal, stackless
        from stackless import run, tasklet
        signal.signal(signal.SIGALRM, lambda *args: None)
        signal.alarm(1000)
        def busy():
            while True:
                pass
        t = tasklet(busy)()
        for _ in range(100):
            run(1000).insert()
        left = signal.alarm(0)
        print(0 < left <= 1000)
        """
    )
    assert ended.ok() == "True\n"


def test_alarm_handler_that_raises(script):
    """As a time limit for tests does: the error comes out of run(), and the timer is given back."""
    ended = script(
        """
        import signal, stackless
        from stackless import run, tasklet
        class TooLong(Exception): pass
        def handler(*args):
            raise TooLong
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        def busy():
            while True:
                pass
        tasklet(busy)()
        try:
            while True:
                run(1000).insert()
        except TooLong:
            print(signal.getsignal(signal.SIGALRM) is handler, signal.getitimer(signal.ITIMER_REAL))
        """
    )
    assert ended.ok() == "True (0.0, 0.0)\n"


def test_alarm_that_ends_the_process(script):
    ended = script(
        """
        import signal
        from stackless import run, tasklet
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        def busy():
            while True:
                pass
        t = tasklet(busy)()
        while True:
            run(1000).insert()
        """
    )
    assert ended.returncode == -signal.SIGALRM


def test_alarm_set_inside(script):
    ended = script(
        """
        import signal, stackless
        from stackless import run, tasklet
        rings = []
        signal.signal(signal.SIGALRM, lambda *args: rings.append(1))
        def busy():
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            while not rings:
                pass
        tasklet(busy)()
        while stackless.getruncount() > 1:
            got = run(1000)
            if got:
                got.insert()
        print(rings, signal.getitimer(signal.ITIMER_REAL))
        """
    )
    assert ended.ok() == "[1] (0.0, 0.0)\n"


def test_alarm_while_the_timer_is_taken(script):
    """The program's timer would go off while run(timeout) puts its handler in place: it rings once."""
    ended = script(
        """
        import signal
        from time import monotonic
        from stackless import run, tasklet
        rings = []
        install = signal.signal
        install(signal.SIGALRM, lambda *args: rings.append(1))
        def install_late(signum, handler):
            late = monotonic() + 0.03
            while monotonic() < late:
                pass
            return install(signum, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.signal = install_late
        def busy():
            while True:
                pass
        t = tasklet(busy)()
        for _ in range(3):
            assert run(1000) is t
            t.insert()
        print(rings, signal.getitimer(signal.ITIMER_REAL))
        t.kill()
        """
    )
    assert ended.ok() == "[1] (0.0, 0.0)\n"


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork")
def test_fork_inside(script):
    """The child goes on inside its copy of run(timeout), with a timer of its own."""
    ended = script(
        """
        import os
        from stackless import run, tasklet
        forked = []
        def busy():
            forked.append(os.fork())
            if forked[0]:
                os.waitpid(forked[0], 0)
                os.write(1, b"parent\\n")
                forked.append(True)
            while True:
                pass
        t = tasklet(busy)()
        while len(forked) < (2 if not forked or forked[0] else 1):
            run(10_000).insert()
        assert run(10_000) is t  # in both
        if not forked[0]:
            os.write(1, b"child interrupted\\n")
            os._exit(0)
        t.kill()
        """
    )
    assert ended.ok() == "child interrupted\nparent\n"


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork")
def test_fork_in_another_thread(script):
    """A child of another thread has no run(timeout): its SIGALRM is its own."""
    ended = script(
        """
        import os, signal, stackless, threading
        from stackless import run, tasklet
        over = []
        def other():
            pid = os.fork()
            if pid == 0:
                os._exit(0 if signal.getsignal(signal.SIGALRM) is signal.SIG_DFL else 1)
            over.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        def busy():
            thread = threading.Thread(target=other)
            thread.start()
            while not over:
                pass
            thread.join()
        tasklet(busy)()
        while stackless.getruncount() > 1:
            got = run(1000)
            if got:
                got.insert()
        print(over)
        """,
        options=("-W", "ignore::DeprecationWarning"),  # forking while there are threads
    )
    assert ended.ok() == "[0]\n"


# -- many of them ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"soft": True}, {"totaltimeout": True}], ids=str)
def test_a_thousand_tasklets(options):
    results = {}

    def body(n):
        total = 0
        for i in range(n):
            total += i
            if i % 97 == 0:
                schedule()
        results[n] = total

    for n in range(1000):
        tasklet(body)(n)
    autoschedule(500, **options)
    assert results == {n: n * (n - 1) // 2 for n in range(1000)}


@pytest.mark.parametrize("preference", [-1, 0, 1])
@pytest.mark.parametrize("timeout", [1, 1000])
def test_nothing_is_lost_in_a_mesh_of_channels(preference, timeout):
    rng = random.Random(preference)
    stages = [[channel() for _ in range(4)] for _ in range(4)]
    for stage in stages:
        for ch in stage:
            ch.preference = preference
    got = []

    def forward(stage, number):
        while (value := stages[stage][number].receive()) is not None:
            sum(range(value % 50))
            rng.choice(stages[stage + 1]).send(value)
        over[stage + 1].append(1)
        if len(over[stage + 1]) == 4:
            for ch in stages[stage + 1]:
                ch.send(None)

    def sink(number):
        while (value := stages[-1][number].receive()) is not None:
            got.append(value)

    def sources():
        ended = []
        for number in range(4):
            tasklet(lambda n=number: (source_values(n), ended.append(1)))()
        while len(ended) < 4:
            schedule()
        for ch in stages[0]:
            ch.send(None)

    def source_values(number):
        for i in range(100):
            rng.choice(stages[0]).send(number * 1000 + i)

    over = [[] for _ in stages]
    for stage in range(3):
        for number in range(4):
            tasklet(forward)(stage, number)
    for number in range(4):
        tasklet(sink)(number)
    tasklet(sources)()
    autoschedule(timeout)
    assert sorted(got) == sorted(number * 1000 + i for number in range(4) for i in range(100))


def test_select_is_interrupted_between_its_steps_only():
    from stackless import select

    a, b, got = channel(), channel(), []
    tasklet(lambda: [a.send(i) for i in range(300)])()
    tasklet(lambda: [b.send(i) for i in range(300, 600)])()

    def chooser():
        while len(got) < 600:
            got.append(select([a.receiveCase(), b.receiveCase()]).value)

    tasklet(chooser)()
    autoschedule(1)
    assert sorted(got) == list(range(600))


def test_pause_and_ends_are_not_disturbed():
    parked = [tasklet(schedule_remove)() for _ in range(50)]
    autoschedule(1)
    assert all(t.paused for t in parked)
    for t in parked:
        t.insert()
    autoschedule(1)
    assert not any(t.alive for t in parked)
