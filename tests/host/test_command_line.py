"""The grammar of the command line: what belongs to chanlab, to CPython and to the script."""

import json

import pytest

#: Prints what a program can see of how it was started, less what names the executable.
LOOK = """
import json, sys
seen = {
    "argv": sys.argv,
    "path0": sys.path[0],
    "flags": dict((name, getattr(sys.flags, name)) for name in dir(sys.flags) if name[0] != "_" and name[0] != "n"
                  and not callable(getattr(sys.flags, name))),
    "warnoptions": sys.warnoptions,
    "xoptions": {key: value for key, value in sys._xoptions.items()},
    "file": globals().get("__file__"),
    "name": __name__,
    "prefix": [sys.prefix, sys.base_prefix],
    "encoding": [sys.stdout.encoding, sys.getfilesystemencoding()],
}
print(json.dumps(seen))
"""

#: Python's own options in the shapes its grammar allows.
PYTHON_OPTIONS = [
    [],
    ["-O"],
    ["-OO"],
    ["-u", "-B"],
    ["-uBs"],
    ["-E"],
    ["-q"],
    ["-b", "-v"],
    ["-Wignore"],
    ["-W", "error::UserWarning", "-Wdefault"],
    ["-uWignore"],
    ["-X", "dev"],
    ["-Xdev"],
    ["-BXutf8=1", "-X", "name=value", "-Xbare"],
    ["--check-hash-based-pycs", "never"],
    ["-x"],
]


def seen(process):
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("options", PYTHON_OPTIONS, ids=" ".join)
def test_script_sees_what_it_sees_under_python(both, script, options):
    program = script("# -x skips this line\n" + LOOK)
    host, plain = both(*options, program, "a", "-b", "--native=x", "--seed")
    assert seen(host) == seen(plain)


@pytest.mark.parametrize("options", PYTHON_OPTIONS[:-1], ids=" ".join)
def test_command_sees_what_it_sees_under_python(both, options):
    host, plain = both(*options, "-c", LOOK, "-O", "--help", "--", "-")
    assert seen(host) == seen(plain)


def test_code_and_module_in_a_cluster_and_attached(both, script):
    script(LOOK, "looker.py")
    for words in (["-Ec" + LOOK, "x"], ["-mlooker", "-m", "y"], ["-Om", "looker"], ["-OBc", LOOK]):
        host, plain = both(*words)
        assert seen(host) == seen(plain)


def test_isolated_has_pylib_first_and_the_environment(chanlab, run, python):
    code = "import sys, stackless; print(sys.flags.isolated, sys.path[0])"
    isolated = run(chanlab, "-I", "-c", code, env={"PYTHONPATH": "/nowhere"})
    assert isolated.returncode == 0, isolated.stderr
    flag, first = isolated.stdout.split()
    assert flag == "1" and first.endswith("pylib")


def test_pylib_stands_behind_the_scripts_directory(chanlab, run, script, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "prog.py").write_text("import sys; print(sys.path[0]); print(sys.path[1])")
    first, second = run(chanlab, "inner/prog.py").stdout.splitlines()
    assert first == str(inner)
    assert second.endswith("pylib")


def test_module(both, script):
    script(LOOK, "looker.py")
    host, plain = both("-O", "-m", "looker", "-m", "x", "--version")
    assert seen(host) == seen(plain)


@pytest.mark.parametrize("words", [[], ["-"], ["-", "a", "-c"], ["-O", "-", "--trace"]], ids=str)
def test_stdin(both, words):
    host, plain = both(*words, stdin=LOOK)
    assert seen(host) == seen(plain)


def test_double_dash_ends_the_options(both, script):
    program = script(LOOK, "-strange.py")
    host, plain = both("--", program.name, "--native=none")
    assert seen(host) == seen(plain)


def test_repl(both):
    host, plain = both("-i", "-q", stdin="print(6 * 7)\n")
    assert host.returncode == plain.returncode == 0
    assert host.stdout == plain.stdout
    assert "42" in host.stdout


def test_inspect_after_a_script(both, script):
    program = script("answer = 42")
    host, plain = both("-i", program, stdin="print(answer)\n")
    assert (host.returncode, host.stdout) == (plain.returncode, plain.stdout)
    assert "42" in host.stdout


