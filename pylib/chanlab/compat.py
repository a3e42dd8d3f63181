"""Names of Stackless that programs look up but that can mean little or nothing on stock CPython.

Three kinds: settings that are kept and have no effect; facts that are always the same here; and what is part of
Stackless's own interpreter, whose names raise an AttributeError that says why.
"""

from __future__ import annotations

import threading
from typing import Any

PICKLEFLAGS_PRESERVE_TRACING_STATE = 1
PICKLEFLAGS_PRESERVE_AG_FINALIZER = 2
PICKLEFLAGS_RESET_AG_FINALIZER = 4
_PICKLEFLAGS = 7

_INTERNALS = "is part of Stackless's own interpreter, which stock CPython does not have"

#: Name -> why there is no such thing here.
IMPOSSIBLE = {
    **dict.fromkeys(
        ("cframe", "cstack", "test_outside", "test_cframe", "test_cframe_nr", "test_cstate", "slpmodule"), _INTERNALS
    ),
    **dict.fromkeys(
        ("_test_nostacklesscall", "_wrap", "_pickle_moduledict", "_gc_track", "_gc_untrack", "_peek"), _INTERNALS
    ),
}


class _PickleFlags(threading.local):
    def __init__(self) -> None:
        self.value = _default


_default = 0
_flags = _PickleFlags()


def _checked(flags: int) -> int:
    if not isinstance(flags, int):
        raise TypeError(f"pickle flags are an int, not {type(flags).__name__}")
    if flags & ~_PICKLEFLAGS:
        raise ValueError("no such pickle flags")
    return flags


def pickle_flags(new_flags: int = -1, mask: int = -1) -> int:
    """This thread's pickle flags, changed to `new_flags` where `mask` has bits; returns what they were.  No effect."""
    old = _flags.value
    if new_flags != -1:
        mask = _PICKLEFLAGS if mask == -1 else _checked(mask)
        _flags.value = (old & ~mask) | (_checked(new_flags) & mask)
    return old


def pickle_flags_default(new_default: int = -1, mask: int = -1) -> int:
    """The pickle flags that new threads would start with; as pickle_flags()."""
    global _default
    old = _default
    if new_default != -1:
        mask = _PICKLEFLAGS if mask == -1 else _checked(mask)
        _default = (old & ~mask) | (_checked(new_default) & mask)
    return old


def pickle_with_tracing_state(flag: Any = None) -> bool:
    """Whether pickling keeps tracing state; returns what it was.  No effect."""
    old = bool(_flags.value & PICKLEFLAGS_PRESERVE_TRACING_STATE)
    if flag is not None:
        pickle_flags(PICKLEFLAGS_PRESERVE_TRACING_STATE if flag else 0, PICKLEFLAGS_PRESERVE_TRACING_STATE)
    return old


def enable_softswitch(flag: Any = None) -> bool:
    """Stackless's switching without touching the C stack.  It does not exist here: always False."""
    return False


def getdebug() -> bool:
    """Whether this is a debug build of Stackless: False."""
    return False
