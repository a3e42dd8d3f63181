"""Time: sleep, timers' channels, and what an idle program does.  Nothing here says how long something takes."""

import gc
import os
import threading
import time
import weakref

import pytest
import stackless
from chanlab import clock, hooks
from chanlab.sched import here
from gochan import after, chan, go, nil, tick
from select_proto import DEFAULT, TIMEOUT, select
from stackless import channel, getmain, run, schedule, sleep
from waits import in_thread, readable


def heap():
    return clock.of(here.sched).heap


def test_sleepers_wake_in_the_order_of_their_times():
    log = []
    for n in (3, 1, 2):
        go(lambda n=n: (sleep(n / 500), log.append(n)))
    run()
    assert log == [1, 2, 3]


def test_sleep_of_main_lets_the_others_run():
    log = []
    go(log.append, 1)
    sleep(0.001)
    assert log == [1]


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
def test_sleep_of_nothing_is_schedule(seconds):
    log = []
    go(log.append, 1)
    assert sleep(seconds) is None
    assert log == [1]


@pytest.mark.parametrize("wrong, error", [("x", TypeError), (None, TypeError), (float("nan"), ValueError)])
def test_sleep_of_nonsense(wrong, error):
    with pytest.raises(error):
        sleep(wrong)


def test_a_sleeper_is_blocked_and_can_be_killed():
    t = go(sleep, 3600)
    t.run()
    assert t.blocked
    assert "sleeps" in repr(t)
    t.kill()
    assert not t.alive
    run()  # returns at once: nobody sleeps any more


def test_a_sleeper_can_be_thrown_at():
    t = go(sleep, 3600)
    t.run()
    with pytest.raises(KeyError):
        t.throw(KeyError)
    run()


def test_pending_timers_prevent_deadlock():
    """Rule 26."""
    c = channel()
    go(lambda: (sleep(0.002), c.send("late")))
    schedule()
    assert c.receive() == "late"
    run()


def test_a_deadlock_behind_the_last_timer():
    c = chan()
    t = go(sleep, 0.002)
    with pytest.raises(RuntimeError, match="all goroutines are asleep"):
        c.receive()
    assert not t.alive
    assert not getmain().blocked


def test_after():
    """Rule 27: one value, and no more."""
    c = after(0.001)
    began = time.time()
    value, ok = c.receive_ok()
    assert ok
    assert value >= began - 1
    assert (len(c), c.cap) == (0, 0)
    assert select([c.receiveCase()], default=True) is DEFAULT
    with pytest.raises(RuntimeError, match="all goroutines are asleep"):
        c.receive()


def test_after_nothing_is_ready_at_once():
    for seconds in (0, -5):
        assert select([after(seconds).receiveCase()], default=True) is not DEFAULT


def test_after_for_ever_is_nil():
    assert after(float("inf")) is nil
    assert tick(0) is tick(-1) is tick(float("inf")) is nil


def test_time_that_passes_while_nobody_looks():
    """As in Go, the value is there although the program was busy all the time."""
    c = after(0.001)
    time.sleep(0.005)
    assert select([c.receiveCase()], default=True) is not DEFAULT


def chatter(over):
    """Two tasklets that keep the ring busy with all kinds of operations until `over` is not empty."""
    a, b = channel(), channel()

    def ping():
        while not over:
            a.send(None)
            b.receive()
        a.send(StopIteration)

    def pong():
        while a.receive() is not StopIteration:
            select([b.sendCase(None)])
            schedule()

    go(ping)
    go(pong)


def bring_by_thread(over):
    over.append(in_thread(time.sleep, 0.002).receive())


def bring_by_descriptor(over):
    reading, writing = os.pipe()
    thread = threading.Timer(0.002, os.write, (writing, b"x"))
    thread.start()
    readable(reading).receive()
    over.append(os.read(reading, 1))
    thread.join()
    os.close(reading)
    os.close(writing)


def bring_by_sleep(over):
    sleep(0.002)
    over.append(1)


def bring_by_timer(over):
    over.append(after(0.002).receive())


