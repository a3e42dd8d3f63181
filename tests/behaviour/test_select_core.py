"""select where C and Python share the work: what is changed between posting and resuming, failures, and nonsense.

All of it is the rule in every configuration; the fused core has its own code for most of it.
"""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref
from pathlib import Path

import pytest
import stackless
from chanlab import hooks, rng
from chanlab.sched import here
from gochan import chan
from select_proto import DEFAULT, Offers, Selector, case, late, pri_select, select
from stackless import channel, run, schedule, tasklet

VANDALS = Path(__file__).with_name("vandals.py")


def selecting(cases, box, **options):
    """A tasklet that selects among the cases and puts the result, or what it raises, into the box."""

    def body():
        try:
            box.append(select(cases, **options))
        except Exception as error:
            box.append(error)

    t = tasklet(body)()
    run()
    return t


# -- changed while it is posted


def test_channel_of_a_posted_case_is_replaced():
    """It stays where it was posted."""
    a, b, box = channel(), channel(), []
    c = a.receiveCase()
    selecting([c], box)
    c.channel = b
    assert (a.balance, b.balance) == (-1, 0)
    a.send(1)
    run()
    assert box == [c]
    assert (c.value, c.ok, a.balance) == (1, True, 0)


@pytest.mark.parametrize("kind", ["receive", "send"])
def test_direction_of_a_posted_case_is_changed(kind):
    a, box = channel(), []
    c = a.receiveCase() if kind == "receive" else a.sendCase("v")
    t = selecting([c], box)
    c.direction = -c.direction
    if kind == "receive":
        a.send("w")
    else:
        a.receive()
    run()
    assert box == [c]
    assert a.balance == 0
    assert not t.alive


def test_value_of_a_posted_case_is_replaced():
    a, box = channel(), []
    c = a.sendCase("old")
    selecting([c], box)
    c.value = "new"
    assert a.receive() == "new"
    c2 = a.sendCase("old")
    selecting([c2], box)
    c2.value = late(lambda: "computed")
    assert a.receive() == "computed"
    run()
    assert box == [c, c2]


@pytest.mark.parametrize("when", ["posted", "completed"])
def test_callback_is_given_before_the_select_goes_on(when):
    a, box = channel(), []
    a.preference = 0
    c = a.receiveCase()
    selecting([c, channel().receiveCase()], box)
    if when == "posted":
        c.callback = lambda value: ("called with", value)
    a.send(5)
    if when == "completed":
        c.callback = lambda value: ("called with", value)
    run()
    assert box == [("called with", 5)]


def test_callbacks_of_both_sides():
    a, box = channel(), []
    for preference in (-1, 0, 1):
        a.preference = preference
        selecting([a.receives(lambda v: ("got", v)), channel().receives(abs)], box)
        selecting([a.sends(7, lambda v: ("gave", v)), channel().sends(1, abs)], box)
    assert sorted(box) == [("gave", 7)] * 3 + [("got", 7)] * 3


def test_what_it_resumes_with_is_replaced():
    a, box = channel(), []
    a.preference = 0
    c = a.receiveCase()
    t = selecting([c], box)
    a.send(5)
    t.tempval = None
    run()
    assert type(box[0]) is AttributeError
    assert (c.value, c.ok) == (5, True)


@pytest.mark.parametrize("name", ["channel", "direction", "value", "callback", "guard", "ok", "index", "element"])
def test_attribute_of_a_case_is_deleted(script, name):
    """Before select, and while it is posted: that may break the program, but not the interpreter."""
    out = script(
        f"""
        import stackless
        from stackless import channel, select, tasklet
        for posted in (False, True):
            for kind in ("receiveCase", "sends"):
                for partner in (lambda a: a.send(1), lambda a: a.receive(), lambda a: select([a.receiveCase()])):
                    a, b = channel(), channel()
                    c = a.receiveCase() if kind == "receiveCase" else a.sendCase(2)
                    if not posted:
                        del c.{name}
                    t = tasklet(select)([c, b.receiveCase()])
                    try:
                        stackless.run()
                        if posted:
                            del c.{name}
                        p = tasklet(partner)(a)
                        stackless.run()
                    except Exception:
                        pass
                    t.kill()
        print("alive")
        """
    )
    assert (out.returncode, out.stdout) == (0, "alive\n"), out


# -- ends


@pytest.mark.parametrize("pending", [False, True])
def test_killed_while_it_waits(pending):
    a, b, box = channel(), channel(), []
    cases = [a.receiveCase(), b.sendCase(1), a.receiveCase()]
    t = selecting(cases, box)
    assert t.blocked
    t.kill(pending=pending)
    run()
    assert (a.balance, b.balance, t.alive, box) == (0, 0, False, [])
    assert [c._offers for c in cases] == [None] * 3
    t = selecting(cases, box)
    a.send("again")
    run()
    assert box[0].value == "again"


