"""The trace: what happened, in order, as JSON Lines.  Loaded only when somebody asks for one."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import reprlib
import sys
import threading
from typing import Any

from .watch import watch

#: How many characters of a value's repr the trace shows.
LONGEST = 60

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


#: Where the types live whose repr reprlib knows how to cut.
_KNOWN = ("builtins", "array", "collections")


class _Short(reprlib.Repr):
    """repr cut short, the same in every run: sets and dicts sorted, addresses left out."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxlong = self.maxother = LONGEST

    def repr1(self, x: object, level: int) -> str:
        # reprlib goes by the name of the type: a user's own class may have any.
        return super().repr1(x, level) if type(x).__module__ in _KNOWN else self.repr_instance(x, level)

    def repr_int(self, x: int, level: int) -> str:
        return _ADDRESS.sub("", super().repr_int(x, level))  # CPython 3.14 says where one of 5,000 digits lies

    def repr_instance(self, x: object, level: int) -> str:
        try:
            text = repr(x)
        except BaseException as error:
            text = f"<{type(x).__name__}: repr raised {type(error).__name__}>"
        text = _ADDRESS.sub("", text)
        return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


_short = _Short()


class Trace:
    """A JSON Lines file with one line an event, in the order in which things happened.

        step       1, 2, 3, ...
        event      start, end        a tasklet's function begins, has ended (value: the error that ended it)
                   switch            `tasklet` hands over to `peer`
                   post              `tasklet` waits on `channel` in `direction`, offering `value` if it sends
                   commit            `tasklet` meets `peer`, who waited on `channel`; `value` passes
                   withdraw          `tasklet` no longer waits on `channel`: its select took another case, or it was
                                     killed or thrown at
                   close             `channel` is closed
                   put, take         `tasklet`'s `value` goes into the buffer of `channel`, `tasklet` takes it from there
                   drained           `tasklet` receives the end of `channel`, which is closed
                   timeout           `tasklet`'s select or sleep is over
                   fire              what comes on `channel` by time or from outside goes to `peer`
        tasklet, peer, channel       labels
        direction                    1 send, -1 receive, as `tasklet` sees it
        value                        repr, cut to 60 characters, without addresses

    Keys that say nothing about an event are left out.  The file is complete when the process has ended by itself;
    os._exit() and a killing signal lose what is still in the buffer.
    """

    def __init__(self, path: str) -> None:
        self._file = open(path, "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  open as long as the process lives
        self._steps = itertools.count(1)
        self._encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
        self._lock = threading.RLock()  # one line at a time, whichever thread it comes from
        self._reprs: set[int] = set()  # the threads that are just inside a value's repr
        # A forked child shares the file and a copy of its buffer: it must not write either a second time.
        os.register_at_fork(before=self.flush, after_in_child=self.stop)

    def __call__(
        self,
        event: str,
        tasklet: Any = None,
        channel: Any = None,
        direction: int | None = None,
        *,
        peer: Any = None,
        **value: object,
    ) -> None:
        """Write one event.  A value's repr is the user's code: whatever it does, it does not get in the way."""
        if threading.get_ident() in self._reprs:
            return
        line: dict[str, object] = {"step": 0, "event": event}
        if tasklet is not None:
            line["tasklet"] = tasklet.label
        if peer is not None:
            line["peer"] = peer.label
        if channel is not None:
            line["channel"] = channel.label
        if direction is not None:
            line["direction"] = direction
        if value:
            line["value"] = self._short_repr(value["value"])
        with self._lock:
            line["step"] = next(self._steps)
            try:
                self._file.write(self._encode(line) + "\n")
            except OSError as error:
                self._give_up(error)

    def _short_repr(self, value: object) -> str:
        ident = threading.get_ident()
        self._reprs.add(ident)
        try:
            return _short.repr(value)
        except BaseException as error:  # what reprlib itself cannot cope with: before 3.14 an int of 5,000 digits
            return f"<{type(value).__name__}: repr raised {type(error).__name__}>"
        finally:
            self._reprs.discard(ident)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        try:
            self._file.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.stop()
        print(f"chanlab: the trace {self._file.name} ends here: {error.strerror}", file=sys.stderr)
        with contextlib.suppress(OSError):
            self._file.close()

    def stop(self) -> None:
        """Write nothing more in this process (a forked child)."""
        watch.trace = None


def start(path: str) -> None:
    """Trace from now on.  ImportError when the file cannot be written: no program that asked for it shall run without."""
    try:
        watch.trace = Trace(path)
    except OSError as error:
        raise ImportError(f"cannot write the trace {path}: {error.strerror}") from None
