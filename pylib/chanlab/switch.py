"""Changing from one tasklet's stack to another's: on greenlet, or with private stacks (native/fiber.c).

    main's greenlet                       the thread's own
      '-- hub                             parked in _hub(); parent of every tasklet's greenlet
            |-- tasklet's greenlet
            |-- tasklet's greenlet ...

A greenlet starts on top of its starter's C stack and inherits its recursion depth, so a chain of tasklets that start
each other would run out of both.  Therefore only the hub starts greenlets, from a stack that is as shallow as the
first use of tasklets in the thread: whoever wants to switch to a fresh tasklet asks the hub.  A tasklet that ends
falls back into the hub as well, which goes on with whom the scheduler has chosen.

In C (native/fiber.c) a Fiber stands for such a stack: a greenlet still, in the `greenlet` variant of the hook; or, in the
`private` variant, a C stack of the tasklet's own, which may be started from anywhere, so that the hub is only what a
tasklet that ends falls back into.
"""

from __future__ import annotations

import types
from typing import Any

import greenlet as _greenlet

from . import hooks
from . import sched as core  # its names are looked up when they are needed: it imports this module
from .stack import Stack, for_start

FIBERS = "switch" in hooks.NATIVE
if FIBERS:
    _chanlab = hooks._chanlab
    _chanlab.use_greenlet(_greenlet.getcurrent)
    if "switch:private" in hooks.NATIVE:
        _chanlab.guard_greenlets(_greenlet.greenlet, _greenlet.GreenletExit, _greenlet.getcurrent)
    else:
        _chanlab.run_on_greenlets()
    getcurrent = _chanlab.getcurrent
    _new = _chanlab.Fiber
    _switch_next = _chanlab.switch_next
else:
    getcurrent = _greenlet.getcurrent
    _new = _greenlet.greenlet


def prepare(sched) -> None:
    """Give this thread's new scheduler its main greenlet, which is the thread's own, and its hub."""
    if FIBERS:
        caller = main = sched.main._stack = _chanlab.thread_begins()
    else:
        caller = main = getcurrent()  # in a greenlet of the user's, maybe
        while main.parent is not None:
            main = main.parent
        sched.main._stack = Stack()
    sched.main._greenlet = main
    sched.main._stack.park()
    _start_hub(sched, main, caller)
    sched.main._stack.resume()


def finish(sched) -> None:
    """The thread ends: let go of the hub, whose frame holds the scheduler."""
    if sched.hub:
        sched.hub.throw(_greenlet.GreenletExit)
    sched.hub = sched.bottoms = None
    if FIBERS:
        _chanlab.thread_ends()


def _start_hub(sched, main, caller) -> Any:
    """Make the hub, whose first switch is back to `caller`.  Returns it.

    An interrupt may strike as it begins.  Then it has ended, main has been told, and `caller` goes on when somebody
    switches to it: None.

    It gets no arguments, and what greenlets run is kept in sched.bottoms: should the thread be a daemon's and be ended
    by the interpreter's end, greenlet would release them without the interpreter's lock, and must not be the last.
    """
    sched.next_greenlet = caller
    sched.bottoms = (types.MethodType(_hub, sched), sched.life)
    hub = sched.hub = _new(sched.bottoms[0], main)
    hub.switch()
    return hub if hub and hub is sched.hub else None


def _living_hub(sched) -> Any:
    """The hub: another one when that has ended, as an interrupt struck just when it had dealt with one.

    None when that one has ended, too: then the caller has been left, and goes on now.
    """
    if sched.hub:
        return sched.hub
    return _start_hub(sched, sched.main._greenlet, getcurrent())


#: So often in a row may what is done about an error in the hub be interrupted by another one.
MOST_CRASHES = 10


def _hub(sched) -> None:
    crash, again = None, 0
    while True:
        try:
            if crash is not None:
                sched.crashed(crash)  # which may be interrupted, too: then once more
                crash, again = None, 0
            while True:
                if FIBERS:
                    _switch_next(sched)
                else:
                    sched.next_greenlet.switch()
        except _greenlet.GreenletExit:  # the thread is over
            return
        except BaseException as error:
            if again == MOST_CRASHES:
                raise  # it is not interrupted but fails: the hub's parent is told, see come_back()
            crash, again = error, again + 1


def switch_to_head(sched) -> None:
    """Park the stack that runs and go on with that of the ring's head, which becomes current.

    Returns when somebody switches back.  Neither this frame nor its callers may hold a reference to a tasklet
    meanwhile, or nobody could forget it.
    """
    mine = sched.current._greenlet
    try:
        sched.current._stack.park()  # an interrupt may come right after it
        target = sched.runq.head
        to = sched.next_greenlet = target._greenlet
        if not to:  # not started yet
            to = _prepare_start(sched, target)
        if to is not None:
            # No call from here to the switch: CPython handles signals at calls, and an interrupt must not come between.
            sched.current = target
            del target
            if FIBERS:
                del to  # the collector takes what a parked frame refers to in a call for referred to from outside
                _switch_next(sched)
            else:
                to.switch()
        while sched.current._greenlet is not mine:
            # Not a switch of ours: a greenlet of the user's was made on this stack and has ended on another tasklet's.
            sched.current._greenlet.throw(
                RuntimeError("a greenlet has ended that another tasklet had made: it would go on with that tasklet")
            )
        sched.current._stack.resume()
    except _greenlet.GreenletExit:
        raise
    except BaseException:
        sched.busy = True  # its operation is not over, although that of whom it comes back from may be
        come_back(sched)
        raise


def come_back(sched) -> None:
    """The tasklet whose stack runs has left it for another one, and is back with an error: then it is current again.
    The rest is up to recover(), which comes next.

    No depth was left for the switch; or an interrupt has struck just after the tasklet has resumed; or in the hub, or at
    the end of another tasklet, which then has given the error to main: see _living_hub().
    """
    lost, me = sched.current, sched.owner_of(getcurrent())
    if me is None:
        return
    if me is not lost:
        if lost._greenlet is not None and lost._greenlet.dead:
            sched.forget(lost)
            failed, sched.failed = sched.failed, None
            if failed is not None:  # it could not tell anybody
                core.unraisable(failed.value, lost)
        sched.current = me  # last: if this is interrupted, recover() does it all again
    me._stack.resume()


def finish_into_current(sched) -> None:
    """Let the hub go on with `sched.current`, fresh or not, as soon as it has the processor: when the caller is over."""
    caller, hub = getcurrent(), _living_hub(sched)
    if caller is not hub and caller.parent is not hub:  # it has begun under one that has ended
        caller.parent = hub
    if sched.current._greenlet:
        sched.next_greenlet = sched.current._greenlet
    else:
        _prepare_start(sched, sched.current)


def _prepare_start(sched, target) -> Any:
    """Give a fresh tasklet its stack.  Returns the hub, which will start it; or None, as _living_hub()."""
    hub = _living_hub(sched)
    if hub is None:
        return None
    if target._stack is None:
        target._stack = for_start()
    if target._greenlet is None:
        if FIBERS:  # it stands for both
            stack = target._stack
            stack.prepare(sched.bottoms[1], hub)
        else:
            stack = _new(sched.bottoms[1], hub)
        stack.gr_context = target._context
        target._greenlet = stack
    sched.next_greenlet = target._greenlet
    return hub


def refuse(sched) -> None:
    """RuntimeError: the caller runs in a greenlet of its own making inside a tasklet, which cannot be parked."""
    raise RuntimeError(
        f"{sched.current.label} cannot switch to another tasklet from inside a greenlet of its own: "
        "let that greenlet finish or switch back first"
    )