def test_thrown_at_between_completion_and_resumption():
    """The value is lost with the select, as with a receive()."""
    a, box = channel(), []
    a.preference = 0
    c = a.receiveCase()
    t = selecting([c], box)
    a.send(5)
    t.throw(KeyError, "late")
    assert type(box[0]) is KeyError
    assert a.balance == 0


@pytest.mark.parametrize("preference", [-1, 1])
def test_thrown_at_after_it_has_committed_and_switched(preference):
    """The partner runs first, and throws."""
    a, box, passed = channel(), [], []
    a.preference = preference

    def partner():
        passed.append(a.receive() if preference < 0 else a.send("s"))
        ts[0].throw(KeyError, "x", pending=True)

    tasklet(partner)()
    run()
    c = a.sendCase("v") if preference < 0 else a.receiveCase()

    def body():
        try:
            box.append(select([c]))
        except KeyError:
            box.append("hit")
        schedule()

    ts = [tasklet(body)()]
    run()
    assert passed == ["v" if preference < 0 else None]
    assert box == ["hit"]
    assert c.ok is None


@pytest.mark.parametrize("before", ["", "abc", "cba", "bca", "abcd"])
@pytest.mark.parametrize("words", ["aa", "aba", "baa", "aab", "cbc", "dada", "abcdc"])
@pytest.mark.parametrize("send", [False, True])
def test_same_case_twice_wherever_it_was_selected_from_before(before, words, send):
    """C tells by the places of an earlier select that a case is listed once."""
    channels = [channel() for _ in words]
    named = {}
    for ch, name in zip(channels, "abcd", strict=False):
        named[name] = ch.sendCase(name) if send else ch.receiveCase()
    cases = [named.setdefault(name, channel().receiveCase()) for name in before]
    if cases:
        assert select(cases, default=True) is DEFAULT
    listed = [named.setdefault(name, channel().receiveCase()) for name in words]
    for choose in (select, pri_select):
        with pytest.raises(RuntimeError, match="listed twice"):
            choose(listed, default=True)
    once = list(named.values())
    assert select(once, default=True) is DEFAULT
    assert [c.index for c in once] == list(range(len(once)))
    assert [ch.balance for ch in channels] == [0] * len(channels)


@pytest.mark.parametrize("kinds", ["rs", "rrss", "srsrs", "rgsh", "ghgh", "r0s", "0r0", "rrnnssgghh", "nrnsn0"])
def test_runs_of_cases_of_each_kind_and_what_never_happens_between(kinds):
    """r, s: receive and send on a Stackless channel; g, h: on a Go channel; 0: None; n: a guard that does not hold."""
    for peer in range(len(kinds)):
        channels = [chan() if kind in "gh" else channel() for kind in kinds]
        cases = [
            None if kind == "0" else ch.sendCase(kind) if kind in "sh" else ch.receiveCase()
            for ch, kind in zip(channels, kinds, strict=True)
        ]
        for c, kind in zip(cases, kinds, strict=True):
            if kind == "n":
                c.guard = False
        for _ in range(2):  # the second time they have been selected from
            assert select(cases, default=True) is DEFAULT
            if kinds[peer] in "0n":
                continue
            box = []
            selecting(cases, box)
            assert [ch.balance for ch in channels] == [
                0 if kind in "0n" else 1 if kind in "sh" else -1 for kind in kinds
            ]
            if kinds[peer] in "sh":
                assert channels[peer].receive() == kinds[peer]
            else:
                channels[peer].send("v")
            run()
            assert box[0] is cases[peer] and box[0].index == peer
            assert [ch.balance for ch in channels] == [0] * len(kinds)


def test_pending_elsewhere():
    a, box = channel(), []
    c = a.receiveCase()
    t = selecting([c], box)
    for among in ([c], (channel().receiveCase(), c)):
        for choose in (select, pri_select):
            with pytest.raises(RuntimeError, match="is pending"):
                choose(among)
    with pytest.raises(RuntimeError, match="listed twice"):
        select([c2 := a.sendCase(1), c2])
    t.kill()
    assert select([c], default=True) is DEFAULT


def test_list_is_changed_while_it_waits():
    a, b, box = channel(), channel(), []
    cases = [a.receiveCase(), b.receiveCase()]
    first = cases[0]
    selecting(cases, box)
    cases[:] = [channel().receiveCase()]
    a.send(3)
    run()
    assert box == [first]
    assert b.balance == 0


