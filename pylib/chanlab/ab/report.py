"""The text that the user reads.  Every function returns lines; none measures or prints."""

from __future__ import annotations

from collections.abc import Sequence

from . import stats
from .equality import Behaviour, Check, Difference, only_addresses
from .gate import Gate
from .result import Alike, Counts, Result
from .sides import Side
from .stats import Finding, Summary, Verdict
from .table import table

#: How many lines of a failed program's stderr are shown.
TAIL = 8

#: A run that starts up for more than this share of its time says little about the hooks.
MUCH_STARTUP = 0.5

CLOCKS = {"cpu": "CPU time", "wall": "wall time"}


def heading(sides: Sequence[Side], subject: str, seeds: Sequence[int], runtime: str) -> list[str]:
    """What is compared."""
    return [
        f"compare   {subject}",
        *(f"  {side.name}       {side.what}" for side in sides),
        f"  seed{'s' if len(seeds) > 1 else ' '}   {', '.join(map(str, seeds))}",
        f"  runs on {runtime}",
        "",
    ]


def program_line(program: Sequence[str]) -> str:
    """The program's words on one line, cut if they are long."""
    line = " ".join(repr(word) if not word or any(c.isspace() for c in word) else word for word in program)
    return line if len(line) <= 120 else line[:117] + "..."


# -- equality --------------------------------------------------------------------------------------------------------


def alike(found: Alike) -> list[str]:
    """Both sides behave alike."""
    trace = "" if found.events is None else f", trace ({found.events:,} events)"
    if found.events == 0:
        trace = ", trace (empty: the program uses no tasklets, so hooks make no difference)"
    return [f"alike     exit code, stdout ({found.stdout:,} bytes), stderr ({found.stderr:,} bytes){trace}", ""]


def different(check: Check) -> list[str]:
    """a and b behave differently."""
    title = f"DIFFERENT a and b do not behave alike with seed {check.seed}: {_aspects(check.differences)}"
    lines = [title, *_shown(check.differences), ""]
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


def too_short(net: float, startup: float) -> list[str]:
    """Neither side does enough to be timed: seconds of CPU without start-up, and of start-up."""
    return [
        f"TOO SHORT beside its start-up ({duration(startup)}) the program takes {duration(max(net, 0.0))} of CPU time,",
        "          which cannot be told from noise.",
        "Give it more to do: a tenth of a second or more (a larger N, a loop around main()).",
        "No times: they would be those of starting Python.",
    ]


# -- times -----------------------------------------------------------------------------------------------------------


def times(result: Result) -> list[str]:
    """Medians, spread, ratios and verdict of one or more completed blocks."""
    lines = []
    for clock in CLOCKS:
        lines += [*clock_table(result, clock), ""]
    lines += [how_many(result), *_startup_note(result), ""]
    if result.counts is not None:
        lines += [*counts(result), ""]
    if result.change is not None:
        lines += [f"change    {change(result.change)}"]
    return [*lines, f"verdict   {verdict(result)}"]


def clock_table(result: Result, clock: str) -> list[str]:
    """The table of one clock ('cpu' or 'wall')."""
    measured, found = result.measured, result.verdict(clock)
    startup = any(measured.startups)
    rows = []
    for arm, side in enumerate(result.sides):
        runs = stats.summary([seconds / result.loops for seconds in measured.runs(arm, clock)])
        rows.append([side.name, *_row(runs, measured.startup(arm, clock)), ""])
    rows.append(_ratio("b/a", found))
    if clock == "cpu" and (net := result.net()) is not None:
        rows.append(_ratio("b/a without start-up", net))
    rows.append(
        [
            "a/a",
            f"{found.null.median:.3f}",
            f"{found.null.low:.3f} to {found.null.high:.3f}",
            "",
            "",
            f"±{percent(found.floor)} is noise",
        ]
    )
    return table([CLOCKS[clock], "median", "middle half", "least", "start-up" if startup else "", ""], rows)


def _row(runs: Summary, startup: float | None) -> list[str]:
    share = "" if startup is None else f"{duration(startup)} ({startup / max(runs.median, 1e-9):.0%})"
    return [duration(runs.median), f"{duration(runs.low)} to {duration(runs.high)}", duration(runs.least), share]


def _ratio(name: str, found: Verdict) -> list[str]:
    ratio = found.ratio
    return [name, f"{ratio.median:.3f}", f"{ratio.low:.3f} to {ratio.high:.3f}", "", "", _interval_name(ratio.coverage)]