def test_directory_and_its_main(both, tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__main__.py").write_text(LOOK)
    host, plain = both("pack", "a")
    assert seen(host) == seen(plain)


def test_own_options_mix_with_pythons(chanlab, run, script):
    program = script("import sys, os; print(sys.argv[1:], sys.flags.optimize, os.environ['CHANLAB_NATIVE'])")
    done = run(chanlab, "-O", "--native=waitq", "-uB", "--seed", "1", "-O", program, "--native=runq", "-h")
    assert done.stdout.strip() == "['--native=runq', '-h'] 2 waitq"


def test_bare_native_means_all_and_takes_no_next_word(chanlab, run, script):
    program = script("import os; print(os.environ['CHANLAB_NATIVE'])")
    assert run(chanlab, "--native", program).stdout == "all\n"


def test_the_last_of_repeated_options_counts(chanlab, run):
    code = "import os; print(os.environ['CHANLAB_NATIVE'], os.environ['CHANLAB_SEED'])"
    words = ["--native", "--seed=1", "--native=none", "--seed", "2"]
    assert run(chanlab, *words, "-c", code).stdout == "none 2\n"


@pytest.mark.parametrize("word, value", [("0", 0), ("0x10", 16), ("18446744073709551615", 2**64 - 1), ("010", 10)])
def test_seed_goes_to_python_and_to_children(chanlab, run, word, value):
    code = "import os; print(os.environ['CHANLAB_SEED'])"
    assert run(chanlab, "--seed", word, "-c", code).stdout == f"{value}\n"
    assert run(chanlab, "-c", code, env={"CHANLAB_SEED": word}).stdout == f"{value}\n"


def test_seed_fixes_the_order_of_sets(chanlab, run):
    code = "print(hash('chanlab'), list({'a', 'b', 'c', 'd', 'e', 'f', 'g'}))"
    by_option = {run(chanlab, "--seed", "7", "-c", code).stdout for _ in range(3)}
    by_variable = {run(chanlab, "-c", code, env={"CHANLAB_SEED": "7"}).stdout}
    assert by_option == by_variable and len(by_option) == 1
    assert run(chanlab, "--seed", "8", "-c", code).stdout not in by_option


def test_seed_leaves_pythonhashseed_alone(chanlab, python, run):
    given = {"PYTHONHASHSEED": "5"}
    code = "print(hash('chanlab'))"
    assert run(chanlab, "--seed", "7", "-c", code, env=given).stdout == run(python, "-c", code, env=given).stdout
    isolated = run(chanlab, "--seed", "7", "-I", "-c", code, env=given).stdout
    assert isolated == run(chanlab, "--seed", "7", "-c", code).stdout


def test_seed_larger_than_32_bits_is_the_low_half_for_hashes(chanlab, python, run):
    code = "print(hash('chanlab'))"
    seeded = run(chanlab, "--seed", 2**40 + 5, "-c", code).stdout
    assert seeded == run(python, "-c", code, env={"PYTHONHASHSEED": "5"}).stdout


@pytest.mark.parametrize(
    "words",
    [["--trace", "t.jsonl"], ["--trace=t.jsonl"], ["-Xchanlab_trace=t.jsonl"], ["-uX", "chanlab_trace=t.jsonl"]],
    ids=str,
)
def test_trace_is_an_absolute_xoption_and_an_empty_file(chanlab, run, tmp_path, words):
    (tmp_path / "t.jsonl").write_text("old")
    code = "import sys; print(sys._xoptions['chanlab_trace'])"
    assert run(chanlab, *words, "-c", code).stdout == f"{tmp_path / 't.jsonl'}\n"
    assert (tmp_path / "t.jsonl").read_text() == ""


def test_orig_argv_is_what_was_typed(chanlab, run):
    words = ["--seed", "1", "--native=none", "-uB", "-c", "import sys; print(sys.orig_argv[1:])", "a"]
    assert run(chanlab, *words).stdout.strip() == str(words)


@pytest.mark.parametrize("word", ["-h", "--help", "-?", "-Oh"])
def test_help(chanlab, run, word):
    done = run(chanlab, word)
    assert done.returncode == 0 and done.stderr == ""
    for name in ("--native", "--seed", "--trace", "--version", "compare"):
        assert name in done.stdout


@pytest.mark.parametrize("word", ["-V", "--version", "-VV"])
def test_version_names_all_three(chanlab, run, python, word):
    done = run(chanlab, word)
    plain = run(python, "-c", "import platform, greenlet; print(platform.python_version(), greenlet.__version__)")
    cpython, greenlet = plain.stdout.split()
    assert done.returncode == 0 and done.stderr == ""
    assert f"(CPython {cpython}, greenlet {greenlet})" in done.stdout


def test_version_without_greenlet(chanlab, run, make_venv, python):
    done = run(chanlab, "--version", env={"VIRTUAL_ENV": str(make_venv(python))})
    assert done.returncode == 0 and "greenlet not installed" in done.stdout


@pytest.mark.parametrize("word", ["--help-env", "--help-xoptions", "--help-all"])
def test_pythons_own_help(both, word):
    host, plain = both(word)
    assert host.returncode == plain.returncode == 0
    assert host.stdout.splitlines()[1:5] == plain.stdout.splitlines()[1:5]


def test_native_question_mark_shows_the_hooks(chanlab, run):
    for words in (["--native=?"], ["--native=?", "ignored.py"]):
        done = run(chanlab, *words)
        assert done.returncode == 0 and done.stderr == ""
        assert "waitq" in done.stdout and "runq" in done.stdout


def test_subcommand_is_not_shadowed_by_the_current_directory(chanlab, run, script, tmp_path):
    (tmp_path / "chanlab").mkdir()
    (tmp_path / "chanlab" / "__init__.py").write_text("raise SystemExit('shadowed')")
    done = run(chanlab, "compare", "--help")
    assert "shadowed" not in done.stderr
    done = run(chanlab, "--native=?")
    assert done.returncode == 0


def test_native_module_is_built_in_even_with_the_extension_on_the_path(chanlab, run):
    code = "import _chanlab; print(_chanlab.__spec__.origin)"
    assert run(chanlab, "-c", code).stdout == "built-in\n"
