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
