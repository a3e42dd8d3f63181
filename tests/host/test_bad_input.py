"""Bad input is one line on stderr that names the thing, exit 2, and nothing started, written or emptied."""

import os

import pytest

#: The words before the script, and what the line must name.
BAD = [
    (["--foo"], "--foo"),
    (["--foo=bar"], "--foo=bar"),
    (["--nativ"], "--nativ"),
    (["--help=x"], "--help=x"),
    (["--version=1"], "--version=1"),
    (["-Z"], "-Z"),
    (["-OJ"], "-OJ"),
    (["-é"], "-é"),
    (["--check-hash-based-pycs=always"], "--check-hash-based-pycs"),
    (["--check-hash-based-pycs", "bogus"], "bogus"),
    (["--native="], "--native="),
    (["--native=bogus"], "bogus"),
    (["--native=waitq,bogus"], "bogus"),
    (["--native=arena:x"], "arena:x"),
    (["--seed="], "--seed"),
    (["--seed", "-1"], "-1"),
    (["--seed", "+1"], "+1"),
    (["--seed", " 1"], " 1"),
    (["--seed", "1.5"], "1.5"),
    (["--seed", "0x"], "0x"),
    (["--seed", "0xg"], "0xg"),
    (["--seed", "18446744073709551616"], "18446744073709551616"),
    (["--seed", "99999999999999999999999999"], "99999999999999999999999999"),
    (["--seed=ten"], "ten"),
    (["--trace="], "--trace"),
    (["--trace", "/no/such/directory/t"], "/no/such/directory/t"),
    (["--trace", "."], "directory"),
    (["-Xchanlab_trace"], "chanlab_trace"),
    (["-X", "chanlab_trace="], "chanlab_trace"),
    (["--trace", "prog.py"], "prog.py"),
    (["--trace", "link.py"], "link.py"),
    (["--a\nb"], "--a?b"),
]

#: Options whose value is missing stand last.
UNFINISHED = ["--seed", "--trace", "-c", "-m", "-W", "-X", "-Oc", "-uX", "--check-hash-based-pycs"]


def refused(process, word):
    assert process.returncode == 2, process.stderr
    assert process.stdout == ""
    assert process.stderr.count("\n") == 1 and process.stderr.startswith("chanlab: "), process.stderr
    assert word in process.stderr
    return True


@pytest.fixture
def program(script, tmp_path):
    path = script("open('ran', 'w')")
    (tmp_path / "link.py").symlink_to(path)
    (tmp_path / "old.trace").write_text("kept")
    return path


def untouched(directory):
    assert sorted(os.listdir(directory)) == ["link.py", "old.trace", "prog.py"]
    assert (directory / "old.trace").read_text() == "kept"
    assert (directory / "prog.py").read_text() == "open('ran', 'w')"
    return True


@pytest.mark.parametrize("words, named", BAD, ids=[" ".join(words).replace("\n", "?") for words, _ in BAD])
def test_refused(chanlab, run, program, tmp_path, words, named):
    assert refused(run(chanlab, *words, program), named)
    assert untouched(tmp_path)


@pytest.mark.parametrize("trace", ["old.trace", "new.trace"])
@pytest.mark.parametrize("words", [["--foo"], ["--native=bogus"], ["--seed=x"], ["nosuch.py"], ["-S"]], ids=str)
def test_no_trace_file_is_made_or_emptied(chanlab, run, program, tmp_path, words, trace):
    assert run(chanlab, "--trace", trace, *words, program).returncode == 2
    assert untouched(tmp_path)


@pytest.mark.parametrize("word", UNFINISHED)
def test_missing_value(chanlab, run, word):
    assert refused(run(chanlab, word), "-" + word[-1] if word[1] != "-" else word)


def test_missing_script(chanlab, run):
    assert refused(run(chanlab, "nosuch.py", "x"), "nosuch.py")
    assert refused(run(chanlab, ""), "''")
    assert refused(run(chanlab, "no\nsuch.py"), "no?such.py")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_unreadable_script(chanlab, run, script):
    program = script("")
    program.chmod(0)
    assert refused(run(chanlab, program), "Permission denied")


def test_bad_variables(chanlab, run, program, tmp_path):
    assert refused(run(chanlab, program, env={"CHANLAB_SEED": "soon"}), "CHANLAB_SEED 'soon'")
    assert refused(run(chanlab, program, env={"CHANLAB_NATIVE": "bogus"}), "bogus")
    assert untouched(tmp_path)


def test_options_win_over_bad_variables(chanlab, run):
    bad = {"CHANLAB_SEED": "soon", "CHANLAB_NATIVE": "bogus"}
    assert run(chanlab, "--seed=1", "--native=none", "-c", "1", env=bad).returncode == 0


def test_empty_variables_mean_unset(chanlab, run):
    assert run(chanlab, "-c", "1", env={"CHANLAB_SEED": "", "CHANLAB_NATIVE": ""}).returncode == 0


def test_closed_stdout(chanlab, run):
    for word in ("--help", "--version"):
        done = run("sh", "-c", '"$0" "$1" >/dev/full', chanlab, word)
        assert done.returncode == 1
