"""Depth: chains of starts, deep stacks, recursion errors."""

import sys

import pytest
from stackless import channel, run, schedule, tasklet


def test_ten_thousand_started_one_from_inside_another():
    count = []

    def link(n):
        count.append(n)
        if n:
            tasklet(link, (n - 1,)).run()

    tasklet(link)(10_000)
    run()
    assert len(count) == 10_001


def test_ten_thousand_that_wait_for_one_another():
    ch, depth = channel(), 10_000

    def link(n):
        if n == depth:
            return ch.send("bottom")
        mine = channel()
        tasklet(lambda: (link(n + 1), mine.send(None)))()
        return mine.receive()

    tasklet(link)(0)
    assert ch.receive() == "bottom"
    run()


def test_a_pipeline_of_ten_thousand():
    """The prime sieve's shape: each stage hands to the next."""
    first = left = channel()

    def stage(left, right):
        right.send(left.receive() + 1)

    for _ in range(10_000):
        right = channel()
        tasklet(stage)(left, right)
        left = right
    tasklet(first.send)(0)
    assert left.receive() == 10_000
    run()


def test_fifty_suspended_a_hundred_calls_deep():
    got = []

    def deep(n, i):
        if n:
            deep(n - 1, i)
        else:
            schedule()
            got.append(i)
        return n

    for i in range(50):
        tasklet(deep)(100, i)
    run()
    assert got == list(range(50))


