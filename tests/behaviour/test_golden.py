"""The 1,500 recorded programs of tests/golden, against what genuine Stackless 3.7.5 did with them."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"

if not hasattr(os, "fork"):
    pytest.skip("replaying needs os.fork()", allow_module_level=True)


def recorded(profile):
    with gzip.open(GOLDEN / f"stackless-3.7.5-profile{profile}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            seed, status, log = json.loads(line)
            if status == 0 and log is not None:
                yield seed, log


def replayed(seeds, profile):
    """The logs of these programs; None for one that crashed or hung.

    Each is run by a child of a process that does nothing else: one that runs tests is slow to fork.
    """
    done = subprocess.run(
        [sys.executable, str(GOLDEN / "replay.py"), str(profile)],
        input="\n".join(map(str, seeds)),
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


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
    programs = list(recorded(profile))
    assert len(programs) > 450, "the recorded logs are incomplete"
    logs = replayed([seed for seed, _ in programs], profile)
    found = [difference(seed, profile, theirs, ours) for (seed, theirs), ours in zip(programs, logs, strict=True)]
    differing = [text for text in found if text]
    assert not differing, f"{len(differing)} of {len(programs)} programs differ; the first:\n{differing[0]}"