def how_many(result: Result) -> str:
    """How many runs there were, and under which protocol."""
    measured = result.measured
    done, planned = len(measured.blocks), measured.planned
    stopped = f"stopped after {done} of {planned} blocks; " if planned is not None and done < planned else ""
    calls = f" of {result.loops:,} calls" if result.loops > 1 else ""
    place = "" if measured.cpu is None else f", bound to processor {measured.cpu}"
    return (
        f"{2 * done} timed runs{calls} of each side, and of a once more ({stopped}shuffled blocks a a' b b a' a{place})"
    )


def _startup_note(result: Result) -> list[str]:
    shares = [
        result.measured.startup(side, "cpu") / max(stats.summary(result.measured.runs(side, "cpu")).median, 1e-9)
        for side in (0, 1)
        if result.measured.startups[side]
    ]
    if max(shares, default=0.0) < MUCH_STARTUP:
        return []
    return [f"note: start-up is {max(shares):.0%} of a run; give the program more to do, or the ratio says little"]


def verdict(result: Result) -> str:
    """One line that calls nothing a difference that may be noise."""
    if not result.alike.by_hooks():
        return "none: without tasklets no hook makes a difference"
    return finding(result.verdict())


def finding(found: Verdict, b: str = "b", a: str = "a") -> str:
    """The verdict in words, on what is called `b` and what is called `a`."""
    ratio = found.ratio
    if found.finding is Finding.TOO_FEW:
        return "none: too few runs to tell a difference from noise; take --runs 12 or more"
    if found.finding is Finding.NO_DIFFERENCE:
        return f"no measurable difference: none larger than ±{percent(found.bound)} (noise ±{percent(found.floor)})"
    low, high = sorted(abs(end - 1) for end in (ratio.low, ratio.high))
    word = "less" if found.finding is Finding.FASTER else "more"
    return (
        f"{b} is {found.finding.value}: it takes {percent(abs(ratio.median - 1))} {word} CPU time than {a} "
        f"({percent(low)} to {percent(high)}; noise ±{percent(found.floor)})"
    )


def change(found: Verdict) -> str:
    """How b/a has changed since the baseline."""
    ratio = found.ratio
    text = f"b/a is {ratio.median:.3f} times what it was ({ratio.low:.3f} to {ratio.high:.3f})"
    if found.finding in (Finding.FASTER, Finding.SLOWER):
        return f"{text}: b has become {found.finding.value}"
    return f"{text}: no measurable change"


def gate(found: Gate, closed: bool, since: bool) -> list[str]:
    """What --fail-if makes of the verdict."""
    what = f"b {'has become' if since else 'is'} {found}"
    return [f"FAIL      --fail-if: {what}" if closed else f"pass      --fail-if: not the case that {what}"]


def counts(result: Result) -> list[str]:
    """The instructions of both sides, or why there are none."""
    if isinstance(result.counts, str):
        return [f"instructions: {result.counts}"]
    a, b = result.counts
    rows = [_counted(side.name, found, result.alike.events) for side, found in zip(result.sides, (a, b), strict=True)]
    rows.append(["b/a", f"{b.whole / a.whole:.3f}", "", f"{b.net() / max(a.net(), 1):.3f}", ""])
    return table(["instructions", "whole run", "start-up", "without it", "per event of the trace"], rows)


def _counted(name: str, found: Counts, events: int | None) -> list[str]:
    startup = "" if found.startup is None else f"{found.startup:,}"
    each = f"{found.net() / events:,.0f}" if events else ""
    return [name, f"{found.whole:,}", startup, f"{found.net():,}", each]


def _interval_name(coverage: float) -> str:
    # Rounded down: an interval is never said to cover more than it does.
    return f"{int(coverage * 1000) / 10:g} % interval"


def percent(share: float) -> str:
    """'1.2 %', with more digits where it is small."""
    return f"{100 * share:.1f} %" if share >= 0.001 else f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """Seconds in the unit that suits them: '512.3 ms', '1.234 s', '98.7 ns'."""
    for unit, name in ((1e-6, "ns"), (1e-3, "µs"), (0.99995, "ms")):
        if seconds < unit:
            return f"{seconds * {'ns': 1e9, 'µs': 1e6, 'ms': 1e3}[name]:.1f} {name}"
    return f"{seconds:.3f} s"
