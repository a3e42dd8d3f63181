"""Two functions, or two commands: pairs that have nothing to do with channels."""

from __future__ import annotations

import shlex
import sys

import pytest
from chanlab.ab import callee

FUNCTIONS = """\
import time
def one(): return sum(range(20_000))
def same(): return sum(list(range(20_000)))
def other(): return 7
def fails(): raise ValueError("no")
def clock(): return time.perf_counter_ns()
class Box:
    @staticmethod
    def one(): return one()
number = 3
"""


@pytest.fixture
def pair(lab):
    """Compare two functions of FUNCTIONS."""
    (lab.directory / "pair.py").write_text(FUNCTIONS)

    def compare(a, b, *options):
        return lab.compare("--runs", 12, *options, f"pair:{a}", f"pair:{b}")

    return compare


def test_functions_are_compared_by_the_call(pair):
    result = pair("one", "Box.one")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "  a       pair:one\n  b       pair:Box.one\n" in result.stdout
    assert "alike     exit code, stdout (10 bytes), stderr (0 bytes)\n" in result.stdout
    assert "calls of each side" in result.stdout and "µs" in result.stdout and "start-up" not in result.stdout
    assert "verdict   " in result.stdout and "without tasklets" not in result.stdout


def test_functions_that_return_different_things(pair, no_times):
    result = pair("one", "other")
    assert result.returncode == 3
    assert "199990000" in result.stdout
    no_times(result.stdout)


def test_functions_that_fail_alike(pair, no_times):
    result = pair("fails", "fails")
    assert result.returncode == 4
    assert "ValueError: no" in result.stdout
    no_times(result.stdout)


def test_a_function_that_differs_by_itself(pair, no_times):
    result = pair("clock", "clock")
    assert result.returncode == 5
    no_times(result.stdout)


@pytest.mark.parametrize(
    ("a", "said"),
    [("missing", "'pair' has no 'missing'"), ("number", "is no function"), ("Box.two", "has no 'Box.two'")],
)
def test_functions_that_are_none(pair, a, said):
    result = pair(a, "one")
    assert result.returncode == 2
    assert said in result.stderr and result.stdout == ""


def test_a_module_that_is_none(lab):
    result = lab.compare("nosuch:f", "nosuch:g")
    assert result.returncode == 2
    assert "there is no module 'nosuch'" in result.stderr
    (lab.directory / "broken.py").write_text("1 / 0")
    result = lab.compare("broken:f", "broken:g")
    assert result.returncode == 2
    assert "importing 'broken:f' fails: ZeroDivisionError" in result.stderr


def test_hooks_have_no_place_there(pair):
    result = pair("one", "same", "--a", "none")
    assert result.returncode == 2
    assert "--a chooses hooks for a program" in result.stderr


def test_a_function_is_called_once_to_warm_up_and_then_as_often_as_said():
    calls = []
    seconds = callee.timed(lambda: calls.append(1), 5)
    assert len(calls) == 6
    assert seconds.keys() == {"cpu", "wall"}


def command(code: str) -> str:
    return shlex.join([sys.executable, "-S", "-c", code])


def test_commands(lab):
    result = lab.compare("--runs", 2, "--commands", command("print(6 * 7)"), command("print(42)"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "compare   two commands\n" in result.stdout
    assert "stdout (3 bytes)" in result.stdout and "trace" not in result.stdout and "start-up" not in result.stdout


def test_commands_that_differ(lab, no_times):
    result = lab.compare("--commands", command("print(1)"), command("print(2)"))
    assert result.returncode == 3
    no_times(result.stdout)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["true"], "--commands needs two commands, each in quotes, and got 1"),
        (["true", "false", "true"], "and got 3"),
        (["true", "nosuchcommand -x"], "there is no program 'nosuchcommand'"),
        (["true", "'"], "cannot read the command"),
        (["true", ""], "a command is empty"),
    ],
)
def test_bad_commands(lab, words, said):
    result = lab.compare("--commands", *words)
    assert result.returncode == 2
    assert said in result.stderr and result.stdout == ""
