"""What the report says about made-up times."""

from __future__ import annotations

import pytest
from chanlab.ab import report
from chanlab.ab.child import Times
from chanlab.ab.timing import Block, Measurement


def measured(a: float, b: float, startup: float = 0.01, count: int = 6, jitter: float = 0.0) -> Measurement:
    """Blocks in which the second run of each side takes `jitter` (a share) longer, or shorter in every other block."""

    def runs(seconds: float, number: int) -> tuple[Times, Times]:
        pair = [Times(wall=2 * s, cpu=s) for s in (seconds, seconds * (1 + jitter))]
        return tuple(pair if number % 2 else pair[::-1])

    empty = Times(startup, startup)
    return Measurement(count, [Block(runs(a, i), runs(b, i), empty, empty) for i in range(count)])


def verdict(result: Measurement) -> str:
    last = report.times(result)[-1]
    assert last.startswith("verdict   ")
    return last.removeprefix("verdict   ")


def test_faster_and_slower():
    assert verdict(measured(1.0, 0.75)).startswith(
        "b is faster: it takes 25.0 % less CPU time than a (25.0 % to 25.0 %; "
    )
    assert verdict(measured(1.0, 1.5)).startswith(
        "b is slower: it takes 50.0 % more CPU time than a (50.0 % to 50.0 %; "
    )


def test_inside_the_noise():
    text = verdict(measured(1.0, 1.02, jitter=0.05))
    assert text == "no difference larger than the noise of this machine (±5.0 %)"


def test_too_few():
    assert verdict(measured(1.0, 2.0, count=5)) == (
        "none: too few runs to tell a difference from noise; take --runs 12 or more"
    )


def test_table():
    text = "\n".join(report.times(measured(0.5, 0.4, startup=0.1)))
    cpu, wall = text.split("wall time")
    assert "500.0 ms" in cpu and "400.0 ms" in cpu and "100.0 ms ( 20%)" in cpu and "100.0 ms ( 25%)" in cpu
    assert "0.800   0.800 to 0.800 (96.8 % interval), noise ±0.00 %" in cpu
    assert "1.000 s" in wall
    assert "12 timed runs of each side (6 blocks of 4)" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(("startup", "noted"), [(0.1, False), (0.3, True)])
def test_a_program_that_mostly_starts_up_is_noted(startup, noted):
    assert ("give the program more to do" in "\n".join(report.times(measured(0.5, 0.4, startup)))) is noted


def test_an_interrupted_measurement_says_so():
    result = measured(1.0, 1.0)
    result.planned = 10
    assert "stopped after 6 of 10 blocks of 4" in "\n".join(report.times(result))
