"""`chanlab ablate`: what each hook is worth, alone and as the last that is missing.  Also `python3 -m chanlab.ab.ablate`.

Effects of hooks are not additive: with the neighbouring layers in Python a hook saves little, with all of them in C its
absence costs much.  So both are measured, in the same blocks as the prototype, all hooks, and the prototype once more.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from . import equality, metadata, options, page, report, sides, stats, svg, timing
from .codes import Exit
from .compare import guarded, measure, refuse, show
from .equality import Check
from .options import UsageError
from .progress import Progress
from .sides import Side
from .table import table
from .timing import Effort, Measurement

HELP = """\
usage: chanlab ablate [option] ... (script.py | -m module | -c code) [arg] ...
Runs a program with no hook in C, with all, with each hook alone, and with all but each; checks that
all of them behave alike, and shows in a table and a chart what each is worth.

  --hooks LIST      the hooks that are taken apart (default: all)
  --seed N          seed (default: CHANLAB_SEED, else 1)
  --precision P     stop when the intervals are no wider than ± P (default: 1%)
  --budget TIME     stop in any case after about this time (default: 3m)
  --runs N          instead of both: so many timed runs of each, rounded up to an even number
  --cpu N           the processor that timed runs are bound to, or none (default: the last one)
  --svg FILE        where the chart goes (default: the program's name with -ablation.svg, in the current
                    directory; none: nowhere)
  --html FILE       write table and chart as one page
  -h, --help        this text

The exit codes are those of chanlab compare.
"""

VALUED = ("--hooks", "--seed", "--precision", "--budget", "--runs", "--cpu", "--svg", "--html")
BUDGET = "3m"


@dataclass(frozen=True, slots=True)
class Row:
    """One set of hooks: its name in the table, and how it is switched on.

    note    why there is nothing to measure: it would run what another row runs; else ''
    """

    name: str
    wish: str
    note: str = ""


def main(words: Sequence[str]) -> int:
    """Run the command with `words` as its arguments and return its exit code."""
    return guarded("ablate", lambda: _main(words))


def _main(words: Sequence[str]) -> int:
    given, rest = options.split(words, VALUED, (), "ablate")
    if rest is None:
        print(HELP, end="")
        return Exit.COMPARED
    if not rest:
        raise UsageError("no program to take apart: name a script, -m module or -c code (chanlab ablate --help)")
    options.check_program(tuple(rest))
    if "--runs" not in given:
        given.setdefault("--budget", BUDGET)
    effort, cpu = options.read_effort(given), options.read_cpu(given)
    seed = options.read_seeds(given, os.environ.get("CHANLAB_SEED"))[0]
    progress = Progress()
    try:
        return ablate(given, tuple(rest), effort, cpu, seed, progress)
    finally:
        progress.clear()


def rows(wish: str) -> list[Row]:
    """The sets of hooks that `wish` is taken apart into, 'none' and itself first.  Raises SideError."""
    listed = sides.canonical(wish)
    names = [] if listed == "none" else listed.split(",")
    if len(names) < 2:
        raise UsageError(f"--hooks {wish}: there is nothing to take apart; name two hooks or more, or all")
    found = [Row("none", "none"), Row("all" if wish == "all" else listed, listed)]
    seen = {_running("none"): "none", _running(listed): "all"}
    for kind, wishes in (("only", names), ("all but", [",".join(n for n in names if n != name) for name in names])):
        for name, one in zip(names, wishes, strict=True):
            label, running = f"{kind} {name}", _running(one)
            note = f"as {seen[running]}: {_why(name, kind)}" if running in seen else ""
            seen.setdefault(running, label)
            found.append(Row(label, one, note))
    return found


def _running(listed: str) -> frozenset[str]:
    """The hooks that really run in C when these are switched on."""
    from chanlab import hooks  # canonical() has seen that it can be imported

    on = hooks.parse(listed)
    return frozenset(hook for hook in on if on.issuperset(hooks.FUSES.get(hook, ())))


def _why(name: str, kind: str) -> str:
    from chanlab import hooks

    if kind != "only":
        return f"what needs {name} is in Python, too"
    return f"it is in C only together with {', '.join(hooks.FUSES[name])}"


def ablate(
    given: dict[str, str], program: tuple[str, ...], effort: Effort, cpu: int | None, seed: int, progress: Progress
) -> int:
    """Check, then time, and print the table.  Returns the exit code."""
    plan = rows(given.get("--hooks", "all"))
    chart = chart_path(given.get("--svg"), program)
    arms = [sides.of_hooks(row.name, row.wish, program) for row in plan if not row.note]
    subject = report.program_line(program)
    show([f"ablate    {subject}", f"  seed    {seed}", f"  runs on {metadata.runtime()}", ""])
    with tempfile.TemporaryDirectory(prefix="chanlab-") as directory:
        check = all_alike(arms, seed, directory, progress)
        progress.clear()
        if (refusal := refuse(check)) is not None:
            return refusal
        proof = f"all {len(arms)}: exit code, stdout, stderr, trace ({check.a.events():,} events)"
        show([f"alike     {proof}", ""])
    measured = timing.new(arms)
    code = measure(measured, effort, seed, cpu, progress)
    show(shown(plan, measured))
    show([f"verdict   {verdict(measured)}"])
    write(plan, measured, subject, proof, (chart, given.get("--html")), metadata.collect([seed], measured.cpu))
    return code


def all_alike(arms: Sequence[Side], seed: int, directory: str, progress: Progress) -> Check:
    """Compare the behaviour of each with that of the first.  The Check of the first that differs, else of the last."""
    first = equality.observe(arms[0], seed, directory, "none")
    for number, arm in enumerate(arms[1:], 1):
        progress(f"checking that all behave alike: {arm.name}", number / len(arms))
        # One file for all: a trace may be large.
        seen = equality.observe(arm, seed, directory, "other")
        if equality.compare(first, seen):
            return equality.check_one(arms[0], arm, seed, directory, progress)
    return Check(seed, first, seen, [])


def shown(plan: Sequence[Row], measured: Measurement) -> list[str]:
    """The table, and how it was made."""
    lines = table(["CPU time", "median", "of none's", "of all's", ""], list(_cells(plan, measured)))
    noise = report.percent(measured.verdict("cpu").floor)
    return [
        *lines,
        "",
        f"{2 * len(measured.blocks)} timed runs of each, in shuffled blocks; 95 % intervals; ±{noise} is noise",
    ]


def _cells(plan: Sequence[Row], measured: Measurement) -> Iterator[list[str]]:
    arm = -1
    for row in plan:
        if row.note:
            yield [row.name, "", "", "", row.note]
            continue
        arm += 1
        median = stats.summary(measured.runs(arm, "cpu")).median
        yield [row.name, report.duration(median), _ratio(measured, arm, 0), _ratio(measured, arm, 1), ""]


def _ratio(measured: Measurement, arm: int, of: int) -> str:
    if arm == of:
        return "1"
    ratio = measured.verdict("cpu", arm, of).ratio
    return f"{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"


def bars(plan: Sequence[Row], measured: Measurement) -> str:
    """The chart: the time of each set as a share of the prototype's."""
    found = []
    for arm, row in enumerate(row for row in plan if not row.note):
        if arm == 0:
            found.append(svg.Bar(row.name, 1.0, 1.0, 1.0, "1", solid=False))
            continue
        ratio = measured.verdict("cpu", arm).ratio
        found.append(svg.Bar(row.name, ratio.median, ratio.low, ratio.high, f"{ratio.median:.3f}", row.name != "all"))
    return svg.bars(found, "CPU time as a share of that without hooks in C")


