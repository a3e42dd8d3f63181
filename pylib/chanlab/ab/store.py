"""Times in pyperf's JSON format, version 1.0: written for `pyperf stats`, `hist` and `compare_to`, read as a baseline.

Each timed process is a pyperf run with one value, its CPU time.  What pyperf does not know of is in the metadata of the
benchmarks, under names that begin with chanlab_.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from .result import Result
from .stats import Interval


class StoreError(Exception):
    """A file cannot be read or is none of ours; the text names it."""


def suite(result: Result, sides: Sequence[int] = (0, 1), alone: bool = False) -> dict[str, Any]:
    """The file's content as pyperf wants it.  `alone`: one side, under a name that the other side's file has, too."""
    return {
        "version": "1.0",
        "metadata": _common(result),
        "benchmarks": [_benchmark(result, side, alone) for side in sides],
    }


def _benchmark(result: Result, side: int, alone: bool) -> dict[str, Any]:
    name = result.subject if alone else f"{result.sides[side].name}: {result.subject}"
    runs = [
        {"values": [cpu / result.loops], "metadata": {"chanlab_wall": wall / result.loops}}
        for cpu, wall in zip(result.measured.runs(side, "cpu"), result.measured.runs(side, "wall"), strict=True)
    ]
    metadata = {"name": name, "unit": "second", "loops": 1, "inner_loops": 1, "chanlab_side": result.sides[side].what}
    return {"metadata": metadata, "runs": runs}


def _common(result: Result) -> dict[str, Any]:
    found, ours = result.verdict(), dict(result.metadata)
    # pyperf knows some of the names and wants its own kinds of values for them.
    renamed = {name if name in PYPERF_KNOWS else f"chanlab_{name}": value for name, value in ours.items()}
    ratio = found.ratio
    return renamed | {
        "chanlab_subject": result.subject,
        **{name: getattr(ratio, field) for name, field in RATIO.items()},
        "chanlab_noise": found.floor,
        "chanlab_finding": found.finding.value,
    }


#: Where the ratio b/a is kept, and the fields of Interval: pyperf allows no lists.
RATIO = {
    "chanlab_ratio": "median",
    "chanlab_ratio_low": "low",
    "chanlab_ratio_high": "high",
    "chanlab_ratio_coverage": "coverage",
}
#: Of our metadata those that mean the same to pyperf.
PYPERF_KNOWS = frozenset({"python_compiler", "cpu_model", "platform"})


def side_path(path: str, name: str) -> str:
    """'x.json' as 'x.a.json'."""
    root, suffix = os.path.splitext(path)
    return f"{root}.{name}{suffix}"


def write(path: str, content: dict[str, Any]) -> None:
    with open(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")


def read_ratio(path: str) -> tuple[str, Interval]:
    """The subject and the ratio b/a of a file that write() made.  Raises StoreError."""
    try:
        with open(path) as file:
            metadata = json.load(file)["metadata"]
        return metadata["chanlab_subject"], Interval(**{field: float(metadata[name]) for name, field in RATIO.items()})
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{path} is not what `chanlab compare --json` or --baseline writes") from None
