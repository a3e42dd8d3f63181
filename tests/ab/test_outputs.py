"""What is written into files, and who can read it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import made_up
import pytest
from chanlab.ab import markdown, page, store, svg

pyperf = pytest.importorskip("pyperf", reason="pyperf is not installed: pip install -r requirements-test.txt")


@pytest.fixture
def stored(tmp_path):
    """The three files of a made-up comparison: both sides, a, b."""
    result = made_up.result(1.0, 0.5, jitter=0.01)
    paths = [str(tmp_path / "x.json")]
    store.write(paths[0], store.suite(result))
    for number, name in enumerate("ab"):
        paths.append(store.side_path(paths[0], name))
        store.write(paths[-1], store.suite(result, [number], alone=True))
    return paths


def run_pyperf(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pyperf", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pyperf_loads_every_run(stored):
    suite = pyperf.BenchmarkSuite.load(stored[0])
    assert [bench.get_name() for bench in suite] == ["a: script.py", "b: script.py"]
    assert [bench.median() for bench in suite] == pytest.approx([1.0, 0.5])
    assert [bench.get_nvalue() for bench in suite] == [24, 24]
    assert suite.get_benchmark("a: script.py").get_metadata()["chanlab_side"] == "no hook in C (the prototype)"


@pytest.mark.parametrize("command", ["stats", "hist", "show", "metadata", "dump", "check"])
def test_pyperf_reads_it(stored, command):
    assert "script.py" in run_pyperf(command, stored[0])


def test_pyperf_compares_the_sides(stored):
    said = run_pyperf("compare_to", stored[1], stored[2])
    assert "[x.a] 1.00 sec" in said and "2.00x faster" in said and "ERROR" not in said


def test_the_ratio_is_read_back(stored):
    subject, ratio = store.read_ratio(stored[0])
    assert subject == "script.py"
    assert ratio == made_up.result(1.0, 0.5).verdict().ratio


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"metadata": {}}', '{"metadata": {"chanlab_subject": 1, "chanlab_ratio": 2}}']
)
def test_a_file_that_is_none_of_ours(tmp_path, content):
    path = tmp_path / "odd.json"
    path.write_text(content)
    with pytest.raises(store.StoreError, match=r"odd\.json is not what"):
        store.read_ratio(str(path))


def test_markdown():
    text = markdown.document(made_up.result(1.0, 0.5))
    assert "**b is faster" in text
    assert "| a | 1.000 s | 1.000 s | 1.000 s | 1.000 s |" in text
    assert "| python | CPython 3.x |" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in rows)


def test_the_page_stands_alone():
    result = made_up.result(1.0, 0.5, jitter=0.01)
    result.subject = "a<b>&.py"
    text = page.document(result)
    assert not re.search(r"(src|href|@import|url\()", text), "it would load something"
    assert "<script" not in text
    assert "a&lt;b&gt;&amp;.py" in text and "a<b>" not in text
    assert "b is faster" in text and "CPython 3.x" in text
    assert text.count('class="dot"') == 2 * 3 * 24  # two clocks, three arms


def charts():
    yield svg.dots([("one", [1.0, 2.0, 50.0]), ("two", [1.5])], "ms", 1e3)
    yield svg.dots([("all <the> same", [1.0, 1.0])], "s", 1.0)
    yield svg.bars([svg.Bar("a & b", 0.5, 0.4, 0.6, "0.500"), svg.Bar("slow", 7.0, 6.0, 9.0, "7.000")], "t")


@pytest.mark.parametrize("number", range(3))
def test_charts_are_well_formed_and_inside_their_frame(number):
    root = ET.fromstring(list(charts())[number])
    _, _, width, height = map(float, root.get("viewBox").split())
    for element in root.iter():
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(element.get(name, 0)) <= width
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(element.get(name, 0)) <= height
        assert float(element.get("width", 1)) > 0


@pytest.mark.parametrize("rough", [1e-6, 0.003, 0.02, 0.1, 0.7, 1, 1.5, 9, 10, 99, 12345])
def test_steps_are_round(rough):
    step = svg.round_step(rough)
    assert rough <= step * 1.0000001 and step <= 2.5 * rough * 1.0000001 + 1e-12
    assert f"{step:e}"[0] in "125"


def test_files_are_written(lab):
    result = lab.run(lab.CHANNELS, "--json", "t.json", "--html", "t.html", "--markdown", "t.md")
    assert result.returncode == 0, result.stderr
    assert [line.split()[-1] for line in result.stdout.splitlines() if line.startswith("wrote")] == [
        "t.json", "t.a.json", "t.b.json", "t.md", "t.html",
    ]  # fmt: skip
    assert len(json.loads((lab.directory / "t.json").read_text())["benchmarks"]) == 2
    assert (lab.directory / "t.html").read_text().startswith("<!DOCTYPE html>")
    assert "chanlab compare: script.py" in (lab.directory / "t.md").read_text()