# -- what is left behind


@pytest.mark.skipif(hooks._chanlab is None, reason="the collector cannot look into stacks without the C module")
@pytest.mark.parametrize("kind", ["list", "tuple", "Selector", "default", "callback"])
def test_forgotten_in_a_select_is_killed(kind):
    """Blocked on cases and channels that nobody else knows."""
    ended = []

    def body():
        a, b = channel(), channel()
        cases = [a.receiveCase(), b.sendCase(stackless.getcurrent())]
        if kind == "callback":
            cases = [a.receives(lambda v: cases), b.sends(cases, print)]
        try:
            if kind == "Selector":
                Selector(cases).select()
            elif kind == "tuple":
                select(tuple(cases))
            elif kind == "default":
                select(cases, default=False)
            else:
                select(cases)
        finally:
            ended.append(kind)

    ts = [tasklet(body)() for _ in range(3)]
    run()
    assert all(t.blocked for t in ts)
    refs = [weakref.ref(t) for t in ts]
    ts.clear()
    gc.collect()
    if hooks.FUSED or "switch" in hooks.NATIVE:
        assert ended == [kind] * 3
    run()
    gc.collect()
    assert [r() for r in refs] == [None] * 3
    assert ended == [kind] * 3


@pytest.mark.skipif(not hooks.FUSED, reason="it is about C that calls Python")
def test_forgotten_in_what_the_python_twin_does(script):
    """While somebody watches, C leaves every operation to Python: what waits there is found all the same."""
    out = script(
        """
        import gc, stackless
        stackless.set_schedule_callback(lambda prev, next: None)
        ended = []
        def body(kind):
            ch = stackless.channel()
            try:
                if kind == "receive":
                    ch.receive()
                elif kind == "send":
                    ch.send(stackless.getcurrent())
                else:
                    stackless.select([ch.receiveCase(), None], default=False)
            finally:
                ended.append(kind)
        for kind in ("receive", "send", "select"):
            stackless.tasklet(body)(kind)
        stackless.run()
        gc.collect()
        print(ended)
        """
    ).ok()
    assert out == "['receive', 'send', 'select']\n"


def test_cases_and_values_do_not_leak():
    class Value:
        pass

    a, b = channel(), channel()
    value = Value()
    ref = weakref.ref(value)

    def body(v):
        select([a.sendCase(v), b.receiveCase()])

    tasklet(body)(value)
    del value
    c = a.receiveCase()
    run()
    select([c, b.sendCase(2)])
    assert c.value is ref()
    run()
    del c
    gc.collect()
    assert ref() is None


def test_long_chain_of_cases():
    a = channel()
    chain = None
    for _ in range(200_000):
        chain = a.sendCase(chain)
    del chain


class Ending:
    """A value that does something when it ends."""

    def __init__(self, do):
        self.do = do

    def __del__(self):
        self.do()


def test_old_value_whose_end_uses_channels():
    """Its case forgets it at the beginning of the next select, before anything is looked at."""
    a, b, said = channel(), channel(), []
    c, d = a.receiveCase(), b.receiveCase()

    def end():
        said.append("ended")
        tasklet(b.send)("from the end")
        schedule()

    tasklet(a.send)(Ending(end))
    assert select([c, d]) is c
    run()  # the sender has let go of it
    assert said == []
    assert select([c, d]) is d
    assert said == ["ended"]
    assert (c.value, c.ok, d.value) == (None, None, "from the end")
    run()


def test_many_old_values_whose_ends_select():
    a, n = channel(), 30
    cases, said = [a.receiveCase() for _ in range(n)], []

    def end():
        said.append(select([channel().receiveCase(), None], default=True))

    for c in cases:
        c.value = Ending(end)
    assert select(cases, default=True) is DEFAULT
    assert said == [DEFAULT] * n
    assert [c.value for c in cases] == [None] * n


# -- the generator


@pytest.mark.parametrize("seed", [0, 1, -1, 2**64 + 5, 2**200 + 3, -(2**70)])
def test_generators_are_twins(seed):
    one, other = rng.Generator(seed), rng.PyGenerator(seed)
    for _ in range(20):
        assert one.draw() == other.draw()
        assert one.state == other.state
    for n in (1, 2, 3, 64, 65536, 2**63, 2**64, 2**80, 0, -5):
        assert one.below(n) == other.below(n)
    one.state = other.state = 12345
    assert one.draw() == other.draw()


@pytest.mark.parametrize("wrong", [None, 1.5, "x"])
def test_generator_of_nonsense(wrong):
    with pytest.raises(TypeError):
        rng.Generator(wrong)


