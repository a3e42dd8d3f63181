"""`chanlab compare`: equal first, fast second.  Under plain python3: `python3 -m chanlab.ab.compare`."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from statistics import median

from . import callee, child, count, equality, gate, metadata, options, outputs, report, sides, timing
from .codes import Exit
from .equality import Check
from .options import Options, UsageError
from .progress import Progress
from .result import Alike, Result
from .sides import Side, SideError
from .store import StoreError
from .timing import Effort, Measurement

#: A timed run of functions calls them for about so many seconds, or once.
CALLS = 0.1
#: A program is too short when it takes less than this share of its start-up on top of it, on both sides.
SHORT = 0.05


def main(words: Sequence[str]) -> int:
    """Run the command with `words` as its arguments and return its exit code."""
    return guarded("compare", lambda: _main(words))


def _main(words: Sequence[str]) -> int:
    wanted = options.read(words, os.environ.get("CHANLAB_SEED"))
    if wanted is None:
        print(options.HELP, end="")
        return Exit.COMPARED
    pair = make_sides(wanted)
    outputs.check(wanted.files)
    progress = Progress()
    try:
        with tempfile.TemporaryDirectory(prefix="chanlab-") as directory:
            return compare(pair, wanted, directory, progress)
    finally:
        progress.clear()


def guarded(command: str, act: Callable[[], int]) -> int:
    """Do what a command does; bad input and Ctrl-C are one line on stderr.  Returns the exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return act()
    except (UsageError, SideError, StoreError) as error:
        return complain(command, str(error))
    except timing.UnsteadyError as error:
        show(report.unsteady_exit(str(error)))
        return Exit.UNSTEADY
    except KeyboardInterrupt:
        complain(command, "stopped before the comparison had a result")
        return Exit.INTERRUPTED
    except OSError as error:
        return complain(command, f"cannot run the comparison: {error}")


def make_sides(wanted: Options) -> tuple[Side, Side]:
    """The two sides that are to be compared.  Raises UsageError and SideError."""
    if wanted.commands:
        a, b = (
            sides.of_command(n, line, options.command_words(line))
            for n, line in zip("ab", wanted.commands, strict=True)
        )
    elif wanted.functions:
        sys.path.insert(0, "")  # as the process that calls them will have it
        try:
            for spec in wanted.functions:
                callee.find(spec)
        except callee.NoFunctionError as error:
            raise UsageError(str(error)) from None
        except Exception as error:
            raise UsageError(f"importing '{spec}' fails: {type(error).__name__}: {error}") from None
        a, b = (sides.of_function(n, spec) for n, spec in zip("ab", wanted.functions, strict=True))
    else:
        options.check_program(wanted.program)
        a, b = (sides.of_hooks(n, wish, wanted.program) for n, wish in zip("ab", (wanted.a, wanted.b), strict=True))
    return a, b


def subject(wanted: Options) -> str:
    """What is compared, in a line."""
    return (
        report.program_line(wanted.program)
        if wanted.program
        else "two functions"
        if wanted.functions
        else "two commands"
    )


def compare(pair: tuple[Side, Side], wanted: Options, directory: str, progress: Progress) -> int:
    """Check, then time, and print the report.  Returns the exit code.  Raises OSError and KeyboardInterrupt."""
    show(report.heading(pair, subject(wanted), wanted.seeds, metadata.runtime()))
    check = equality.check(*pair, wanted.seeds, directory, progress)
    progress.clear()
    if (refusal := refuse(check)) is not None:
        return refusal
    found = Alike(
        wanted.seeds,
        os.path.getsize(check.a.stdout),
        os.path.getsize(check.a.stderr),
        check.a.events() if pair[0].traces else None,
    )
    show(report.alike(found))
    loops = calibrate(pair, wanted.seeds[0], progress) if wanted.functions else 1
    if wanted.functions:
        pair = tuple(sides.of_function(side.name, side.what, loops) for side in pair)
    result = Result(
        subject(wanted), pair, found, metadata.collect(wanted.seeds, wanted.cpu), timing.new(pair), loops=loops
    )
    return timed(result, wanted, progress)


