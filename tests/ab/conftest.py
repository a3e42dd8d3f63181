"""Running `chanlab compare` on small scripts.  Under the host when CHANLAB_BIN names it, else under plain python3."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

PYLIB = pathlib.Path(__file__).resolve().parents[2] / "pylib"
sys.path.insert(0, str(PYLIB))

#: What the notebook of a script that calls `note()` starts with.
NOTEBOOK = """\
import json, os, sys
def note():
    'Write down that this run took place; returns how many there have been, this one included.'
    native, seed = os.environ['CHANLAB_NATIVE'], os.environ['CHANLAB_SEED']
    entry = [native, seed, os.environ['PYTHONHASHSEED'], 'chanlab_trace' in sys._xoptions, sys.argv]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'notes'), 'a+') as file:
        file.write(json.dumps(entry) + '\\n')
        file.seek(0)
        return len(file.readlines())
"""


class Lab:
    """A directory with a script, and `chanlab compare` to run on it."""

    #: A small program with channels.
    CHANNELS = """\
import stackless
ch = stackless.channel()
stackless.tasklet(lambda: [ch.send(i) for i in range(3)])()
print([ch.receive() for i in range(3)])
"""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.script = directory / "script.py"
        self.temporary = directory / "tmp"
        self.temporary.mkdir()

    def write(self, text: str) -> None:
        """Make `text` the script; it may call note()."""
        self.script.write_text(NOTEBOOK + text)

    def compare(self, *words: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """`chanlab compare words…`, in the directory."""
        return self.command("compare", *words, env=env)

    def command(self, name: str, *words: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """`chanlab name words…`, in the directory."""
        host = os.environ.get("CHANLAB_BIN")
        start = [host, name] if host else [sys.executable, "-m", f"chanlab.ab.{name}"]
        return subprocess.run(
            [*start, *map(str, words)],
            cwd=self.directory,
            env=self.environment() | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def environment(self) -> dict[str, str]:
        """Ours without what would change a comparison."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("CHANLAB_") and k != "PYTHONHASHSEED"}
        return env | {"PYTHONPATH": str(PYLIB), "TMPDIR": str(self.temporary)}

    def run(self, text: str, *options: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Compare the script `text` for one seed and with one block of timed runs unless `options` say otherwise."""
        self.write(text)
        seeds = [] if {"--seed", "--seeds"} & set(options) or "CHANLAB_SEED" in (env or {}) else ["--seeds", 1]
        runs = [] if {"--budget", "--precision"} & set(options) else ["--runs", 1]
        result = self.compare(*runs, *seeds, *options, "script.py", env=env)
        assert list(self.temporary.iterdir()) == [], "temporary files were left behind"
        assert "Traceback" not in result.stderr
        return result

    def notes(self) -> list[list]:
        """What the runs wrote down: hooks, seed, hash seed, traced?, sys.argv."""
        path = self.directory / "notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def lab(tmp_path: pathlib.Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def no_times() -> Callable[[str], None]:
    """A check that a report has no times in it."""

    def check(text: str) -> None:
        assert "median" not in text
        assert "verdict" not in text
        assert "No times" in text

    return check
