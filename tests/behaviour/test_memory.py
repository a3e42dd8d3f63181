"""What is forgotten goes away: tasklets are collected, their finally blocks run, nothing is left behind."""

import gc
import operator
import sys
import weakref

import pytest
import stackless
from chanlab.sched import here
from chanlab.stack import collector_sees_stacks
from stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet


def parked(how, finished):
    """A tasklet that has been parked in one way, and how many references to it the world may hold besides ours."""
    ch = channel()

    def body():
        try:
            if how == "receive":
                ch.receive()
            elif how == "send":
                ch.send(1)
            elif how == "select":
                stackless.select([ch.receiveCase(), channel().sendCase(1)])
            elif how == "schedule_remove":
                schedule_remove(None)
            elif how == "switch":
                getmain().switch()
            elif how == "run":
                getmain().insert()
                run()
            elif how == "schedule":
                schedule(None)
        finally:
            finished.append(how)

    t = tasklet(body)()
    if how in ("switch", "run"):
        t.switch()
    else:
        schedule()
    return t, ch


@pytest.mark.parametrize("how", ["schedule_remove", "switch", "run", "receive", "send", "select", "schedule"])
def test_no_hidden_reference(how):
    """A parked tasklet is referred to by whoever queues it, and by nobody else."""
    finished = []
    t, ch = parked(how, finished)
    fresh = tasklet(schedule_remove)
    queued = {"receive", "send", "schedule", "run"}  # a C queue holds one reference, a Python one one or two
    held = {1, 2} if how in queued else {1} if how == "select" else {0}
    assert sys.getrefcount(t) - sys.getrefcount(fresh) in held
    del ch
    t.kill()
    run()
    assert finished == [how]


@pytest.mark.parametrize("how", ["schedule_remove", "switch"])
def test_forgotten_means_killed_at_once(how):
    finished = []
    t, _ = parked(how, finished)
    ref = weakref.ref(t)
    assert finished == []
    del t
    assert finished == [how]
    run()
    assert ref() is None


def test_forgotten_by_the_collector():
    finished = []
    t, _ = parked("schedule_remove", finished)
    ring = [t]
    ring.append(ring)
    ref = weakref.ref(t)
    del t, ring
    assert finished == []
    gc.collect()
    run()
    assert finished == ["schedule_remove"]
    gc.collect()
    assert ref() is None


def test_schedule_remove_returns_its_tasklet_which_is_a_cycle_of_its_own():
    """Its own value slot refers to it meanwhile (as in Stackless): that takes the collector."""
    finished = []

    def body():
        try:
            schedule_remove()
        finally:
            finished.append(1)

    ref = weakref.ref(tasklet(body)())
    run()
    gc.collect()
    run()
    assert finished == [1]
    gc.collect()
    assert ref() is None


@pytest.mark.parametrize("how", ["receive", "send", "select"])
def test_blocked_on_a_channel_of_its_own_is_killed(script, how):
    """Nobody can ever wake it: only its own stack holds the channel.  Without the C module that is hidden from the
    collector, and it is killed when the program ends.
    """
    ended = script(
        f"""
        import gc, stackless
        def body():
            ch = stackless.channel()
            try:
                {{"receive": ch.receive, "send": lambda: ch.send(1),
                  "select": lambda: stackless.select([ch.receiveCase()])}}["{how}"]()
            finally:
                print("finally")
        stackless.tasklet(body)()
        stackless.run()
        gc.collect()
        print("end")
        """
    )
    assert ended.ok() == ("finally\nend\n" if collector_sees_stacks() else "end\nfinally\n")


