"""Every workload runs, does exactly the operations that it says, and prints its line; no times are looked at."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
HOST = Path(os.environ.get("CHANLAB_BIN", ROOT / "build" / "release" / "chanlab"))
sys.path[:0] = [str(BENCH), str(ROOT / "pylib")]

import instructions  # noqa: E402
from chanlab.ab import bench  # noqa: E402

GUARD = 120  # seconds until a workload that hangs is given up; nothing is measured
N = 1037  # no multiple of any number of tasklets, and more than each of them

#: What n operations of a workload are, in the words of counts.py.
WORK = {
    "pingpong": {"sent": 2, "received": 2},
    "pipe": {"sent": 1, "received": 1},
    "yield2": {"scheduled": 1},
    "yield1000": {"scheduled": 1},
    "spawn": {"finished": 1},
    "ring": {"sent": 1},
    "sieve": {"sent": 1},
    "fanin": {"sent": 1, "received": 1},
    "nested": {"sent": 2, "received": 2},
    "select2": {"sent": 1, "selected": 1},
    "select8": {"sent": 1, "selected": 1},
    "select64": {"sent": 1, "selected": 1},
    "memory": {"blocked": 1},
}

#: Instructions per operation with all hooks: up to 15 % above what was counted with Debian's CPython 3.11.2 on x86-64.
CEILINGS = {"pingpong": 1650, "yield2": 488, "spawn": 1600, "select8": 2550, "select64": 6900}

#: Bytes that greenlet copies of a waiting tasklet's C stack, more than of a plain greenlet's: 256 were seen.
MOST_COPIED = 290


def python(hooks: str, *words: str) -> dict:
    """Run Python with these hooks and bench/ on its path; its line of JSON."""
    path = os.pathsep.join([str(ROOT / "pylib"), str(BENCH)])
    env = {**os.environ, "PYTHONPATH": path, "CHANLAB_NATIVE": hooks}
    done = subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, timeout=GUARD)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("hooks", ["none", "all"])
@pytest.mark.parametrize("workload", WORK)
def test_does_its_operations(workload, hooks):
    counts = python(hooks, str(Path(__file__).with_name("counts.py")), workload, str(N))
    assert {name: counts[name] for name in WORK[workload]} == {
        name: times * N for name, times in WORK[workload].items()
    }


@pytest.mark.parametrize("workload", [*WORK, "limits/greenlet_switch", "limits/empty_method"])
def test_prints_its_line(workload):
    figures = python("all", str(BENCH / f"{workload}.py"), str(N))
    assert (figures["workload"], figures["ops"]) == (Path(workload).name, N)
    assert figures["seconds"] >= 0
    assert ("bytes_per_op" in figures) == (workload == "memory")


def test_asyncio_prints_its_line():
    figures = python("none", str(BENCH / "peers" / "with_asyncio.py"), "fanin", str(N))
    assert (figures["workload"], figures["ops"]) == ("fanin", N)


@pytest.mark.skipif(shutil.which("go") is None, reason="there is no go command")
def test_go_knows_every_workload(tmp_path):
    program = bench.build_go(str(tmp_path))
    for workload in WORK.keys() - {"nested"}:
        done = subprocess.run([program, workload, str(N)], capture_output=True, text=True, timeout=GUARD)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["ops"] == N


def test_all_workloads_are_compared_and_tested():
    assert sorted(WORK) == sorted([*bench.WORKLOADS, "memory"])
    assert all(bench.default_n(workload) >= 100_000 for workload in WORK)


like_the_measured_one = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or platform.machine() != "x86_64" or hasattr(sys, "gettotalrefcount"),
    reason="the ceilings are those of an optimised CPython 3.11 on x86-64",
)
needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")


@needs_valgrind
@like_the_measured_one
@pytest.mark.parametrize("workload", CEILINGS)
def test_instructions(workload, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "pylib"))
    monkeypatch.setenv("CHANLAB_NATIVE", "all")
    assert 0 < instructions.per_operation(workload) <= CEILINGS[workload]


@like_the_measured_one
def test_what_greenlet_copies():
    copied = python("all,switch:greenlet", str(Path(__file__).with_name("copied.py")))
    assert 0 < copied["tasklet"] <= copied["greenlet"] + MOST_COPIED


@needs_valgrind
def test_the_host_runs_python_code_like_python3():
    if not HOST.with_name("libchanlab.so").exists():
        pytest.skip("the host has its CPython from libpython, not from python3: host/linkage.cmake tells why")
    mix = "limits/python_mix"
    assert 0 < instructions.per_operation(mix, str(HOST)) <= 1.05 * instructions.per_operation(mix)
