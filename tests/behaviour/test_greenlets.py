"""Greenlets of the user's own, generators and finalizers around tasklets: a clear error at most, never a wrong stack."""

import greenlet
import pytest
from stackless import channel, getcurrent, run, schedule, tasklet


def test_switching_inside_a_foreign_greenlet_is_refused():
    ch, got = channel(), []
    waiting = tasklet(ch.receive)()
    run()

    def f():
        def inner():
            for call in (schedule, run, channel().receive, lambda: ch.send(1), tasklet(schedule, ()).run, waiting.kill):
                try:
                    call()
                except RuntimeError as error:
                    got.append(str(error))
            return "inner"

        assert greenlet.greenlet(inner).switch() == "inner"
        schedule()

    t = tasklet(f)
    t.label = "worker"
    t()
    tasklet(schedule)()
    run()
    assert len(got) == 6
    assert all("worker" in text and "greenlet" in text for text in got), got
    assert (ch.balance, waiting.blocked) == (-1, True)
    waiting.kill()


def test_greenlet_that_finishes_within_its_tasklet():
    got = []

    def f(name):
        def inner(x):
            y = greenlet.getcurrent().parent.switch(x + 1)
            return x + y

        g = greenlet.greenlet(inner)
        got.append((name, g.switch(1)))
        schedule()
        got.append((name, g.switch(10)))

    for name in "ab":
        tasklet(f)(name)
    run()
    assert got == [("a", 2), ("b", 2), ("a", 11), ("b", 11)]


def test_greenlet_carried_into_another_tasklet(script):
    """It would return into the stack of the tasklet that made it: that is an error, not silently the wrong stack."""
    ended = script(
        """
        import greenlet, stackless
        box = []
        def maker():
            def inner():
                greenlet.getcurrent().parent.switch()
            box.append(greenlet.greenlet(inner))
            box[0].switch()
            stackless.schedule(None)
            print("maker is", stackless.getcurrent().label)
        def user():
            box[0].switch()
            print("user is", stackless.getcurrent().label)
        for f in (maker, user):
            t = stackless.tasklet(f)
            t.label = f.__name__
            t()
        try:
            stackless.run()
        except RuntimeError as error:
            print("refused")
        print("main is", stackless.getcurrent().label)
        """
    )
    assert ended.returncode == 0
    assert "maker is user" not in ended.stdout
    assert "user is maker" not in ended.stdout
    assert ended.stdout.endswith("main is main\n")


def test_generators_cross_tasklets():
    ch, got = channel(), []

    def values():
        while True:
            yield ch.receive()

    source = values()
    for _ in range(2):
        tasklet(lambda: got.append(next(source)))()
        run()
        ch.send(len(got))
    assert got == [0, 1]


def test_generator_that_is_being_run_elsewhere():
    ch = channel()

    def values():
        yield ch.receive()

    source = values()
    t = tasklet(lambda: next(source))()
    run()
    with pytest.raises(ValueError, match="already executing"):
        next(source)
    ch.send(1)
    assert not t.alive


def test_finalizer_that_switches():
    log, ch = [], channel()

    class Sends:
        def __del__(self):
            log.append(getcurrent().label)
            ch.send("from del")

    def f():
        thing = Sends()
        del thing
        log.append("after")

    t = tasklet(f)
    t.label = "f"
    t()
    assert ch.receive() == "from del"
    run()
    assert log == ["f", "after"]


FATES = {
    "returns": ("tasklet(lambda r, k: None)(Dies(f), k=Dies(f))", ""),
    "is the function's own": ("tasklet(lambda r=Dies(f), k=Dies(f): None)()", ""),
    "raises": ("tasklet(raises)(Dies(f), k=Dies(f))", "ValueError"),
    "is killed": ("t = tasklet(lambda r, k: schedule_remove(None))(Dies(f), k=Dies(f)); t.run(); t.kill()", ""),
    "is killed while it receives": (
        "t = tasklet(lambda r, k: ch.receive())(Dies(f), k=Dies(f)); t.run(); t.kill()",
        "",
    ),
    "is killed before it begins": ("tasklet(lambda r, k: None)(Dies(f), k=Dies(f)).kill()", ""),
    "ends with nobody left": ("tasklet(lambda r, k: None)(Dies(f), k=Dies(f)); other.receive()", ""),
}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("finalizer", ["sends", "switches", "receives"])
def test_what_a_tasklet_was_called_with_dies_in_its_own_context(script, fate, finalizer):
    """Its finalizers may use channels, and switch: the tasklet is still current and alive."""
    statement, error = FATES[fate]
    out = script(
        f"""
        import gc
        from gochan import chan
        from stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet
        died, ends = [], []
        ch, other, box, gate = channel(), chan(), chan(9), channel()
        class Dies:
            def __init__(self, f):
                self.f = f
            def __del__(self):
                died.append(getcurrent())
                self.f()
        def sends():
            box.send(1)
            if len(box) == 2:
                other.close()
        def switches():
            schedule()
            gc.collect()
            sends()
        def receives():
            gate.receive()
            sends()
        def gatekeeper():
            gate.send(1)
            gate.send(2)
        f = {finalizer}
        def raises(r, k):
            del r, k
            raise ValueError("kept")
        tasklet(gatekeeper)()
        def main():
            {statement}
        while True:
            try:
                main() if not ends else run()
            except ValueError as error:
                assert str(error) == "kept"
                ends.append("ValueError")
            else:
                ends.append("")
                if len(ends) > 3:
                    break
        assert len(box) == len(died) == 2, (box, died)
        assert died[0] is died[1] is not getmain() and not died[0].alive, died
        print("".join(ends))
        """
    ).ok()
    assert out == error + "\n"


