"""Medians, intervals and verdicts on made-up numbers: nothing is timed here."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from chanlab.ab import stats
from chanlab.ab.stats import Finding


def test_summary():
    assert stats.summary([3.0]) == stats.Summary(3, 3, 3, 3)
    assert stats.summary([5.0, 1.0, 2.0, 4.0, 3.0]) == stats.Summary(median=3, least=1, low=2, high=4)


@pytest.mark.parametrize(
    ("n", "k", "coverage"), [(1, 1, 0.0), (2, 1, 0.5), (5, 1, 0.9375), (6, 1, 0.96875), (9, 2, 0.9609), (20, 6, 0.9586)]
)
def test_interval_is_that_of_the_sign_test(n, k, coverage):
    interval = stats.median_interval([float(i) for i in range(1, n + 1)][::-1])
    assert (interval.low, interval.high) == (k, n + 1 - k)
    assert interval.coverage == pytest.approx(coverage, abs=1e-4)


def test_interval_covers_what_it_says():
    generator = random.Random(1)
    hits = 0
    for _ in range(2000):
        interval = stats.median_interval([generator.lognormvariate(0, 1) for _ in range(11)])
        hits += interval.low <= 1 <= interval.high
    assert hits / 2000 == pytest.approx(interval.coverage, abs=0.015)


def blocks(count, ratio, noise, generator):
    """Blocks in which b takes `ratio` times as long as a, each run longer by a share that `noise` draws."""
    return [
        tuple((base * (1 + noise(generator)), base * (1 + noise(generator))) for base in (1.0, ratio))
        for _ in range(count)
    ]


NOISES = {
    "gaussian": lambda generator: generator.gauss(0, 0.02),
    "a busy machine": lambda generator: (
        abs(generator.gauss(0, 0.01)) + (generator.random() < 0.2) * generator.random() / 2
    ),
    "none": lambda generator: 0.0,
}


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("count", [6, 7, 10, 20])
def test_false_alarms_are_rare(count, noise):
    generator = random.Random(count)
    found = [stats.judge(blocks(count, 1.0, NOISES[noise], generator)).finding for _ in range(500)]
    assert sum(finding is not Finding.NO_DIFFERENCE for finding in found) <= 0.02 * len(found)


@pytest.mark.parametrize(("ratio", "finding"), [(0.85, Finding.FASTER), (1.15, Finding.SLOWER)])
def test_a_difference_is_found(ratio, finding):
    generator = random.Random(3)
    verdicts = [stats.judge(blocks(10, ratio, NOISES["gaussian"], generator)) for _ in range(200)]
    assert sum(verdict.finding is finding for verdict in verdicts) >= 195
    assert sum(verdict.ratio.low <= ratio <= verdict.ratio.high for verdict in verdicts) >= 185


def test_steady_drift_is_not_taken_for_a_difference():
    # Every run takes 1 % longer than the one before it.
    times = iter([1.01**i for i in range(24)])
    made = []
    for order in ("ABBA", "ABBA", "BAAB", "ABBA", "BAAB", "BAAB"):
        runs = [(letter, next(times)) for letter in order]
        made.append(tuple(tuple(t for letter, t in runs if letter == side) for side in "AB"))
    assert stats.judge(made).finding is Finding.NO_DIFFERENCE


def test_too_few_runs_allow_no_verdict():
    assert stats.judge([((1.0, 1.0), (9.0, 9.0))] * 5).finding is Finding.TOO_FEW
    assert stats.judge([((1.0, 1.0), (9.0, 9.0))] * 6).finding is Finding.SLOWER


def test_a_difference_inside_the_floor_is_none():
    # b is 1 % slower without exception, while a and b themselves jump by 10 % between blocks' halves.
    made = [((1.0, 1.1), (1.01, 1.111)), ((1.1, 1.0), (1.111, 1.01))] * 3
    verdict = stats.judge(made)
    assert verdict.ratio.low > 1
    assert verdict.floor == pytest.approx(0.1)
    assert verdict.finding is Finding.NO_DIFFERENCE
    assert verdict.bound >= verdict.floor


def test_swapping_the_sides_turns_the_verdict_round():
    made = blocks(8, 1.2, NOISES["gaussian"], random.Random(4))
    one, other = stats.judge(made), stats.judge([(b, a) for a, b in made])
    assert one.ratio.median == pytest.approx(1 / other.ratio.median)
    assert one.floor == pytest.approx(other.floor)
    assert (one.finding, other.finding) == (Finding.SLOWER, Finding.FASTER)


def test_null_ratios_are_as_many_as_blocks():
    made = blocks(6, 1.3, NOISES["gaussian"], random.Random(5))
    assert len(stats.null_ratios(made)) == 6
    assert len(stats.null_ratios(made[:1])) == 2
    assert [len(stats.null_ratios(made[:n])) for n in (2, 3, 4, 5)] == [2, 2, 4, 4]


def test_a_clock_that_stands_still_is_no_division_by_zero():
    assert stats.judge([((0.0, 0.0), (0.0, 0.0))] * 6).finding is Finding.NO_DIFFERENCE


def test_intervals_narrow_with_more_blocks():
    generator = random.Random(6)
    values = [generator.gauss(0, 1) for _ in range(400)]
    widths = [(lambda i: i.high - i.low)(stats.median_interval(values[:n])) for n in (6, 40, 400)]
    assert all(wide > narrow for wide, narrow in pairwise(widths))
