"""A channel's queue of waiters: first in, first out, and leaving from the middle in constant time.

    head                                  tail
    [a] <-> [b] <-> [c]        append(d) joins at the tail, popleft() takes the head, remove(b) leaves

The members are waiters: a tasklet itself when it waits in a plain send or receive, a case when its tasklet waits in
a select.  A channel has two such queues, one of senders and one of receivers.  C twin: native/waitq.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import hooks
from .links import Link


class PyWaitQueue:
    """FIFO of Link objects.  A member is held by the queue; it is in no other queue meanwhile."""

    __slots__ = ("__weakref__", "_length", "_tail", "head")

    def __init__(self) -> None:
        self.head: Link | None = None
        self._tail: Link | None = None
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Link]:
        """The members as they are now, from the head."""
        members, node = [], self.head
        for _ in range(self._length):
            if node is None or node._queue is not self:
                break  # from CPython 3.12 on the collector may run here, and its finalizers change the queue
            members.append(node)
            node = node._next
        return iter(members)

    def append(self, node: Link) -> None:
        """Join at the tail.  RuntimeError when `node` is in a queue already."""
        if node._queue is not None:
            raise RuntimeError("already in a queue")
        node._queue = self
        node._next = None
        node._prev = tail = self._tail
        if tail is None:
            self.head = node
        else:
            tail._next = node
        self._tail = node
        self._length += 1

    def popleft(self) -> Link | None:
        """Take the head out and return it; None when the queue is empty."""
        node = self.head
        if node is not None:
            self.remove(node)
        return node

    def remove(self, node: Link) -> None:
        """Leave from any place.  RuntimeError when `node` is not in this queue."""
        if node._queue is not self:
            raise RuntimeError("not in this queue")
        before, after = node._prev, node._next
        if before is None:
            self.head = after
        else:
            before._next = after
        if after is None:
            self._tail = before
        else:
            after._prev = before
        node._queue = node._next = node._prev = None
        self._length -= 1

    def after(self, node: Link) -> Link | None:
        """The next member behind `node`, None at the end.  RuntimeError when `node` is not in this queue."""
        if node._queue is not self:
            raise RuntimeError("not in this queue")
        return node._next

    def before(self, node: Link) -> Link | None:
        """The member in front of `node`, None at the head.  RuntimeError when `node` is not in this queue."""
        if node._queue is not self:
            raise RuntimeError("not in this queue")
        return node._prev


WaitQueue = hooks.pick("waitq", "WaitQueue", PyWaitQueue)
