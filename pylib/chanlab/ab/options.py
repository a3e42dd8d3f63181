"""The command line of `chanlab compare`: its own options first, then the program, whose words pass untouched."""

from __future__ import annotations

import importlib.machinery
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .gate import Gate
from .timing import Effort, some_processor

HELP = """\
usage: chanlab compare [option] ... (script.py | -m module | -c code) [arg] ...
       chanlab compare [option] ... MODULE:FUNCTION MODULE:FUNCTION
       chanlab compare [option] ... --commands 'COMMAND A' 'COMMAND B'
Runs a program on two sets of hooks, a and b; or two functions; or any two commands. First it
checks that both behave alike: the same output, exit code and trace. Only then it times them,
b against a and a against itself, and says what the difference is worth.

what is compared
  --a LIST          hooks of side a: none (the default: the prototype), all, or names with
                    commas, such as waitq,runq or all,-runq
  --b LIST          hooks of side b (default: all)
  --seed N          the first seed, with which runs are timed, too (default: CHANLAB_SEED, else 1)
  --seeds N,N,...   the seeds for which both must behave alike (default: three, from --seed on)
how long it is measured
  --precision P     stop when the interval is no wider than ± P (default: 1%)
  --budget TIME     stop in any case after about this time (default: 30s; 5m is five minutes)
  --runs N          instead of both: so many timed runs of each side, rounded up to an even number
  --cpu N           the processor that timed runs are bound to, or none (default: the last one)
  --count           count instructions with valgrind, too
what comes out
  --json FILE       write the times as pyperf does: FILE has both sides; FILE with .a and .b
                    before its suffix has one each, for `pyperf compare_to`
  --markdown FILE   write the report for a web page or a merge request
  --html FILE       write it as one page, with pictures
  --fail-if slower[:P]   exit with 1 when b is slower (by more than P, such as 5%); or faster
  --baseline FILE   judge --fail-if by how b/a has changed since FILE was written; when there is
                    no such file it is written
  -h, --help        this text

Every run is a fresh process with empty standard input. The output of timed runs is thrown away.

Exit codes: 0 alike, times printed; 1 --fail-if; 2 bad usage; 3 a and b behave differently; 4 the
program fails on both sides; 5 the program differs by itself from run to run; 6 it is too short to
be timed; 130 Ctrl-C.
"""

#: The seed when nobody names one: fixed, so that two comparisons of one program are about the same behaviour.
DEFAULT_SEED = 1
#: For how many seeds a program is checked when nobody says which.
SEEDS = 3

#: Options with a value, and those without; compare_read() knows what they mean.
VALUED = [
    "--a",
    "--b",
    "--seed",
    "--seeds",
    "--runs",
    "--precision",
    "--budget",
    "--cpu",
    "--json",
    "--markdown",
    "--html",
    "--fail-if",
    "--baseline",
]
FLAGS = ("--count", "--commands")

_FUNCTION = re.compile(r"[\w.]+:[\w.]+", re.ASCII)


class UsageError(Exception):
    """The command line is wrong; the text is one line that names the thing and the cure."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants.

    a, b        hook lists as typed, not yet checked
    seeds       each 0 <= seed < 2**64; runs are timed with the first
    effort      how long to measure
    program     the words for the interpreter: ('script.py', 'arg'), ('-m', 'module'), ('-c', 'code', 'arg')
    functions   instead of a program, two functions: ('module:f', 'module:g')
    commands    instead of a program, two commands as typed
    cpu         the processor for timed runs, or None
    files       where to write what: 'json', 'markdown', 'html', 'baseline' to a path
    """

    a: str
    b: str
    seeds: tuple[int, ...]
    effort: Effort
    program: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    cpu: int | None = None
    count: bool = False
    gate: Gate | None = None
    files: dict[str, str] = field(default_factory=dict)


def read(words: Sequence[str], default_seed: str | None) -> Options | None:
    """The options in `words`, or None when help is wanted.  `default_seed` is CHANLAB_SEED.

    Raises UsageError on anything that cannot be meant, the program's own words excepted.
    """
    given, rest = split(words, VALUED, FLAGS)
    if rest is None:
        return None
    seeds = read_seeds(given, default_seed)
    gate = _gate(given["--fail-if"]) if "--fail-if" in given else None
    return Options(
        a=_hooks("--a", given.get("--a", "none")),
        b=_hooks("--b", given.get("--b", "all")),
        seeds=seeds,
        effort=read_effort(given),
        **_what(given, tuple(rest)),
        cpu=read_cpu(given),
        count="--count" in given,
        gate=gate,
        files={name: given[f"--{name}"] for name in ("json", "markdown", "html", "baseline") if f"--{name}" in given},
    )


def split(
    words: Sequence[str], valued: Sequence[str], flags: Sequence[str], command: str = "compare"
) -> tuple[dict[str, str], list[str] | None]:
    """Options with their values, and the program's words after them; for the latter None when help is wanted."""
    given: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-h", "--help"):
            return given, None
        if name in valued:
            given[name] = value if equals else _value(word, left, command)
        elif word in flags:
            given[word] = ""
        elif word[:2] in ("-m", "-c"):
            return given, [word[:2], word[2:] or _value(word, left, command), *left]
        elif word == "--":
            return given, left
        elif word == "-":
            raise UsageError("cannot run a program from standard input twice: save it to a file")
        elif word.startswith("-"):
            raise UsageError(f"unknown option {word} (chanlab {command} --help lists the options)")
        else:
            return given, [word, *left]
    return given, []