def test_killed_in_the_finalizer_of_its_argument(script):
    """The exception cannot leave the finalizer, as anywhere; but the tasklet ends."""
    ended = script(
        """
        from stackless import run, schedule_remove, tasklet
        class Dies:
            def __del__(self):
                try:
                    schedule_remove(None)
                finally:
                    print("dead")
        t = tasklet(lambda r: None)(Dies())
        run()
        print(t.alive, t.paused)
        t.kill()
        print(t.alive)
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "True True\ndead\nFalse\n")
    assert "TaskletExit" in ended.stderr


def test_with_statements_and_exceptions_in_flight():
    log, ch = [], channel()

    class Manager:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            schedule()
            return self

        def __exit__(self, *error):
            schedule()
            log.append((self.name, error[0]))
            return True

    def f(name, error):
        with Manager(name):
            ch.send(name)
            raise error

    for name, error in (("a", KeyError), ("b", ValueError)):
        tasklet(f)(name, error)
    assert {ch.receive(), ch.receive()} == {"a", "b"}
    run()
    assert sorted(log) == [("a", KeyError), ("b", ValueError)]


def test_sort_with_a_key_that_switches():
    results = []

    def f(values):
        results.append(sorted(values, key=lambda x: (schedule(), x)[1]))

    tasklet(f)([3, 1, 2])
    tasklet(f)([6, 5, 4])
    run()
    assert results == [[1, 2, 3], [4, 5, 6]]


def test_import_inside_a_tasklet(script):
    out = script(
        """
        import stackless
        def f():
            import select_proto, decimal
            stackless.schedule()
            return decimal
        stackless.tasklet(f)()
        stackless.tasklet(f)()
        stackless.run()
        print("ok")
        """
    ).ok()
    assert out == "ok\n"


def test_asyncio_loop_inside_a_tasklet(script):
    out = script(
        """
        import asyncio, stackless
        ch = stackless.channel()
        async def work(n):
            await asyncio.sleep(0)
            return n
        def f(n):
            ch.send(asyncio.run(work(n)))
        for n in range(3):
            stackless.tasklet(f)(n)
        print([ch.receive() for _ in range(3)])
        stackless.run()
        """
    ).ok()
    assert out == "[0, 1, 2]\n"


@pytest.mark.parametrize("way", ["by itself", "from its home", "begun elsewhere"])
def test_greenlet_whose_parent_lives_in_another_tasklet(script, way):
    """When it is over, it must not go on with code on a stack that is not there."""
    out = script(
        f"""
        import greenlet, stackless
        from stackless import schedule, tasklet
        ch, box = stackless.channel(), []

        def wait(*_):
            greenlet.getcurrent().parent.switch()

        def attempt(act):
            try:
                act()
            except RuntimeError:
                pass

        def home():
            box.append(greenlet.greenlet(wait))
            box[0].switch()
            ch.receive()

        def itself():
            def inner():
                attempt(lambda: setattr(greenlet.getcurrent(), "parent", box[0]))
            greenlet.greenlet(inner).switch()

        def other():
            guest = greenlet.greenlet(wait)
            guest.switch()
            attempt(lambda: setattr(guest, "parent", box[0]))

        def elsewhere():
            parent, here = greenlet.greenlet(wait), greenlet.getcurrent()
            greenlet.greenlet(here.switch, parent).switch()
            guest = greenlet.greenlet(lambda: here.switch(), parent)
            guest.switch()
            box.append(guest)
            tasklet(lambda: (attempt(parent.switch), ch.receive()))()
            schedule()

        for body in {{"by itself": [home, itself], "from its home": [home, other], "begun elsewhere": [elsewhere]}}["{way}"]:
            tasklet(body)()
        attempt(stackless.run)
        attempt(stackless.run)
        print(stackless.getcurrent().label)
        """
    )
    assert (out.returncode, out.stdout) == (0, "main\n"), out


def test_stack_left_by_hand_from_inside_a_greenlet(script):
    """greenlet would then take another tasklet's stack for that of the greenlet."""
    out = script(
        """
        import gc, greenlet, stackless
        from stackless import schedule, tasklet
        def parked():
            for _ in range(3):
                schedule()
        def body():
            ts = [tasklet(parked)() for _ in range(3)]
            schedule()
            here = greenlet.getcurrent()
            def inner():
                for t in ts:
                    try:
                        t._greenlet.switch()
                    except RuntimeError:
                        pass
                    gc.collect()
                    here.switch()
            guest = greenlet.greenlet(inner)
            for _ in range(3):
                guest.switch()
                schedule()
        tasklet(body)()
        for _ in range(3):
            try:
                stackless.run()
            except RuntimeError:
                pass
        print(stackless.getcurrent().label)
        """
    )
    assert (out.returncode, out.stdout) == (0, "main\n"), out


@pytest.mark.parametrize("what", ["schedule()", "ch.send(1)", "stackless.run()", "other.kill()"])
def test_greenlets_trace_function_cannot_use_tasklets(script, what):
    """It is called in the middle of a switch, with whatever kind of stacks (private ones are no greenlets)."""
    ended = script(
        f"""
        import greenlet, stackless
        from stackless import channel, schedule, tasklet
        ch, got, other = channel(), [], tasklet(lambda: channel().receive())()
        schedule()
        def trace(event, args):
            try:
                {what}
            except RuntimeError as error:
                assert "in the middle of a switch" in str(error), error
        def body(n):
            for i in range(3):
                got.append(schedule((n, i)))
        for n in range(3):
            tasklet(body)(n)
        greenlet.settrace(trace)
        try:
            for i in range(6):
                assert schedule(i) == i
        finally:
            greenlet.settrace(None)
        stackless.run()
        print(sorted(got) == [(n, i) for n in range(3) for i in range(3)], stackless.getruncount())
        """
    )
    assert ended.ok() == "True 1\n"


def test_greenlet_of_a_tasklet_that_is_over_is_switched_to_by_hand(script):
    """It goes on with its parent, the hub, which must not take that for a tasklet that could not begin."""
    ended = script(
        """
        import greenlet, stackless
        over = []
        def second():
            for _ in range(3):
                over[0].switch()
            print("goes on")
        stackless.tasklet(lambda: over.append(greenlet.getcurrent()))()
        stackless.run()
        t = stackless.tasklet(second)()
        stackless.run()
        print(t.alive)
        del t
        stackless.tasklet(print)("as ever")
        stackless.run()
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "goes on\nFalse\nas ever\n"), ended


@pytest.mark.parametrize("depth", [1, 5])
def test_parked_tasklet_is_switched_to_by_hand_again_and_again(script, depth):
    """It stays parked, and what was known of the frames of the other one, which ran since, is not looked at."""
    ended = script(
        f"""
        import gc, greenlet, stackless
        gc.disable()
        greenlets = []
        def receiver(ch):
            greenlets.append(greenlet.getcurrent())
            print("got", ch.receive())
        def deep(n):
            local = [n]
            if n:
                deep(n - 1)
            else:
                stackless.schedule()
        def fill(n):
            return n and fill(n - 1)
        def meddler():
            deep({depth})
            fill(40)
            for i in range(4):
                try:
                    greenlets[0].switch()
                except RuntimeError:
                    pass
                gc.collect()
            print("goes on")
            stackless.schedule()
        ch = stackless.channel()
        stackless.tasklet(receiver)(ch)
        stackless.tasklet(meddler)()
        stackless.tasklet(lambda: (stackless.schedule(), gc.collect()))()
        stackless.run()
        gc.collect()
        ch.send("what was sent")
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "goes on\ngot what was sent\n"), ended


def test_threads_end_while_another_one_collects(script):
    """greenlet drops a reference that the collector does not see; it must not be one of ours."""
    ended = script(
        """
        import gc, threading, time
        import stackless
        class Slow:
            def __del__(self): time.sleep(1e-4)
        def thread():
            stackless.tasklet(stackless.schedule)()
            stackless.run()
        done = []
        def collector():
            while not done:
                slow = Slow()
                slow.itself = slow
                del slow
                gc.collect()
        other = threading.Thread(target=collector)
        other.start()
        for _ in range(250):
            threads = [threading.Thread(target=thread) for _ in range(4)]
            for t in threads: t.start()
            for t in threads: t.join()
        done.append(True)
        other.join()
        gc.collect()
        print("well")
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "well\n"), ended
