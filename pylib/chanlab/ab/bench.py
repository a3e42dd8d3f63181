"""`chanlab bench`: the workloads of bench/ on several sets of hooks and on other systems, in one table.

The sides take turns, one process each, some rounds; the least process CPU time of each counts.  Only ratios of one table
are worth comparing.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import metadata, options, sides, timing
from .codes import Exit
from .compare import guarded, show
from .options import UsageError
from .progress import Progress
from .table import table

HELP = """\
usage: chanlab bench [option] ... [WORKLOAD] ...
Times the workloads of bench/ on several sets of hooks, in turns, and shows ns of CPU per operation.

  --hooks LIST      a set of hooks; may be given several times (default: all, and none); the first is
                    what the others are compared with
  --peers           also whatever is installed of Go, gevent, trio, asyncio and PyPy's stackless.py
  --also NAME=PYTHON   also this interpreter, which has a stackless module of its own
  --rounds K        processes of each side (default: 5)
  --cpu N           the processor that they are bound to, or none (default: the last one)
  --json FILE       write all times as pyperf does
  -h, --help        this text
"""

BENCH = Path(sides.PYLIB).parent / "bench"
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
#: What is slower than all hooks by a factor of this order does so much less, so that a round takes about as long.
LESS = 20
VALUED = ("--hooks", "--also", "--rounds", "--cpu", "--json")


@dataclass(frozen=True, slots=True)
class Peer:
    """One column: the words before the workload's name and N (or, of a Python, before the path of its file and N).

    less      how many times fewer operations it does
    by_name   whether it wants the workload's name instead of its file
    """

    name: str
    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    less: int = 1
    by_name: bool = False

    def command(self, workload: str, n: int) -> list[str]:
        return [*self.words, workload if self.by_name else str(BENCH / f"{workload}.py"), str(n)]


def main(words: Sequence[str]) -> int:
    """Run the command with `words` as its arguments and return its exit code."""
    return guarded("bench", lambda: _main(words))


def _main(words: Sequence[str]) -> int:
    repeated, left = _repeated(words)
    given, rest = options.split(left, VALUED, ("--peers",), "bench")
    if rest is None:
        print(HELP, end="")
        return Exit.COMPARED
    workloads = rest or list(WORKLOADS)
    for workload in workloads:
        if workload not in WORKLOADS:
            raise UsageError(f"there is no workload '{workload}': there are {', '.join(WORKLOADS)}")
    if not BENCH.is_dir():
        raise UsageError(f"the workloads are not here: there is no directory {BENCH}")
    rounds = given.get("--rounds", "5")
    if not rounds.isdecimal() or int(rounds) < 1:
        raise UsageError(f"--rounds '{rounds}': give a whole number from 1 on")
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="chanlab-") as directory, timing.bound(options.read_cpu(given)):
        columns = [of_hooks(wish) for wish in repeated["--hooks"] or ["all", "none"]]
        columns += [_also(text) for text in repeated["--also"]]
        columns += peers(directory) if "--peers" in given else []
        try:
            return bench(columns, workloads, int(rounds), given.get("--json"), progress)
        finally:
            progress.clear()


def _repeated(words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The values of the options that may come several times, and the other words."""
    found: dict[str, list[str]] = {"--hooks": [], "--also": []}
    left, others = list(words), []
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if name not in found:
            others.append(word)
        elif equals or left:
            found[name].append(value if equals else left.pop(0))
        else:
            raise UsageError(f"option {name} needs a value after it (chanlab bench --help lists the options)")
    return found, others


# -- the columns -------------------------------------------------------------------------------------------------------


def of_hooks(wish: str) -> Peer:
    """This interpreter on the hooks that `wish` names.  Raises SideError."""
    listed = sides.canonical(wish)
    env = sides.environment(os.environ, listed)
    return Peer(wish, sides.interpreter(), env, LESS if listed == "none" else 1)


def _also(text: str) -> Peer:
    name, _, interpreter = text.partition("=")
    if not interpreter or shutil.which(interpreter) is None:
        raise UsageError(f"--also '{text}': say NAME=PYTHON, where PYTHON is an interpreter")
    return Peer(name, (interpreter,))


