"""Virtual environments are honoured; one that does not fit is refused before it can bring a wrong standard library."""

import os
import pathlib
import shutil

import pytest


def refused(process, *words):
    """One line on stderr, exit 2, and the words in it."""
    assert process.returncode == 2, process.stderr
    assert process.stdout == ""
    assert process.stderr.count("\n") == 1 and process.stderr.startswith("chanlab: ")
    for word in words:
        assert str(word) in process.stderr
    return True


@pytest.fixture
def with_greenlet(make_venv, python, run, venv):
    """A fresh environment of the right base that sees greenlet and one module of its own."""
    made = make_venv(python)
    site = next((made / "lib").glob("python*/site-packages"))
    found = run(python, "-c", "import greenlet, os; print(os.path.dirname(os.path.dirname(greenlet.__file__)))")
    (site / "elsewhere.pth").write_text(found.stdout)
    (site / "only_here.py").write_text("")
    return made


def test_virtual_env_is_used(chanlab, run, with_greenlet):
    code = "import sys, only_here, stackless; print(sys.prefix)"
    done = run(chanlab, "-c", code, env={"VIRTUAL_ENV": str(with_greenlet)})
    assert done.returncode == 0, done.stderr
    assert os.path.samefile(done.stdout.strip(), with_greenlet)
    assert run(chanlab, "-c", "import only_here").returncode == 1


def test_project_environment_is_used_without_virtual_env(chanlab, run, python, venv):
    code = "import sys; print(sys.prefix, sys.base_prefix, sys.exec_prefix)"
    for env in ({}, {"VIRTUAL_ENV": ""}):
        assert run(chanlab, "-c", code, env=env).stdout == run(python, "-c", code).stdout


def test_environment_made_through_a_link_to_the_base(chanlab, run, python, tmp_path, make_venv):
    base = run(python, "-c", "import sys; print(sys._base_executable)").stdout.strip()
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "python3"
    link.symlink_to(base)
    made = make_venv(str(link))
    assert "greenlet" in run(chanlab, "-V", env={"VIRTUAL_ENV": str(made)}).stdout


def test_missing_greenlet_names_environment_and_command(chanlab, run, make_venv, python, script):
    made = make_venv(python)
    program = script("open('ran', 'w')")
    done = run(chanlab, program, env={"VIRTUAL_ENV": str(made)})
    assert refused(done, made, made / "bin" / "python", "-m pip install 'greenlet>=3.5.1'")
    assert not (program.parent / "ran").exists()


def test_without_site(chanlab, run):
    assert refused(run(chanlab, "-S", "-c", "1"), "greenlet", "-S")


def edit(venv: pathlib.Path, **changes: str) -> pathlib.Path:
    """Rewrites keys of pyvenv.cfg; an empty value drops the key."""
    path = venv / "pyvenv.cfg"
    kept = [line for line in path.read_text().splitlines() if line.split("=")[0].strip() not in changes]
    path.write_text("\n".join([*kept, *(f"{key} = {value}" for key, value in changes.items() if value), ""]))
    return venv


@pytest.mark.parametrize("version", ["3.4.1", "3.99.0", "2.7.18", "3.1"])
def test_environment_of_another_python_is_refused(chanlab, run, make_venv, python, version):
    made = edit(make_venv(python), version=version)
    assert refused(run(chanlab, "-c", "1", env={"VIRTUAL_ENV": str(made)}), made, version)


def test_environment_of_another_installation_with_the_same_version_is_refused(
    chanlab, run, make_venv, python, tmp_path
):
    other = tmp_path / "other" / "bin"
    other.mkdir(parents=True)
    shutil.copy(os.path.realpath(python), other / "python3")
    made = edit(make_venv(python), home=str(other), executable=str(other / "python3"))
    assert refused(run(chanlab, "-c", "1", env={"VIRTUAL_ENV": str(made)}), made, other)


def test_virtualenvs_own_keys(chanlab, run, make_venv, python):
    made = edit(make_venv(python), version="", version_info="3.99.0.final.0")
    assert refused(run(chanlab, "-c", "1", env={"VIRTUAL_ENV": str(made)}), "3.99.0")


def test_every_real_other_python_here_is_refused(chanlab, run, make_venv, python, tmp_path):
    base = run(python, "-c", "import sys; print(sys.base_prefix)").stdout.strip()
    others = [*pathlib.Path.home().glob(".pyenv/versions/3.1[1-9].*/bin/python3"), pathlib.Path("/usr/bin/python3")]
    asked = 0
    for other in filter(pathlib.Path.exists, others):
        if os.path.realpath(other).startswith(base + "/bin/"):
            continue
        shutil.rmtree(tmp_path / "environment", ignore_errors=True)
        made = make_venv(str(other))
        assert refused(run(chanlab, "-c", "1", env={"VIRTUAL_ENV": str(made)}), made)
        asked += 1
    if not asked:
        pytest.skip("no other Python on this machine")


def test_virtual_env_that_is_none(chanlab, run, tmp_path):
    for path in (tmp_path, tmp_path / "gone"):
        assert refused(run(chanlab, "-c", "1", env={"VIRTUAL_ENV": str(path)}), path, "pyvenv.cfg")


def test_broken_environment(chanlab, run, make_venv, python):
    made = make_venv(python)
    shutil.rmtree(made / "bin")
    assert refused(run(chanlab, "-c", "1", env={"VIRTUAL_ENV": str(made)}), made, "bin/python")


def test_pythonhome(chanlab, run, tmp_path, python):
    assert refused(run(chanlab, "-c", "1", env={"PYTHONHOME": str(tmp_path)}), "PYTHONHOME", tmp_path)
    assert run(chanlab, "-E", "-c", "1", env={"PYTHONHOME": str(tmp_path)}).returncode == 0


def test_pythonpath_and_usersite_switches(both, tmp_path):
    code = "import sys; print([p for p in sys.path if not p.endswith('pylib')], sys.flags.no_user_site)"
    for words in ([], ["-E"], ["-s"], ["-I"], ["-P"]):
        host, plain = both(*words, "-c", code, env={"PYTHONPATH": str(tmp_path)})
        assert host.stdout == plain.stdout
