"""Every way for a comparison to end without times, or early, has an exit code and a message of its own."""

from __future__ import annotations

import os

import pytest
from chanlab import hooks
from chanlab.ab import options

NATIVE = "native = os.environ['CHANLAB_NATIVE'] != 'none'\n"


# -- 3: a and b behave differently -----------------------------------------------------------------------------------


def test_different_stdout(lab, no_times):
    result = lab.run(NATIVE + "print('same')\nprint('native' if native else 'prototype')")
    assert result.returncode == 3
    assert "DIFFERENT a and b do not behave alike with seed 1: stdout\n" in result.stdout
    assert "  line 2 of a    prototype\n  line 2 of b    native\n" in result.stdout
    no_times(result.stdout)


def test_different_length_of_stdout(lab, no_times):
    result = lab.run(NATIVE + "print('same')\nif native: print('more')")
    assert result.returncode == 3
    assert "  line 2 of a    (nothing: it ends here)\n  line 2 of b    more\n" in result.stdout
    no_times(result.stdout)


def test_different_stderr(lab, no_times):
    result = lab.run(NATIVE + "sys.stderr.write('x' * native)")
    assert result.returncode == 3
    assert "behave alike with seed 1: stderr\n" in result.stdout
    no_times(result.stdout)


def test_different_exit_code(lab, no_times):
    result = lab.run(NATIVE + "sys.exit(9 * native)")
    assert result.returncode == 3
    assert "behave alike with seed 1: exit code\n" in result.stdout
    assert "  a    exit code 0\n  b    exit code 9\n" in result.stdout
    no_times(result.stdout)


def test_one_side_crashes(lab, no_times):
    result = lab.run(NATIVE + "import signal\nif native: os.kill(os.getpid(), signal.SIGSEGV)")
    assert result.returncode == 3
    assert "  b    killed by SIGSEGV\n" in result.stdout
    no_times(result.stdout)


def test_different_trace(lab, no_times):
    script = """\
import stackless
ch = stackless.channel()
def sender():
    for i in range(4):
        ch.send(i if i < 3 or stackless.implementation()['waitq'] == 'py' else 'odd')
stackless.tasklet(sender)()
for i in range(4): ch.receive()
"""
    result = lab.run(script)
    assert result.returncode == 3
    assert "behave alike with seed 1: trace\n" in result.stdout
    shown = [line.split() for line in result.stdout.splitlines() if line.startswith(("  both ", "  a    ", "  b    "))]
    shown = [words for words in shown if len(words) > 1 and words[1].isdigit()]
    both, a, b = ([words[1:] for words in shown if words[0] == name] for name in ("both", "a", "b"))
    assert len(both) == 3 and a and b
    assert [int(step) for step, *_ in both] == list(range(int(a[0][0]) - 3, int(a[0][0])))
    assert a[0][:2] == b[0][:2]  # the same step and event …
    assert a[0][-1] == "3" and b[0][-1] == "'odd'"  # … with another value
    no_times(result.stdout)


def test_a_side_that_does_not_repeat_itself_while_a_does(lab, no_times):
    result = lab.run(NATIVE + "import time\nprint(time.perf_counter_ns() if native else 0)")
    assert result.returncode == 3
    assert "b does not even repeat itself, whereas a does" in result.stdout
    no_times(result.stdout)


# -- 4: the program fails on both sides ------------------------------------------------------------------------------


def test_fails_alike(lab, no_times):
    result = lab.run("for i in range(30): print('line', i, file=sys.stderr)\nsys.exit(7)")
    assert result.returncode == 4
    assert "FAILED    the program fails alike on both sides: exit code 7\n" in result.stdout
    assert "  | line 29\n" in result.stdout and "line 21\n" not in result.stdout
    no_times(result.stdout)


def test_an_uncaught_deadlock_fails_alike(lab, no_times):
    result = lab.run("import stackless\nstackless.channel().receive()")
    assert result.returncode == 4
    assert "Deadlock" in result.stdout
    no_times(result.stdout)


