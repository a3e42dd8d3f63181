"""How to start the user's program on one set of hooks: words and environment of the child process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

#: The directory with stackless.py.
PYLIB = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

#: Whether this process is the chanlab binary, which finds PYLIB by itself (as its children, also chanlab, do).
HOSTED = "_chanlab" in sys.builtin_module_names


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two things that are compared.

    name           'a' or 'b'
    hooks          its hooks, in an order that both sides share: 'none' or 'waitq,runq'
    interpreter    the words up to the program
    env            the whole environment of its processes
    """

    name: str
    hooks: str
    interpreter: tuple[str, ...]
    env: Mapping[str, str]

    def words(self, program: tuple[str, ...], trace: str | None = None) -> list[str]:
        """The command line that runs `program`, tracing into the file `trace` if given."""
        tracing = () if trace is None else ("-X", f"chanlab_trace={trace}")
        return [*self.interpreter, *tracing, *program]


def side(name: str, wish: str, seed: int) -> Side:
    """The side `name` with the hooks that the list `wish` names.  Raises HookError."""
    listed = canonical(wish)
    return Side(name, listed, (sys.executable, *_flags()), environment(os.environ, listed, seed))


def canonical(wish: str) -> str:
    """The hooks that `wish` switches on, in the order of the layers, or 'none'.  Raises HookError."""
    from chanlab import hooks  # here, because a wrong CHANLAB_NATIVE is a HookError at this very import

    on = hooks.parse(wish)
    variants = {word.partition(":")[0]: word for word in on if ":" in word}
    return ",".join(variants.get(hook, hook) for hook in hooks.HOOKS if hook in on) or "none"


def environment(base: Mapping[str, str], listed: str, seed: int) -> dict[str, str]:
    """The environment `base` with the hooks, the seed and (unless the user fixed another) the hash seed set."""
    env = dict(base)
    env["CHANLAB_NATIVE"] = listed
    env["CHANLAB_SEED"] = str(seed)
    env.setdefault("PYTHONHASHSEED", str(seed & 0xFFFFFFFF))  # what the host makes of the seed
    if not HOSTED:
        path = list(filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))
        if PYLIB not in map(os.path.abspath, path):
            env["PYTHONPATH"] = os.pathsep.join([*path, PYLIB])
    return env


def _flags() -> list[str]:
    """CPython's own options that this process was started with: `chanlab -O compare …` compares under -O."""
    flags = subprocess._args_from_interpreter_flags()
    # The host runs its own tools with -P; the program has not asked for it.
    return [flag for flag in flags if not (HOSTED and flag == "-P")]
