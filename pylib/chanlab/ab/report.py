"""The text that the user reads.  Every function returns lines; none measures or prints."""

from __future__ import annotations

import os
from collections.abc import Sequence

from . import stats
from .equality import Behaviour, Check, Difference, only_addresses
from .sides import Side
from .stats import Finding, Summary, Verdict
from .timing import Block, Measurement

#: How many lines of a failed program's stderr are shown.
TAIL = 8

#: A run that starts up for more than this share of its time says little about the hooks.
MUCH_STARTUP = 0.5


def heading(sides: tuple[Side, Side], program: tuple[str, ...], seed: int, runtime: str) -> list[str]:
    """What is compared."""
    return [
        f"compare   {program_line(program)}",
        *(f"  {side.name}       {hooks_in_words(side.hooks)}" for side in sides),
        f"  seed    {seed}",
        f"  runs on {runtime}",
        "",
    ]


def program_line(program: tuple[str, ...]) -> str:
    """The program's words on one line, cut if they are long."""
    line = " ".join(repr(word) if not word or any(c.isspace() for c in word) else word for word in program)
    return line if len(line) <= 120 else line[:117] + "..."


def hooks_in_words(hooks: str) -> str:
    """'none' and the like with what it means."""
    return "no hook in C (the prototype)" if hooks == "none" else f"{hooks} in C"


# -- equality --------------------------------------------------------------------------------------------------------


def alike(check: Check) -> list[str]:
    """Both sides behave alike."""
    if check.a.traced():
        trace = f"trace ({check.a.events():,} events)"
    else:
        trace = "trace (empty: the program uses no tasklets, so hooks make no difference)"
    return [f"alike     exit code, {_size('stdout', check.a.stdout)}, {_size('stderr', check.a.stderr)}, {trace}", ""]


def _size(what: str, path: str) -> str:
    return f"{what} ({os.path.getsize(path):,} bytes)"


def different(check: Check) -> list[str]:
    """a and b behave differently."""
    lines = [f"DIFFERENT a and b do not behave alike: {_aspects(check.differences)}", *_shown(check.differences), ""]
    if check.again:
        lines += [f"{check.again.side} does not even repeat itself, whereas a does.", *_shown(check.unsteady), ""]
    return [*lines, "No times: a comparison of different behaviours means nothing."]


def unsteady(check: Check, again: Behaviour) -> list[str]:
    """The program differs by itself: `again` is a run of a that differs from the first one."""
    if only_addresses(check.a, again):
        cure = "It prints addresses of objects ('... at 0x...'), which change from run to run: print names instead."
    else:
        cure = (
            "Does it print times, use random numbers without a seed, or find files that its last run left?\n"
            "Make it repeat itself: random.seed(1), no clock in the output, a clean start."
        )
    return [
        f"UNSTEADY  the program differs by itself: two runs of a are not alike: {_aspects(check.unsteady)}",
        *_shown(check.unsteady),
        "",
        *cure.split("\n"),
        "No times: without repeatable behaviour, a and b cannot be told apart.",
    ]


def failed(how: str, stderr: Sequence[str]) -> list[str]:
    """The program fails alike on both sides; `how` it ended, and the lines of its stderr."""
    lines = [f"FAILED    the program fails alike on both sides: {how}"]
    if stderr:
        lines += ["          the end of its stderr:", *(f"  | {line}" for line in stderr[-TAIL:])]
    if any(line.startswith("EOFError") for line in stderr):
        lines.append("          (its standard input is empty here)")
    return [*lines, "", "No times: a failing program is not worth timing."]


def unsteady_exit(text: str) -> list[str]:
    """A timed run ended otherwise than the checked one."""
    return [
        f"UNSTEADY  the program differs by itself: {text}, after exit code 0 when it was checked",
        "No times: without repeatable behaviour, a and b cannot be told apart.",
    ]


def _aspects(differences: list[Difference]) -> str:
    return ", ".join(difference.what for difference in differences)


def _shown(differences: list[Difference]) -> list[str]:
    return [line for found in differences for line in ("", f"first difference in {found.what}:", *found.shown)]


# -- times -----------------------------------------------------------------------------------------------------------


