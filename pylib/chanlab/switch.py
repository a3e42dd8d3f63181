"""Changing from one tasklet's stack to another's: the `python` twin of the switch hook, on greenlet.

    main's greenlet                       the thread's own
      '-- hub                             parked in _hub(); parent of every tasklet's greenlet
            |-- tasklet's greenlet
            |-- tasklet's greenlet ...

A greenlet starts on top of its starter's C stack and inherits its recursion depth, so a chain of tasklets that start
each other would run out of both.  Therefore only the hub starts greenlets, from a stack that is as shallow as the
first use of tasklets in the thread: whoever wants to switch to a fresh tasklet asks the hub.  A tasklet that ends
falls back into the hub as well, which goes on with whom the scheduler has chosen.
"""

from __future__ import annotations

import greenlet as _greenlet

getcurrent = _greenlet.getcurrent
_new = _greenlet.greenlet


def prepare(sched) -> None:
    """Give this thread's new scheduler its main greenlet, which is the thread's own, and its hub."""
    caller = main = getcurrent()  # in a greenlet of the user's, maybe
    while main.parent is not None:
        main = main.parent
    sched.main._greenlet = main
    sched.hub = _new(_hub, main)
    sched.hub.switch(sched, caller)


def finish(sched) -> None:
    """The thread ends: let go of the hub, whose frame holds the scheduler."""
    sched.hub.throw(_greenlet.GreenletExit)
    sched.hub = None


def _hub(sched, caller) -> None:
    try:
        caller.switch()  # parked, ready to start the first tasklet
    except _greenlet.GreenletExit:
        raise
    except BaseException as error:  # an interrupt strikes as soon as the hub resumes
        sched.crashed(error)
    del caller
    while True:
        try:
            while True:
                sched.next_greenlet.switch()
        except _greenlet.GreenletExit:  # the thread is over
            raise
        except BaseException as error:
            sched.crashed(error)


def switch_to_head(sched) -> None:
    """Park the stack that runs and go on with that of the ring's head, which becomes current.

    Returns when somebody switches back.  Neither this frame nor its callers may hold a reference to a tasklet
    meanwhile, or nobody could forget it.
    """
    mine = sched.current._greenlet
    target = sched.runq.head
    to = target._greenlet
    if not to:  # not started yet
        _prepare_start(sched, target)
        to = sched.hub
    sched.exit()
    # No call from here to the switch: CPython handles signals at calls, and an interrupt must not come between.
    sched.current = target
    del target
    try:
        to.switch()
        while sched.current._greenlet is not mine:
            # Not a switch of ours: a greenlet of the user's was made on this stack and has ended on another tasklet's.
            sched.current._greenlet.throw(
                RuntimeError("a greenlet has ended that another tasklet had made: it would go on with that tasklet")
            )
    except _greenlet.GreenletExit:
        raise
    except BaseException:
        _come_back(sched)
        raise


def _come_back(sched) -> None:
    """Instead of the other stack there was an error: no depth left for the switch, or an interrupt.

    An interrupt may have struck just after the tasklet has resumed, or in the hub, which has then ended and given the
    error to main.
    """
    lost = sched.current
    here = getcurrent()
    if sched.hub.dead:
        sched.hub = _new(_hub, sched.main._greenlet)
        sched.hub.switch(sched, here)
    sched.current = sched.owner_of(here)
    sched.current.tempval = None
    if lost is not sched.current and lost._greenlet is not None and lost._greenlet.dead:
        sched.forget(lost)


def finish_into_current(sched) -> None:
    """Let the hub go on with `sched.current`, fresh or not, as soon as it has the processor."""
    if sched.current._greenlet:
        sched.next_greenlet = sched.current._greenlet
    else:
        _prepare_start(sched, sched.current)


def _prepare_start(sched, target) -> None:
    if target._greenlet is None:
        target._greenlet = _new(sched.life, sched.hub)
    sched.next_greenlet = target._greenlet


def refuse(sched) -> None:
    """RuntimeError: the caller runs in a greenlet of its own making inside a tasklet, which cannot be parked."""
    raise RuntimeError(
        f"{sched.current.label} cannot switch to another tasklet from inside a greenlet of its own: "
        "let that greenlet finish or switch back first"
    )
