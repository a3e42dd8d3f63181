"""What the workloads share: the command line, the clock, the one line of JSON.

Runs on Python 3.7 and newer, because the last Stackless Python is a 3.7.
"""

from __future__ import annotations

import json
import os
import sys
import time


def run(main, n, prepare=None, more=None):
    """Do main(n), with n from the command line if it is there, and print the figures as one line of JSON.

    prepare   called with n before the clock starts, for what is not to be measured
    more      called after it has stopped; returns a dict of further figures
    """
    if len(sys.argv) > 1:
        n = int(sys.argv[1])
    if prepare is not None:
        prepare(n)
    began = time.process_time()
    main(n)
    seconds = time.process_time() - began
    name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    show(name, n, seconds, more() if more is not None else {})


def show_timed(workloads):
    """A peer's command line: do the workload and the n that it names, and print the same line as run()."""
    if len(sys.argv) != 3 or sys.argv[1] not in workloads:
        sys.exit(f"usage: {sys.argv[0]} WORKLOAD N, where WORKLOAD is one of {', '.join(workloads)}")
    name, n = sys.argv[1], int(sys.argv[2])
    began = time.process_time()
    workloads[name](n)
    show(name, n, time.process_time() - began)


def show(workload, n, seconds, more=()):
    """Print one measurement: `n` operations in `seconds` of process CPU time."""
    figures = {"workload": workload, "ops": n, "seconds": seconds, "ns_per_op": round(seconds / n * 1e9, 2)}
    figures.update(more)
    print(json.dumps(figures), flush=True)


def shares(n, k):
    """Divide n operations among k tasks as evenly as can be: a list of k counts."""
    return [n // k + (i < n % k) for i in range(k)]
