"""`chanlab ablate`: which sets of hooks are measured, and what is shown."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET

import made_up
import pytest
from chanlab import hooks
from chanlab.ab import ablate, child, timing
from chanlab.ab.options import UsageError
from chanlab.ab.sides import Side

AVAILABLE = [hook for hook in hooks.HOOKS if hooks.unavailable(hook) is None]
needs_c = pytest.mark.skipif(len(AVAILABLE) < 2, reason="without the C module there are no hooks to take apart")


@needs_c
def test_every_hook_alone_and_all_but_each():
    rows = ablate.rows("all")
    assert [row.name for row in rows[:2]] == ["none", "all"]
    names = [row.name.partition(" ")[2].partition(":")[0] for row in rows[2 : 2 + len(AVAILABLE)]]
    assert names == AVAILABLE
    assert len(rows) == 2 + 2 * len(AVAILABLE)
    for row in rows[2:]:
        kind, _, hook = row.name.rpartition(" ")
        assert (hook in row.wish.split(",")) is (kind == "only")


@needs_c
def test_what_runs_the_same_is_measured_once():
    rows = ablate.rows("all")
    running = [ablate._running(row.wish) for row in rows if not row.note]
    assert len(set(running)) == len(running)
    assert {row.name for row in rows if row.note} >= {"only channel", "only select", "only sched", "only spawn"}
    assert all("as none: it is in C only together with" in row.note for row in rows if row.name == "only channel")


@needs_c
def test_two_hooks_taken_apart():
    rows = ablate.rows("waitq,runq")
    assert [(row.name, row.wish) for row in rows if not row.note] == [
        ("none", "none"), ("waitq,runq", "waitq,runq"), ("only waitq", "waitq"), ("only runq", "runq"),
    ]  # fmt: skip
    assert [row.note.partition(":")[0] for row in rows if row.note] == ["as only runq", "as only waitq"]


@pytest.mark.parametrize("wish", ["none", pytest.param("waitq", marks=needs_c)])
def test_too_little_to_take_apart(wish):
    with pytest.raises(UsageError, match="nothing to take apart"):
        ablate.rows(wish)


@needs_c
def test_table_and_chart(lab):
    lab.write(lab.CHANNELS)
    result = lab.command("ablate", "--runs", 12, "--hooks", "waitq,runq", "--html", "page.html", "script.py")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "alike     all 4: exit code, stdout, stderr, trace (" in result.stdout
    table = [line.split()[:2] for line in result.stdout.splitlines() if line.startswith("  ") and " ms" in line]
    assert [words[0] for words in table] == ["none", "waitq,runq", "only", "only"]
    assert "all but waitq" in result.stdout and "as only runq" in result.stdout
    assert "12 timed runs of each" in result.stdout
    ET.parse(lab.directory / "script-ablation.svg")
    page = (lab.directory / "page.html").read_text()
    assert page.count("<svg") == 3  # the chart, and every run by either clock
    assert "all 4: exit code, stdout" in page
    assert result.stdout.count("verdict   ") == 1


@needs_c
def test_a_hook_that_changes_what_happens_is_found(lab, no_times):
    lab.write("import stackless\nprint(stackless.implementation()['runq'])")
    result = lab.command("ablate", "--hooks", "waitq,runq", "--svg", "none", "script.py")
    assert result.returncode == 3
    assert "line 1 of" in result.stdout
    no_times(result.stdout)


def test_ratios_are_taken_to_the_right_arm():
    # none 4 s, all 1 s, a third 2 s, and none again.
    arms = [Side(name, "", ()) for name in ("none", "all", "third")]
    measured = timing.new(arms)
    seconds = [4.0, 1.0, 2.0, 4.0]
    measured.blocks = [timing.Block(tuple((child.Times(s, s),) * 2 for s in seconds))] * 12
    assert measured.verdict("cpu", 2).ratio.median == pytest.approx(0.5)
    assert measured.verdict("cpu", 2, 1).ratio.median == pytest.approx(2.0)
    assert measured.verdict("cpu", 1).floor == 0
    plan = [ablate.Row("none", ""), ablate.Row("all", ""), ablate.Row("third", ""), ablate.Row("x", "", "as all: why")]
    cells = list(ablate._cells(plan, measured))
    assert [cell.split()[0] for cell in cells[2][2:4]] == ["0.500", "2.000"]
    assert cells[3] == ["x", "", "", "", "as all: why"]
    assert ET.fromstring(ablate.bars(plan, measured)).tag.endswith("svg")


BAD = {
    "no program": ([], "no program to take apart"),
    "unknown option": (["--a", "none", "script.py"], "unknown option --a (chanlab ablate --help"),
    "unknown hook": (["--hooks", "nosuch", "script.py"], "unknown hook 'nosuch'"),
    "no place": (["--svg", "nosuch/x.svg", "script.py"], "the chart cannot be written to nosuch/x.svg"),
    "no budget": (["--budget", "soon", "script.py"], "--budget 'soon'"),
}


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
def test_bad_input(lab, words, said):
    lab.write("note()")
    result = lab.command("ablate", *words)
    assert result.returncode == 2
    assert result.stderr.startswith("chanlab ablate: ") and said in result.stderr
    assert lab.notes() == [] and os.listdir(lab.temporary) == []


@pytest.mark.parametrize("command", ["ablate", "bench"])
def test_help(lab, command):
    result = lab.command(command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"usage: chanlab {command}")


def test_made_up_results_are_what_they_say():
    verdict = made_up.result(1.0, 2.0, jitter=0.01).verdict()
    assert verdict.ratio.median == pytest.approx(2.0)
    assert verdict.floor == pytest.approx(0.01)
