"""Random programs: the same output and trace on every hook subset, and a world in order at the end.

The programs are those of programs.py and go_programs.py.  CHANLAB_FUZZ=N runs N of each (from a random seed unless
CHANLAB_FUZZ=N:SEED names it) instead of the few below, and holds each batch against a random subset as well; a failure
names the seed, and `programs.py SEED` runs that one alone (with the same CHANLAB_SEED).
"""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from chanlab import hooks

#: Each kind of programs, and how many of them the ordinary run takes.
KINDS = {Path(__file__).with_name("programs.py"): 200, Path(__file__).with_name("go_programs.py"): 60}
AT_ONCE = 100  # programs in one process
GUARD = 300  # seconds until a process that hangs is given up; nothing is measured

_number, _, _seed = os.environ.get("CHANLAB_FUZZ", "").partition(":")
FIRST = int(_seed) if _seed else random.randrange(10**9) if _number else 0
BATCHES = [
    (programs, seed, min(seed + AT_ONCE, FIRST + number) - 1)
    for programs, number in ((programs, int(_number or usual)) for programs, usual in KINDS.items())
    for seed in range(FIRST, FIRST + number, AT_ONCE)
]


def name(parameter):
    return parameter.stem if isinstance(parameter, Path) else str(parameter)


each_kind = pytest.mark.parametrize("programs", KINDS, ids=name)
each_batch = pytest.mark.parametrize(("programs", "first", "last"), BATCHES, ids=name)


def outcome(programs, first, last, wish, path=None, seed="5", threshold=0):
    """Output and trace of a batch of programs on the hooks `wish`; without a path no trace, and all that C can do."""
    code = f"import gc, runpy, sys; gc.set_threshold({threshold or 700}); sys.argv = sys.argv[1:]; "
    code += "sys.path.insert(0, sys.argv[0].rpartition('/')[0]); "
    done = subprocess.run(
        [
            sys.executable,
            *(["-X", f"chanlab_trace={path}"] if path else []),
            "-c",
            code + "runpy.run_path(sys.argv[0], run_name='__main__')",
            str(programs),
            f"{first}-{last}",
        ],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "CHANLAB_NATIVE": wish, "CHANLAB_SEED": seed, "PYTHONHASHSEED": "random"},
        timeout=GUARD,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"{wish}: {done.stdout[-2000:]}\n{done.stderr}"
    return done.stdout, path.read_text(encoding="utf-8") if path else ""


def first_difference(a, b):
    program = "program ?"
    for x, y in zip(a.splitlines(), b.splitlines(), strict=False):
        if x.startswith("program "):
            program = x
        if x != y:
            return f"{program}\n    {x}\n    {y}"
    return f"{program}: one is longer: {len(a)} and {len(b)} characters"


def subsets():
    """The hook subsets to hold against this process's: the prototype, and every hook alone."""
    mine = ",".join(sorted(hooks.NATIVE)) or "none"
    ready = [hook for hook in hooks.HOOKS if hooks.unavailable(hook) is None]
    return mine, [wish for wish in ["none", *ready, "all" if ready else "none"] if wish != mine]


def a_subset(seed):
    """A random one of the hook subsets."""
    draw = random.Random(seed)
    ready = [hook for hook in hooks.HOOKS if hooks.unavailable(hook) is None]
    return ",".join(hook for hook in ready if draw.random() < 0.7) or "none"


@each_batch
def test_same_everywhere(tmp_path, programs, first, last):
    mine, others = subsets()
    output, trace = outcome(programs, first, last, mine, tmp_path / "mine")
    problems = [line for line in output.splitlines() if line.startswith(("program ", "PROBLEMS"))]
    wrong = [f"{problems[i - 1]}: {line}" for i, line in enumerate(problems) if line.startswith("PROBLEMS")]
    assert not wrong, "\n".join(wrong[:5])
    assert output.count("in order\n") == last - first + 1
    others = others[:1] if mine != "none" else others[-1:]
    for wish in [*others, a_subset(first)] if _number else others:
        other_output, other_trace = outcome(programs, first, last, wish, tmp_path / "other")
        assert other_output == output, f"{mine} | {wish}: {first_difference(output, other_output)}"
        assert other_trace == trace, f"{mine} | {wish}: {first_difference(trace, other_trace)}"


@each_batch
def test_same_without_a_trace(tmp_path, programs, first, last):
    """Whoever traces keeps the fused core from its fast paths."""
    mine, others = subsets()
    for wish in others[:1] if mine != "none" else others[-1:]:
        traced, _ = outcome(programs, first, last, wish, tmp_path / "other")
        for threshold in (0, 1):
            output, _ = outcome(programs, first, last, mine, threshold=threshold)
            assert output == traced, f"{mine} | {wish}: {first_difference(output, traced)}"


@each_kind
def test_same_whenever_the_collector_runs(tmp_path, programs):
    mine, _ = subsets()
    usual = outcome(programs, FIRST, FIRST + 29, mine, tmp_path / "usual")
    assert outcome(programs, FIRST, FIRST + 29, mine, tmp_path / "eager", threshold=1) == usual


@each_kind
def test_another_seed_makes_other_choices(tmp_path, programs):
    mine, _ = subsets()
    first = outcome(programs, FIRST, FIRST + 29, mine, tmp_path / "a", seed="1")
    assert first == outcome(programs, FIRST, FIRST + 29, mine, tmp_path / "b", seed="1")
    assert first != outcome(programs, FIRST, FIRST + 29, mine, tmp_path / "c", seed="2")