def test_killed_alike(lab, no_times):
    result = lab.run("import signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert result.returncode == 4
    assert "both sides: killed by SIGKILL" in result.stdout
    no_times(result.stdout)


def test_reading_stdin_is_explained(lab, no_times):
    result = lab.run("input()")
    assert result.returncode == 4
    assert "EOFError" in result.stdout and "standard input is empty" in result.stdout
    no_times(result.stdout)


# -- 5: the program differs by itself --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        "import time; print(time.perf_counter_ns())",
        "import random; print(random.random())",
        "print(note())",  # a file that the last run left
        "sys.exit(note())",
        "import stackless, time; ch = stackless.channel(); stackless.tasklet(ch.send)(time.perf_counter_ns()); ch.receive()",
    ],
    ids=["clock", "random", "file", "exit code", "trace"],
)
def test_differs_by_itself(lab, no_times, script):
    result = lab.run(script)
    assert result.returncode == 5
    assert "UNSTEADY  the program differs by itself" in result.stdout
    assert "DIFFERENT" not in result.stdout
    no_times(result.stdout)


def test_addresses_are_recognised(lab, no_times):
    # What an address looks like, without hoping that a real one changes.
    result = lab.run("print(f'<thing at 0x7f{note():04x}>')")
    assert result.returncode == 5
    assert "addresses of objects" in result.stdout
    no_times(result.stdout)


def test_a_timed_run_that_fails(lab, no_times):
    result = lab.run("sys.exit(note() > 5)")
    assert result.returncode == 5
    assert "ended with exit code 1, after exit code 0 when it was checked" in result.stdout
    no_times(result.stdout)


# -- 6: too short ----------------------------------------------------------------------------------------------------


def test_a_program_that_does_next_to_nothing(lab, no_times):
    result = lab.run("print(1)", "--budget", "5s")
    assert result.returncode == 6
    assert "TOO SHORT beside its start-up" in result.stdout and "Give it more to do" in result.stdout
    no_times(result.stdout)


# -- 130, 143: stopped -----------------------------------------------------------------------------------------------


