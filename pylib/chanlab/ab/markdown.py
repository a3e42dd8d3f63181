"""The report as Markdown, for a merge request or a web page."""

from __future__ import annotations

from collections.abc import Sequence

from . import report, stats
from .result import Counts, Result


def document(result: Result) -> str:
    """The whole text."""
    lines = [
        f"## chanlab compare: {result.subject}",
        "",
        f"**{report.verdict(result)}**",
        "",
        *(f"* {side.name}: {side.what}" for side in result.sides),
        f"* {report.alike(result.alike)[0].removeprefix('alike').strip()} are alike for seeds "
        f"{', '.join(map(str, result.alike.seeds))}",
        f"* {report.how_many(result)}",
    ]
    if result.change is not None:
        lines.append(f"* since the baseline: {report.change(result.change)}")
    for clock, title in report.CLOCKS.items():
        lines += ["", *_clock(result, clock, title)]
    if isinstance(result.counts, tuple):
        lines += ["", *_counts(result, result.counts)]
    lines += ["", "<details><summary>machine and software</summary>", ""]
    lines += [*table(["", ""], [[name, value] for name, value in result.metadata.items()]), "", "</details>", ""]
    return "\n".join(lines)


def _clock(result: Result, clock: str, title: str) -> list[str]:
    found = result.verdict(clock)
    rows = []
    for arm, side in enumerate(result.sides):
        runs = stats.summary([seconds / result.loops for seconds in result.measured.runs(arm, clock)])
        rows.append([side.name, *map(report.duration, (runs.median, runs.low, runs.high, runs.least))])
    for name, ratio in (("b/a", found.ratio), ("a/a (noise)", found.null)):
        rows.append([name, f"{ratio.median:.3f}", f"{ratio.low:.3f}", f"{ratio.high:.3f}", ""])
    return table([title, "median", "from", "to", "least"], rows)


def _counts(result: Result, counts: Sequence[Counts]) -> list[str]:
    rows = [[side.name, f"{c.whole:,}", f"{c.net():,}"] for side, c in zip(result.sides, counts, strict=True)]
    return table(["instructions", "whole run", "without start-up"], rows)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in GitHub's Markdown; all columns but the first are set flush right."""
    lines = [header, ["---", *(["---:"] * (len(header) - 1))], *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