def bring_by_timeout(over):
    over.append(select([channel().receiveCase()], timeout=0.002))


@pytest.mark.parametrize(
    "bring", [bring_by_thread, bring_by_descriptor, bring_by_sleep, bring_by_timer, bring_by_timeout]
)
def test_what_comes_from_outside_comes_while_others_are_busy(bring):
    over = []
    go(bring, over)
    chatter(over)
    run()
    assert over


@pytest.mark.skipif(not {"channel", "sched"} <= hooks.FUSED, reason="it is about C that calls Python")
def test_a_clock_with_nothing_due_keeps_nothing_from_being_done_in_c(script):
    """Nor has C to look at the time then: `look_at` says when."""
    out = script(
        """
        import math, time
        import stackless
        from chanlab import clock
        from chanlab.sched import here

        stackless.sleep(0.001)
        assert here.sched.look_at == math.inf
        t = stackless.tasklet(stackless.sleep)(3600)
        stackless.schedule()
        assert time.monotonic() < here.sched.look_at < math.inf
        looks = []
        clock.Clock.look = lambda self, found=None: looks.append(found)
        a = stackless.channel()
        stackless.tasklet(a.send)(1)
        assert a.receive() == 1
        stackless.schedule()
        print(looks)
        """
    ).ok()
    assert out == "[]\n"


def test_tick_drops_what_nobody_receives(monkeypatch):
    c = tick(0.001)
    time.sleep(0.02)
    now = time.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: now)  # or another tick may come at any moment
    assert select([c.receiveCase()], default=True) is not DEFAULT
    assert select([c.receiveCase()], default=True) is DEFAULT
    monkeypatch.undo()
    first, second = c.receive(), c.receive()
    assert second >= first


def test_timers_channels_can_only_be_received_from():
    for c in (after(60), tick(60)):
        for wrong in (lambda c=c: c.send(1), lambda c=c: c.sendCase(1), lambda c=c: c.sends(1)):
            with pytest.raises(TypeError, match="belongs to a timer"):
                wrong()
        with pytest.raises(TypeError, match="belongs to a timer"):
            c.close()


def test_an_unwanted_timer_keeps_nobody_waiting():
    after(3600)
    kept = after(3600)
    run()
    del kept


def test_forgotten_timers_are_no_leak():
    """Rule 27, Go 1.23: `case <-time.After(time.Hour)` in a loop."""
    ready = chan(1)
    seen = []
    for _ in range(1000):
        ready.send(1)
        hour = after(3600)
        seen.append(weakref.ref(hour))
        select([ready.receiveCase(), hour.receiveCase()])
    del hour
    gc.collect()
    assert not any(ref() for ref in seen)
    assert len(heap()) < 200
    for _ in range(500):  # those that were waited for in vain
        select([after(3600).receiveCase()], timeout=0.000001)
    gc.collect()
    assert len(heap()) < 400


def test_cancelled_timeouts_leave_the_heap():
    c = chan()
    go(lambda: [c.send(i) for i in range(3000)])
    for i in range(3000):
        assert select([c.receiveCase()], timeout=3600).value == i
    run()
    assert len(heap()) <= 200


def test_a_timer_that_only_its_sleeper_knows():
    log = []
    go(lambda: log.append(after(0.002).receive_ok()[1]))
    schedule()
    gc.collect()
    run()
    assert log == [True]


def test_many_timers_at_one_instant():
    log = []
    for i in range(200):
        go(lambda i=i: (sleep(0.003), log.append(i)))
    run()
    assert sorted(log) == list(range(200))


def test_run_comes_back_when_the_last_sleeper_is_done():
    log = []

    def f():
        for i in range(3):
            sleep(0.001)
            log.append(i)

    go(f)
    run()
    assert log == [0, 1, 2]
    run()


def test_run_with_a_timeout_and_sleepers():
    t = go(sleep, 3600)
    schedule()
    assert stackless.run(1000, totaltimeout=True) is None
    assert t.blocked
    t.kill()