def test_draws_are_the_same_in_both_twins():
    """Exactly as many draws as the rules say, by whoever completes or chooses."""
    a, box = channel(), []
    twin = rng.PyGenerator(here.sched.rng.state)
    state = lambda: here.sched.rng.state  # noqa: E731

    selecting([a.receiveCase(), a.receiveCase(), channel().receiveCase()], box)  # none is ready
    assert state() == twin.state
    a.send(1)  # completes one of two
    assert box[0].index == twin.below(2)
    assert state() == twin.state
    chs = [channel() for _ in range(5)]
    senders = [tasklet(ch.send)(i) for i, ch in enumerate(chs)]
    run()
    assert select([ch.receiveCase() for ch in chs]).index == twin.below(5)
    assert state() == twin.state
    pri_select([ch.receiveCase() for ch in chs])  # draws nothing
    assert state() == twin.state
    for t in senders:
        t.kill()
    t = selecting([a.receiveCase(), a.receiveCase(), a.sendCase(3)], box)
    chosen = select([a.sendCase(1), a.receiveCase(), a.sendCase(2)])  # one of three, then one of those alike
    assert chosen.index == twin.below(3)
    if chosen.direction > 0:
        twin.below(2)
    assert state() == twin.state
    run()
    assert not t.alive


# -- copies, and nonsense


def test_cases_in_c_are_not_pickled():
    c = channel().sendCase(3)
    if "select" not in hooks.FUSED:
        pytest.skip("slots of a Python class can be pickled")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(c, protocol)
    with pytest.raises(TypeError):
        copy.copy(c)


def test_fields_of_a_new_case():
    a = channel()
    for c, direction, value in ((a.receiveCase(), -1, None), (a.sendCase(4), 1, 4), (case(a, 1, 4), 1, 4)):
        assert (c.channel, c.direction, c.value) == (a, direction, value)
        assert (c.callback, c.guard, c.ok, c.index, c.element, c._offers) == (None, True, None, None, None, None)
    assert type(Offers(stackless.getmain(), [c])) is Offers


def test_subclass_of_channel_with_hooks_of_its_own():
    class Never(channel):
        def _ready(self, direction):
            return None

    class Nil(channel):
        def _is_nil(self):
            return True

    never, nil = Never(), Nil()
    t = tasklet(never.send)(1)
    t2 = tasklet(nil.send)(1)
    run()
    assert select([never.receiveCase(), nil.receiveCase()], default=True) is DEFAULT
    t.kill()
    t2.kill()


@pytest.mark.skipif(not hooks.FUSED, reason="it is about pointers, and the Python twins may well hang")
@pytest.mark.parametrize("first", range(0, 200, 50))
def test_vandals(script, first):
    out = script(
        f"import runpy, sys; sys.argv[1:] = ['{first}-{first + 49}']; runpy.run_path({str(VANDALS)!r}, run_name='__main__')"
    )
    assert out.returncode == 0, out
    assert out.stdout.endswith("alive\n")


@pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 14), reason="CPython 3.12 and 3.13 do not survive it, even without us"
)
@pytest.mark.skipif(hasattr(sys, "gettotalrefcount"), reason="nor does an assert-enabled 3.11")
@pytest.mark.skipif(
    not hooks.FUSED or "switch:private" not in hooks.NATIVE, reason="greenlet (3.5.6) crashes when it gets no memory"
)
def test_no_memory(script):
    """Every allocation of a few selects fails once: an exception, or none, but no crash, and the next ones work."""
    pytest.importorskip("_testcapi")
    out = script(
        """
        import os
        import _testcapi, stackless
        from select_proto import select

        def program(n):
            a, b, got = stackless.channel(), stackless.channel(), []
            def receiver():
                for _ in range(n):
                    got.append(select([a.receiveCase(), *(b.receiveCase() for _ in range(70))]).value)
            def sender():
                for i in range(n):
                    select([a.sendCase(i), None, b.sendCase(i)])
            stackless.tasklet(receiver)()
            stackless.tasklet(sender)()
            stackless.run()
            assert sorted(got) == list(range(n)), got

        program(3)
        for start in range(1, 120):
            pid = os.fork()
            if pid == 0:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                try:
                    _testcapi.set_nomemory(start, start + 1)
                    try:
                        program(3)
                    finally:
                        _testcapi.remove_mem_hooks()
                except BaseException:
                    pass
                program(3)
                os._exit(0)
            status = os.waitpid(pid, 0)[1]
            assert status == 0, (start, status)
        print("fine")
        """
    )
    assert out.stdout == "fine\n", out
