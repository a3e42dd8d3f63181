"""Medians, intervals and verdicts on made-up numbers: nothing is timed here."""

from __future__ import annotations

import math
import random
from itertools import islice, pairwise

import pytest
from chanlab.ab import plan, stats
from chanlab.ab.stats import Finding


def test_summary():
    assert stats.summary([3.0]) == stats.Summary(3, 3, 3, 3)
    assert stats.summary([5.0, 1.0, 2.0, 4.0, 3.0]) == stats.Summary(median=3, least=1, low=2, high=4)


def test_of_few_values_the_interval_is_their_range():
    for n, coverage in ((1, 0.0), (2, 0.5), (5, 0.9375)):
        interval = stats.median_interval([float(i) for i in range(1, n + 1)][::-1])
        assert (interval.low, interval.high) == (1, n)
        assert interval.coverage == pytest.approx(coverage)


@pytest.mark.parametrize(("n", "k"), [(6, 1), (9, 2), (20, 6), (40, 14), (400, 180), (10_000, 4902)])
def test_interval_lies_between_two_of_the_sign_test(n, k):
    # The sign test's k-th smallest value covers more than 95 %, its next one less (from tables).
    interval = stats.median_interval([float(i) for i in range(1, n + 1)])
    assert k <= interval.low < k + 1
    assert interval.low - 1 == pytest.approx(n - interval.high)
    assert interval.coverage == stats.COVERAGE


NOISES = {
    "gaussian": lambda generator: generator.gauss(0, 0.02),
    "exponential": lambda generator: generator.expovariate(50),
    "a busy machine": lambda generator: (
        abs(generator.gauss(0, 0.01)) + (generator.random() < 0.2) * generator.random() / 2
    ),
    "heavy tails": lambda generator: min(abs(generator.gauss(0, 0.01) / generator.gauss(0, 1)), 3.0),
}


def compared(count, ratio, noise, generator):
    """The verdict on `count` blocks in which b takes `ratio` times as long as a, each run longer by some noise."""

    def twice(seconds):
        return sum(seconds * (1 + noise(generator)) for _ in range(2))

    blocks = [(twice(1.0), twice(ratio), twice(1.0)) for _ in range(count)]
    return stats.judge(
        [stats.log_ratio(b, a) for a, b, _ in blocks], [stats.log_ratio(again, a) for a, _, again in blocks]
    )


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("count", [6, 8, 12, 20, 40])
def test_intervals_cover_what_they_say_and_false_alarms_are_rare(count, noise):
    generator = random.Random(f"{count} {noise}")
    times = 1500
    found = [compared(count, 1.0, NOISES[noise], generator) for _ in range(times)]
    assert 0.93 <= sum(verdict.ratio.low <= 1 <= verdict.ratio.high for verdict in found) / times <= 0.97
    assert sum(verdict.finding is not Finding.NO_DIFFERENCE for verdict in found) <= 0.02 * times


@pytest.mark.parametrize("ratio", [0.5, 1.03])
def test_intervals_cover_a_difference(ratio):
    generator = random.Random(7)
    found = [compared(15, ratio, NOISES["a busy machine"], generator).ratio for _ in range(1500)]
    assert 0.93 <= sum(interval.low <= ratio <= interval.high for interval in found) / 1500 <= 0.97


def test_intervals_keep_their_word_when_precision_ends_the_measurement():
    generator = random.Random(8)
    noise, covered, alarms, times = NOISES["gaussian"], 0, 0, 600
    for _ in range(times):
        logs, nulls = [], []
        while True:
            a, b, again = (sum(1 + noise(generator) for _ in range(2)) for _ in range(3))
            logs.append(stats.log_ratio(b, a))
            nulls.append(stats.log_ratio(again, a))
            if len(logs) >= plan.FIRST_LOOK:
                verdict = stats.judge(logs, nulls)
                if plan.enough(len(logs), len(logs), 60.0, verdict.width(), 0.01):
                    break
        covered += verdict.ratio.low <= 1 <= verdict.ratio.high
        alarms += verdict.finding is not Finding.NO_DIFFERENCE
    assert 0.93 <= covered / times <= 0.97
    assert alarms <= 0.02 * times


@pytest.mark.parametrize(("ratio", "finding"), [(0.97, Finding.FASTER), (1.03, Finding.SLOWER)])
def test_three_percent_are_found(ratio, finding):
    # With as many blocks as it takes to be precise to 1 %.
    generator = random.Random(3)
    found = [compared(30, ratio, NOISES["gaussian"], generator).finding for _ in range(300)]
    assert sum(one is finding for one in found) >= 0.97 * 300


def test_steady_drift_is_not_taken_for_a_difference():
    # Every run takes 1 % longer than the one before it.
    times = iter([1.01**i for i in range(6 * 12)])
    logs, nulls = [], []
    for order in islice(plan.blocks(3, 1), 12):
        seconds = [0.0, 0.0, 0.0]
        for arm in order:
            seconds[arm] += next(times)
        logs.append(stats.log_ratio(seconds[1], seconds[0]))
        nulls.append(stats.log_ratio(seconds[2], seconds[0]))
    assert stats.judge(logs, nulls).finding is Finding.NO_DIFFERENCE


def test_too_few_runs_allow_no_verdict():
    assert stats.judge([1.0] * 5, [0.0] * 5).finding is Finding.TOO_FEW
    assert stats.judge([1.0] * 6, [0.0] * 6).finding is Finding.SLOWER


def test_a_difference_inside_the_floor_is_none():
    # b is 1 % slower without exception, while a differs from itself by 10 %.
    verdict = stats.judge([math.log(1.01)] * 12, [math.log(1.1), -math.log(1.1)] * 6)
    assert verdict.ratio.low > 1
    assert verdict.floor == pytest.approx(0.1)
    assert verdict.finding is Finding.NO_DIFFERENCE
    assert verdict.bound >= verdict.floor


def test_swapping_the_sides_turns_the_verdict_round():
    generator = random.Random(4)
    logs = [generator.gauss(0.2, 0.01) for _ in range(12)]
    nulls = [generator.gauss(0, 0.01) for _ in range(12)]
    one, other = stats.judge(logs, nulls), stats.judge([-log for log in logs], [-log for log in nulls])
    assert one.ratio.median == pytest.approx(1 / other.ratio.median)
    assert one.floor == pytest.approx(other.floor)
    assert (one.finding, other.finding) == (Finding.SLOWER, Finding.FASTER)


def test_a_clock_that_stands_still_is_no_division_by_zero():
    still = [stats.log_ratio(0.0, 0.0)] * 6
    assert stats.judge(still, still).finding is Finding.NO_DIFFERENCE


def test_intervals_narrow_with_more_blocks():
    generator = random.Random(6)
    values = [generator.gauss(0, 1) for _ in range(400)]
    widths = [(lambda i: i.high - i.low)(stats.median_interval(values[:n])) for n in (6, 40, 400)]
    assert all(wide > narrow for wide, narrow in pairwise(widths))
