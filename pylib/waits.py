"""Descriptors, and results of OS threads and of asyncio, as channels: for receive() and as cases of a select.

    readable(sock).receive()                         wait until there is something to read
    select([work.receiveCase(), readable(sock).receiveCase()], timeout=5)
    in_thread(hashlib.scrypt, ...).receive()
    result(session.get(url)).receive()               a coroutine runs in an asyncio loop of its own thread

These channels can only be received from.  While a tasklet waits for one the others run; when all wait, the thread
sleeps in one selector.  Nothing is polled.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import errno
import os
import queue
import select as _os_select
import selectors
import threading
from collections.abc import Callable
from typing import Any

import stackless  # noqa: F401  first of all: it puts the layers together
from chanlab import clock, threads
from chanlab.bomb import bomb, of_error
from chanlab.channel import ALONE, SEND, channel, notify, wait, wake
from chanlab.sched import Scheduler, here
from chanlab.watch import watch

__all__ = ["in_thread", "readable", "result", "writable"]


class source(channel):
    """A channel on which something from outside is received, as often as one asks, once it is there.

    A subclass says whether it is there (_there()), what it is (_get(): a value or a bomb), and how a tasklet that
    waits will hear of it (_listen()).
    """

    __slots__ = ()
    what = property(lambda self: "something from outside", doc="What it brings.")

    def _check_send(self) -> None:
        raise TypeError(f"{self.label} brings {self.what}: it can only be received from")

    def close(self) -> None:
        """TypeError."""
        raise TypeError(f"{self.label} brings {self.what}: it cannot be closed")

    def __reduce__(self) -> Any:
        raise TypeError(f"cannot pickle {self.label}: it brings {self.what}")

    def _act(self, direction: int, value: Any) -> Any:
        if direction > 0:
            self._check_send()
        sched = here.sched
        if watch.callback is not None:
            notify(sched, self, direction, value, not self._there())
        if sched.busy:
            sched.refuse()
        try:
            sched.enter()
            if self._there():
                self._commit(sched, direction, ALONE, value)
            else:
                wait(sched, self, direction, value)
            return sched.switch()
        except BaseException:
            sched.torn = sched.busy
            sched.recover()
            raise

    def _ready(self, direction: int) -> Any:
        if direction > 0:  # a case that was not made for this channel
            self._check_send()
        return ALONE if self._there() else None

    def _commit(self, sched: Scheduler, direction: int, peer: Any, value: Any) -> None:
        sched.current._tempval = self._get()
        if watch.trace is not None:
            watch.trace("fire", channel=self, peer=sched.current)

    def _post(self, waiter: Any, direction: int) -> None:
        self._listen(clock.of(here.sched))
        channel._post(self, waiter, direction)

    def _comes(self) -> bool:
        return True

    # As a source of the clock:

    def awaited(self) -> bool:
        return self._receivers.head is not None

    def happened(self, sched: Scheduler) -> None:
        """Something may be there: all who wait get it."""
        for _ in range(len(self._receivers)):
            if self._receivers.head is not None and self._there():
                task, _value = wake(sched, self._receivers.head, SEND, self._get())
                if watch.trace is not None:
                    watch.trace("fire", channel=self, peer=task)


source.__module__ = "waits"


class descriptor(source):
    """See readable() and writable()."""

    __slots__ = ("_poll", "event", "fd", "file")

    def __new__(cls, file: Any, event: int) -> descriptor:
        self = channel.__new__(cls)
        self.file = file
        self.fd = file if isinstance(file, int) else file.fileno()
        self.event = event
        self._poll = _os_select.poll()
        self._poll.register(self.fd, _POLL[event])
        if not self._is_open():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), str(file))
        return self

    what = property(lambda self: "the readiness of a descriptor", doc="What it brings.")

    def _is_open(self) -> bool:
        return not any(mask & _os_select.POLLNVAL for _, mask in self._poll.poll(0))

    def _there(self) -> bool:
        return bool(self._poll.poll(0))

    def _get(self) -> Any:
        if self._is_open():
            return self.file
        return bomb(OSError, OSError(errno.EBADF, os.strerror(errno.EBADF), str(self.file)))

    def _listen(self, own: clock.Clock) -> None:
        own.watch(self)


descriptor.__module__ = "waits"
_POLL = {selectors.EVENT_READ: _os_select.POLLIN, selectors.EVENT_WRITE: _os_select.POLLOUT}


def readable(file: Any) -> channel:
    """A channel on which `file` itself is received whenever reading from it would not block.

    `file` is a descriptor's number or has a fileno().  OSError, ValueError when it is not open.  Who closes it while
    a tasklet waits should wake that one by other means: the kernel forgets a closed descriptor in silence.
    """
    return descriptor(file, selectors.EVENT_READ)


def writable(file: Any) -> channel:
    """A channel on which `file` itself is received whenever writing to it would not block; see readable()."""
    return descriptor(file, selectors.EVENT_WRITE)


class outcome(source):
    """See result()."""

    __slots__ = ("_clocks", "_future")
    what = property(lambda self: "the result of a future", doc="What it brings.")

    def __new__(cls, future: Any) -> outcome:
        self = channel.__new__(cls)
        self._future = future
        self._clocks: list[clock.Clock] = []
        return self

    def _there(self) -> bool:
        return self._future.done()

    def _get(self) -> Any:
        try:
            return self._future.result()
        except BaseException as error:
            return of_error(error)

    def _comes(self) -> bool:
        return True

    def _listen(self, own: clock.Clock) -> None:
        own.promise(self)
        if own in self._clocks:
            return
        self._clocks.append(own)
        if len(self._clocks) > 1:
            return
        if isinstance(self._future, asyncio.Future):
            self._future.get_loop().call_soon_threadsafe(self._future.add_done_callback, self._bring)
        else:
            self._future.add_done_callback(self._bring)

    def _bring(self, _future: Any) -> None:
        """The future is done.  Called in any thread, even in the middle of an operation of this one."""
        for own in list(self._clocks):
            own.bring(self)


outcome.__module__ = "waits"


def result(future: Any) -> channel:
    """A channel on which the result of a future is received, or its exception raised, once it is done.

    `future` is a concurrent.futures.Future, an asyncio future or task (whose loop runs in another thread), or a
    coroutine, which is given to a loop in a thread of ours.  TypeError for anything else.
    """
    if asyncio.iscoroutine(future):
        coroutine = future

        def start(mark: object) -> concurrent.futures.Future:
            loop = _loop()
            return asyncio.run_coroutine_threadsafe(_counted(coroutine, mark), loop)

        future = _give(start)
    elif not (isinstance(future, concurrent.futures.Future) or asyncio.isfuture(future)):
        raise TypeError(f"result() needs a future or a coroutine, not {type(future).__name__}")
    return outcome(future)


def in_thread(func: Callable, /, *args: object, **kwargs: object) -> channel:
    """Call func(*args, **kwargs) in another OS thread, of a pool.  A channel on which its result is received."""
    future: concurrent.futures.Future = concurrent.futures.Future()
    _give(lambda mark: _pool().submit(lambda: _work(mark, future, func, args, kwargs)))
    return outcome(future)


# -- the threads that do it ------------------------------------------------------------------------------------------------
# They count as resting (threads.resting) while they have no work, so that nobody waits for them in vain.
#
# No tasklet may hold a lock here.  A signal handler or finalizer that comes in the middle may ask for a thread itself, or
# let a tasklet run that does; if that one then waits for the lock, it waits for its own thread, for ever.  That rules out
# concurrent.futures' pool, whose submit() holds two, and which the program's end and os.fork() wait for.

_kept: dict[str, Any] = {}
_coroutines: set[object] = set()


class Pool:
    """Threads that wait for work: no more than MOST, and none that was not needed once.

    work        for those that wait
    idle        has one entry for each that waits, and for whom no work is on its way
    threads     all of them
    """

    MOST = min(32, (os.cpu_count() or 1) + 4)  # as concurrent.futures has

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.idle: list[None] = []
        self.threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], None]) -> None:
        """Have a thread call it.  What changes anything is one call into C: see above."""
        try:
            self.idle.pop()
        except IndexError:
            if len(self.threads) < self.MOST:
                self._start(work)
                return
        self.work.put(work)

    def _start(self, work: Callable[[], None]) -> None:
        name = f"waits_{len(self.threads)}"
        try:
            thread = threading.Thread(target=self._live, args=(work,), name=name, daemon=True)
        except RuntimeError:  # some interpreters have no daemons, and their end would wait for a thread that waits
            threading.Thread(target=work, name=name).start()
        else:
            thread.start()
            self.threads.append(thread)

    def _live(self, work: Callable[[], None] | None) -> None:
        while work is not None:
            work()
            del work  # it keeps the arguments
            try:
                work = self.work.get_nowait()
            except queue.Empty:
                self.idle.append(None)
                work = self.work.get()
        threads.resting.discard(threading.get_ident())  # which the next thread may get
        self.work.put(None)  # for the next one: there may be one more than we know of, if its start was interrupted

    def finish(self) -> None:
        """The end of the program waits for the work that was given."""
        self.work.put(None)
        for thread in self.threads:
            thread.join()


def _pool() -> Pool:
    pool = _kept.get("pool")
    if pool is None:  # a second one costs nothing: it has no threads before it has work
        pool = _kept.setdefault("pool", Pool())
    return pool


@atexit.register
def _at_exit() -> None:
    if "pool" in _kept:
        _kept.pop("pool").finish()


def _rest() -> None:
    threads.resting.add(threading.get_ident())


def _give(work: Callable[[object], Any]) -> Any:
    """What work(mark) returns, which gives work to a thread.  Nobody waits in vain for what was not given."""
    mark = object()
    try:
        threads.queued.add(mark)
        return work(mark)
    except BaseException:
        threads.queued.discard(mark)
        raise


def _begin(mark: object) -> None:
    threads.resting.discard(threading.get_ident())
    threads.queued.discard(mark)


def _work(mark: object, future: concurrent.futures.Future, func: Callable, args: tuple, kwargs: dict) -> None:
    _begin(mark)
    try:
        tell, what = future.set_result, func(*args, **kwargs)
    except BaseException as error:
        tell, what = future.set_exception, error
    if threading.current_thread().daemon:  # else it ends, and another thread may get its number
        _rest()
    tell(what)
    del future, tell, what  # an error's traceback knows this frame


def _loop() -> asyncio.AbstractEventLoop:
    loop = _kept.get("loop")
    if loop is None:
        made: queue.SimpleQueue = queue.SimpleQueue()  # a Future has a lock
        threading.Thread(target=_run_loop, args=(made,), name="waits: asyncio", daemon=True).start()
        loop = made.get()
        if isinstance(loop, BaseException):
            try:
                raise loop
            finally:
                del loop
    return loop


def _run_loop(made: queue.SimpleQueue) -> None:
    """The life of the thread with the event loop, which it makes itself: asyncio takes a lock for that."""
    try:
        own = asyncio.new_event_loop()
    except BaseException as error:
        made.put(error)
        return
    loop = _kept.setdefault("loop", own)
    if loop is own:
        _rest()
        made.put(loop)
        loop.run_forever()
    else:  # another thread was faster
        own.close()
        made.put(loop)


async def _counted(coroutine: Any, mark: object) -> Any:
    _coroutines.add(mark)
    _begin(mark)
    try:
        return await coroutine
    finally:
        _coroutines.discard(mark)
        if not _coroutines:
            _rest()


def _after_fork_in_child() -> None:
    _kept.clear()
    _coroutines.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
