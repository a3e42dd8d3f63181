"""goless on gochan: with this directory on sys.path, `import goless` gets its names answered by a thin adapter.

    PYTHONPATH=pylib python tests/adapters/goless.py path/to/goless/tests [pytest's words]

runs goless's public tests, from a checkout of goless (0.7.2; the source distributions hold no tests, and none was at
hand when this was written), unchanged: the adapter is imported first, so that the tests' own `import goless`, and of
goless.backends, .channels, .compat and .selecting, gets it and not the package beside them.
tests/behaviour/test_like_goless.py tests the adapter without a checkout.

The adapter gives goless's names, arguments, results and errors, and what its tests lean on: a receiver that waits runs
before the sender goes on (goless leaves that to its backend: preference -1 on Stackless), close() lets the others run,
select() of nothing returns None, and a channel that is closed and drained is told by ChannelClosed, not by Go's zero
value.  Where goless breaks Go's rules, gochan's behaviour, which is Go's, is left as it is:

* select() chooses among the cases that are ready with the same chance for each; goless takes the first.
* A select that waits is blocked, wakes when a partner comes, and may meet another select; in goless it runs in a loop,
  which burns the processor, keeps Deadlock from being noticed, and finds only partners that wait outside select.
* A case that receives from a closed channel is ready, and one that sends to it fails when it is chosen: select() raises
  ChannelClosed, as recv() and send() do; in goless it is not ready, and the other cases decide.  recv_ready() and
  send_ready() still say what goless's documentation says, that somebody waits or the buffer has values or room.
* Who has met a partner before a close() has succeeded; goless raises ChannelClosed in a sender that runs only after.
* The second close() is an error, ChannelClosed; goless accepts it.
* A case on None, Go's nil channel, never happens; in goless it is an AttributeError.
* Two default cases are an AssertionError also when another case is ready; goless has not looked so far then.
* A goroutine that is killed at the end of the program ends without a word; goless calls on_panic for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from typing import Any

import gochan
import select_proto
import stackless
from select_proto import RECEIVE, SEND

version_info = 0, 7, 2
version = __version__ = "0.7.2"


# -- goless.backends ---------------------------------------------------------------------------------------------------


class GolessException(Exception):
    """What all errors of goless are."""


class Deadlock(GolessException):
    """Nobody could ever go on."""


class NoValidBackend(Exception):
    """There is nothing that could run goroutines."""

    def __init__(self) -> None:
        super().__init__(NO_VALID_BACKEND_MSG)


NO_VALID_BACKEND_MSG = "No valid backend could be created."


@contextlib.contextmanager
def as_deadlock(errtypes: type | tuple[type, ...]) -> Iterator[None]:
    """Errors of these types that leave the block become Deadlock."""
    try:
        yield
    except errtypes as error:
        raise Deadlock(f"The backend has noticed a deadlock: {error!r}") from error


class Backend:
    """What goless asks of whatever runs its goroutines."""

    def shortname(self) -> str:
        return type(self).__name__

    def _to_do(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NotImplementedError

    start = run = channel = yield_ = resume = propagate_exc = would_deadlock = _to_do


class StacklessChannel(stackless.channel):
    """What goless builds its channels of, and its tests of backends use: they are no Go channels."""

    __slots__ = ()

    def send(self, value: Any) -> None:
        with as_deadlock(RuntimeError):
            super().send(value)

    def receive(self) -> Any:
        with as_deadlock(RuntimeError):
            return super().receive()


class StacklessBackend(Backend):
    """Goroutines are tasklets."""

    channel = StacklessChannel

    def shortname(self) -> str:
        return "stackless"

    def start(self, func: Callable, *args: Any, **kwargs: Any) -> stackless.tasklet:
        return gochan.go(func, *args, **kwargs)

    def run(self, func: Callable, *args: Any, **kwargs: Any) -> stackless.tasklet:
        task = self.start(func, *args, **kwargs)
        task.run()
        return task

    def yield_(self) -> None:
        stackless.schedule()

    def resume(self, tasklet: stackless.tasklet) -> None:
        tasklet.run()

    def propagate_exc(self, errtype: type, *args: Any) -> None:
        stackless.getmain().throw(errtype, *args)

    def would_deadlock(self) -> bool:
        return stackless.getruncount() == 1


class NullBackend(Backend):
    """What goless can be imported with, but not used."""

    def __getattribute__(self, name: str) -> Any:
        raise NoValidBackend

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise NoValidBackend


def calculate_backend(name_from_env: str, backends: dict[str, Callable] | None = None) -> Any:
    """The backend of that name, whose errors are raised; or, without a name, the first that can be made.

    Stackless comes first, but on PyPy, which has it anyway, gevent: who has installed it means to use it.
    """
    module = sys.modules["goless.backends"]  # in which tests replace names
    if backends is None:
        backends = module._default_backends
    if name_from_env:
        if name_from_env not in backends:
            raise RuntimeError(f"Invalid backend {name_from_env!r} specified. Valid are: {', '.join(backends)}")
        return backends[name_from_env]()
    preferred = "gevent" if module.is_pypy else "stackless"
    for name in sorted(backends, key=lambda name: name != preferred):
        with contextlib.suppress(Exception):
            return backends[name]()
    return NullBackend()


def _submodule(name: str, **names: Any) -> types.ModuleType:
    module = types.ModuleType(f"goless.{name}", f"goless.{name}, see goless.")
    vars(module).update(names)
    sys.modules[module.__name__] = module
    return module


backends = _submodule(
    "backends",
    Backend=Backend,
    Deadlock=Deadlock,
    GolessException=GolessException,
    NO_VALID_BACKEND_MSG=NO_VALID_BACKEND_MSG,
    NoValidBackend=NoValidBackend,
    NullBackend=NullBackend,
    _default_backends={"stackless": StacklessBackend},
    as_deadlock=as_deadlock,
    calculate_backend=calculate_backend,
    is_pypy=platform.python_implementation() == "PyPy",
)
_be = backends.current = calculate_backend(os.environ.get("GOLESS_BACKEND", ""))


# -- goless.channels ---------------------------------------------------------------------------------------------------


class ChannelClosed(GolessException):
    """The channel is closed; for a receiver, drained as well."""


@contextlib.contextmanager
def _in_goless_words() -> Iterator[None]:
    """The errors of an operation on channels become goless's.  Others, thrown at whoever waits in it, pass."""
    try:
        yield
    except gochan.ClosedError as error:
        raise ChannelClosed(*error.args) from error
    except RuntimeError as error:
        text = str(error).lower()
        if "deadlock" not in text and not text.startswith("the main tasklet is "):  # a select of nil channels alone
            raise
        raise Deadlock(*error.args) from error


