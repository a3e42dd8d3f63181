"""pygolang's own tests of its channels, run on gochan through a thin adapter.

    PYTHONPATH=pylib python tests/adapters/pygolang.py golang/golang_test.py

takes the file of an unpacked pygolang source distribution (all were tried, from 0.0.1, which has three such tests, to
0.1, the newest, with seven; `pip download --no-deps --no-binary :all: pygolang`) and runs those of its tests that are
about channels and select, unchanged.  The file itself cannot be imported without pygolang's compiled parts, so the
tests are cut out of it.  Left out: typed channels (dtype), which are about C; defer, recover, strings and the like,
which are about other parts of pygolang; and time_test.py, whose timers can be stopped and depend on the clock.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import os
import pathlib
import sys
import threading
import time
import types
import weakref

import gochan
import pytest
import select_proto
import stackless

#: Those that every distribution has, and what came later.
FIRST = ("test_chan", "test_select", "test_blockforever", "_test_blockforever")
LATER = (
    "test_chan_buf_send_vs_tryrecv_race",
    "test_chan_buf_recv_vs_tryrecv_race",
    "test_chan_sendrecv_2way",
    "test_select_refleak",
)


class chan(gochan.chan):
    """pygolang's names for a channel's methods."""

    __slots__ = ()
    _sendq = property(lambda self: self._senders)
    _recvq = property(lambda self: self._receivers)

    def recv(self):
        return self.receive()

    def recv_(self):
        return self.receive_ok()


class _NilChan(chan, type(gochan.nil)):
    __slots__ = ()

    def __repr__(self):
        return "nilchan"


default = object()


def select(*cases):
    """pygolang's select: bound methods and (ch.send, value), the result (index, what was received)."""
    for item in cases:  # before any case is made, which the traceback would keep
        if item is not default:
            (item[0] if isinstance(item, tuple) else item).__self__  # noqa: B018
    made = []
    for item in cases:
        if item is default:
            continue
        method, *value = item if isinstance(item, tuple) else (item,)
        ch = method.__self__
        made.append(ch.sendCase(*value) if value else ch.receives(_with_ok if method.__name__ == "recv_" else None))
    places = [i for i, item in enumerate(cases) if item is not default]
    chosen = select_proto.select(made, default=default in cases)
    if chosen is select_proto.DEFAULT:
        return cases.index(default), None
    if isinstance(chosen, tuple):
        c = next(c for c in made if c.ok is not None)
        return places[c.index], (c.value, c.ok)
    return places[chosen.index], chosen.value if chosen.direction < 0 else None


def _with_ok(value):
    return (value,)


class panics:
    """with panics(text): the block must panic with it.  Waiting for ever is the deadlock error here."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _traceback):
        asleep = "deadlock" in str(error).lower()
        assert isinstance(error, RuntimeError if asleep else gochan.ClosedError)
        assert self.text == "t: blocks forever" if asleep else self.text == str(error)
        return True


def waiters(ch, direction):
    return len(ch._sendq if direction > 0 else ch._recvq)


def wait_blocked(method):
    """Until somebody waits in that method of a channel."""
    while not waiters(method.__self__, 1 if method.__name__ == "send" else -1):
        stackless.schedule()


def cut_out(path):
    """The tests of FIRST and LATER, as functions, from the source file."""
    tree = ast.parse(pathlib.Path(path).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in FIRST + LATER]
    missing = set(FIRST) - {node.name for node in tree.body}
    assert not missing, f"{path} has no {missing}"
    names = {
        "chan": chan,
        "nilchan": _NilChan(),
        "select": select,
        "default": default,
        "go": gochan.go,
        "panics": panics,
        "waitBlocked": wait_blocked,
        "len_sendq": lambda ch: waiters(ch, 1),
        "len_recvq": lambda ch: waiters(ch, -1),
        "panicWhenBlocked": contextlib.nullcontext,
        "sync": types.SimpleNamespace(Mutex=contextlib.nullcontext),
        "raises": pytest.raises,
        "mark": pytest.mark,
        "xrange": range,
        "_PanicError": gochan.ClosedError,  # 0.0.1, 0.0.2
        "BlocksForever": RuntimeError,
        "golang": types.SimpleNamespace(_blockforever=None),
        "gc": gc,
        "sys": sys,
        "threading": threading,
        "weakref": weakref,
        "time": time,
    }
    exec(compile(tree, str(path), "exec"), names)
    return {node.name: names[node.name] for node in tree.body if node.name.startswith("test_")}


if "PYGOLANG_TESTS" in os.environ:
    globals().update(cut_out(os.environ["PYGOLANG_TESTS"]))

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ["PYGOLANG_TESTS"] = sys.argv[1]
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", __file__, *sys.argv[2:]]))
