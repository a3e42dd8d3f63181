"""Run all tests: what does not depend on the hooks once, the behaviour tests in every hook configuration.

    tests/run.py                     everything
    tests/run.py --native LIST       the behaviour tests in this configuration only (repeatable)
    tests/run.py --jobs N            so many pytests at the same time; by default as many as there are processors, up to 4
    tests/run.py … [pytest words]    passed on to every pytest: -k select, -x, --lf, …

`./bootstrap test` calls this with the host; each configuration is a pytest of its own, in a process of its own, so
that a crash is a failed run and no state leaks from one configuration into the next.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from configurations import CONFIGURATIONS, PLAIN, PURE

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYLIB = ROOT / "pylib"
HOST = pathlib.Path(os.environ.get("CHANLAB_BIN", ROOT / "build" / "release" / "chanlab"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run all tests.")
    parser.add_argument(
        "--native", action="append", metavar="LIST", help="only the behaviour tests, in this configuration"
    )
    parser.add_argument("--plain", action="store_true", help="with --native: under plain python3 instead of the host")
    parser.add_argument("--pure", action="store_true", help="only the behaviour tests, python3 without the C module")
    parser.add_argument("--jobs", type=int, metavar="N", default=min(4, len(os.sched_getaffinity(0))))
    options, words = parser.parse_known_args()
    if not HOST.exists() and not options.plain and not options.pure:
        parser.error(f"there is no host at {HOST}: build it with './bootstrap build', or name it in CHANLAB_BIN")
    with tempfile.TemporaryDirectory() as without_c:
        for name in ("stackless.py", "select_proto.py", "gochan.py", "waits.py", "chanlab"):
            os.symlink(PYLIB / name, pathlib.Path(without_c, name))
        runs = plan(options, without_c)
        jobs = min(options.jobs, len(runs))
        with ThreadPoolExecutor(jobs) as pool:
            results = list(pool.map(lambda run: outcome(*run, words, together=jobs > 1), runs))
    print(
        "\n".join(
            [
                "",
                *(f"{'FAILED' if good is False else 'ok    ' if good else 'none  '}  {name}" for name, good in results),
            ]
        )
    )
    failed = sum(good is False for _, good in results)
    if not failed and all(good is None for _, good in results):
        print("\nno test was selected")
        return 1
    print(
        f"\n{len(results) - failed} test runs passed, {failed} failed"
        if failed
        else f"\nall {len(results)} test runs passed"
    )
    return 1 if failed else 0


def plan(options: argparse.Namespace, without_c: str) -> list[tuple[str, list[str], str, str | None, list[str]]]:
    """What to run: (title, interpreter, the package's directory, hooks or None, directories of tests)."""
    host, plain = [str(HOST)], [sys.executable]
    behaviour = ["tests/behaviour"]
    pure = [("behaviour, python3 without the C module", plain, without_c, PURE, behaviour)]
    if options.pure:
        return pure
    if options.native:
        where, title = (plain, "python3") if options.plain else (host, "chanlab")
        return [
            (f"behaviour, {title} --native={hooks}", where, str(PYLIB), hooks, behaviour) for hooks in options.native
        ]
    once = [f"tests/{name}" for name in ("host", "ab", "examples", "docs", "bench") if (ROOT / "tests" / name).is_dir()]
    return [
        ("command line, comparison, examples, workloads", plain, str(PYLIB), None, once),
        *((f"behaviour, chanlab --native={hooks}", host, str(PYLIB), hooks, behaviour) for hooks in CONFIGURATIONS),
        *((f"behaviour, python3 --native={hooks}", plain, str(PYLIB), hooks, behaviour) for hooks in PLAIN),
        *pure,
    ]


def outcome(
    title: str,
    interpreter: list[str],
    pylib: str,
    hooks: str | None,
    where: list[str],
    words: list[str],
    together: bool,
) -> tuple[str, bool | None]:
    """Run one pytest and say whether it passed; None when the words selected no test of it.

    Among others that run at the same time (`together`) it shows what it has printed when it is over.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("CHANLAB_")}
    env["CHANLAB_BIN"] = str(HOST)
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [pylib, env.get("PYTHONPATH")]))
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    if hooks is not None:
        env["CHANLAB_NATIVE"] = hooks
    print(f"began   {title}" if together else f"\n=== {title}", flush=True)
    command = [*interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", *where, *words]
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if together else {}
    done = subprocess.run(command, cwd=ROOT, env=env, text=True, errors="backslashreplace", **output)
    code = done.returncode
    killed = f"the test process was killed by signal {-code}\n" if code < 0 else ""
    if together:
        print(f"\n=== {title}\n{done.stdout}{killed}", flush=True)
    elif killed:
        print(killed, end="")
    nothing_selected = code == 5 and bool(words)
    return title, None if nothing_selected else code == 0


if __name__ == "__main__":
    sys.exit(main())