class GoChannel(gochan.chan):
    """goless's names for a channel's methods."""

    __slots__ = ()

    def __new__(cls, size: int = 0) -> GoChannel:
        self = super().__new__(cls, size)
        self.preference = -1  # as goless on Stackless: the receiver goes on
        return self

    def send(self, value: Any = None) -> None:
        with _in_goless_words():
            super().send(value)

    def recv(self) -> Any:
        with _in_goless_words():
            value, ok = self.receive_ok()
        if not ok:
            raise ChannelClosed("receive on closed channel")
        return value

    def recv_ready(self) -> bool:
        """Whether a sender waits or the buffer has values; nobody waits to send on a closed channel."""
        return len(self) > 0 or (not self.closing and self._ready(RECEIVE) is not None)

    def send_ready(self) -> bool:
        """Whether a receiver waits or the buffer has room; nobody waits to receive from a closed channel."""
        return len(self) < self.cap or (not self.closing and self._ready(SEND) is not None)

    def close(self) -> None:
        """gochan's, but the others run before it, and receivers who are woken before it returns."""
        _be.yield_()
        receivers_wait = self.balance < 0
        with _in_goless_words():
            super().close()
        if receivers_wait:
            _be.yield_()

    def __next__(self) -> Any:
        with _in_goless_words():
            return super().__next__()


class BufferedChannel(GoChannel):
    __slots__ = ()

    def __new__(cls, size: int) -> BufferedChannel:
        if not isinstance(size, int) or size < 0:
            raise AssertionError(f"a buffer of {size!r}")
        return super().__new__(cls, min(size, gochan.LARGEST))

    maxsize = gochan.chan.cap


