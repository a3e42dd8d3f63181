"""Every example runs, shows what its first line says, and does the same for the same seed in every hook configuration.

The examples run under the host that CHANLAB_BIN names, else under this Python with pylib/ on its path.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from configurations import CONFIGURATIONS  # noqa: E402

EXAMPLES = ROOT / "examples"
GUARD = 120  # seconds until an example that hangs is given up; nothing is measured

#: A size for each example that makes its whole trace short.
SMALL = {
    "dispatcher": ["100", "100"],
    "fanin": ["200"],
    "philosophers": ["20"],
    "pingpong": ["100"],
    "pool": ["500"],
    "santa": ["5"],
    "selectmeet": ["50"],
    "sieve": ["30"],
}

#: Examples in which chance decides: those that draw waiting times or often have several cases ready.
CHANCE = ["fanin", "pool", "santa", "selectmeet"]


@dataclass(frozen=True)
class Result:
    output: str
    trace: bytes


def interpreter() -> list[str]:
    host = os.environ.get("CHANLAB_BIN")
    return [host] if host else [sys.executable]


def environment(native: str, seed: int) -> dict[str, str]:
    """The caller's environment without its own choices of hooks, seed and hash seed."""
    env = {name: value for name, value in os.environ.items() if name not in ("CHANLAB_BIN", "PYTHONHASHSEED")}
    env.update(CHANLAB_NATIVE=native, CHANLAB_SEED=str(seed))
    if "CHANLAB_BIN" not in os.environ:
        env["PYTHONPATH"] = str(ROOT / "pylib")
    return env


def execute(words: list[str], native: str = "none", seed: int = 1) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*interpreter(), *words],
        env=environment(native, seed),
        capture_output=True,
        encoding="utf-8",
        timeout=GUARD,
    )


@functools.cache
def why_no_native() -> str | None:
    """Why nothing can run in C here, or None when it can."""
    attempt = execute(["-c", "import stackless, _chanlab"])
    return None if attempt.returncode == 0 else attempt.stderr.strip().splitlines()[-1]


def run(name: str, tmp_path: Path, native: str = "none", seed: int = 1) -> Result:
    """Run a small version of an example; it must end well and complain about nothing."""
    if native != "none" and (reason := why_no_native()):
        pytest.skip(f"no C hooks under {interpreter()[0]}: {reason}")
    trace = tmp_path / "trace.jsonl"
    trace.unlink(missing_ok=True)
    done = execute(["-X", f"chanlab_trace={trace}", str(EXAMPLES / f"{name}.py"), *SMALL[name]], native, seed)
    assert (done.returncode, done.stderr) == (0, "")
    return Result(done.stdout, trace.read_bytes())


def test_every_example_is_tested_and_in_the_table() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == set(SMALL)
    assert (
        set(re.findall(r"^\| \[(\w+)\.py\]\(\1\.py\) \|", (EXAMPLES / "README.md").read_text("utf-8"), re.M)) == names
    )


