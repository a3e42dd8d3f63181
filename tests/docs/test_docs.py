"""The examples in the documentation are what the reader would see."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "examples" / "README.md"])

_RUN = "import doctest, sys; sys.exit(doctest.testfile(sys.argv[1], module_relative=False).failed > 0)"


@pytest.mark.parametrize("page", [p for p in PAGES if ">>> " in p.read_text()], ids=lambda p: p.name)
def test_examples_print_what_the_page_says(page):
    env = {**os.environ, "PYTHONPATH": str(ROOT / "pylib"), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", _RUN, str(page)], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page):
    text = page.read_text()
    named = re.findall(r"\]\(([^)#:]+)\)", text)
    named += re.findall(r"`((?:pylib|native|host|tests|examples|docs|bench)/[\w./-]+\.\w+)`", text)
    missing = [n for n in named if not ((ROOT / n).exists() or (page.parent / n).exists())]
    assert not missing


def test_the_doctest_machinery_notices_a_wrong_example(tmp_path):
    page = tmp_path / "wrong.md"
    page.write_text(">>> 1 + 1\n3\n")
    done = subprocess.run([sys.executable, "-c", _RUN, str(page)], capture_output=True, text=True)
    assert done.returncode == 1