class SyncChannel(BufferedChannel):
    __slots__ = ()

    def __new__(cls) -> SyncChannel:
        return super().__new__(cls, 0)


class AsyncChannel(BufferedChannel):
    __slots__ = ()

    def __new__(cls) -> AsyncChannel:
        return super().__new__(cls, sys.maxsize)


def chan(size: int | None = 0) -> GoChannel:
    """A channel without a buffer (0, None), with a buffer for so many values, or (a negative size) for all."""
    if not size:
        return SyncChannel()
    return AsyncChannel() if size < 0 else BufferedChannel(size)


channels = _submodule(
    "channels",
    AsyncChannel=AsyncChannel,
    BufferedChannel=BufferedChannel,
    ChannelClosed=ChannelClosed,
    GoChannel=GoChannel,
    SyncChannel=SyncChannel,
    chan=chan,
)


# -- goless.selecting --------------------------------------------------------------------------------------------------


class rcase:
    """A case that receives."""

    def __init__(self, chan: GoChannel | None) -> None:
        self.chan = chan

    def ready(self) -> bool:
        return self.chan.recv_ready()

    def exec_(self) -> Any:
        return self.chan.recv()

    def _made(self) -> select_proto.case | None:
        return None if self.chan is None else self.chan.receiveCase()


class scase:
    """A case that sends the value."""

    def __init__(self, chan: GoChannel | None, value: Any) -> None:
        self.chan = chan
        self.value = value

    def ready(self) -> bool:
        return self.chan.send_ready()

    def exec_(self) -> None:
        self.chan.send(self.value)

    def _made(self) -> select_proto.case | None:
        return None if self.chan is None else self.chan.sendCase(self.value)


class dcase:
    """The default case."""

    def ready(self) -> bool:
        return False

    def _made(self) -> None:
        return None


def select(*cases: Any) -> tuple[Any, Any] | None:
    """(the case that has happened, the value if it has received one), for cases one by one or in one list."""
    if cases and isinstance(cases[0], list):
        if len(cases) > 1:
            raise TypeError("select() takes a list of cases, or cases, and not both")
        cases = tuple(cases[0])
    if not cases:
        return None
    defaults = [c for c in cases if isinstance(c, dcase)]
    if len(defaults) > 1:
        raise AssertionError("only one default case is allowed")
    with _in_goless_words():
        happened = select_proto.select([c._made() for c in cases], default=bool(defaults))
    if happened is select_proto.DEFAULT:
        return defaults[0], None
    if happened.direction == SEND:
        return cases[happened.index], None
    if not happened.ok:
        raise ChannelClosed("receive on closed channel")
    return cases[happened.index], happened.value


selecting = _submodule("selecting", dcase=dcase, rcase=rcase, scase=scase, select=select)


# -- goless itself, and goless.compat ----------------------------------------------------------------------------------


def on_panic(etype: type, value: BaseException, tb: types.TracebackType | None) -> None:
    """Called for an error that a goroutine does not catch: log it, and end the program.  May be replaced."""
    logging.critical(traceback.format_exception(etype, value, tb))
    _be.propagate_exc(SystemExit, 1)


def go(func: Callable, *args: Any, **kwargs: Any) -> None:
    """Run the function in a goroutine of its own, soon."""

    def guarded() -> None:
        try:
            func(*args, **kwargs)
        except stackless.TaskletExit:
            raise  # it has been killed
        except BaseException:
            on_panic(*sys.exc_info())

    _be.start(guarded)


def _reraise(e: type, v: object, origex: BaseException) -> None:
    raise e(v).with_traceback(origex.__traceback__)


compat = _submodule("compat", PY3=True, maxint=sys.maxsize, range=range, reraise=_reraise)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    import unittest

    import goless  # noqa: F401  this file, by the name that the tests know it by
    import pytest

    for old, new in [("assertEquals", "assertEqual"), ("assertNotEquals", "assertNotEqual"), ("assert_", "assertTrue")]:
        if not hasattr(unittest.TestCase, old):  # since CPython 3.12; the tests are of 2015
            setattr(unittest.TestCase, old, getattr(unittest.TestCase, new))
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