def peers(directory: str) -> list[Peer]:
    """What is installed; `directory` takes what has to be compiled."""
    found = [Peer("go", (program,), by_name=True) for program in (build_go(directory),) if program]
    for name in ("asyncio", "gevent", "trio"):
        if importlib.util.find_spec(name) is not None:
            script = str(BENCH / "peers" / f"with_{name}.py")
            found.append(Peer(name, (*sides.interpreter(), script), less=LESS, by_name=True))
    pypy = shutil.which("pypy3")
    if pypy and subprocess.run([pypy, "-c", "import stackless"], capture_output=True).returncode == 0:
        found.append(Peer("pypy", (pypy,), less=LESS))
    return found


def build_go(directory: str) -> str | None:
    """Compile the Go workloads.  The program, or None where there is no Go or it fails."""
    go = shutil.which("go")
    if go is None:
        return None
    program = str(Path(directory, "workloads"))
    built = subprocess.run([go, "build", "-o", program, "."], cwd=BENCH / "peers", capture_output=True, text=True)
    if built.returncode != 0:
        print(f"the Go workloads cannot be compiled: {built.stderr.strip()}", file=sys.stderr)
    return program if built.returncode == 0 else None


# -- measuring ---------------------------------------------------------------------------------------------------------


def bench(columns: Sequence[Peer], workloads: Sequence[str], rounds: int, path: str | None, progress: Progress) -> int:
    """Time each workload in each column, and print the table.  Ctrl-C prints the rows that are complete."""
    rows: dict[str, dict[str, list[float]]] = {}
    code = Exit.COMPARED
    try:
        for number, workload in enumerate(workloads):

            def tick(done: int, workload: str = workload, number: int = number) -> None:
                share = (number + done / rounds) / len(workloads)
                progress(f"{workload}: round {done + 1} of {rounds}", share)

            rows[workload] = measured(columns, workload, default_n(workload), rounds, tick)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    progress.clear()
    show(shown([column.name for column in columns], rows))
    if path is not None:
        with open(path, "w") as file:
            json.dump(suite(rows), file, indent=1)
        show([f"wrote     {path}"])
    return code


def default_n(workload: str) -> int:
    """The N of a workload, read without importing it."""
    for line in ast.parse((BENCH / f"{workload}.py").read_text()).body:
        if isinstance(line, ast.Assign) and line.targets[0].id == "N":
            return ast.literal_eval(line.value)
    raise ValueError(f"{workload}.py has no N")


def measured(
    columns: Sequence[Peer], workload: str, n: int, rounds: int, tick: Callable[[int], None]
) -> dict[str, list[float]]:
    """Seconds of CPU per operation in every round, for each column that has the workload."""
    able = [column for column in columns if _seconds(column, workload, 1) is not None]
    found: dict[str, list[float]] = {column.name: [] for column in able}
    for done in range(rounds):
        tick(done)
        for column in able:
            seconds = _seconds(column, workload, max(n // column.less, 1))
            if seconds is not None:
                found[column.name].append(seconds)
    return {name: values for name, values in found.items() if values}


def _seconds(column: Peer, workload: str, n: int) -> float | None:
    """Seconds of CPU per operation in one process, or None when it does not have the workload."""
    command = column.command(workload, n)
    done = subprocess.run(command, env=column.env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        return None
    figures = json.loads(done.stdout)
    return figures["seconds"] / figures["ops"]


# -- showing -----------------------------------------------------------------------------------------------------------


def shown(names: Sequence[str], rows: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    """The table: the least ns per operation of each column, and the first column's time as a share of the others'."""
    header = ["ns of CPU per operation", *names, *(f"{names[0]}/{name}" for name in names[1:]), ""]
    lines = []
    for workload, found in rows.items():
        least = {name: 1e9 * min(seconds) for name, seconds in found.items()}
        cells = [f"{least[name]:,.1f}" if name in least else "-" for name in names]
        first = least.get(names[0])
        cells += [f"{first / least[name]:.3f}" if first and name in least else "-" for name in names[1:]]
        lines.append([workload, *cells, ""])
    return [*table(header, lines), "", f"on {metadata.runtime()}; the least of each column counts, '-': not there"]


def suite(rows: Mapping[str, Mapping[str, Sequence[float]]]) -> dict:
    """All times in pyperf's format, a benchmark for each workload and column."""
    benchmarks = [
        {
            "metadata": {"name": f"{workload}, {name}", "unit": "second", "loops": 1, "inner_loops": 1},
            "runs": [{"values": [value]} for value in values],
        }
        for workload, found in rows.items()
        for name, values in found.items()
    ]
    return {"version": "1.0", "metadata": {}, "benchmarks": benchmarks}


if __name__ == "__main__":
    sys.exit(int(main(sys.argv[1:])))
