"""What is compared: how to start each side, in words and environment of a child process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

#: The directory with stackless.py.
PYLIB = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: Whether this process is the chanlab binary, which finds PYLIB by itself (as its children, also chanlab, do).
HOSTED = "_chanlab" in sys.builtin_module_names

#: The program that does nothing but start up.
EMPTY_PROGRAM = ("-c", "import stackless")


class SideError(Exception):
    """There are no such hooks here; the text is one line that names the cure."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things that are compared.

    name           'a' or 'b'; in an ablation the hooks
    what           what it is, in words for people
    program        the words of the program; a command of the user's has no other words
    interpreter    the words before the program
    base           the environment of its processes, to which the seed is added
    empty          the words of an empty program, to measure start-up; () when there is none
    traces         whether the program can be traced
    times_itself   whether the process itself says how long what matters took (see callee.py)
    """

    name: str
    what: str
    program: tuple[str, ...]
    interpreter: tuple[str, ...] = ()
    base: Mapping[str, str] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    traces: bool = False
    times_itself: bool = False

    def words(self, trace: str | None = None) -> list[str]:
        """The command line, tracing into the file `trace` if that is given and possible."""
        tracing = () if trace is None or not self.traces else ("-X", f"chanlab_trace={trace}")
        return [*self.interpreter, *tracing, *self.program]

    def empty_words(self) -> list[str]:
        return [*self.interpreter, *self.empty]

    def environment(self, seed: int) -> dict[str, str]:
        """The environment with the seed and (unless the user fixed another) the hash seed set."""
        env = dict(self.base)
        env["CHANLAB_SEED"] = str(seed)
        env.setdefault("PYTHONHASHSEED", str(seed & 0xFFFFFFFF))  # what the host makes of the seed
        return env


def of_hooks(name: str, wish: str, program: tuple[str, ...]) -> Side:
    """`program` on the hooks that the list `wish` names.  Raises SideError."""
    listed = canonical(wish)
    return Side(
        name, in_words(listed), program, interpreter(), environment(os.environ, listed), EMPTY_PROGRAM, traces=True
    )


def of_command(name: str, line: str, words: tuple[str, ...]) -> Side:
    """Any command, of which nothing is known."""
    return Side(name, line, words, base=dict(os.environ))


def of_function(name: str, spec: str, loops: int = 0) -> Side:
    """A function, 'module:name', called `loops` times in a process of its own (0: once, and its result printed)."""
    program = ("-m", "chanlab.ab.callee", spec, str(loops))
    base = environment(os.environ, os.environ.get("CHANLAB_NATIVE", ""))
    return Side(name, spec, program, interpreter(), base, times_itself=True)


def canonical(wish: str) -> str:
    """The hooks that `wish` switches on, in the order of the layers, or 'none'.  Raises SideError."""
    try:
        from chanlab import hooks  # here, because a wrong CHANLAB_NATIVE is a HookError at this very import

        on = hooks.parse(wish)
    except ValueError as error:
        raise SideError(str(error)) from None
    variants = {word.partition(":")[0]: word for word in on if ":" in word}
    return ",".join(variants.get(hook, hook) for hook in hooks.HOOKS if hook in on) or "none"


def in_words(listed: str) -> str:
    """'none' and the like with what it means."""
    return "no hook in C (the prototype)" if listed == "none" else f"{listed} in C"


def environment(base: Mapping[str, str], listed: str) -> dict[str, str]:
    """The environment `base` with the hooks, and where the modules are."""
    env = dict(base)
    env["CHANLAB_NATIVE"] = listed
    if not HOSTED:
        path = list(filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))
        if PYLIB not in map(os.path.abspath, path):
            env["PYTHONPATH"] = os.pathsep.join([*path, PYLIB])
    return env


def interpreter() -> tuple[str, ...]:
    """This interpreter, with CPython's own options that it was started with: `chanlab -O compare …` is about -O."""
    flags = subprocess._args_from_interpreter_flags()
    # The host runs its own tools with -P; the program has not asked for it.
    return (sys.executable, *(flag for flag in flags if not (HOSTED and flag == "-P")))
