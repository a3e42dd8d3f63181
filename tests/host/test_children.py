"""Children started through sys.executable are hosts too, with the same hooks and seed but no trace."""

import json
import os
import shutil

CHILD = "import json, os, sys, _chanlab; print(json.dumps([sys.executable, _chanlab.__spec__.origin, sys.path[1][-5:], os.environ.get('CHANLAB_NATIVE'), os.environ.get('CHANLAB_SEED'), 'chanlab_trace' in sys._xoptions]))"


def test_sys_executable_is_the_host_and_the_base_is_python(chanlab, run, python):
    code = "import sys; print(sys.executable); print(sys._base_executable)"
    executable, base = run(chanlab, "-c", code).stdout.split()
    assert os.path.samefile(executable, chanlab)
    plain_base = run(python, "-c", "import sys; print(sys._base_executable)").stdout.strip()
    assert os.path.samefile(base, plain_base)


def test_subprocess(chanlab, run):
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}], check=True)"
    done = run(chanlab, "--native=waitq", "--seed=3", "--trace", "t.jsonl", "-c", code)
    assert done.returncode == 0, done.stderr
    executable, *rest = json.loads(done.stdout)
    assert os.path.samefile(executable, chanlab)
    assert rest == ["built-in", "pylib", "waitq", "3", False]


def test_multiprocessing_spawn(chanlab, run, script):
    program = script(
        "import multiprocessing, sys\n"
        "def look(queue):\n"
        "    import _chanlab, stackless\n"
        "    queue.put((sys.executable, _chanlab.__spec__.origin, '_chanlab' in sys.builtin_module_names))\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    child = context.Process(target=look, args=(queue,))\n"
        "    child.start()\n"
        "    print(queue.get() == (sys.executable, 'built-in', True))\n"
        "    child.join()\n"
        "    raise SystemExit(child.exitcode)\n"
    )
    done = run(chanlab, "--native=runq", program)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_through_a_symbolic_link_and_from_path(chanlab, run, tmp_path, clean_env):
    link = tmp_path / "lab"
    link.symlink_to(chanlab)
    code = "import sys, stackless; print(sys.executable)"
    for words, env in (([link], {}), (["env", "lab"], {"PATH": f"{tmp_path}:{clean_env['PATH']}"})):
        done = run(*words, "-c", code, env=env)
        assert done.returncode == 0, done.stderr
        assert os.path.samefile(done.stdout.strip(), chanlab)


def test_a_copy_elsewhere(chanlab, run, tmp_path):
    """It finds its library and the project where they were when it was built."""
    copy = shutil.copy(chanlab, tmp_path / "lab")
    done = run(copy, "--native=runq", "-c", "import sys, stackless; print(sys.executable)")
    assert (done.returncode, done.stdout) == (0, f"{copy}\n"), done.stderr


def test_venv_made_by_the_host_builds_on_plain_python(chanlab, run, tmp_path):
    done = run(chanlab, "-m", "venv", "--without-pip", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    inner = run(tmp_path / "made" / "bin" / "python", "-c", "import sys; print('_chanlab' in sys.builtin_module_names)")
    assert inner.stdout == "False\n"