def interrupting(number: int, name: str = "SIGINT") -> str:
    """A script whose run of that number sends the comparison a signal and waits for its own end."""
    return f"""\
import signal, time
if note() == {number}:
    os.kill(os.getppid(), signal.{name})
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [1, 2, 3, 6], ids=["check of a", "check of b", "warm-up", "first block"])
def test_ctrl_c_before_anything_is_known(lab, number):
    result = lab.run(interrupting(number))
    assert result.returncode == 130
    assert result.stderr == "chanlab compare: stopped before the comparison had a result\n"
    assert "median" not in result.stdout


def test_ctrl_c_prints_what_is_known(lab):
    result = lab.run(interrupting(4 + 2 * 6 + 1), "--runs", 8)
    assert result.returncode == 130
    assert "4 timed runs of each side, and of a once more (stopped after 2 of 4 blocks; " in result.stdout
    assert "median" in result.stdout and "verdict   none" in result.stdout


def test_sigterm_leaves_nothing_behind(lab):
    result = lab.run(interrupting(2, "SIGTERM"))
    assert result.returncode == 143


# -- 2: bad input ----------------------------------------------------------------------------------------------------

BAD = {
    "no program": ([], "no program to compare"),
    "no program after --": (["--"], "no program to compare"),
    "unknown option": (["--frobnicate", "script.py"], "unknown option --frobnicate"),
    "unknown short option": (["-x", "script.py"], "unknown option -x"),
    "missing script": (["nosuch.py"], "there is no script 'nosuch.py'"),
    "directory": (["."], "'.' is a directory without __main__.py"),
    "missing module": (["-m", "nosuch.module"], "there is no module 'nosuch'"),
    "stdin": (["-"], "save it to a file"),
    "-m alone": (["-m"], "option -m needs a value"),
    "-c alone": (["-c"], "option -c needs a value"),
    "--a alone": (["--a"], "option --a needs a value"),
    "unknown hook": (["--a", "waitq,nosuch", "script.py"], "unknown hook 'nosuch' in 'waitq,nosuch'"),
    "unknown hook in b": (["--b=all,-nosuch", "script.py"], "unknown hook 'nosuch'"),
    "variant of no hook": (["--b", "waitq:fast", "script.py"], "has no variants"),
    "empty hook list": (["--b=", "script.py"], "--b names no hook"),
    "no runs": (["--runs", "0", "script.py"], "--runs '0'"),
    "negative runs": (["--runs=-1", "script.py"], "--runs '-1'"),
    "runs in words": (["--runs", "many", "script.py"], "--runs 'many'"),
    "runs and budget": (["--runs", "4", "--budget", "5s", "script.py"], "--budget cannot be met, too"),
    "precision of nothing": (["--precision", "0%", "script.py"], "--precision"),
    "precision in words": (["--precision", "high", "script.py"], "--precision 'high': give percent"),
    "no budget": (["--budget", "0s", "script.py"], "--budget '0s': give a time"),
    "budget in words": (["--budget", "long", "script.py"], "--budget 'long'"),
    "seed and seeds": (["--seed", "1", "--seeds", "2", "script.py"], "give one of them"),
    "a bad seed among seeds": (["--seeds", "1,x", "script.py"], "--seeds 'x' is no seed"),
    "no such processor": (["--cpu", "4096", "script.py"], "--cpu '4096': give none or one of"),
    "gate of nothing": (["--fail-if", "broken", "script.py"], "say slower or faster"),
    "gate without a number": (["--fail-if", "slower:much", "script.py"], "'much': give percent"),
    "file in no directory": (["--json", "nosuch/x.json", "script.py"], "there is no directory 'nosuch'"),
    "file that is a directory": (["--html", ".", "script.py"], "--html .: cannot be written"),
    "seed in words": (["--seed", "one", "script.py"], "--seed 'one' is no seed"),
    "empty seed": (["--seed=", "script.py"], "--seed"),
    "negative seed": (["--seed", "-1", "script.py"], "--seed '-1' is no seed"),
    "seed too large": (["--seed", str(2**64), "script.py"], "is no seed"),
}


def check_bad(lab, result, said):
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("chanlab compare: ") and result.stderr.count("\n") == 1
    assert said in result.stderr
    assert lab.notes() == [], "something was run"


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
def test_bad_input(lab, words, said):
    lab.write("note()")
    check_bad(lab, lab.compare(*words), said)


def test_unavailable_hook(lab):
    missing = [hook for hook in hooks.HOOKS if hooks.unavailable(hook)]
    if not missing:
        pytest.skip("every hook is available")
    lab.write("note()")
    check_bad(lab, lab.compare("--b", missing[0], "script.py"), f"hook '{missing[0]}' is unavailable")


def test_unreadable_script(lab, monkeypatch):
    lab.write("note()")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read everything
    with pytest.raises(options.UsageError, match="cannot be read"):
        options.check_program((str(lab.script),))


@pytest.mark.skipif("CHANLAB_BIN" in os.environ, reason="the host checks its environment before it starts anything")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("CHANLAB_SEED", "x", "CHANLAB_SEED 'x' is no seed"), ("CHANLAB_NATIVE", "nosuch", "unknown hook 'nosuch'")],
)
def test_bad_environment(lab, name, value, said):
    lab.write("note()")
    check_bad(lab, lab.compare("script.py", env={name: value}), said)


def test_hooks_in_the_environment_of_the_comparison_do_not_matter(lab):
    result = lab.run(lab.CHANNELS, env={"CHANLAB_NATIVE": "waitq"})
    assert result.returncode == 0
    assert "  a       no hook in C" in result.stdout
