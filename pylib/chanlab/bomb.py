"""An exception that travels as a value: put into a tasklet's value slot, it explodes where the tasklet resumes."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NoReturn


class bomb:
    """bomb(type=None, value=None, traceback=None), or one exc_info tuple: a holder of an exception (Stackless).

    `type`, `value` and `traceback` are read-only.
    """

    __slots__ = ("_traceback", "_type", "_value")

    def __init__(
        self,
        type: type[BaseException] | tuple | None = None,
        value: object = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if isinstance(type, tuple):
            type, value, traceback = type
        self._type, self._value, self._traceback = type, value, traceback

    type = property(lambda self: self._type, doc="The exception class.")
    value = property(lambda self: self._value, doc="The exception, or what its class is to be called with.")
    traceback = property(lambda self: self._traceback, doc="Where it was raised, or None.")

    def explode(self) -> NoReturn:
        """Raise the exception held, with its own traceback and its own context: it did not happen here."""
        error = self._value
        if not isinstance(error, BaseException):
            error = instance(self._type, error)
        context = error.__context__
        try:
            raise error.with_traceback(self._traceback)
        finally:
            error.__context__ = context
            del self, error, context  # this frame is in the traceback: a name here would tie the exception into a cycle

    def __reduce__(self) -> Any:
        """Pickled without the traceback."""
        return bomb, (self._type, self._value)


def instance(exc: object, val: object) -> BaseException:
    """The exception that `raise` makes of a class and a value (Python 2's rules, as throw() keeps them).

    TypeError when `exc` is no exception class and no instance without a value.
    """
    if isinstance(exc, BaseException):
        if val is not None:
            raise TypeError("instance exception may not have a separate value")
        return exc
    if not (isinstance(exc, type) and issubclass(exc, BaseException)):
        raise TypeError(
            f"exceptions must be classes or instances deriving from BaseException, not {type(exc).__name__}"
        )
    if isinstance(val, exc):
        return val
    error = exc() if val is None else exc(*val) if isinstance(val, tuple) else exc(val)
    if not isinstance(error, BaseException):
        raise TypeError(f"calling {exc!r} should have returned an exception, not {type(error).__name__}")
    return error


def of_throw(exc: object, val: object = None, tb: TracebackType | None = None) -> bomb:
    """The bomb that throw(exc, val, tb) and send_throw(exc, val, tb) send.  TypeError on what raise would refuse."""
    if tb is not None and not isinstance(tb, TracebackType):
        raise TypeError(f"third argument must be a traceback object, not {type(tb).__name__}")
    error = instance(exc, val)
    return bomb(type(error), error, error.__traceback__ if tb is None else tb)


def of_error(error: BaseException) -> bomb:
    """The bomb that carries an exception just caught."""
    return bomb(type(error), error, error.__traceback__)
