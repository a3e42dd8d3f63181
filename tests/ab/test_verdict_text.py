"""What the report says about made-up times."""

from __future__ import annotations

import made_up
import pytest
from chanlab.ab import report
from chanlab.ab.gate import Gate
from chanlab.ab.result import Counts


def verdict(result) -> str:
    last = report.times(result)[-1]
    assert last.startswith("verdict   ")
    return last.removeprefix("verdict   ")


def test_faster_and_slower():
    assert verdict(made_up.result(1.0, 0.75)).startswith(
        "b is faster: it takes 25.0 % less CPU time than a (25.0 % to 25.0 %; "
    )
    assert verdict(made_up.result(1.0, 1.5)).startswith(
        "b is slower: it takes 50.0 % more CPU time than a (50.0 % to 50.0 %; "
    )


def test_inside_the_noise():
    text = verdict(made_up.result(1.0, 1.02, jitter=0.05))
    assert text == "no measurable difference: none larger than ±5.0 % (noise ±5.0 %)"


def test_too_few():
    assert verdict(made_up.result(1.0, 2.0, count=5)) == (
        "none: too few runs to tell a difference from noise; take --runs 12 or more"
    )


def test_a_program_without_tasklets_has_no_verdict():
    assert verdict(made_up.result(1.0, 2.0, events=0)) == "none: without tasklets no hook makes a difference"
    assert verdict(made_up.result(1.0, 2.0, events=None)).startswith("b is slower")


def test_table():
    text = "\n".join(report.times(made_up.result(0.5, 0.4, startup=0.1)))
    cpu, wall = text.split("wall time")
    lines = {line.split("  ")[1].strip(): line.split() for line in cpu.splitlines()[1:6]}
    assert lines["a"] == "a 500.0 ms 500.0 ms to 500.0 ms 500.0 ms 100.0 ms (20%)".split()
    assert lines["b"] == "b 400.0 ms 400.0 ms to 400.0 ms 400.0 ms 100.0 ms (25%)".split()
    assert lines["b/a"] == "b/a 0.800 0.800 to 0.800 95 % interval".split()
    assert lines["b/a without start-up"] == "b/a without start-up 0.750 0.750 to 0.750 95 % interval".split()
    assert lines["a/a"] == "a/a 1.000 1.000 to 1.000 ±0.00 % is noise".split()
    assert "1.000 s" in wall and "without start-up" not in wall
    assert "24 timed runs of each side, and of a once more" in text
    assert max(map(len, text.splitlines())) <= 118


def test_functions_are_told_by_the_call():
    result = made_up.result(1.0, 1.0, startup=None)
    result.loops = 1000
    text = "\n".join(report.times(result))
    assert "1.0 ms" in text and "24 timed runs of 1,000 calls" in text
    assert "start-up" not in text


@pytest.mark.parametrize(("startup", "noted"), [(0.1, False), (0.3, True)])
def test_a_program_that_mostly_starts_up_is_noted(startup, noted):
    assert ("give the program more to do" in "\n".join(report.times(made_up.result(0.5, 0.4, startup)))) is noted


def test_nothing_is_said_without_start_up_when_little_remains():
    assert "without start-up" not in "\n".join(report.times(made_up.result(0.5, 0.101, startup=0.1)))


def test_an_interrupted_measurement_says_so():
    result = made_up.result()
    result.measured.planned = 20
    assert "stopped after 12 of 20 blocks" in "\n".join(report.times(result))


def test_counts():
    result = made_up.result(events=10)
    result.counts = Counts(3_000_000, 1_000_000), Counts(1_500_000, 1_000_000)
    text = "\n".join(report.times(result))
    assert "3,000,000" in text and "2,000,000" in text and "200,000" in text  # whole, net, for each event
    assert "0.500" in text and "0.250" in text
    result.counts = "valgrind is not installed"
    assert "instructions: valgrind is not installed" in "\n".join(report.times(result))


def test_a_change_since_the_baseline():
    result = made_up.result(1.0, 2.0)
    result.change = made_up.result(1.0, 1.25).verdict()
    assert "change    b/a is 1.250 times what it was (1.250 to 1.250): b has become slower" in report.times(result)
    result.change = made_up.result(1.0, 1.0).verdict()
    assert "no measurable change" in "\n".join(report.times(result))


def test_the_gate_says_what_it_forbids():
    assert report.gate(Gate("slower", 0.05), True, since=False) == ["FAIL      --fail-if: b is slower by more than 5 %"]
    assert report.gate(Gate("faster", 0.0), False, since=True) == [
        "pass      --fail-if: not the case that b has become faster"
    ]
