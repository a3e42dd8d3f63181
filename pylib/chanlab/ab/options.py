"""The command line of `chanlab compare`: its own options first, then the program, whose words pass untouched."""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from chanlab import rng

HELP = """\
usage: chanlab compare [option] ... (script.py | -m module | -c code) [arg] ...
Runs a program on two sets of hooks, a and b. First it checks that both behave alike: the same
output, exit code and trace. Only then it times them, and says what the difference is worth.

  --a LIST     hooks of side a: none (the default: the prototype), all, or names with commas,
               such as waitq,runq or all,-runq
  --b LIST     hooks of side b (default: all)
  --seed N     seed of both sides and of the order of runs (default: CHANLAB_SEED, else 1)
  --runs N     timed runs of each side, rounded up to an even number (default: what fits into
               about 20 s, but from 12 to 40)
  -h, --help   this text

Every run is a fresh process with empty standard input. Runs alternate in blocks, a b b a or
b a a b in shuffled order; the output of timed runs is thrown away.

Exit codes: 0 alike, times printed; 2 bad usage; 3 a and b behave differently; 4 the program
fails on both sides; 5 the program differs by itself from run to run; 130 Ctrl-C.
"""

#: The seed when nobody names one: fixed, so that two comparisons of one program are about the same behaviour.
DEFAULT_SEED = 1


class UsageError(Exception):
    """The command line is wrong; the text is one line that names the thing and the cure."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user wants.

    a, b       hook lists as typed, not yet checked
    seed       0 <= seed < 2**64
    runs       timed runs of each side, or None for as many as fit
    program    the words for the interpreter: ('script.py', 'arg'), ('-m', 'module'), ('-c', 'code', 'arg')
    """

    a: str
    b: str
    seed: int
    runs: int | None
    program: tuple[str, ...]


def read(words: Sequence[str], default_seed: str | None) -> Options | None:
    """The options in `words`, or None when help is wanted.  `default_seed` is CHANLAB_SEED.

    Raises UsageError on anything that cannot be meant, the program's own words excepted.
    """
    given: dict[str, str] = {}
    left = list(words)
    program: tuple[str, ...] = ()
    while left and not program:
        word = left.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-h", "--help"):
            return None
        if name in ("--a", "--b", "--seed", "--runs"):
            given[name] = value if equals else _value(word, left)
        elif word[:2] in ("-m", "-c"):
            program = (word[:2], word[2:] or _value(word, left), *left)
        elif word == "--":
            program = tuple(left) or _no_program()
        elif word == "-":
            raise UsageError("cannot run a program from standard input twice: save it to a file")
        elif word.startswith("-"):
            raise UsageError(f"unknown option {word} (chanlab compare --help lists the options)")
        else:
            program = (word, *left)
    return Options(
        a=_hooks("--a", given.get("--a", "none")),
        b=_hooks("--b", given.get("--b", "all")),
        seed=_seed("--seed", given["--seed"]) if "--seed" in given else _seed("CHANLAB_SEED", default_seed),
        runs=_runs(given["--runs"]) if "--runs" in given else None,
        program=program or _no_program(),
    )


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


def _value(option: str, left: list[str]) -> str:
    if not left:
        raise UsageError(f"option {option} needs a value after it (chanlab compare --help lists the options)")
    return left.pop(0)


def _no_program() -> tuple[str, ...]:
    raise UsageError("no program to compare: name a script, -m module or -c code (chanlab compare --help)")


def _hooks(option: str, text: str) -> str:
    if not text.strip():
        raise UsageError(f"{option} names no hook: say none, all or a list such as waitq,runq")
    return text


def _seed(origin: str, text: str | None) -> int:
    if not text:
        if origin == "--seed":
            raise UsageError("--seed needs a whole number from 0 to 2**64-1")
        return DEFAULT_SEED
    try:
        return rng.parse_seed(text)
    except ValueError as error:
        raise UsageError(f"{origin} {error}") from None


def _runs(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or int(text) < 1:
        raise UsageError(f"--runs '{text}': give a whole number from 1 to 999999")
    return int(text)