def times(measured: Measurement, traced: bool = True) -> list[str]:
    """Medians, spread, ratio and verdict of one or more completed blocks; `traced`: the program uses tasklets at all."""
    blocks = measured.blocks
    cpu = _judge(blocks, "cpu")
    count = 2 * len(blocks)
    stopped = "" if len(blocks) == measured.planned else f"stopped after {len(blocks)} of {measured.planned} "
    return [
        *clock(blocks, "cpu", "CPU time", cpu),
        *clock(blocks, "wall", "wall time", _judge(blocks, "wall")),
        f"{count} timed runs of each side ({stopped or f'{len(blocks)} '}blocks of 4); start-up: the same process with an empty program",
        *_startup_note(blocks),
        "",
        f"verdict   {verdict(cpu) if traced else 'none: without tasklets no hook makes a difference'}",
    ]


def _judge(blocks: Sequence[Block], attribute: str) -> Verdict:
    def seconds(pair: tuple) -> tuple[float, float]:
        return getattr(pair[0], attribute), getattr(pair[1], attribute)

    return stats.judge([(seconds(block.a), seconds(block.b)) for block in blocks])


def clock(blocks: Sequence[Block], attribute: str, title: str, found: Verdict) -> list[str]:
    """The table of one clock: `attribute` of Times."""
    lines = [f"{title:<9} {'median':>10} {'middle half':>21} {'least':>10} {'start-up':>16}"]
    for name in ("a", "b"):
        runs = stats.summary([getattr(run, attribute) for block in blocks for run in getattr(block, name)])
        lines.append(f"  {name:<7} {_row(runs, _startup(blocks, name, attribute))}")
    ratio = found.ratio
    spread = f"{ratio.low:.3f} to {ratio.high:.3f} ({_interval_name(ratio.coverage)})"
    return [*lines, f"  {'b/a':<7} {ratio.median:>10.3f}   {spread}, noise ±{percent(found.floor)}", ""]


def _startup(blocks: Sequence[Block], name: str, attribute: str) -> float:
    return stats.summary([getattr(getattr(block, f"startup_{name}"), attribute) for block in blocks]).median


def _row(runs: Summary, startup: float) -> str:
    middle = f"{duration(runs.low)} to {duration(runs.high)}"
    share = f"{duration(startup)} ({startup / max(runs.median, 1e-9):4.0%})"
    return f"{duration(runs.median):>10} {middle:>21} {duration(runs.least):>10} {share:>16}"


def _startup_note(blocks: Sequence[Block]) -> list[str]:
    shares = [
        _startup(blocks, name, "cpu")
        / max(stats.summary([run.cpu for block in blocks for run in getattr(block, name)]).median, 1e-9)
        for name in ("a", "b")
    ]
    if max(shares) < MUCH_STARTUP:
        return []
    return [f"note: start-up is {max(shares):.0%} of a run; give the program more to do, or the ratio says little"]


def verdict(found: Verdict) -> str:
    """One line that calls nothing a difference that may be noise."""
    ratio = found.ratio
    if found.finding is Finding.TOO_FEW:
        return "none: too few runs to tell a difference from noise; take --runs 12 or more"
    if found.finding is Finding.NO_DIFFERENCE:
        return f"no difference larger than the noise of this machine (±{percent(found.bound)})"
    low, high = sorted(abs(end - 1) for end in (ratio.low, ratio.high))
    word = "less" if found.finding is Finding.FASTER else "more"
    return (
        f"b is {found.finding.value}: it takes {percent(abs(ratio.median - 1))} {word} CPU time than a "
        f"({percent(low)} to {percent(high)}; noise ±{percent(found.floor)})"
    )


def _interval_name(coverage: float) -> str:
    # Rounded down: an interval is never said to cover more than it does.
    return f"{int(coverage * 1000) / 10:g} % interval"


def percent(share: float) -> str:
    """'1.2 %', with more digits where it is small."""
    return f"{100 * share:.1f} %" if share >= 0.001 else f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them: '512.3 ms', '1.234 s'."""
    return f"{seconds * 1e3:.1f} ms" if seconds < 0.99995 else f"{seconds:.3f} s"
