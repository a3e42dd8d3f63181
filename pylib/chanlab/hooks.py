"""The hook registry: which twin of each layer runs, Python or C, decided once at start-up.

`CHANLAB_NATIVE` (set by the host's `--native`) holds a comma-separated list, read from left to right:

    none                 no hook: the prototype (also the meaning of an empty or unset variable)
    all                  every hook that has a C twin here
    waitq,runq           these hooks
    all,-runq            all but this one
    switch:private       this hook in this of its several variants; without one it is the best that is available

A layer asks `pick()` for its twin while it is being imported and binds the answer to a name of its own, so that
no call pays for the choice.  No wish is ignored in silence: an unknown or unavailable hook is a HookError.
"""

from __future__ import annotations

import atexit
import os
import sys
import types
from typing import Any

try:
    import _chanlab
except ImportError as error:
    _chanlab = None
    _NO_MODULE = f"the C module _chanlab cannot be imported ({error})"
else:
    _NO_MODULE = ""

#: Every hook of the design, in the order of its layers, with what it does.
HOOKS = {
    "waitq": "a channel's two FIFO queues of waiters",
    "runq": "the scheduler's circular run queue",
    "channel": "the rendezvous of send and receive",
    "select": "ready, choose, commit; or post all, park, withdraw the losers",
    "sched": "schedule, block, wake, run, task end and error delivery",
    "switch": "from one tasklet's stack to another's (python, greenlet, private)",
    "spawn": "tasklet creation, binding, start",
    "arena": "caches for CPython's frame chunks and greenlet's copies",
}


#: What the switch hook can be, the best first; its Python twin is `switch:python`.
SWITCHES = ("private", "greenlet")


class HookError(ValueError):
    """A wish for hooks that cannot be met; its text is one line that names the cure."""


def unavailable(hook: str) -> str | None:
    """Why `hook`, or this variant of it, has no C twin here; None when it has one."""
    if _chanlab is None:
        return _NO_MODULE
    if hook == "switch:private" and _chanlab.no_private:
        return f"private stacks are {_chanlab.no_private}"
    if hook == "switch:greenlet" and _chanlab.no_greenlets:
        return f"greenlets in C are {_chanlab.no_greenlets}"
    if hook == "switch":
        reasons = [unavailable(f"switch:{variant}") for variant in SWITCHES]
        return None if None in reasons else reasons[0]
    if hook.partition(":")[0] not in _chanlab.hooks:
        return "not written in C yet"
    return None


def parse(wish: str) -> frozenset[str]:
    """The hooks that the list `wish` switches on, `switch` with its variant as well.

    Raises HookError on an unknown or unavailable one.
    """
    on: dict[str, str] = {}  # hook -> its variant, or ''
    for word in filter(None, (part.strip() for part in wish.split(","))):
        if word == "none":
            on.clear()
        elif word == "all":
            if _chanlab is None:
                raise HookError(f"cannot run with native hooks: {_NO_MODULE}; build it with './bootstrap build'")
            on.update((hook, _variant(hook)) for hook in HOOKS if unavailable(hook) is None)
        else:
            _check(word.removeprefix("-"), wish)
            hook, _, variant = word.removeprefix("-").partition(":")
            if word.startswith("-") or variant == "python":
                on.pop(hook, None)
            else:
                on[hook] = variant or _variant(hook)
    return frozenset([*on, *(f"{hook}:{variant}" for hook, variant in on.items() if variant)])


def _variant(hook: str) -> str:
    """The best variant of `hook` that is available, '' when it has none."""
    if hook != "switch":
        return ""
    return next(variant for variant in SWITCHES if unavailable(f"switch:{variant}") is None)


def _check(word: str, wish: str) -> None:
    hook, colon, variant = word.partition(":")
    if hook not in HOOKS:
        raise HookError(f"unknown hook '{word}' in '{wish}': the hooks are {', '.join(HOOKS)} (and all, none)")
    if colon and hook != "switch":
        raise HookError(f"hook '{hook}' has no variants, so '{word}' in '{wish}' names none")
    if colon and variant not in ("python", *SWITCHES):
        known = ", ".join(f"switch:{name}" for name in ("python", *SWITCHES))
        raise HookError(f"unknown variant of hook 'switch' in '{wish}': '{word}'; there are {known}")
    reason = None if variant == "python" else unavailable(word)
    if reason is not None:
        ready = [name for name in HOOKS if unavailable(name) is None]
        raise HookError(f"hook '{word}' is unavailable: {reason}; available: {', '.join(ready) or 'none'}")


#: The hooks that run in C in this process.
NATIVE: frozenset[str] = parse(os.environ.get("CHANLAB_NATIVE", ""))


_BELOW = ("waitq", "runq", "switch")
#: The hooks whose C twins are one piece of code, each with the others that it stands on.
FUSES = {"channel": _BELOW, "select": (*_BELOW, "channel", "sched"), "sched": _BELOW, "spawn": _BELOW}
#: Those of them that run in C here.
FUSED: frozenset[str] = frozenset(hook for hook, below in FUSES.items() if NATIVE.issuperset((hook, *below)))


def graft(name: str, twin: type, own: dict[str, str]) -> type:
    """The C type `name`, given all the methods of its Python twin but those that it has of its own.

    `own` tells for each of these which hook it belongs to: the method is the C type's if that hook is fused.
    The twin itself when nothing is fused.
    """
    if not FUSED:
        return twin
    cls = getattr(_chanlab, name)
    for attribute, value in vars(twin).items():
        if attribute in _NOT_GRAFTED or isinstance(value, types.MemberDescriptorType) or own.get(attribute) in FUSED:
            continue
        setattr(cls, attribute, value)
    return cls


_NOT_GRAFTED = ("__slots__", "__module__", "__qualname__", "__dict__", "__weakref__", "__new__", "__del__")


def pick(hook: str, name: str, prototype: Any) -> Any:
    """The twin of `prototype` that this process runs: `_chanlab.name` when `hook` is native, else itself."""
    return getattr(_chanlab, name) if hook in NATIVE else prototype


def check_at_exit(flags: str) -> None:
    """When the program ends, tell that `flags` were in vain if it used another module named stackless than ours."""

    def check() -> None:
        used = getattr(sys.modules.get("stackless"), "__file__", None)
        if used is not None and os.path.dirname(os.path.dirname(os.path.abspath(__file__))) != os.path.dirname(used):
            print(f"chanlab: {flags} had no effect: the program used the stackless of {used}", file=sys.stderr)

    atexit.register(check)


def implementation() -> dict[str, str]:
    """What runs, hook by hook: 'py', 'c', 'fused', or 'unavailable: reason' (the Python twin runs)."""
    state = {}
    for hook in HOOKS:
        reason = unavailable(hook)
        state[hook] = "c" if hook in NATIVE else f"unavailable: {reason}" if reason else "py"
    for hook in NATIVE.intersection(FUSES):
        state[hook] = "fused" if hook in FUSED else f"py: it is in C only together with {', '.join(FUSES[hook])}"
    for variant in SWITCHES:
        if f"switch:{variant}" in NATIVE:
            state["switch"] = f"c: {variant}"
    return state


def main() -> None:
    """Print what runs: the host's `--native=?`."""
    wish = os.environ.get("CHANLAB_NATIVE", "") or "none"
    print(f"--native={wish}\n")
    for hook, state in implementation().items():
        print(f"  {hook:8} {state:35} {HOOKS[hook]}")
    print("\nChoose with --native (all), --native=waitq,runq, --native=all,-runq, --native=none, or CHANLAB_NATIVE.")
