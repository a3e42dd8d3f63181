"""The 1,500 recorded programs of tests/golden, against what genuine Stackless 3.7.5 did with them."""

import gzip
import json
import os
import signal
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"
GUARD = 60  # seconds until a program that hangs is given up; nothing is measured

sys.path.insert(0, str(GOLDEN))
from replay import replay  # noqa: E402

if not hasattr(os, "fork"):
    pytest.skip("replaying needs os.fork()", allow_module_level=True)


def recorded(profile):
    with gzip.open(GOLDEN / f"stackless-3.7.5-profile{profile}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            seed, status, log = json.loads(line)
            if status == 0 and log is not None:
                yield seed, log


def in_child(seed, profile):
    """The log of one program, run in a child of its own; None when the child crashed or hung."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(GUARD)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
            with open(write, "w", encoding="utf-8") as out:
                json.dump(replay(seed, profile), out)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    return json.loads(text) if text and status == 0 else None


def up_to_deadlock(log):
    """A log up to its first Deadlock error, after which genuine Stackless has lost a value."""
    for i, line in enumerate(log):
        if "Deadlock" in line:
            return i + 1
    return len(log)


def difference(seed, profile, theirs, ours):
    """Where two logs part, for people; None when they do not."""
    end = up_to_deadlock(theirs)
    if ours is None:
        return f"seed {seed} profile {profile}: crashed or hung; see tests/golden/replay.py {seed} {profile}"
    theirs, ours = theirs[:end], ours[:end]
    if theirs == ours:
        return None
    at = next((i for i, (a, b) in enumerate(zip(theirs, ours)) if a != b), min(len(theirs), len(ours)))
    lines = [f"seed {seed} profile {profile}, line {at}; see tests/golden/replay.py {seed} {profile}"]
    lines += [f"    both       {line}" for line in theirs[max(0, at - 4) : at]]
    lines.append(f"    Stackless  {theirs[at] if at < len(theirs) else 'END'}")
    lines.append(f"    here       {ours[at] if at < len(ours) else 'END'}")
    return "\n".join(lines)


@pytest.mark.parametrize("profile", [0, 1, 2])
def test_as_recorded(profile):
    count, differing = 0, []
    for seed, log in recorded(profile):
        count += 1
        found = difference(seed, profile, log, in_child(seed, profile))
        if found:
            differing.append(found)
    assert count > 450, "the recorded logs are incomplete"
    assert not differing, f"{len(differing)} of {count} programs differ; the first:\n{differing[0]}"
