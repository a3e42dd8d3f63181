"""What makes an object a member of a queue.

A tasklet is in one queue at a time: the run queue, a channel's queue, or none; a case of a select is in a channel's
queue or in none.  So one set of links in the object itself serves every queue, as in Stackless, and joining or
leaving takes no allocation and constant time:

    _queue   the queue that the object is in, or None
    _next    its neighbours there; private to the queue's implementation, which is why a C queue
    _prev    keeps its own, invisible ones and the Python slots exist only for the Python queues
"""

from __future__ import annotations

from . import hooks


class PyLink:
    """Base of all that can be queued, for the Python queues."""

    __slots__ = ("_next", "_prev", "_queue")

    def __new__(cls, *_args: object, **_kwargs: object) -> PyLink:
        self = object.__new__(cls)
        self._next = self._prev = self._queue = None
        return self


def _link_class() -> type:
    native = {"waitq", "runq"} & hooks.NATIVE
    if not native:
        return PyLink
    if len(native) == 2:
        return hooks.pick("waitq", "Link", None)

    class Link(hooks._chanlab.Link):  # one queue in C, one in Python: both sets of links
        __slots__ = ("_next", "_prev")

    return Link


Link = _link_class()
