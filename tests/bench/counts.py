"""Run a workload and print what it really did: counts.py WORKLOAD N, with bench/ on the path.

Counted by the module's own channel callback, and by stand-ins for schedule() and for the body of a spawned tasklet.
"""

from __future__ import annotations

import importlib
import json
import sys

import stackless

counts = {"sent": 0, "received": 0, "scheduled": 0, "finished": 0, "selected": 0, "blocked": 0}


def on_channel(_channel, _tasklet, sending, _will_block) -> None:
    counts["sent" if sending else "received"] += 1


def counted(name: str, function):
    def wrapper(*args):
        counts[name] += 1
        return function(*args)

    return wrapper


workload = importlib.import_module(sys.argv[1])
stackless.schedule = counted("scheduled", stackless.schedule)
stackless.select = counted("selected", stackless.select)
if hasattr(workload, "nothing"):
    workload.nothing = counted("finished", workload.nothing)
stackless.set_channel_callback(on_channel)
workload.main(int(sys.argv[2]))
stackless.set_channel_callback(None)
counts["blocked"] = -sum(ch.balance for ch in getattr(workload, "kept", ()))
print(json.dumps(counts))
