"""The workloads run, in little: they do the operations that they count.  No time is looked at."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
WORKLOADS = sorted(path for path in [*BENCH.glob("*.py"), *BENCH.glob("limits/*.py")] if path.name != "_run.py")


def test_the_readme_names_them_all():
    text = (BENCH / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in WORKLOADS if f"`{path.stem}`" not in text] == []


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda path: path.stem)
def test_runs(workload):
    env = {**os.environ, "CHANLAB_NATIVE": "none"}
    done = subprocess.run([sys.executable, str(workload), "1000"], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(done.stdout)
    assert figures["workload"] == workload.stem
    assert figures["ops"] == 1000
