"""--fail-if and --baseline."""

from __future__ import annotations

import json

import made_up
import pytest
from chanlab.ab import gate
from chanlab.ab.gate import Gate
from chanlab.ab.stats import Finding


@pytest.mark.parametrize(
    ("word", "limit", "b", "closes"),
    [
        ("slower", 0.0, 1.02, True),
        ("slower", 0.05, 1.04, False),
        ("slower", 0.05, 1.06, True),
        ("slower", 0.0, 0.5, False),
        ("faster", 0.0, 0.5, True),
        ("faster", 0.0, 2.0, False),
        ("slower", 0.0, 1.0, False),
    ],
)
def test_when_it_closes(word, limit, b, closes):
    assert Gate(word, limit).closes(made_up.result(1.0, b).verdict()) is closes


def test_it_never_closes_for_what_may_be_noise_or_is_too_little_to_know():
    assert not Gate("slower", 0.0).closes(made_up.result(1.0, 1.02, jitter=0.05).verdict())
    assert not Gate("slower", 0.0).closes(made_up.result(1.0, 2.0, count=3).verdict())


@pytest.mark.parametrize(
    ("then", "now", "finding", "change"),
    [
        (0.5, 0.5, Finding.NO_DIFFERENCE, 1.0),
        (0.5, 0.6, Finding.SLOWER, 1.2),
        (0.5, 0.4, Finding.FASTER, 0.8),
        (2.0, 2.0, Finding.NO_DIFFERENCE, 1.0),  # slower than a, as it has always been
    ],
)
def test_change_since_a_baseline(then, now, finding, change):
    found = gate.since(made_up.result(1.0, then).verdict().ratio, made_up.result(1.0, now).verdict())
    assert found.finding is finding
    assert found.ratio.median == pytest.approx(change)


def test_a_change_inside_todays_noise_is_none():
    found = gate.since(made_up.result(1.0, 1.0).verdict().ratio, made_up.result(1.0, 1.03, jitter=0.05).verdict())
    assert found.finding is Finding.NO_DIFFERENCE


#: b burns far more time than a: no machine is so busy that this is in doubt.
SLOWER = "sum(range(8_000_000 if 'waitq' in os.environ['CHANLAB_NATIVE'] else 1))\nimport stackless\nstackless.run()\n"
#: A switch, so that hooks can matter.
SLOWER += "stackless.tasklet(int)()\nstackless.run()\n"


def test_compare_fails_if_b_is_slower(lab):
    words = ["--runs", 12, "--b", "waitq"]
    result = lab.run(SLOWER, *words, "--fail-if", "slower:5%")
    assert result.returncode == 1, result.stdout
    assert result.stdout.endswith("FAIL      --fail-if: b is slower by more than 5 %\n")
    assert "verdict   b is slower" in result.stdout
    result = lab.run(SLOWER, *words, "--fail-if", "faster")
    assert result.returncode == 0
    assert "pass      --fail-if" in result.stdout


def test_a_baseline_is_written_once_and_then_compared_with(lab):
    words = ["--runs", 12, "--b", "waitq", "--baseline", "base.json", "--fail-if", "slower:50%"]
    first = lab.run(SLOWER, *words[:-2])
    assert first.returncode == 0
    assert "wrote     base.json" in first.stdout and "change" not in first.stdout
    written = (lab.directory / "base.json").read_text()
    second = lab.run(SLOWER, *words)
    assert second.returncode == 0, second.stdout
    assert "change    b/a is " in second.stdout and "wrote" not in second.stdout
    assert (lab.directory / "base.json").read_text() == written
    # As if it had been ten times as good.
    content = json.loads(written)
    for name in ("chanlab_ratio", "chanlab_ratio_low", "chanlab_ratio_high"):
        content["metadata"][name] /= 10
    (lab.directory / "base.json").write_text(json.dumps(content))
    third = lab.run(SLOWER, *words)
    assert third.returncode == 1
    assert "FAIL      --fail-if: b has become slower by more than 50 %" in third.stdout


def test_a_baseline_that_is_none(lab):
    lab.write("note()")
    (lab.directory / "base.json").write_text("{}")
    result = lab.compare("--baseline", "base.json", "script.py")
    assert result.returncode == 2
    assert "base.json is not what" in result.stderr
    assert lab.notes() == []
