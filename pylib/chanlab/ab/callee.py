"""The process that calls a function which is compared: python3 -m chanlab.ab.callee MODULE:NAME LOOPS.

With 0 loops it calls the function once and prints what it returns, so that it can be compared.  Else it calls it once
to warm up, then so often, and writes the seconds of all those calls together, CPU and wall, into the file that
CHANLAB_TIMES names.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import repeat
from typing import Any

#: The variable that names the file for the times.
TIMES = "CHANLAB_TIMES"


class NoFunctionError(Exception):
    """There is no such function; the text says what is missing."""


def find(spec: str) -> Callable[[], Any]:
    """The function that 'package.module:name' or 'module:Class.method' names.  Raises NoFunctionError.

    Whatever the import of the module raises is raised.
    """
    module_name, _, path = spec.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise NoFunctionError(f"there is no module '{error.name}' in sys.path") from None
        raise
    for name in path.split("."):
        if not hasattr(found, name):
            raise NoFunctionError(f"'{module_name}' has no '{path}'")
        found = getattr(found, name)
    if not callable(found):
        raise NoFunctionError(f"'{spec}' is no function but {found!r}")
    return found


def timed(function: Callable[[], Any], loops: int) -> dict[str, float]:
    """Seconds of so many calls."""
    function()
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in repeat(None, loops):
        function()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def main(spec: str, loops: int) -> None:
    function = find(spec)
    if loops == 0:
        print(repr(function()))
        return
    seconds = timed(function, loops)
    with open(os.environ[TIMES], "w") as file:
        json.dump(seconds, file)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
