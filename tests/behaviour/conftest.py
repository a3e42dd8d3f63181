"""What all behaviour tests share.

The directory is run once for each hook configuration, in a process of its own with CHANLAB_NATIVE set; a test just
says `import stackless`.  It asks for `script` when what it does might crash the interpreter or is about its end.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

PYLIB = Path(__file__).resolve().parents[2] / "pylib"

if importlib.util.find_spec("stackless") is None:  # pytest was started by hand, without the driver's environment
    sys.path.insert(0, str(PYLIB))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PYLIB), os.environ.get("PYTHONPATH", "")]))

import stackless  # noqa: E402
from chanlab.sched import here  # noqa: E402

GUARD = 30  # seconds until a script that hangs is given up; nothing is measured


@dataclass
class Ended:
    """How a script ended."""

    returncode: int
    stdout: str
    stderr: str

    def ok(self) -> str:
        """Its output; the test fails here unless it ended well and complained about nothing."""
        assert (self.returncode, self.stderr) == (0, ""), f"exit code {self.returncode}\n{self.stdout}\n{self.stderr}"
        return self.stdout


@pytest.fixture
def script(tmp_path):
    """script(source, *args, options=(), env=None, signal=None) runs a program in the current configuration."""

    def run(source, *args, options=(), env=None, **popen):
        path = tmp_path / "script.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        done = subprocess.run(
            # A debug build of CPython warns of what a program that ends, or forks, has not closed.
            [sys.executable, "-W", "ignore::ResourceWarning", *options, str(path), *args],
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            env={**os.environ, "PYTHONUNBUFFERED": "", **(env or {})},
            timeout=GUARD,
            stdin=subprocess.DEVNULL,
            **popen,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def traced(script, tmp_path):
    """traced(source) -> (Ended, the events of the trace as dicts); the script may set labels."""
    import json

    def run(source, *args, env=None):
        path = tmp_path / "trace.jsonl"
        ended = script(source, *args, options=("-X", f"chanlab_trace={path}"), env=env)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return ended, [json.loads(line) for line in lines]

    return run


@pytest.fixture
def leftovers():
    """Asked for by a test that leaves tasklets or settings behind on purpose: it is cleared up after it."""


def _started():
    """The tasklets of this thread that have begun and not ended, without main."""
    return [t for t in here.sched.started.tasks() if t.alive]


def _scheduled():
    return [t for t in here.sched.runq if t is not stackless.getmain()]


def _reset():
    """Make the scheduler as good as new: no tasklet but main, no callbacks, no traps."""
    for _ in range(10):
        for task in _scheduled() + _started():
            try:
                if task.scheduled and not task.blocked:
                    task.remove()
                task.kill()
            except BaseException as error:
                print("while clearing up:", repr(error))
        if not _scheduled() and not _started():
            break
    main = stackless.getmain()
    main.tempval = None
    main.block_trap = False
    main.set_atomic(False)
    main.set_ignore_nesting(False)


def _quiet():
    """Switch callbacks and traps off; returns which were on."""
    found = []
    for name in ("channel", "schedule"):
        if getattr(stackless, f"get_{name}_callback")() is not None:
            getattr(stackless, f"set_{name}_callback")(None)
            found.append(f"{name} callback")
    if stackless.set_error_handler(None) is not None:
        found.append("error handler")
    if trap := stackless.switch_trap():
        stackless.switch_trap(-trap)
        found.append(f"switch_trap {trap}")
    return found


@pytest.fixture(autouse=True)
def _clean(request):
    """Every test starts with a scheduler as good as new, and fails when it leaves anything behind."""
    yield
    settings = _quiet()
    assert stackless.getcurrent() is stackless.getmain(), "the test did not come back to the main tasklet"
    left = [repr(t) for t in {id(t): t for t in _scheduled() + _started()}.values()]
    _reset()
    if "leftovers" not in request.fixturenames:
        assert not settings, f"the test left settings behind: {settings}"
        assert not left, f"the test left tasklets behind: {left}"
    assert stackless.getruncount() == 1
    assert not here.sched.runs, "somebody still waits in run()"
    assert not getattr(here.sched, "broken", False), "the core in C takes the ring for meddled with"
