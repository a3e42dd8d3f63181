"""The files that a comparison writes, and the baseline that it reads."""

from __future__ import annotations

import os
from collections.abc import Mapping

from . import markdown, page, store
from .options import UsageError
from .result import Result
from .stats import Interval


def check(files: Mapping[str, str]) -> None:
    """Raise UsageError, before anything runs, when a file could not be written; StoreError for a bad baseline."""
    for option, path in files.items():
        directory = os.path.dirname(path) or "."
        if not os.path.isdir(directory):
            raise UsageError(f"--{option} {path}: there is no directory '{directory}'")
        if os.path.isdir(path) or not os.access(path if os.path.exists(path) else directory, os.W_OK):
            raise UsageError(f"--{option} {path}: cannot be written")
    baseline(files.get("baseline"))


def baseline(path: str | None) -> Interval | None:
    """The stored ratio b/a, or None when there is no such file yet.  Raises StoreError."""
    return store.read_ratio(path)[1] if path is not None and os.path.exists(path) else None


def write(result: Result, files: Mapping[str, str], store_baseline: bool) -> list[str]:
    """Write what was wanted.  Returns the paths."""
    written = []
    if path := files.get("json"):
        store.write(path, store.suite(result))
        for number, side in enumerate(result.sides):
            store.write(store.side_path(path, side.name), store.suite(result, [number], alone=True))
        written += [path, *(store.side_path(path, side.name) for side in result.sides)]
    if (path := files.get("baseline")) and store_baseline:
        store.write(path, store.suite(result))
        written.append(path)
    for option, make in (("markdown", markdown.document), ("html", page.document)):
        if path := files.get(option):
            with open(path, "w", encoding="utf-8") as file:
                file.write(make(result))
            written.append(path)
    return written
