"""Whatever comes at any moment: kills and signals (soak.py), and allocations that fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from chanlab import hooks

#: For how many seconds each seed soaks, and how many allocations fail, one at a time.
SECONDS, POINTS = (60, 1500) if os.environ.get("CHANLAB_SOAK") else (1, 60)
SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.parametrize("seed", range(3))
def test_kills_and_signals(seed):
    done = subprocess.run(
        [sys.executable, str(SOAK), str(seed), str(SECONDS)], capture_output=True, text=True, timeout=SECONDS + 60
    )
    assert done.returncode >= 0, done  # the program may end with an exception, or as a Ctrl-C ends it
    assert "alive" in done.stdout, done


PROGRAMS = """
import os, signal, sys
import _testcapi, stackless
from gochan import chan, go
from select_proto import select

def go_channels(n):
    a, b, done, got = chan(), chan(2), chan(), []
    def produce():
        for i in range(n):
            a.send(i)
            b.send(i)
        a.close()
        b.close()
    def iterate():
        got.extend(a)
        done.send(1)
    def ask():
        while (pair := b.receive_ok())[1]:
            got.append(pair[0])
        done.send(2)
    for body in (produce, iterate, ask):
        go(body)
    done.receive(), done.receive()
    assert sorted(got) == sorted([*range(n), *range(n)]), got

def selects(n):
    a, b, c, got = chan(), chan(1), stackless.channel(), []
    def receive():
        for _ in range(2 * n):
            got.append(select([a.receiveCase(), b.receiveCase(), c.receiveCase()]).value)
    def send():
        for i in range(n):
            select([a.sendCase(i), c.sendCase(i)])
            b.send(i)
    go(receive)
    go(send)
    stackless.run()
    assert sorted(got) == sorted([*range(n), *range(n)]), got

def spawns(n):
    got = []
    for i in range(n):
        stackless.tasklet(lambda i, k=1: (stackless.schedule(), got.append(i)))(i)
    stackless.run()
    assert got == list(range(n)), got

def sleeps(n):
    got = []
    def sleep(i):
        stackless.sleep(0.0001 * i)
        got.append(i)
    for i in range(n):
        go(sleep, i)
    stackless.run()
    assert sorted(got) == list(range(n)), got

program = globals()[sys.argv[1]]
program(3)  # the first use of greenlet and contextvars does not survive it, even without us
for start in range(1, int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(20)
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


@pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 14), reason="CPython 3.12 and 3.13 do not survive it, even without us"
)
@pytest.mark.skipif(hasattr(sys, "gettotalrefcount"), reason="nor does an assert-enabled 3.11")
@pytest.mark.skipif(
    not hooks.FUSED or "switch:private" not in hooks.NATIVE, reason="greenlet (3.5.6) crashes when it gets no memory"
)
@pytest.mark.parametrize("program", ["go_channels", "selects", "spawns", "sleeps"])
def test_no_memory(tmp_path, program):
    """Every allocation fails once: an exception, or none, but no crash, and the next program works."""
    pytest.importorskip("_testcapi")
    path = tmp_path / "script.py"
    path.write_text(PROGRAMS)
    done = subprocess.run(
        [sys.executable, str(path), program, str(POINTS)], capture_output=True, text=True, timeout=10 + POINTS
    )
    assert done.stdout == "fine\n", done
