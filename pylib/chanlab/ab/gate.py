"""The condition of --fail-if, and the baseline that it may be about."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .stats import Finding, Interval, Verdict


@dataclass(frozen=True, slots=True)
class Gate:
    """Fail when b is `word` ('slower' or 'faster') than a, by more than `limit` (0.05 is 5 %)."""

    word: str
    limit: float

    def __str__(self) -> str:
        return self.word + (f" by more than {100 * self.limit:g} %" if self.limit else "")

    def closes(self, verdict: Verdict) -> bool:
        """Whether the verdict is of that kind, and its median beyond the limit: never for what may be noise."""
        return verdict.finding.value == self.word and beyond(verdict.ratio.median, self.limit)


def beyond(ratio: float, limit: float) -> bool:
    """Whether `ratio` or its inverse is larger than 1 + limit."""
    return abs(math.log(ratio)) > math.log1p(limit)


def since(then: Interval, now: Verdict) -> Verdict:
    """How the ratio b/a has changed since `then`: both uncertainties count, and so does today's noise."""
    change = math.log(now.ratio.median / then.median)
    half = math.hypot(_half(then), _half(now.ratio))
    interval = Interval(*(math.exp(change + d) for d in (0, -half, half)), min(then.coverage, now.ratio.coverage))
    if now.finding is Finding.TOO_FEW:
        finding = Finding.TOO_FEW
    elif abs(change) <= max(half, math.log1p(now.floor)):
        finding = Finding.NO_DIFFERENCE
    else:
        finding = Finding.SLOWER if change > 0 else Finding.FASTER
    return Verdict(interval, now.null, now.floor, max(now.floor, math.expm1(abs(change) + half)), finding)


def _half(interval: Interval) -> float:
    return math.log(interval.high / interval.low) / 2