@pytest.mark.skipif(not collector_sees_stacks(), reason="the collector cannot look into stacks without the C module")
@pytest.mark.parametrize("below", ["for", "next", "coroutine", "generators", "map"])
def test_blocked_below_a_generator_is_killed(script, below):
    """What only the frames outside of the generator know is seen through it."""
    ended = script(
        f"""
        import gc, weakref
        import stackless
        class Task(stackless.tasklet): pass
        def wait():
            return stackless.getcurrent().ch.receive()
        def generate():
            yield wait()
        async def coroutine():
            wait()
        def through():
            yield from generate()
        WAYS = {{
            "for": lambda: [x for x in generate()],
            "next": lambda: next(generate()),
            "coroutine": lambda: coroutine().send(None),
            "generators": lambda: list(through()),
            "map": lambda: list(map(lambda _: next(generate()), [1])),
        }}
        def main():
            own = stackless.getcurrent().ch = stackless.channel()
            try:
                WAYS[{below!r}]()
            finally:
                print("killed")
        task = Task(main)()
        stackless.run()
        known = weakref.ref(task)
        del task
        for _ in range(3):
            gc.collect()
        print(known())
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "killed\nNone\n"), ended


def test_forgotten_inside_an_operation():
    """The last reference goes while the scheduler is at work: the tasklet is killed right after."""
    finished = []
    ch = channel()

    def victim():
        try:
            schedule_remove(None)
        finally:
            finished.append("victim")
            ch.send("from a finally block")

    class Holder:
        pass

    holder = Holder()
    holder.t = tasklet(victim)()
    run()

    def receiver():
        finished.append(ch.receive())

    tasklet(receiver)()
    run()

    def drops():
        holder.__dict__.clear()
        finished.append("dropped")

    tasklet(drops)()
    run()
    assert sorted(finished) == ["dropped", "from a finally block", "victim"]
    assert ch.balance == 0


def test_value_that_holds_a_tasklet_is_dropped_on_the_way():
    """Receiving and forgetting a tasklet kills it."""
    finished, ch = [], channel()

    def victim():
        try:
            schedule_remove(None)
        finally:
            finished.append(1)

    box = [tasklet(victim)()]
    run()

    def sender():
        ch.send(box.pop())

    tasklet(sender)()
    ch.receive()
    run()
    assert finished == [1]


def test_stubborn_tasklet_goes_to_garbage():
    attempts = []

    def stubborn():
        while True:
            try:
                schedule_remove(None)
            except stackless.TaskletExit:
                attempts.append(1)
                if len(attempts) > 50:
                    raise

    t = tasklet(stubborn)()
    run()
    del t
    run()
    assert len(attempts) == 10
    assert [type(x) for x in gc.garbage] == [tasklet]
    gc.garbage.pop().throw(stackless.TaskletExit)
    for left in here.sched.started.tasks():
        while left.alive:
            left.kill()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is killed again while it switches
def test_finalizer_of_an_object_in_a_forgotten_frame_may_switch():
    seen, ch = [], channel()

    class Sends:
        def __del__(self):
            seen.append("del")
            tasklet(ch.send)("from del")
            schedule()

    def body():
        keep = Sends()  # noqa: F841
        schedule_remove(None)

    t = tasklet(body)()
    run()
    del t
    seen.append(ch.receive())
    run()
    assert seen == ["del", "from del"]


def counts():
    gc.collect()
    return sum(isinstance(o, (tasklet, channel)) for o in gc.get_objects()), len(here.sched.started)


FATES = {
    "never bound": lambda: tasklet(),
    "never run": lambda: tasklet(schedule, ()),
    "removed": lambda: tasklet(schedule)().remove(),
    "killed fresh": lambda: tasklet(schedule)().kill(),
    "ended": lambda: tasklet(lambda: None)().run(),
    "failed": lambda: failing(),
    "killed while paused": lambda: parked_and_killed("schedule_remove"),
    "killed in receive": lambda: parked_and_killed("receive"),
    "killed in select": lambda: parked_and_killed("select"),
    "forgotten while paused": lambda: parked("schedule_remove", []),
    "received": lambda: meeting(channel()),
    "selected": lambda: selecting(channel(), channel()),
    "channel": lambda: channel(),
    "cases": lambda: [channel().receiveCase(), channel().sendCase(1)],
}


def failing():
    def fails():
        raise KeyError

    t = tasklet(fails)()
    try:
        t.run()
    except KeyError:
        pass


def parked_and_killed(how):
    t, _ = parked(how, [])
    t.kill()


def meeting(ch):
    tasklet(ch.send)(1)
    ch.receive()
    run()


def selecting(a, b):
    tasklet(stackless.select)([a.sendCase(1), b.receiveCase()])
    stackless.select([a.receiveCase(), b.receiveCase()])
    run()


@pytest.mark.parametrize("fate", FATES)
def test_ten_thousand_of_each_fate(fate):
    live = FATES[fate]
    live()
    before = counts()
    for _ in range(10_000 if fate in ("never bound", "ended", "channel") else 1000):
        live()
    now = counts()
    assert all(map(operator.le, now, before)), (now, before)  # fewer when something of an earlier test has gone since


def test_ten_thousand_alive_at_once():
    ch = channel()
    before = counts()
    ts = [tasklet(ch.receive)() for _ in range(10_000)]
    run()
    assert ch.balance == -10_000
    for t in ts[::2]:
        t.kill()
    assert ch.balance == -5000
    for i in range(5000):
        ch.send(i)
    run()
    del ts, t
    del ch
    assert counts()[1] == before[1]


def test_values_are_not_kept():
    class Value:
        pass

    ch = channel()
    refs = []
    for way in range(4):
        value = Value()
        refs.append(weakref.ref(value))
        if way < 2:
            tasklet(ch.send)(value)
            del value
            ch.receive() if way == 0 else stackless.select([ch.receiveCase()])
            run()
        else:
            t = tasklet(ch.send)(value) if way == 2 else tasklet(stackless.select)([ch.sendCase(value)])
            del value
            run()
            t.kill()
            del t
    assert [ref() for ref in refs] == [None] * 4
    assert getcurrent().tempval is None


def test_case_that_is_used_for_ever_keeps_one_value_at_most():
    class Value:
        pass

    ch = channel()
    c = ch.receiveCase()
    refs = []
    for _ in range(5):
        tasklet(lambda: (v := Value(), refs.append(weakref.ref(v)), ch.send(v)))()
        stackless.select([c])
        run()
    assert sum(ref() is not None for ref in refs) <= 1


def test_errors_delivered_leave_no_tasklet_behind():
    """The traceback of an uncaught error holds frames, but not those of the scheduler that hold the tasklet."""

    def fails():
        raise KeyError("k")

    refs = []
    for _ in range(3):
        t = tasklet(fails)()
        refs.append(weakref.ref(t))
        del t
        try:
            run()
        except KeyError as caught:
            error = caught
    assert error.args == ("k",)
    assert [ref() for ref in refs] == [None] * 3


@pytest.mark.parametrize("threshold", [1, 2, 7])
def test_collector_at_every_allocation(threshold):
    """The collector may run in the middle of any operation."""
    old, got, ch, other = gc.get_threshold(), [], channel(), channel()

    def cyclic():
        ring = [tasklet(schedule_remove)()]
        ring.append(ring)

    def producer(n):
        for i in range(n):
            ch.send(i)
            cyclic()

    def consumer():
        while True:
            got.append(stackless.select([ch.receiveCase(), other.receiveCase()]).value)

    gc.set_threshold(threshold)
    try:
        t = tasklet(consumer)()
        for _ in range(3):
            tasklet(producer)(10)
        run()
    finally:
        gc.set_threshold(*old)
    assert sorted(got) == sorted(list(range(10)) * 3)
    t.kill()
    gc.collect()
    run()
    gc.collect()


def test_an_interrupt_at_the_end_of_a_collection(script):
    """It kept us from noticing that the collection is over; switching works all the same."""
    assert script(INTERRUPTED, "stop").ok() == "refused\nalive\n"


def test_an_interrupt_at_the_beginning_of_a_collection(script):
    """It must not keep us from noticing that the collector runs, and that nobody must switch."""
    assert script(INTERRUPTED, "start").ok() == "refused\nalive\n"


INTERRUPTED = """
import gc, sys, types
import stackless
from chanlab import forgotten

gc.disable()
ch = stackless.channel()

class Switches:
    def __del__(self):
        try:
            ch.send(1)
            print("switched")
        except RuntimeError as error:
            assert "while the garbage collector runs" in str(error), error
            print("refused")

around = forgotten.around_collection
unchanged = types.FunctionType(around.__code__, around.__globals__)

def interrupted(phase, info):
    "What a signal handler that raises makes of the callback: it happens once, before anything is done."
    import sys, __main__
    if phase == sys.argv[1] and not __main__.done:
        __main__.done = True
        raise KeyboardInterrupt
    return __main__.unchanged(phase, info)

done = False
around.__code__ = interrupted.__code__
sys.unraisablehook = lambda *_: None
stackless.tasklet(ch.receive)()
stackless.run()
ring = [Switches()]
ring.append(ring)
del ring
gc.collect()
stackless.tasklet(print)("alive")
stackless.run()
"""