def test_other_threads_have_clocks_of_their_own(script):
    out = script(
        """
        import threading
        import stackless
        from gochan import after, chan, go
        from select_proto import select, TIMEOUT

        results = chan(10)
        mine = after(0.01)
        def thread(n):
            go(stackless.sleep, 0.001)
            stackless.run()
            results.send(select([chan().receiveCase()], timeout=0.001) is TIMEOUT)
        threads = [threading.Thread(target=thread, args=(n,)) for n in range(5)]
        for t in threads: t.start()
        print([results.receive() for _ in threads])
        for t in threads: t.join()
        other = []
        t = threading.Thread(target=lambda: other.append(mine.receive_ok()[1]))
        t.start(); t.join()
        print(other)
        """
    ).ok()
    assert out == "[True, True, True, True, True]\n[True]\n"


def test_a_thread_that_sleeps_may_still_wake_another_one(script):
    out = script(
        """
        import threading
        import stackless
        c = stackless.channel()
        def thread():
            stackless.sleep(0.02)
            c.send("from a sleeper")
        t = threading.Thread(target=thread)
        t.start()
        print(c.receive())
        t.join()
        """
    ).ok()
    assert out == "from a sleeper\n"


def test_ctrl_c_while_all_sleep(script):
    out = script(
        """
        import signal, stackless
        from gochan import go
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        t = go(stackless.sleep, 3600)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            stackless.run()
        except KeyboardInterrupt:
            print("interrupted")
        t.kill()
        stackless.run()
        """
    ).ok()
    assert out == "interrupted\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_fork_while_somebody_sleeps(script):
    out = script(
        """
        import os, socket, stackless
        from gochan import go
        from waits import readable
        a, b = socket.socketpair()
        log = []
        go(lambda: (stackless.sleep(0.01), log.append("slept")))
        go(lambda: log.append(readable(b).receive() is b))
        stackless.schedule()
        a.send(b"x")
        pid = os.fork()
        stackless.run()
        print(sorted(map(str, log)), flush=True)
        if pid:
            os.waitpid(pid, 0)
        else:
            os._exit(0)
        """
    ).ok()
    assert out == "['True', 'slept']\n" * 2


def test_the_end_with_sleepers(script):
    """They are killed, and nobody waits for them."""
    out = script(
        """
        import stackless
        from gochan import after, go, tick
        def f():
            try: stackless.sleep(3600)
            finally: print("killed")
        go(f); go(lambda: after(3600).receive()); go(lambda: tick(3600).receive())
        stackless.schedule()
        """
    ).ok()
    assert out == "killed\n"


def test_idle_does_not_poll(script):
    """10,000 timers and 400 descriptors: whoever has nothing to do asks the system to be woken, and does not look again and again."""
    out = script(
        """
        import selectors, socket
        import stackless
        from gochan import go
        from waits import readable
        pairs = [socket.socketpair() for _ in range(200)]
        tasks = [go(readable(s).receive) for pair in pairs for s in pair]
        tasks += [go(stackless.sleep, 3600) for _ in range(10_000)]
        stackless.schedule()
        waits = []
        select = selectors.DefaultSelector.select
        def counted(self, timeout=None):
            waits.append(timeout)
            return select(self, timeout)
        selectors.DefaultSelector.select = counted
        stackless.sleep(0.3)
        print(0 < sum(timeout > 0 for timeout in waits) <= 3, len(waits) < 10)
        for t in tasks: t.kill()
        """
    ).ok()
    assert out == "True True\n"


def test_timeouts_of_several_channels():
    c, d = chan(), channel()
    assert select([c.receiveCase(), d.receiveCase(), after(0.001).receiveCase()], timeout=30).index == 2
    assert select([c.receiveCase(), after(30).receiveCase()], timeout=0.001) is TIMEOUT
    assert c.balance == d.balance == 0


def test_a_case_that_was_made_for_another_channel_cannot_send_to_a_timer():
    c = chan().sendCase("x")
    c.channel = after(3600)
    with pytest.raises(TypeError, match="belongs to a timer"):
        select([c], default=True)
