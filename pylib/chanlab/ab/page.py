"""The report as one HTML page that needs nothing else: no network, no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from . import report, stats, svg
from .result import Result
from .timing import Measurement

STYLE = """\
:root { --ink: #222; --faint: #666; --line: #ddd; --mark: #2a6fb0; --paper: #fff; color-scheme: light dark }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --faint: #a0a0a0; --line: #444; --mark: #6cb1f0; --paper: #1b1b1d }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin-top: 2rem }
.verdict { border-left: .4rem solid var(--mark); padding: .6rem 1rem; font-size: 1.2rem; margin: 1rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem }
th, td { text-align: right; padding: .25rem .8rem; border-bottom: 1px solid var(--line) }
td { white-space: nowrap } th:first-child, td:first-child { text-align: left }
td.note { white-space: normal; text-align: left }
table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere }
svg { width: 100%; height: auto } .faint { color: var(--faint); font-size: .9rem }
"""


def document(result: Result) -> str:
    """The page of a comparison."""
    a, b = result.sides
    sections = [
        f'<p class="verdict">{escape(report.verdict(result))}</p>',
        facts([[side.name, side.what] for side in (a, b)]),
        "<h2>Behaviour</h2>",
        f"<p>Alike for seeds {', '.join(map(str, result.alike.seeds))}: "
        f"{escape(report.alike(result.alike)[0].removeprefix('alike').strip())}.</p>",
        *(_clock(result, clock, title) for clock, title in report.CLOCKS.items()),
        f'<p class="faint">{escape(report.how_many(result))}</p>',
        "<h2>Ratios</h2>",
        svg.bars(_ratios(result), "ratios with their intervals"),
        '<p class="faint">A bar is a time divided by that of a; the line across its end is the 95 % interval. '
        "a/a is a against itself under the same protocol: what it strays from 1 is noise.</p>",
    ]
    if result.change is not None:
        sections.append(f"<h2>Since the baseline</h2><p>{escape(report.change(result.change))}</p>")
    if isinstance(result.counts, tuple):
        rows = [[s.name, f"{c.whole:,}", f"{c.net():,}"] for s, c in zip(result.sides, result.counts, strict=True)]
        sections += ["<h2>Instructions</h2>", grid(["", "whole run", "without start-up"], rows)]
    sections += ["<h2>Machine and software</h2>", facts(list(result.metadata.items()))]
    return page(f"chanlab compare: {result.subject}", sections)


def page(title: str, sections: Sequence[str]) -> str:
    """A whole page of these sections."""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
            f"<h1>{escape(title)}</h1>",
            *sections,
            "</body>\n</html>\n",
        ]
    )


def _clock(result: Result, clock: str, title: str) -> str:
    rows, seen = [], runs_of_arms(result.measured, clock, result.loops)
    for name, seconds in seen:
        runs = stats.summary(seconds)
        rows.append([name, *map(report.duration, (runs.median, runs.low, runs.high, runs.least))])
    return "\n".join(
        [
            f"<h2>{title}</h2>",
            dots(seen),
            grid(["", "median", "middle half from", "to", "least"], rows),
        ]
    )


def runs_of_arms(measured: Measurement, clock: str, loops: int = 1) -> list[tuple[str, list[float]]]:
    """The name and the seconds of every arm, that of the first side's second one included."""
    names = [*(side.name for side in measured.sides), f"{measured.sides[0].name} again"]
    return [(name, [s / loops for s in measured.runs(arm, clock)]) for arm, name in enumerate(names)]


def dots(rows: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Every run as a dot, in the unit that suits the longest."""
    longest = max(max(seconds) for _, seconds in rows)
    units = (("ns", 1e9, 1e-6), ("µs", 1e6, 1e-3), ("ms", 1e3, 1.0), ("s", 1.0, float("inf")))
    unit, scale = next((unit, scale) for unit, scale, most in units if longest < most)
    return svg.dots(rows, unit, scale)


def _ratios(result: Result) -> list[svg.Bar]:
    found = [(title, result.verdict(clock)) for clock, title in report.CLOCKS.items()]
    rows = []
    for title, verdict in found:
        for name, ratio in (("b/a", verdict.ratio), ("a/a", verdict.null)):
            label = f"{name}, {title}"
            rows.append(svg.Bar(label, ratio.median, ratio.low, ratio.high, f"{ratio.median:.3f}", name == "b/a"))
    return rows


def facts(rows: Sequence[Sequence[str]]) -> str:
    body = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>\n" for name, value in rows)
    return f'<table class="facts">\n{body}</table>'


def grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of figures."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>\n" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}</table>"


def _cell(text: str) -> str:
    return f'<td class="note">{escape(text)}</td>' if len(text) > 40 else f"<td>{escape(text)}</td>"
