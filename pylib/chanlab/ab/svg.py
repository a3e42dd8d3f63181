"""Charts as SVG, self-contained: dots for runs, bars with whiskers for ratios.  Pure text.

Colours come from CSS variables with fallbacks, so that a chart is readable alone as well as in a page of light or dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

#: Pixels.
WIDTH, LEFT, RIGHT, ROW = 860, 210, 130, 34
AXIS = 36

STYLE = """\
<style>
 text { font: 13px system-ui, sans-serif; fill: var(--ink, #222) }
 .small { font-size: 11px; fill: var(--faint, #666) }
 .grid { stroke: var(--line, #ddd); stroke-width: 1 }
 .one { stroke: var(--ink, #222); stroke-width: 1; stroke-dasharray: 4 3 }
 .dot { fill: var(--mark, #2a6fb0); fill-opacity: .45 }
 .median { stroke: var(--ink, #222); stroke-width: 2 }
 .bar { fill: var(--mark, #2a6fb0); fill-opacity: .75 }
 .bar.none { fill: var(--faint, #888); fill-opacity: .45 }
 .whisker { stroke: var(--ink, #222); stroke-width: 1.5 }
</style>"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart of ratios: `low` and `high` are the ends of its interval; `note` stands at the right."""

    label: str
    ratio: float
    low: float
    high: float
    note: str
    solid: bool = True


def dots(rows: Sequence[tuple[str, Sequence[float]]], unit: str, scale: float) -> str:
    """One row of dots for each label, times `scale`, in `unit`; a stroke marks the median of each."""
    ends = [value * scale for _, values in rows for value in values]
    # A few runs that were disturbed shall not press all others into a corner: they stand at the edge.
    low, high = min(ends), _percentile(ends, 0.98)
    axis = Axis(low - 0.05 * (high - low), high + 0.05 * (high - low))
    parts = axis.grid(len(rows), lambda value: f"{value:g} {unit}")
    for number, (label, values) in enumerate(rows):
        middle = ROW * number + ROW / 2
        parts.append(_label(label, middle))
        for i, value in enumerate(values):
            x, wobble = axis.x(value * scale), (i * 7 % 11 - 5) * 1.6
            parts.append(f'<circle class="dot" cx="{x:.1f}" cy="{middle + wobble:.1f}" r="3"/>')
        x = axis.x(_percentile([value * scale for value in values], 0.5))
        parts.append(f'<line class="median" x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 13}" y2="{middle + 13}"/>')
    return _svg(len(rows), parts, "every timed run, a dot each")


def bars(rows: Sequence[Bar], title: str) -> str:
    """Ratios as bars from 0, with their intervals as whiskers, and a dashed line at 1."""
    axis = Axis(0.0, max(1.05, *(row.high * 1.05 for row in rows)))
    parts = axis.grid(len(rows), lambda value: f"{value:g}")
    for number, row in enumerate(rows):
        middle = ROW * number + ROW / 2
        end, low, high = axis.x(row.ratio), axis.x(row.low), axis.x(row.high)
        kind = "bar" if row.solid else "bar none"
        parts += [
            _label(row.label, middle),
            f'<rect class="{kind}" x="{LEFT}" y="{middle - 9}" width="{max(end - LEFT, 0.5):.1f}" height="18"/>',
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>',
            f'<text x="{WIDTH - RIGHT + 10}" y="{middle + 4}">{escape(row.note)}</text>',
        ]
    one = axis.x(1.0)
    parts.append(f'<line class="one" x1="{one:.1f}" x2="{one:.1f}" y1="0" y2="{ROW * len(rows)}"/>')
    return _svg(len(rows), parts, title)


class Axis:
    """From values to pixels."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high if high > low else low + 1e-9

    def x(self, value: float) -> float:
        """Where `value` is; what lies outside is at the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def grid(self, rows: int, show) -> list[str]:
        """Lines at round values, and their names below."""
        step = round_step((self.high - self.low) / 6)
        first = int(self.low / step) + (self.low > 0)
        parts, bottom = [], ROW * rows
        for i in range(first, int(self.high / step) + 1):
            x = self.x(i * step)
            parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom}"/>')
            parts.append(
                f'<text class="small" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{show(round(i * step, 9))}</text>'
            )
        return parts


def round_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, not smaller than `rough`."""
    power = 10.0 ** (len(str(int(1 / rough))) * -1) if rough < 1 else 10.0 ** (len(str(int(rough))) - 1)
    while power * 10 <= rough:
        power *= 10
    return next(power * factor for factor in (1, 2, 5, 10, 20, 50, 100) if power * factor >= rough)


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def _label(text: str, middle: float) -> str:
    return f'<text x="{LEFT - 12}" y="{middle + 4}" text-anchor="end">{escape(text)}</text>'


def _svg(rows: int, parts: Sequence[str], title: str) -> str:
    height = ROW * rows + AXIS
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            STYLE,
            *parts,
            "</svg>\n",
        ]
    )
