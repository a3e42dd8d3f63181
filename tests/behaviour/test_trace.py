"""The trace: its vocabulary and order, labels, values cut short, nasty reprs, files that cannot be written."""

import json
import os

import pytest

VOCABULARY = {"start", "end", "switch", "post", "commit", "withdraw", "close"}


def brief(events):
    """The events as short lines: 'post t1 c1 1 'v''."""
    keys = ("event", "tasklet", "peer", "channel", "direction", "value")
    return [" ".join(str(event[key]) for key in keys if key in event) for event in events]


def test_send_and_receive(traced):
    ended, events = traced(
        """
        import stackless
        ch = stackless.channel()
        t = stackless.tasklet(ch.send)("v")
        t.label, ch.label = "producer", "orders"
        print(ch.receive())
        stackless.run()
        """
    )
    assert ended.ok() == "v\n"
    assert brief(events) == [
        "post main orders -1",
        "switch main producer",
        "start producer",
        "commit producer main orders 1 'v'",
        "switch producer main",
        "switch main producer",
        "end producer",
        "switch producer main",
    ]
    assert [event["step"] for event in events] == list(range(1, 9))


def test_a_sender_that_waits_tells_its_value(traced):
    _, events = traced(
        """
        import stackless
        ch = stackless.channel()
        stackless.tasklet(ch.send)("v")
        stackless.run()
        ch.receive()
        stackless.run()
        """
    )
    assert "post t1 c1 1 'v'" in brief(events)
    assert "commit main t1 c1 -1 'v'" in brief(events)


def test_select(traced):
    _, events = traced(
        """
        import stackless
        a, b = stackless.channel(), stackless.channel()
        t = stackless.tasklet(lambda: stackless.select([a.receiveCase(), b.sendCase("v"), a.sendCase(1)]))()
        stackless.run()
        b.receive()
        """
    )
    lines = brief(events)
    assert [line for line in lines if "post" in line] == ["post t1 c1 -1", "post t1 c2 1 'v'", "post t1 c1 1 1"]
    at = lines.index("commit main t1 c2 -1 'v'")
    assert sorted(lines[at - 2 : at]) == ["withdraw t1 c1 -1", "withdraw t1 c1 1"]


def test_kill_withdraws(traced):
    _, events = traced(
        """
        import stackless
        a, b = stackless.channel(), stackless.channel()
        for wait in (a.receive, lambda: stackless.select([a.receiveCase(), b.sendCase(1)])):
            t = stackless.tasklet(wait)()
            stackless.run()
            t.kill()
        """
    )
    lines = brief(events)
    assert [line for line in lines if "withdraw" in line] == [
        "withdraw t1 c1 -1",
        "withdraw t2 c1 -1",
        "withdraw t2 c2 1",
    ]


def test_close_and_errors(traced):
    _, events = traced(
        """
        import stackless
        ch = stackless.channel()
        ch.close()
        t = stackless.tasklet(ch.receive)()
        try:
            stackless.run()
        except ValueError:
            pass
        """
    )
    assert brief(events) == [
        "close main c1",
        "switch main t1",
        "start t1",
        "end t1 ValueError('Send/receive operation on a closed channel')",
        "switch t1 main",
    ]


def test_an_exception_that_is_sent_is_shown(traced):
    _, events = traced(
        """
        import stackless
        ch = stackless.channel()
        stackless.tasklet(ch.send_exception)(KeyError, "k")
        try:
            ch.receive()
        except KeyError:
            pass
        stackless.run()
        """
    )
    assert "commit t1 main c1 1 KeyError('k')" in brief(events)


def test_file_is_json_lines_in_utf_8(script, tmp_path):
    path = tmp_path / "t.jsonl"
    script(
        """
        import stackless
        ch = stackless.channel()
        ch.label = 'grüße "x" \\n \\x00 \\U0001f600'
        stackless.tasklet(ch.send)("äöü\\n")
        ch.receive()
        """,
        options=("-X", f"chanlab_trace={path}"),
        env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"},
    ).ok()
    raw = path.read_bytes()
    assert raw.endswith(b"\n")
    events = [json.loads(line) for line in raw.decode("utf-8").split("\n")[:-1]]
    assert events[0]["channel"] == 'grüße "x" \n \x00 \U0001f600'
    assert {event["event"] for event in events} <= VOCABULARY


