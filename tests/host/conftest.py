"""Runs the host and the python3 it was built for, side by side, as subprocesses."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def chanlab() -> str:
    """The host binary."""
    return os.environ.get("CHANLAB_BIN", str(ROOT / "build" / "release" / "chanlab"))


@pytest.fixture(scope="session")
def clean_env() -> dict[str, str]:
    """The environment without whatever would change how Python or chanlab starts."""
    dropped = ("CHANLAB_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


@pytest.fixture(scope="session")
def venv(chanlab: str, clean_env: dict[str, str]) -> pathlib.Path:
    """The environment the host was built with."""
    probe = [chanlab, "-I", "-c", "import sys; print(sys.prefix)"]
    return pathlib.Path(subprocess.run(probe, env=clean_env, capture_output=True, text=True, check=True).stdout.strip())


@pytest.fixture(scope="session")
def python(venv: pathlib.Path) -> str:
    """Plain python of the very environment the host uses: what it is compared with."""
    return str(venv / "bin" / "python")


@pytest.fixture
def run(tmp_path: pathlib.Path, clean_env: dict[str, str]) -> Run:
    """run(program, *arguments, env={...}, stdin="...", cwd=...): a finished process with text output."""

    def start(
        *command: object, env: dict[str, str] | None = None, stdin: str = "", cwd: pathlib.Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        words = [str(word) for word in command]
        merged = clean_env | (env or {})
        return subprocess.run(words, env=merged, input=stdin, cwd=cwd, capture_output=True, text=True)

    return start


@pytest.fixture
def both(run: Run, chanlab: str, python: str) -> Callable[..., tuple]:
    """Runs the same arguments under the host and under python3 and returns both finished processes."""
    return lambda *arguments, **how: (run(chanlab, *arguments, **how), run(python, *arguments, **how))


@pytest.fixture
def script(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """script(text, name="prog.py"): writes a program into the temporary directory."""

    def write(text: str, name: str = "prog.py") -> pathlib.Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def make_venv(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """make_venv(python): an empty environment made by that interpreter."""

    def make(interpreter: str = sys.executable) -> pathlib.Path:
        where = tmp_path / "environment"
        subprocess.run([interpreter, "-m", "venv", "--without-pip", where], check=True)
        return where

    return make