@pytest.mark.parametrize("name", SMALL)
def test_first_line_says_what_it_shows(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text("utf-8")
    first, *_ = text.splitlines()
    assert first.startswith('"""') and first.endswith(".") and len(first.split()) > 6
    assert f"usage: {name}.py [" in (ast.get_docstring(ast.parse(text)) or "")


@pytest.mark.parametrize("name", SMALL)
def test_it_runs_with_its_default_size(name: str) -> None:
    done = execute([str(EXAMPLES / f"{name}.py")])
    assert (done.returncode, done.stderr) == (0, "")
    assert 0 < len(done.stdout.splitlines()) < 40


@pytest.mark.parametrize("name", SMALL)
def test_the_trace_names_everybody(name: str, tmp_path: Path) -> None:
    """Tasklets and channels have labels of their own: none is called t12 or c7."""
    events = [json.loads(line) for line in run(name, tmp_path).trace.splitlines()]
    assert events
    labels = {event[key] for event in events for key in ("tasklet", "peer", "channel") if key in event}
    assert [label for label in sorted(labels) if re.fullmatch(r"[tc]\d+", label)] == []


@pytest.mark.parametrize("native", CONFIGURATIONS)
@pytest.mark.parametrize("name", SMALL)
def test_same_seed_same_output_and_trace(name: str, native: str, tmp_path: Path) -> None:
    """The configuration does what the prototype does and, with "none", the prototype the same twice."""
    prototype, other = run(name, tmp_path), run(name, tmp_path, native)
    assert other.output == prototype.output
    assert other.trace == prototype.trace


@pytest.mark.parametrize("name", SMALL)
def test_native_does_the_same_twice(name: str, tmp_path: Path) -> None:
    assert run(name, tmp_path, "all", seed=2) == run(name, tmp_path, "all", seed=2)


@pytest.mark.parametrize("name", CHANCE)
def test_another_seed_another_course(name: str, tmp_path: Path) -> None:
    one, other = run(name, tmp_path, seed=1), run(name, tmp_path, seed=2)
    assert one.trace != other.trace
    assert one.output != other.output


@pytest.mark.parametrize("name", sorted(set(SMALL) - set(CHANCE)))
def test_the_seed_changes_nothing_where_nothing_is_left_to_chance(name: str, tmp_path: Path) -> None:
    assert run(name, tmp_path, seed=1) == run(name, tmp_path, seed=2)


# -- what each of them is to print ---------------------------------------------------------------------------------------


def test_santa_serves_whole_groups(tmp_path: Path) -> None:
    output = run("santa", tmp_path).output
    years = re.findall(r"^ +(\d+) +(\d+)  (\w+) +(\d+)$", output, re.M)
    assert [int(year) for year, *_ in years] == [1, 2, 3, 4, 5]
    deliveries = re.findall(r"^  Christmas \d+: Santa delivers toys with (.*)$", output, re.M)
    consultations = re.findall(r"^  Santa advises (.*)$", output, re.M)
    assert deliveries and consultations
    assert all(len(set(names.split(", "))) == 9 for names in deliveries)
    assert all(len(set(names.split(", "))) == 3 for names in consultations)
    assert deliveries[-1].split(", ")[-1] == years[-1][2], "the last reindeer home"
    assert output.endswith("9 reindeer and 10 elves wait for his successor.\n")


def test_santa_lets_the_reindeer_go_first(tmp_path: Path) -> None:
    """Once the ninth reindeer is at the door or inside, Santa commits with no elf before he has them all."""
    gathered = 0  # reindeer at the door or inside since the last delivery
    inside = 0  # reindeer inside
    for line in run("santa", tmp_path, seed=3).trace.splitlines():
        event = json.loads(line)
        is_home, is_study = event.get("channel") == "home", event.get("channel") == "study"
        if event["event"] == "post" and is_home and event["direction"] == 1:
            gathered += 1
        elif event["event"] == "commit" and is_home:
            gathered += event["tasklet"] != "Santa"  # a reindeer that found Santa waiting has not been at the door
            inside += 1
            if inside == 9:
                gathered -= 9
                inside = 0
        elif event["event"] == "commit" and is_study:
            assert gathered < 9, event
    assert inside == 0


def test_sieve_finds_the_primes(tmp_path: Path) -> None:
    primes = [n for n in range(2, 114) if all(n % d for d in range(2, n))]
    assert len(primes) == 30
    first, last, total = run("sieve", tmp_path).output.splitlines()
    assert [int(word) for word in first.split()[1:]] == primes[:10]
    assert [int(word) for word in last.split()[1:]] == primes[-10:]
    assert total.startswith("30 primes")


def test_pingpong_touches_the_ball_twice_a_round_trip(tmp_path: Path) -> None:
    assert run("pingpong", tmp_path).output == "100 round trips, 200 touches of the ball\n"


def test_fanin_hears_everybody(tmp_path: Path) -> None:
    counts = [int(n) for n in re.findall(r"(\d+) from \w+", run("fanin", tmp_path).output)]
    assert len(counts) == 5
    assert sum(counts) == 200
    assert min(counts) > 20, "one talker in five, 200 times: 40, give or take 6"


def test_dispatcher_serves_the_channels_in_turn(tmp_path: Path) -> None:
    rows = [[int(word) for word in line.split()] for line in run("dispatcher", tmp_path).output.splitlines()[1:]]
    assert rows == [[1, 100, 1, 100, 100], [10, 10, 10, 1, 1], [100, 1, 1, 1, 1]]


def test_selectmeet_pairs_nobody_with_himself(tmp_path: Path) -> None:
    _, *rows, _ = run("selectmeet", tmp_path).output.splitlines()
    table = [[int(word) for word in row.split()[1:6]] for row in rows]
    assert [table[i][i] for i in range(5)] == [0] * 5
    dances = [sum(table[i]) + sum(row[i] for row in table) for i in range(5)]
    assert max(dances) == 50
    assert sum(dances) % 2 == 0


def test_philosophers_starve_without_a_footman_only(tmp_path: Path) -> None:
    output = run("philosophers", tmp_path).output
    assert "Without a footman: Deadlock" in output
    for philosopher, fork in (("Plato", 5), ("Hypatia", 1), ("Kant", 2), ("Arendt", 3)):
        assert f"{philosopher} sends to take {fork}, philosophers.py:" in output
    last = output.splitlines()[-1]
    assert last.startswith("With a footman all are full after 20 meals: ")
    assert all(name in last for name in ("Plato", "Hypatia", "Kant", "Arendt", "Laozi"))


def test_pool_does_every_job_and_hears_of_the_cancel(tmp_path: Path) -> None:
    first, *cancelled = run("pool", tmp_path).output.splitlines()
    found, jobs, *looked_at = map(int, re.findall(r"\d+", first))
    assert (found, jobs, sum(looked_at), len(looked_at)) == (13, 500, 500, 4)
    assert min(looked_at) > 0
    by_chance, by_priority = (re.findall(r"153 found.*\((\d) times, (\w+)\)|(\d+)[,.]", line) for line in cancelled)
    assert (by_chance[0][:2], by_priority[0][:2]) == (("5", "select"), ("5", "pri_select"))
    late = [sum(int(n) for *_, n in counts[1:]) for counts in (by_chance, by_priority)]
    assert late[0] > 0, "a worker goes on in one select of two, 20 times"
    assert late[1] == 0
