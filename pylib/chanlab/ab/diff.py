"""Where two sequences of lines part, and how to show it.  Nothing here runs or reads anything."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

#: Lines of context before and after the first difference of a trace.
BEFORE, AFTER = 3, 2

#: How many characters of a line are shown.
WIDTH = 100

_END = "(nothing: it ends here)"


@dataclass(frozen=True, slots=True)
class Parting:
    """The first place where two sequences of lines differ.

    number         of the first differing line, from 1
    common         the last lines before it, the same on both sides
    left, right    the differing line of either side and what follows it; empty: this side has ended
    """

    number: int
    common: tuple[bytes, ...]
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]


def first_difference(left: Iterable[bytes], right: Iterable[bytes]) -> Parting | None:
    """Where `left` and `right` part, or None when they are equal.  Reads no further than it has to."""
    ours, theirs = iter(left), iter(right)
    common: deque[bytes] = deque(maxlen=BEFORE)
    number = 0
    while True:
        number += 1
        x, y = next(ours, None), next(theirs, None)
        if x is None and y is None:
            return None
        if x != y:
            return Parting(number, tuple(common), _rest(x, ours), _rest(y, theirs))
        common.append(x)


def _rest(line: bytes | None, following: Iterator[bytes]) -> tuple[bytes, ...]:
    return () if line is None else tuple(chain((line,), islice(following, AFTER)))


def text(line: bytes) -> str:
    """`line` for a terminal: one line without control characters; a missing newline at its end is marked."""
    shown = line.decode("utf-8", "backslashreplace")
    shown = shown.removesuffix("\n") if shown.endswith("\n") else shown + "\\ (no newline at the end)"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def window(left: str, right: str) -> tuple[str, str]:
    """Both texts, cut to WIDTH characters around the first one in which they differ."""
    same = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), min(len(left), len(right)))
    start = max(0, same - WIDTH // 2) if max(len(left), len(right)) > WIDTH else 0
    return _cut(left, start), _cut(right, start)


def _cut(line: str, start: int) -> str:
    end = start + WIDTH
    return ("…" if start else "") + line[start:end] + ("…" if end < len(line) else "")


def show_line(parting: Parting, a: str, b: str) -> list[str]:
    """The first differing line of an output, of the sides called `a` and `b`."""
    left, right = window(
        text(parting.left[0]) if parting.left else _END, text(parting.right[0]) if parting.right else _END
    )
    return [f"  line {parting.number} of {a:4} {left}", f"  line {parting.number} of {b:4} {right}"]


def show_trace(parting: Parting, a: str, b: str) -> list[str]:
    """The step where two traces part, with the steps around it."""
    lines = [f"  {'both':4} {describe(line)}" for line in parting.common]
    for name, steps in ((a, parting.left), (b, parting.right)):
        lines += [f"  {name:4} {describe(line)}" for line in steps] or [f"  {name:4} {_END}"]
    return lines


def describe(line: bytes) -> str:
    """One event of a trace in words; a line that is none as it is."""
    try:
        event = json.loads(line)
        words = [f"{event['step']:>7}", f"{event['event']:8}", event.get("tasklet", "")]
        if "direction" in event:
            words.append({1: "sends", -1: "receives"}.get(event["direction"], str(event["direction"])))
        words += [f"{joint} {event[key]}" for key, joint in (("channel", "on"), ("peer", "to")) if key in event]
        words += [f"value {event['value']}"] if "value" in event else []
        return _cut(" ".join(filter(None, words)), 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _cut(text(line), 0)
