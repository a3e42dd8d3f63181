"""Programs that behave alike: what is run, in which order, and what is reported."""

from __future__ import annotations

from itertools import islice

import pytest
from chanlab.ab import options, plan


def test_report_names_both_sides_the_proof_and_the_times(lab):
    result = lab.run(lab.CHANNELS, "--seeds", 5)
    assert result.returncode == 0, result.stdout + result.stderr
    out = result.stdout
    assert "compare   script.py\n" in out
    assert "  a       no hook in C (the prototype)\n" in out
    assert "  b       waitq,runq" in out
    assert "  seed    5\n" in out
    assert "CPython 3." in out
    assert "alike     exit code, stdout (10 bytes), stderr (0 bytes), trace (" in out
    assert "CPU time" in out and "wall time" in out and "start-up" in out
    assert "verdict   none: " in out  # one pair of runs allows none
    assert result.stderr == ""


def test_the_plan_is_carried_out_as_it_stands(lab):
    result = lab.run("note()", "--a", "waitq", "--b", "none", "--runs", 5, "--seeds", 11)
    assert result.returncode == 0
    notes = lab.notes()
    order = [hooks for hooks, *_ in notes]
    arms = ["waitq", "none", "waitq"]  # a, b, and a once more
    planned = [arms[arm] for block in islice(plan.blocks(3, 11), 3) for arm in block]
    assert order == ["waitq", "none"] * 2 + planned  # the check, the warm-up, six runs of each arm
    assert [traced for *_, traced, _argv in notes] == [True, True] + [False] * 20
    assert {(seed, hash_seed) for _, seed, hash_seed, *_ in notes} == {("11", "11")}


def test_alike_for_several_seeds(lab):
    result = lab.run("note()", "--a", "waitq", "--b", "none", "--seed", 2**64 - 1)
    assert result.returncode == 0
    checked = [(hooks, int(seed)) for hooks, seed, _, traced, _ in lab.notes() if traced]
    assert checked == [(hooks, seed) for seed in (2**64 - 1, 0, 1) for hooks in ("waitq", "none")]
    assert {seed for _, seed, _, traced, _ in lab.notes() if not traced} == {str(2**64 - 1)}


def test_the_environment_of_timed_runs_varies_in_length_and_in_nothing_else(lab):
    script = "note() and open('lengths', 'a').write(f\"{'chanlab_trace' in sys._xoptions} {len(os.environ.get('CHANLAB_PADDING', ''))}\\n\")"
    assert lab.run(script, "--runs", 4).returncode == 0
    lengths = [line.split() for line in (lab.directory / "lengths").read_text().splitlines()]
    assert {length for traced, length in lengths if traced == "True"} == {"0"}
    assert len({length for traced, length in lengths if traced == "False"}) > 5


def test_the_seed_makes_sets_of_strings_repeat(lab):
    assert lab.run("print({'a', 'b', 'c', 'd', 'e', 'f', 'g'})").returncode == 0


def test_a_hash_seed_of_the_users_is_kept(lab):
    assert lab.run("note()", env={"PYTHONHASHSEED": "7"}).returncode == 0
    assert {hash_seed for _, _, hash_seed, *_ in lab.notes()} == {"7"}


@pytest.mark.parametrize(
    ("options", "env", "seed"),
    [((), {}, "1"), ((), {"CHANLAB_SEED": "0x10"}, "16"), (("--seed", "3"), {"CHANLAB_SEED": "16"}, "3")],
)
def test_where_the_seed_comes_from(lab, options, env, seed):
    assert lab.run("note()", *options, env=env).returncode == 0
    assert lab.notes()[0][1] == lab.notes()[-1][1] == seed  # in between come further seeds


def test_same_hooks_on_both_sides(lab):
    result = lab.run(lab.CHANNELS, "--b", "all,none", "--a=none")
    assert result.returncode == 0
    assert "  b       no hook in C" in result.stdout


def test_the_programs_words_pass_untouched(lab):
    lab.write("note()")
    words = ["--seed", "x", "--runs=0", "-h", "--", "", "-c", "two words", "ä"]
    assert lab.compare("--runs", 1, "--seeds", 1, "script.py", *words).returncode == 0
    assert {tuple(argv) for *_, argv in lab.notes()} == {("script.py", *words)}


def test_a_module(lab):
    lab.write("note()")
    result = lab.compare("--runs", 1, "-m", "script", "--a", "x")
    assert result.returncode == 0, result.stderr
    assert {tuple(argv[1:]) for *_, argv in lab.notes()} == {("--a", "x")}


def test_code(lab):
    result = lab.compare("--runs", 1, "-c", "import stackless, sys; print(sys.argv)", "--b")
    assert result.returncode == 0, result.stderr
    assert "stdout (14 bytes)" in result.stdout


def test_a_script_whose_name_starts_with_a_dash(lab):
    (lab.directory / "-odd.py").write_text("print(1)")
    assert lab.compare("--runs", 1, "./-odd.py").returncode == 0


def test_a_directory_with_main(lab):
    (lab.directory / "app").mkdir()
    (lab.directory / "app" / "__main__.py").write_text("print(1)")
    assert lab.compare("--runs", 1, "app").returncode == 0


def test_a_program_without_stackless_is_told_that_hooks_do_not_matter(lab):
    result = lab.run("print(1)")
    assert result.returncode == 0
    assert "trace (empty: the program uses no tasklets" in result.stdout


def test_an_error_that_is_caught_and_printed_is_no_failure(lab):
    script = """\
import stackless, traceback
try:
    stackless.channel().receive()
except RuntimeError:
    traceback.print_exc()
"""
    assert lab.run(script).returncode == 0


def test_the_script_finds_its_neighbours(lab):
    (lab.directory / "neighbour.py").write_text("")
    assert lab.run("import neighbour").returncode == 0


def test_help(lab):
    result = lab.compare("--seed", "1", "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("usage: chanlab compare")
    assert max(map(len, result.stdout.splitlines())) <= 100
    for option in (*options.VALUED, *options.FLAGS, "-m", "-c"):
        assert option in result.stdout
