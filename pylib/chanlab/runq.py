"""The run queue of one scheduler: a ring of runnable tasklets whose head is the one that runs.

        head
   .--> [a] --> [b] --> [c] --.      a runs, then b, then c, then a again
   '--------------------------'      append(d) joins in front of the head: the last place

The tasklet that runs stays in the ring.  A switch only moves the head, so whoever was between the old head and
the new one now comes later: Stackless's rule, on which the order of every program depends.  C twin: native/runq.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import hooks
from .links import Link


class PyRunQueue:
    """Ring of Link objects with a head.  A member is held by the ring; it is in no other queue meanwhile."""

    __slots__ = ("__weakref__", "_length", "head")

    def __init__(self) -> None:
        self.head: Link | None = None
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
        """Join in the last place.  RuntimeError when `node` is in a queue already."""
        head = self.head
        if head is None:
            self._join(node, node, node)
            self.head = node
        else:
            self._join(head._prev, node, head)

    def insert_next(self, node: Link) -> None:
        """Join right after the head.  RuntimeError when `node` is in a queue already."""
        head = self.head
        if head is None:
            self.append(node)
        else:
            self._join(head, node, head._next)

    def _join(self, before: Link, node: Link, after: Link) -> None:
        if node._queue is not None:
            raise RuntimeError("already in a queue")
        node._queue = self
        node._prev = before
        node._next = after
        before._next = after._prev = node
        self._length += 1

    def remove(self, node: Link) -> None:
        """Leave the ring; when the head leaves, its successor is the new head.  RuntimeError when not in it."""
        if node._queue is not self:
            raise RuntimeError("not in this queue")
        before, after = node._prev, node._next
        before._next = after
        after._prev = before
        if node is self.head:
            self.head = after if after is not node else None
        node._queue = node._next = node._prev = None
        self._length -= 1

    def rotate(self, node: Link) -> None:
        """Make `node`, a member, the head; everybody keeps his place in the ring.  RuntimeError when not in it."""
        if node._queue is not self:
            raise RuntimeError("not in this queue")
        self.head = node

    def after(self, node: Link) -> Link:
        """The successor of `node` in the ring: itself when alone.  RuntimeError when not in it."""
        if node._queue is not self:
            raise RuntimeError("not in this queue")
        return node._next

    def before(self, node: Link) -> Link:
        """The predecessor of `node` in the ring: itself when alone.  RuntimeError when not in it."""
        if node._queue is not self:
            raise RuntimeError("not in this queue")
        return node._prev


RunQueue = hooks.pick("runq", "RunQueue", PyRunQueue)
