"""Compare workloads side by side: chanlab with all hooks and with none, Go, and the raw greenlet switch.

usage: ratios.py [-k PROCESSES] [--also NAME=INTERPRETER]… [--cpu CPU] [WORKLOAD…]

The sides take turns, one process each, K rounds; the smallest process CPU time of each counts.  The table gives ns per
operation, and the time with all hooks as a share of each other side's.  The greenlet column is always the same: a round
trip of two switches, N of its own.  Only ratios of one run are worth comparing.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BENCH = Path(__file__).resolve().parent
PYLIB = BENCH.parent / "pylib"
WORKLOADS = [
    "pingpong",
    "pipe",
    "yield2",
    "yield1000",
    "spawn",
    "ring",
    "sieve",
    "fanin",
    "nested",
    "select2",
    "select8",
    "select64",
]
NOT_IN_GO = {"nested"}
#: The prototype is slower than the rest by a factor of this order, so that it does so much less.
LESS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare workloads side by side.")
    parser.add_argument("-k", type=int, default=5, help="processes of each side (default 5)")
    parser.add_argument("--cpu", type=int, help="pin all processes to this processor")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=INTERPRETER",
        help="one more Python with a stackless module",
    )
    parser.add_argument("workload", nargs="*", help=f"default: {' '.join(WORKLOADS)}")
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    others = dict(word.split("=", 1) for word in options.also)
    with tempfile.TemporaryDirectory() as directory:
        go = build_go(directory)
        names = ["all", "none", *(["go"] if go else []), "greenlet", *others]
        print(f"{'ns per operation':16}" + "".join(f"{name:>10}" for name in names), end="")
        print("".join(f"{'all/' + name:>14}" for name in names[1:]))
        for workload in options.workload or WORKLOADS:
            row(workload, names, measured(commands(workload, go, others), options.k))


def build_go(directory: str) -> str | None:
    """Compile the Go workloads.  Returns the program, or None (said on standard error) where there is no Go."""
    if shutil.which("go") is None:
        print("no go command on the PATH: the table is without Go", file=sys.stderr)
        return None
    program = str(Path(directory, "workloads"))
    subprocess.run(["go", "build", "-o", program, "."], cwd=BENCH / "peers", check=True)
    return program


def commands(workload: str, go: str | None, others: dict[str, str]) -> dict[str, tuple[list[str], dict[str, str]]]:
    """For each side its command, and what its environment has beside ours."""
    script, n = str(BENCH / f"{workload}.py"), default_n(workload)
    sides = {
        "all": ([sys.executable, script, str(n)], chanlab("all")),
        "none": ([sys.executable, script, str(n // LESS)], chanlab("none")),
        "greenlet": ([sys.executable, str(BENCH / "limits" / "greenlet_switch.py")], {}),
    }
    if go and workload not in NOT_IN_GO:
        sides["go"] = ([go, workload, str(n)], {})
    return sides | {name: ([interpreter, script, str(n)], {}) for name, interpreter in others.items()}


def chanlab(hooks: str) -> dict[str, str]:
    return {"PYTHONPATH": str(PYLIB), "CHANLAB_NATIVE": hooks}


def default_n(workload: str) -> int:
    """The N of a workload, read without importing it."""
    for line in ast.parse((BENCH / f"{workload}.py").read_text()).body:
        if isinstance(line, ast.Assign) and line.targets[0].id == "N":
            return ast.literal_eval(line.value)
    raise ValueError(f"{workload}.py has no N")


def measured(sides: dict[str, tuple[list[str], dict[str, str]]], rounds: int) -> dict[str, float]:
    """The least ns per operation of each side, which take turns."""
    least = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, (command, extra) in sides.items():
            done = subprocess.run(command, env={**os.environ, **extra}, stdout=subprocess.PIPE, text=True, check=True)
            least[name] = min(least[name], json.loads(done.stdout)["ns_per_op"])
    return least


def row(workload: str, names: list[str], ns: dict[str, float]) -> None:
    times = (f"{ns[name]:10.1f}" if name in ns else f"{'-':>10}" for name in names)
    ratios = (f"{ns['all'] / ns[name]:14.3f}" if name in ns else f"{'-':>14}" for name in names[1:])
    print(f"{workload:16}", *times, *ratios, sep="", flush=True)


if __name__ == "__main__":
    main()
