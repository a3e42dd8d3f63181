"""Instructions per operation, counted by callgrind: exact enough to compare where times are not.

usage: instructions.py [WORKLOAD…]          (CHANLAB_NATIVE says which hooks; PYTHONPATH where the module is)

The slope method: what a process executes for 2N operations less what it executes for N, divided by N; start-up cancels
out.  Each workload runs once before it is counted, so that all .pyc files are there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent

#: The workloads that are worth counting, with an N that is large enough for the slope and small enough for valgrind.
SIZES = {"pingpong": 2000, "yield2": 10_000, "spawn": 2000, "select8": 400, "select64": 400, "limits/python_mix": 5000}


def executed(workload: str, n: int, python: str = sys.executable) -> int:
    """Instructions that a whole process executes for n operations.  CalledProcessError when it fails."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *program(workload, n, python)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def per_operation(workload: str, python: str = sys.executable) -> float:
    """Instructions per operation of a workload of SIZES, run by the interpreter or host `python`."""
    n = SIZES[workload]
    subprocess.run(program(workload, n, python), env=environment(), capture_output=True, check=True)
    return (executed(workload, 2 * n, python) - executed(workload, n, python)) / n


def program(workload: str, n: int, python: str) -> list[str]:
    return [python, str(BENCH / f"{workload}.py"), str(n)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": "0"}


if __name__ == "__main__":
    for name in sys.argv[1:] or SIZES:
        print(f"{name:17} {per_operation(name):8.0f} instructions per operation", flush=True)
