"""`chanlab bench`: the table of the workloads.  What they do is tested in tests/bench."""

from __future__ import annotations

import json

import pytest
from chanlab.ab import bench


@pytest.fixture
def few(monkeypatch):
    """Workloads that do next to nothing."""
    monkeypatch.setattr(bench, "default_n", lambda _workload: 100)


def test_each_column_has_its_time(few, capsys, tmp_path):
    unable = tmp_path / "python-without-stackless"
    unable.write_text("#!/bin/sh\nexit 1\n")
    unable.chmod(0o755)
    path = tmp_path / "bench.json"
    words = ["--hooks", "none", f"--also=unable={unable}", "--rounds", "2", "--json", str(path), "pingpong"]
    assert bench.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == "ns of CPU per operation none unable none/unable".split()
    assert [word for word in lines[1].split() if not word[0].isdigit()] == ["pingpong", "-", "-"]
    benchmarks = json.loads(path.read_text())["benchmarks"]
    assert [(one["metadata"]["name"], len(one["runs"])) for one in benchmarks] == [("pingpong, none", 2)]


def test_what_a_column_lacks_is_told_apart_from_nothing():
    lines = bench.shown(["all", "go"], {"pingpong": {"all": [2e-7, 1e-7], "go": [2e-7]}, "nested": {"all": [3e-7]}})
    assert lines[1].split() == ["pingpong", "100.0", "200.0", "0.500"]
    assert lines[2].split() == ["nested", "300.0", "-", "-"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosuch"], "there is no workload 'nosuch': there are pingpong"),
        (["--rounds", "0"], "--rounds '0'"),
        (["--also", "x"], "--also 'x': say NAME=PYTHON"),
        (["--hooks", "nosuch"], "unknown hook 'nosuch'"),
        (["--hooks"], "option --hooks needs a value"),
        (["--frobnicate"], "unknown option --frobnicate (chanlab bench --help"),
    ],
)
def test_bad_input(capsys, words, said):
    assert bench.main(words) == 2
    err = capsys.readouterr().err
    assert err.startswith("chanlab bench: ") and said in err
