"""Medians, intervals, the noise floor and the verdict: arithmetic on seconds, no measuring.

Ratios are handled as logarithms, so that b/a and a/b give the same answer.  Intervals are those of the sign test: the
k-th smallest and the k-th largest of n values enclose the median with a probability that depends on n and k alone.
They need no assumption about the distribution and no random numbers, and are never narrower than the data allow.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

#: The coverage that an interval shall have at least, where there are enough values.
COVERAGE = 0.95


@dataclass(frozen=True, slots=True)
class Summary:
    """Seconds of some runs: median, least, and the quartiles between which the middle half lies."""

    median: float
    least: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Interval:
    """The median of some values, and where the true one lies with probability `coverage` or more."""

    median: float
    low: float
    high: float
    coverage: float


class Finding(Enum):
    """What may be said about b."""

    FASTER = "faster"
    SLOWER = "slower"
    NO_DIFFERENCE = "no difference"
    TOO_FEW = "too few runs"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found on one clock.

    ratio      b's time divided by a's: median over the blocks, with its interval
    floor      the noise: how far from 1 the same measure may put a side compared with itself (0.01 is 1 %)
    bound      no difference, in either direction, is larger than this share
    finding    faster or slower only if the interval excludes 1 and the median lies outside the floor
    """

    ratio: Interval
    floor: float
    bound: float
    finding: Finding


def summary(seconds: Sequence[float]) -> Summary:
    """Median and spread of one or more times."""
    if len(seconds) == 1:
        return Summary(seconds[0], seconds[0], seconds[0], seconds[0])
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return Summary(median, min(seconds), low, high)


def median_interval(values: Sequence[float]) -> Interval:
    """The median of one or more values, with the narrowest sign-test interval that covers COVERAGE, else the range."""
    ordered = sorted(values)
    n = len(ordered)
    k, coverage = 1, 1 - 2 * 0.5**n
    tail = 0.5**n  # the probability that fewer than k of the values lie below the true median
    for candidate in range(2, (n + 1) // 2 + 1):
        tail += math.comb(n, candidate - 1) * 0.5**n
        if 1 - 2 * tail < COVERAGE:
            break
        k, coverage = candidate, 1 - 2 * tail
    return Interval(statistics.median(ordered), ordered[k - 1], ordered[n - k], coverage)


#: The two times of a and the two of b in one block, in seconds and in the order in which they were made.
Block = tuple[tuple[float, float], tuple[float, float]]


def judge(blocks: Sequence[Block]) -> Verdict:
    """The verdict on one or more blocks."""
    logs = median_interval([_log(sum(b), sum(a)) for a, b in blocks])
    null = median_interval(null_ratios(blocks))
    floor = max(abs(null.low), abs(null.high))
    bound = max(floor, abs(logs.low), abs(logs.high))
    if logs.coverage < COVERAGE:
        finding = Finding.TOO_FEW
    elif logs.low <= 0 <= logs.high or abs(logs.median) <= floor:
        finding = Finding.NO_DIFFERENCE
    else:
        finding = Finding.SLOWER if logs.median > 0 else Finding.FASTER
    ratio = Interval(math.exp(logs.median), math.exp(logs.low), math.exp(logs.high), logs.coverage)
    return Verdict(ratio, math.expm1(floor), math.expm1(bound), finding)


def null_ratios(blocks: Sequence[Block]) -> list[float]:
    """The logarithms of ratios that would all be 0 without noise: a against a, and b against b.

    From the runs 1 2 of one side in a block and its runs 3 4 in the next they set 1 + 4 against 2 + 3: two runs against
    two, with steady drift cancelled, and as many ratios as there are blocks, just as in the comparison itself.
    """
    if len(blocks) == 1:
        return [_log(*runs) for runs in blocks[0]]
    return [
        _log(first[0] + second[1], first[1] + second[0])
        for i in range(0, len(blocks) - 1, 2)
        for first, second in zip(blocks[i], blocks[i + 1], strict=True)
    ]


def _log(over: float, under: float) -> float:
    """The logarithm of a ratio of seconds; a clock that did not advance counts as a microsecond."""
    return math.log(max(over, 1e-6) / max(under, 1e-6))