VALUES = {
    "long string": "'x' * 10_000",
    "long list": "list(range(10_000))",
    "deep list": "functools.reduce(lambda a, _: [a], range(5000), [])",
    "recursive list": "recursive",
    "recursive dict": "recursive_dict",
    "big number": "10 ** 5000",
    "negative big number": "-10 ** 5000",
    "long bytes": "bytes(10_000)",
    "set": "{'b', 'a', 'c'}",
    "mixed set": "{1, 'a', None, (1, 2)}",
    "object": "object()",
    "function": "lambda: 0",
    "bound method": "Plain().method",
    "raises": "Raises()",
    "raises SystemExit": "Exits()",
    "raises KeyboardInterrupt": "Interrupts()",
    "raises TaskletExit": "TaskletExits()",
    "switches": "Switches()",
    "uses channels": "Sends()",
    "endless": "Recurses()",
    "huge": "Huge()",
    "no string": "NoString()",
    "surrogate": "Surrogate()",
    "surrogate string": "'\\ud800'",
    "class called str": "type('str', (), {})()",
    "class called list": "type('list', (), {})()",
    "class called dict": "type('dict', (), {})()",
    "class called int": "type('int', (), {'__repr__': lambda self: 1 / 0})()",
    "class called array": "type('array', (), {})()",
    "class called deque": "type('deque', (), {})()",
    "class called frozenset": "type('frozenset', (), {})()",
    "class that lies": "Lies()",
    "exception": "KeyError('k')",
    "class": "Plain",
    "tasklet": "stackless.getcurrent()",
    "channel": "stackless.channel()",
    "case": "stackless.channel().sendCase(1)",
    "bomb": "stackless.bomb",
    "newlines": "'a\\nb'",
    "nan": "float('nan')",
}

NASTY = """
import functools, sys
import stackless

class Plain:
    def method(self): pass
class Raises:
    def __repr__(self): raise ZeroDivisionError("in repr")
class Exits:
    def __repr__(self): raise SystemExit(9)
class Interrupts:
    def __repr__(self): raise KeyboardInterrupt
class TaskletExits:
    def __repr__(self): raise TaskletExit
class Switches:
    def __repr__(self):
        stackless.schedule()
        return "switched"
class Sends:
    def __repr__(self):
        stackless.channel().send(1)
        return "sent"
class Recurses:
    def __repr__(self): return repr(self)
class Huge:
    def __repr__(self): return "h" * 10_000_000
class NoString:
    def __repr__(self): return 5
class Surrogate:
    def __repr__(self): return "\\ud800"
class Lies:
    @property
    def __class__(self): raise ValueError("no class")
recursive = []; recursive.append(recursive)
recursive_dict = {}; recursive_dict["x"] = recursive_dict

value = eval(sys.argv[1])
for direction in (1, -1):
    for way in ("wait", "meet", "select wait", "select meet"):
        ch = stackless.channel()
        got = []
        if way.startswith("select"):
            send = lambda: stackless.select([ch.sendCase(value), stackless.channel().receiveCase()])
            receive = lambda: got.append(stackless.select([ch.receiveCase()]).value)
        else:
            send = lambda: ch.send(value)
            receive = lambda: got.append(ch.receive())
        first, second = (send, receive) if direction > 0 else (receive, send)
        ts = [stackless.tasklet(first)(), stackless.tasklet(second)()]
        stackless.run()
        assert len(got) == 1 and got[0] is value
        assert ch.balance == 0 and not any(t.alive for t in ts)
        assert stackless.switch_trap() == 0
        assert stackless.getcurrent() is stackless.getmain() and stackless.getruncount() == 1
print("ok")
"""


@pytest.mark.parametrize("name", VALUES)
def test_nasty_values(traced, name):
    """Whatever a value's repr does, the meeting takes place, and the line is short and readable."""
    ended, events = traced(NASTY, VALUES[name])
    assert ended.ok() == "ok\n"
    shown = [event["value"] for event in events if event["event"] == "commit"]
    assert len(shown) == 8
    assert len(set(shown)) == 1 or name == "switches"  # which is refused only where it would be a real switch
    assert all(len(text) <= 100 for text in shown)
    assert "0x" not in "".join(shown)
    assert [event["step"] for event in events] == list(range(1, len(events) + 1))


def test_values_are_the_same_in_every_process(traced):
    """No address, no hash order: sets and dicts of strings too."""
    values = "[object(), {'b', 'a', 'c', 'd'}, frozenset('xyz'), print, Plain().method, [Plain()], {Plain(): 1}]"
    first = traced(NASTY, values, env={"PYTHONHASHSEED": "1"})[1]
    second = traced(NASTY, values, env={"PYTHONHASHSEED": "2"})[1]
    assert first == second


def test_nasty_labels(traced):
    ended, events = traced(
        """
        import stackless
        for label in ["\\ud800", "x" * 10_000, "", "a\\tb"]:
            ch = stackless.channel()
            try:
                ch.label = label
            except ValueError:
                continue
            stackless.tasklet(ch.send)(1)
            assert ch.receive() == 1
            stackless.run()
        print("ok")
        """
    )
    assert ended.ok() == "ok\n"
    assert events


def test_path_that_cannot_be_written(script, tmp_path):
    for path in (tmp_path / "missing" / "t.jsonl", tmp_path):
        ended = script("import stackless\nprint('started')", options=("-X", f"chanlab_trace={path}"))
        assert ended.returncode in (1, 2)
        assert "started" not in ended.stdout
        assert str(path) in ended.stderr
        assert "trace" in ended.stderr


