"""`chanlab compare`: equal first, fast second.  Under plain python3: `python3 -m chanlab.ab.compare`."""

from __future__ import annotations

import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata

from . import child, equality, options, report, timing
from .codes import Exit
from .options import Options, UsageError
from .progress import Progress
from .sides import Side, side


def main(words: Sequence[str]) -> int:
    """Run the command with `words` as its arguments and return its exit code."""
    try:
        wanted = options.read(words, os.environ.get("CHANLAB_SEED"))
        if wanted is None:
            print(options.HELP, end="")
            return Exit.COMPARED
        options.check_program(wanted.program)
        sides = side("a", wanted.a, wanted.seed), side("b", wanted.b, wanted.seed)
    except (UsageError, ValueError) as error:  # HookError is a ValueError
        return complain(str(error))
    signal.signal(signal.SIGTERM, _terminated)
    progress = Progress()
    try:
        with tempfile.TemporaryDirectory(prefix="chanlab-") as directory:
            return compare(sides, wanted, directory, progress)
    except KeyboardInterrupt:
        progress.clear()
        complain("stopped before the comparison had a result")
        return Exit.INTERRUPTED
    except OSError as error:
        progress.clear()
        return complain(f"cannot run the comparison: {error}")


def compare(sides: tuple[Side, Side], wanted: Options, directory: str, progress: Progress) -> int:
    """Check, then time, and print the report.  Returns the exit code.  Raises OSError and KeyboardInterrupt."""
    show(report.heading(sides, wanted.program, wanted.seed, runtime()))
    check = equality.check(*sides, wanted.program, directory, progress)
    progress.clear()
    if check.again and check.again.side == "a":
        show(report.unsteady(check, check.again))
        return Exit.UNSTEADY
    if check.differences:
        show(report.different(check))
        return Exit.DIFFERENT
    if check.a.exit_code != 0:
        show(report.failed(child.how_it_ended(check.a.exit_code), equality.users_stderr(check.a)))
        return Exit.FAILED
    show(report.alike(check))
    return timed(sides, wanted, check.a.traced(), progress)


def timed(sides: tuple[Side, Side], wanted: Options, traced: bool, progress: Progress) -> int:
    """The second half: measure and report.  Ctrl-C reports the blocks that are complete."""
    measured = timing.Measurement()
    code = Exit.COMPARED
    try:
        timing.measure(sides, wanted.program, timing.EMPTY_PROGRAM, wanted.runs, wanted.seed, measured, progress)
    except timing.UnsteadyError as error:
        progress.clear()
        show(report.unsteady_exit(str(error)))
        return Exit.UNSTEADY
    except KeyboardInterrupt:
        if not measured.blocks:
            raise
        code = Exit.INTERRUPTED
    progress.clear()
    show(report.times(measured, traced))
    return code


def runtime() -> str:
    """The interpreter that runs both sides."""
    try:
        greenlet = f"greenlet {metadata.version('greenlet')}"
    except metadata.PackageNotFoundError:
        greenlet = "no greenlet"
    return f"{platform.python_implementation()} {platform.python_version()}, {greenlet}, {sys.executable}"


def show(lines: Sequence[str]) -> None:
    """Print a part of the report at once: the next may take a while."""
    print("\n".join(lines), flush=True)


def complain(text: str) -> int:
    """One line on stderr; the exit code of bad usage."""
    print(f"chanlab compare: {text}", file=sys.stderr)
    return Exit.USAGE


def _terminated(_signal: int, _frame: object) -> None:
    raise SystemExit(int(Exit.TERMINATED))


if __name__ == "__main__":
    sys.exit(int(main(sys.argv[1:])))