def refuse(check: Check) -> int | None:
    """Say why there will be no times, and return the exit code; None when there is no reason."""
    if check.again and check.again.side == "a":
        show(report.unsteady(check, check.again))
        return Exit.UNSTEADY
    if check.differences:
        show(report.different(check))
        return Exit.DIFFERENT
    if check.a.exit_code != 0:
        show(report.failed(child.how_it_ended(check.a.exit_code), equality.users_stderr(check.a)))
        return Exit.FAILED
    return None


def calibrate(pair: Sequence[Side], seed: int, tick: Progress) -> int:
    """How many calls of the slower function take CALLS seconds: 1, 2, 5, 10, 20, …"""
    tick("finding out how long a call takes")
    loops = 1
    with timing.Stopwatch(seed) as stopwatch:
        while True:
            for step in (1, 2, 5):
                longest = max(stopwatch.time(sides.of_function(s.name, s.what, loops * step)).wall for s in pair)
                if longest >= CALLS:
                    return loops * step
            loops *= 10


def timed(result: Result, wanted: Options, progress: Progress) -> int:
    """The second half: measure and report.  Ctrl-C reports the blocks that are complete."""
    if wanted.effort.runs is None and (short := how_short(result.sides, wanted.seeds[0], progress)):
        progress.clear()
        show(report.too_short(*short))
        return Exit.TOO_SHORT
    if wanted.count:
        result.counts = counted(result.sides, wanted.seeds[0], progress)
    code = measure(result.measured, wanted.effort, wanted.seeds[0], wanted.cpu, progress)
    then = outputs.baseline(wanted.files.get("baseline"))
    if then is not None:
        result.change = gate.since(then, result.verdict())
    show(report.times(result))
    show([f"wrote     {path}" for path in outputs.write(result, wanted.files, store_baseline=then is None)])
    return code if wanted.gate is None or code else gated(result, wanted.gate)


def measure(measured: Measurement, effort: Effort, seed: int, cpu: int | None, progress: Progress) -> int:
    """timing.measure(), which Ctrl-C may end once there is something to report.  The exit code so far."""
    try:
        timing.measure(measured, effort, seed, progress, cpu)
    except KeyboardInterrupt:
        if not measured.blocks:
            raise
        return Exit.INTERRUPTED
    finally:
        progress.clear()
    return Exit.COMPARED


def how_short(pair: Sequence[Side], seed: int, tick: Progress) -> tuple[float, float] | None:
    """Seconds of CPU without start-up, and of start-up, if the program is too short; else None."""
    if not all(side.empty for side in pair):
        return None
    tick("looking whether it is long enough")
    net, startup = [], []
    with timing.Stopwatch(seed) as stopwatch:
        for side in pair:
            empty = median(stopwatch.time(side, empty=True).cpu for _ in range(3))
            net.append(median(stopwatch.time(side).cpu for _ in range(3)) - empty)
            startup.append(empty)
    return (max(net), max(startup)) if max(net) < SHORT * max(startup) else None


def counted(pair: Sequence[Side], seed: int, tick: Progress) -> tuple | str:
    """The instructions of both sides, or why there are none."""
    try:
        return count.count(pair, seed, tick)
    except count.CountError as error:
        return str(error)


def gated(result: Result, wanted: gate.Gate) -> int:
    """Say what --fail-if makes of the result, and return the exit code."""
    closed = wanted.closes(result.change or result.verdict())
    show(report.gate(wanted, closed, since=result.change is not None))
    return Exit.GATE if closed else Exit.COMPARED


def show(lines: Sequence[str]) -> None:
    """Print a part of the report at once: the next may take a while."""
    if lines:
        print("\n".join(lines), flush=True)


def complain(command: str, text: str) -> int:
    """One line on stderr; the exit code of bad usage."""
    print(f"chanlab {command}: {text}", file=sys.stderr)
    return Exit.USAGE


def _terminated(_signal: int, _frame: object) -> None:
    raise SystemExit(int(Exit.TERMINATED))


if __name__ == "__main__":
    sys.exit(int(main(sys.argv[1:])))