def test_full_disk(script):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    ended = script(
        """
        import stackless
        ch = stackless.channel()
        for i in range(2000):
            stackless.tasklet(ch.send)(i)
            assert ch.receive() == i
        print("done")
        """,
        options=("-X", "chanlab_trace=/dev/full"),
    )
    assert ended.stdout == "done\n", ended.stderr
    assert "No space left" in ended.stderr
    assert len(ended.stderr.splitlines()) < 20


def test_no_trace_without_the_option(script, tmp_path):
    script(
        """
        import stackless
        from chanlab.watch import watch
        assert watch.trace is None
        ch = stackless.channel()
        stackless.tasklet(ch.send)(1)
        ch.receive()
        """,
        cwd=tmp_path,
    ).ok()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["script.py"]


def test_fork(traced):
    """The child writes nothing, and the parent's lines stay whole and single."""
    ended, events = traced(
        """
        import os, stackless
        ch = stackless.channel()
        def talk(n):
            for i in range(n):
                stackless.tasklet(ch.send)(i)
                ch.receive()
                stackless.run()
        talk(5)
        pid = os.fork()
        talk(5)
        if pid == 0:
            raise SystemExit(0)
        os.waitpid(pid, 0)
        talk(5)
        print("parent")
        """
    )
    assert ended.ok() == "parent\n"
    assert [event["step"] for event in events] == list(range(1, len(events) + 1))
    assert sum(event["event"] == "commit" for event in events) == 15


def test_children_do_not_write(traced):
    ended, events = traced(
        """
        import subprocess, sys, stackless
        ch = stackless.channel()
        code = "import stackless; c = stackless.channel(); stackless.tasklet(c.send)(1); c.receive()"
        stackless.tasklet(ch.send)(1)
        subprocess.run([sys.executable, "-c", code], check=True)
        ch.receive()
        """
    )
    ended.ok()
    assert sum(event["event"] == "commit" for event in events) == 1


@pytest.mark.parametrize(
    "ending",
    ["raise SystemExit(3)", "raise KeyError", "stackless.tasklet(sys.exit)(3); stackless.run()", "ch.receive()"],
)
def test_complete_however_the_program_ends(traced, ending):
    _, events = traced(
        f"""
        import sys, stackless
        ch = stackless.channel()
        t = stackless.tasklet(ch.send)("last")
        stackless.run()
        def pauses():
            stackless.schedule_remove()
        u = stackless.tasklet(pauses)()
        stackless.run()
        {ending}
        """
    )
    lines = brief(events)
    assert "post t1 c1 1 'last'" in lines
    if "receive" not in ending:
        assert "withdraw t1 c1 1" in lines
    assert "end t2" in lines


def test_same_trace_twice(script, tmp_path):
    source = """
        import stackless
        chs = [stackless.channel() for _ in range(4)]
        def f(i):
            for _ in range(20):
                c = stackless.select([ch.receiveCase() for ch in chs] + [ch.sendCase(i) for ch in chs])
        for i in range(6):
            stackless.tasklet(f)(i)
        stackless.run()
        """
    traces = []
    for i in range(2):
        path = tmp_path / f"{i}.jsonl"
        script(source, options=("-X", f"chanlab_trace={path}"), env={"CHANLAB_SEED": "99"}).ok()
        traces.append(path.read_bytes())
    assert traces[0] == traces[1]
    assert len(traces[0]) > 10_000


def test_steps_of_switches_join_up(traced):
    """Each switch leads from where the one before has led to."""
    _, events = traced(
        """
        import stackless
        chs = [stackless.channel() for _ in range(3)]
        def f(i):
            for n in range(10):
                stackless.select([chs[i].receiveCase(), chs[(i + 1) % 3].sendCase(n)])
                stackless.schedule()
        for i in range(3):
            stackless.tasklet(f)(i)
        stackless.run()
        """
    )
    at = "main"
    for event in events:
        if event["event"] == "switch":
            assert event["tasklet"] == at
            at = event["peer"]
        elif event["event"] in ("start", "end", "post", "commit"):
            assert event["tasklet"] == at


def test_what_fails_at_the_end_of_a_tasklet_again_and_again(traced):
    """The hub is told of an error, and what it does about that fails in the same way: it must not try for ever."""
    ended, _ = traced(
        """
        import stackless
        class Named(stackless.tasklet):
            @property
            def label(self):
                return self.name
        def body():
            del stackless.getcurrent().name
        t = Named(body)
        t.name = "worker"
        t()
        try:
            stackless.run()
        except AttributeError as error:
            print(error)
        """
    )
    assert ended.stdout == "'Named' object has no attribute 'name'\n", ended
    assert ended.returncode == 0
