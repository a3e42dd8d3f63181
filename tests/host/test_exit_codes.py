"""The ways a program can end have the exit code and, in plain cases, the output they have under python3."""

import signal
import subprocess

import pytest

ENDINGS = {
    "normal": "print('done')",
    "exception": "raise ValueError('x')",
    "exit none": "import sys; sys.exit()",
    "exit 0": "import sys; sys.exit(0)",
    "exit 2": "import sys; sys.exit(2)",
    "exit 3": "import sys; sys.exit(3)",
    "exit 300": "import sys; sys.exit(300)",
    "exit message": "import sys; sys.exit('so long')",
    "os._exit": "import os; os._exit(9)",
    "syntax error": "def",
    "atexit": "import atexit; atexit.register(print, 'late'); print('early')",
    "atexit after exception": "import atexit; atexit.register(print, 'late'); raise KeyError(1)",
    "keyboard interrupt raised": "raise KeyboardInterrupt",
    "daemon thread": "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "thread": "import threading; threading.Thread(target=lambda: print('thread')).start(); print('main')",
    "recursion": "def f(): f()\nf()",
    "abort": "import os; os.abort()",
    "closed stdout": "import os; print('x'); os.close(1)",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_as_under_python(both, script, name):
    program = script(ENDINGS[name])
    host, plain = both(program)
    assert (host.returncode, host.stdout, host.stderr) == (plain.returncode, plain.stdout, plain.stderr)


@pytest.mark.parametrize(
    "words", [["-m", "no_such_module"], ["-c", "1/0"], ["-c", "def"], ["-X", "int_max_str_digits=1"]], ids=str
)
def test_python_errors_before_and_in_a_command(both, words):
    host, plain = both(*words)
    assert host.returncode == plain.returncode != 0


def test_directory_without_main(both, tmp_path):
    (tmp_path / "empty").mkdir()
    host, plain = both("empty")
    assert host.returncode == plain.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [[], ["--native"]], ids=str)
def test_signal_while_sleeping(chanlab, python, clean_env, number, words):
    """130 and 143 in a shell: the process dies by the signal, and SIGINT runs finally blocks first."""
    code = (
        "import time\n"
        "try:\n"
        "    print('ready', flush=True)\n"  # inside: the signal may come before the next line
        "    time.sleep(600)\n"
        "finally:\n"
        "    print('finally', flush=True)\n"
    )
    ends = []
    for command in ([chanlab, *words], [python]):
        with subprocess.Popen(
            [*command, "-c", code],
            env=clean_env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as process:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            ends.append((process.stdout.read(), process.wait()))
    assert ends[0] == ends[1]
    assert ends[0][1] == -number


def test_a_shell_sees_130_and_143(chanlab, run):
    for number in (signal.SIGINT, signal.SIGTERM):
        kill = f"import os; os.kill(os.getpid(), {int(number)}); import time; time.sleep(600)"
        done = run("sh", "-c", '"$0" -c "$1"; echo $?', chanlab, kill)
        assert done.stdout == f"{128 + number}\n"