def _what(given: dict[str, str], rest: tuple[str, ...]) -> dict[str, Any]:
    """What is to be compared: a program on two sets of hooks, two functions or two commands."""
    if "--commands" in given:
        if len(rest) != 2:
            raise UsageError(f"--commands needs two commands, each in quotes, and got {len(rest)}")
        return _no_hooks(given, "commands", rest)
    if len(rest) == 2 and all(map(_FUNCTION.fullmatch, rest)) and not os.path.exists(rest[0]):
        return _no_hooks(given, "functions", rest)
    if not rest:
        raise UsageError("no program to compare: name a script, -m module or -c code (chanlab compare --help)")
    return {"program": rest}


def _no_hooks(given: dict[str, str], kind: str, rest: tuple[str, ...]) -> dict[str, Any]:
    for option in ("--a", "--b"):
        if option in given:
            raise UsageError(f"{option} chooses hooks for a program; two {kind} are what they are (CHANLAB_NATIVE)")
    return {kind: rest}


def check_program(program: tuple[str, ...]) -> None:
    """Raise UsageError when the program's file or module cannot be found, so that nothing runs in vain."""
    name = program[0]
    if name == "-c":
        return
    if name == "-m":
        top = program[1].partition(".")[0]
        if importlib.machinery.PathFinder.find_spec(top, ["", *sys.path]) is None:
            raise UsageError(f"there is no module '{top}' in sys.path (the current directory included)")
    elif not os.path.exists(name):
        raise UsageError(f"there is no script '{name}'")
    elif os.path.isdir(name) and not os.path.exists(os.path.join(name, "__main__.py")):
        raise UsageError(f"'{name}' is a directory without __main__.py, not a script")
    elif not os.access(name, os.R_OK):
        raise UsageError(f"the script '{name}' cannot be read: check its permissions")


def command_words(line: str) -> tuple[str, ...]:
    """The words of a command as typed.  Raises UsageError when there are none, or no such program."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"cannot read the command {line!r}: {error}") from None
    if not words:
        raise UsageError("a command is empty")
    if shutil.which(words[0]) is None:
        raise UsageError(f"there is no program '{words[0]}' (a shell's own commands need sh -c '…')")
    return tuple(words)


# -- values ------------------------------------------------------------------------------------------------------------


def read_seeds(given: dict[str, str], default: str | None) -> tuple[int, ...]:
    """The seeds that --seed, --seeds or `default` (CHANLAB_SEED) name."""
    if "--seeds" in given:
        if "--seed" in given:
            raise UsageError("--seed and --seeds: give one of them")
        return tuple(_seed("--seeds", text) for text in given["--seeds"].split(","))
    first = _seed("--seed", given["--seed"]) if "--seed" in given else DEFAULT_SEED
    if "--seed" not in given and default:
        first = _seed("CHANLAB_SEED", default)
    return tuple((first + i) % 2**64 for i in range(SEEDS))


def read_effort(given: dict[str, str]) -> Effort:
    """How long to measure."""
    for option in ("--precision", "--budget"):
        if option in given and "--runs" in given:
            raise UsageError(f"--runs says how many runs there are: {option} cannot be met, too")
    wanted: dict[str, Any] = {}
    if "--runs" in given:
        wanted["runs"] = _runs(given["--runs"])
    if "--precision" in given:
        wanted["precision"] = share("--precision", given["--precision"])
        if wanted["precision"] <= 0:
            raise UsageError("--precision: give more than 0 %, such as 1%")
    if "--budget" in given:
        wanted["budget"] = _duration("--budget", given["--budget"])
    return Effort(**wanted)


def read_cpu(given: dict[str, str]) -> int | None:
    """The processor that --cpu names, or the default one."""
    text = given.get("--cpu")
    if text == "none":
        return None
    if text is None:
        return some_processor()
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not text.isdecimal() or int(text) not in allowed:
        raise UsageError(f"--cpu '{text}': give none or one of {', '.join(map(str, allowed))}")
    return int(text)


def share(option: str, text: str) -> float:
    """'5%' or '5' (percent) as 0.05."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?%?", text, re.ASCII)
    if not match:
        raise UsageError(f"{option} '{text}': give percent, such as 1% or 0.5%")
    return float(match[1]) / 100


def _duration(option: str, text: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?(s|m|min|h)?", text, re.ASCII)
    seconds = float(match[1]) * {None: 1, "s": 1, "m": 60, "min": 60, "h": 3600}[match[2]] if match else 0
    if seconds <= 0:
        raise UsageError(f"{option} '{text}': give a time, such as 60s or 5m")
    return seconds


def _gate(text: str) -> Gate:
    word, _, limit = text.partition(":")
    if word not in ("slower", "faster"):
        raise UsageError(f"--fail-if '{text}': say slower or faster, with a share if you like: slower:5%")
    return Gate(word, share("--fail-if", limit) if limit else 0.0)


def _value(option: str, left: list[str], command: str) -> str:
    if not left:
        raise UsageError(f"option {option} needs a value after it (chanlab {command} --help lists the options)")
    return left.pop(0)


def _hooks(option: str, text: str) -> str:
    if not text.strip():
        raise UsageError(f"{option} names no hook: say none, all or a list such as waitq,runq")
    return text


def _seed(origin: str, text: str) -> int:
    if not text:
        raise UsageError(f"{origin} needs a whole number from 0 to 2**64-1")
    try:
        from chanlab import rng  # here, because a wrong CHANLAB_SEED is a ValueError at this very import
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        return rng.parse_seed(text)
    except ValueError as error:
        raise UsageError(f"{origin} {error}") from None


def _runs(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or int(text) < 1:
        raise UsageError(f"--runs '{text}': give a whole number from 1 to 999999")
    return int(text)