def test_depth_of_main_does_not_count():
    limit = sys.getrecursionlimit()
    got = []

    def deep(n):
        return 0 if n == 0 else 1 + deep(n - 1)

    def main_deep(n):
        if n:
            return main_deep(n - 1)
        tasklet(lambda: got.append(deep(limit // 2)))()
        run()
        return None

    main_deep(limit * 2 // 3 - 100)
    assert got == [limit // 2]


def test_recursion_error_is_an_ordinary_error():
    def endless(n):
        return endless(n + 1) + 1

    for _ in range(3):
        tasklet(endless)(0)
        with pytest.raises(RecursionError):
            run()
    got = []
    tasklet(got.append)("well")
    run()
    assert got == ["well"]


OPERATIONS = {
    "send": ("receiver", "ch.send(n)"),
    "send to a select": ("selects", "ch.send(n)"),
    "select": ("receiver", "stackless.select([ch.sendCase(n), other.receiveCase()])"),
    "select meets select": ("selects", "stackless.select([ch.sendCase(n), ch.sendCase(n)])"),
    "send exception": ("receiver", "ch.send_exception(E, n)"),
    "start": ("receiver", "start(n)"),
    "block": ("receiver", "stackless.tasklet(relay)(n); mine.receive()"),
    "schedule": ("receiver", "stackless.tasklet(ch.send)(n); stackless.schedule()"),
    "kill": ("receiver", "t = stackless.tasklet(waits)(n); t.run(); t.kill()"),
}


@pytest.mark.parametrize("watched", ["", "callback", "trace"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_recursion_error_in_the_core(script, tmp_path, operation, watched):
    """Wherever in an operation the limit strikes, nothing is half done: the scheduler works on, no value is doubled."""
    partner, call = OPERATIONS[operation]
    options = ("-X", f"chanlab_trace={tmp_path / 'trace'}") if watched == "trace" else ()
    out = script(
        f"""
        import stackless

        class E(Exception):
            pass

        ch, other, mine = stackless.channel(), stackless.channel(), stackless.channel()
        got, refused = [], []

        def receiver():
            while True:
                try:
                    got.append(ch.receive())
                except E as error:
                    got.append(error.args[0])

        def selects():
            while True:
                got.append(stackless.select([other.receiveCase(), ch.receiveCase()]).value)

        def start(n):
            stackless.tasklet(got.append, (n,)).run()

        def relay(n):
            ch.send(n)
            mine.send(n)

        def waits(n):
            try:
                stackless.schedule_remove()
            finally:
                got.append(n)

        def operation(n):
            {call}

        def falls(n):
            try:
                falls(n + 1)
            except RecursionError:
                pass
            try:
                operation(n)
            except RecursionError:
                refused.append(n)

        r = stackless.tasklet({partner})()
        stackless.run()
        if {watched == "callback"}:
            stackless.set_schedule_callback(lambda prev, next: None)
            stackless.set_channel_callback(lambda *args: None)
        t = stackless.tasklet(falls)(0)
        stackless.run()
        assert not t.alive and refused, (t, refused)
        assert len(set(got)) == len(got), "a value arrived twice"
        missing = set(range(max(refused) + 1)) - set(got) - set(refused)
        assert not missing, f"lost without an error: {{missing}}"
        assert r.blocked and ch.balance == -1 and stackless.getruncount() == 1, (r, ch)
        r.kill()
        stackless.tasklet(ch.send)("well")
        assert ch.receive() == "well"
        stackless.run()
        print("ok")
        """,
        options=options,
    ).ok()
    assert out == "ok\n"


ON_GO_CHANNELS = {
    "close, receivers": ("receivers", "c.close()"),
    "close, senders": ("senders", "c.close()"),
    "receive, senders": ("senders", "got.append(c.receive())"),
    "receive, selects": ("selects", "got.append(c.receive())"),
    "select, senders": ("senders", "got.append(select([c.receiveCase()]).value)"),
    "select, selects": ("selects", "got.append(select([c.receiveCase()]).value)"),
    "schedule, sleepers": ("sleepers", "schedule()"),
}


@pytest.mark.parametrize("operation", ON_GO_CHANNELS)
def test_recursion_error_on_a_go_channel(script, operation):
    """So many calls below the limit, from none at all up to more than an operation takes: nobody waits who need not, and
    no value is lost but the one that was just received."""
    partners, call = ON_GO_CHANNELS[operation]
    out = script(
        f"""
        import sys, time
        from chanlab.sched import here
        from gochan import ClosedError, chan, go
        from select_proto import select
        from stackless import run, schedule, sleep, tasklet

        def deep(n, f):
            return deep(n - 1, f) if n else f()

        def deepest():
            n = 0
            try:
                while True:
                    deep(n, bool)
                    n += 1
            except RecursionError:
                return n

        def sends(send, value):
            try:
                send()
            except ClosedError:
                return
            sent.append(value)

        def takes(c):
            value, ok = c.receive_ok()
            if ok:
                got.append(value)

        def sleeps():
            sleep(1e-6)
            got.append(None)

        def receivers(c):
            for _ in range(3):
                go(takes, c)

        def senders(c):
            for i in range(4):
                go(sends, lambda i=i: c.send(i), i)

        def selects(c):
            for i in range(4):
                go(sends, lambda i=i: select([c.sendCase(i), never.receiveCase()]), i)

        def sleepers(c):
            tasks.extend(go(sleeps) for _ in range(3))
            schedule()
            time.sleep(1e-5)

        limit, bottom, refused = sys.getrecursionlimit(), deepest(), 0
        never = chan()
        for room in range(50):
            sent, got, tasks = [], [], []
            c = chan(0 if {partners!r} == "receivers" else 2)
            {partners}(c)
            if {partners!r} != "sleepers":
                run()
            torn = 0
            try:
                deep(bottom - room, lambda: {call})
            except RecursionError:
                torn = 1
                refused += 1
            assert not here.sched.busy and here.sched.moving is None, room
            run()
            assert not (c.closing and c.queue), (room, c)
            assert not (c._senders.head and len(c) < c.cap), (room, c)
            lost = set(sent) - set(got) - set(c._buffer)
            assert len(lost) <= torn, (room, lost)
            assert not any(t.alive for t in tasks), (room, tasks)
        try:
            chan().receive()  # where there is room again the limit is put right, should that have been impossible
        except RuntimeError:
            pass
        assert sys.getrecursionlimit() == limit
        print(refused)
        """
    ).ok()
    assert int(out) >= 1, f"the limit was met only {out} times"


def test_suspended_deep_and_killed(script):
    out = script(
        """
        import stackless
        done = []
        def deep(n):
            try:
                if n:
                    deep(n - 1)
                else:
                    stackless.schedule_remove()
            finally:
                done.append(n)
        ts = [stackless.tasklet(deep)(800) for _ in range(50)]
        stackless.run()
        for t in ts:
            t.kill()
        print(len(done))
        """
    ).ok()
    assert out == f"{50 * 801}\n"


def test_switching_at_many_depths():
    """Stacks of very different depth alternate."""
    ch, got = channel(), []

    def sends(n, value):
        if n:
            sends(n - 1, value)
        else:
            ch.send(value)

    def receives(n):
        if n:
            receives(n - 1)
        else:
            got.append(ch.receive())

    for i in range(100):
        tasklet(sends)((i * 37) % 400, i)
        tasklet(receives)((i * 53) % 400)
    run()
    assert sorted(got) == list(range(100))