def chart_path(wish: str | None, program: tuple[str, ...]) -> str | None:
    """Where the chart goes, or None.  Raises UsageError when it cannot go there."""
    if wish == "none":
        return None
    if wish is None:
        name = program[0] if program[0] not in ("-m", "-c") else program[1] if program[0] == "-m" else "code"
        wish = os.path.splitext(os.path.basename(name.rstrip("/")))[0] + "-ablation.svg"
    directory = os.path.dirname(wish) or "."
    if not os.path.isdir(directory) or not os.access(directory, os.W_OK) or os.path.isdir(wish):
        raise UsageError(f"the chart cannot be written to {wish}: --svg FILE names another place, --svg none none")
    return wish


def verdict(measured: Measurement) -> str:
    """What all hooks together are worth."""
    return report.finding(measured.verdict("cpu"), "with all of them the program", "with none")


def write(
    plan: Sequence[Row],
    measured: Measurement,
    subject: str,
    proof: str,
    files: tuple[str | None, str | None],
    facts: dict[str, str],
) -> None:
    """Write the chart and the page that are wanted; `proof` says how alike all are."""
    chart, html = files
    picture = bars(plan, measured)
    if chart is not None:
        with open(chart, "w", encoding="utf-8") as file:
            file.write(picture)
        show([f"wrote     {chart}"])
    if html is not None:
        header = ["", "median", "of none's time", "of all's time", ""]
        sections = [
            f'<p class="verdict">{escape(verdict(measured))}</p>',
            f"<h2>Behaviour</h2><p>{escape(proof)}</p>",
            "<h2>What each hook is worth</h2>",
            picture,
            page.grid(header, list(_cells(plan, measured))),
            f'<p class="faint">{escape(shown(plan, measured)[-1])}</p>',
            *(
                f"<h2>{title}</h2>{page.dots(page.runs_of_arms(measured, clock))}"
                for clock, title in report.CLOCKS.items()
            ),
            "<h2>Machine and software</h2>",
            page.facts(list(facts.items())),
        ]
        with open(html, "w", encoding="utf-8") as file:
            file.write(page.page(f"chanlab ablate: {subject}", sections))
        show([f"wrote     {html}"])


if __name__ == "__main__":
    sys.exit(int(main(sys.argv[1:])))
