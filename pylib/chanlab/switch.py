"""Changing from one tasklet's stack to another's: the `python` twin of the switch hook, on greenlet.

    main's greenlet                       the greenlet that was there when this thread first used tasklets
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
    """Give this thread's new scheduler its main greenlet and its hub."""
    sched.main._greenlet = getcurrent()
    sched.hub = _new(_hub)
    sched.hub.switch(sched)


def _hub(sched) -> None:
    sched.main._greenlet.switch()  # parked, ready to start the first tasklet
    while True:
        sched.next_greenlet.switch()


def switch_to_current(sched) -> None:
    """Park the stack that runs and go on with that of `sched.current`; return when somebody switches back.

    Neither this frame nor its callers may hold a reference to a tasklet meanwhile, or nobody could forget it.
    """
    to = sched.current._greenlet
    if to is None:
        finish_into_current(sched)
        to = sched.hub
    to.switch()


def finish_into_current(sched) -> None:
    """Let the hub go on with `sched.current`, fresh or not, as soon as it has the processor."""
    target = sched.current
    if target._greenlet is None:
        target._greenlet = _new(sched.life, sched.hub)
    sched.next_greenlet = target._greenlet


def check_place(sched) -> None:
    """RuntimeError when the caller runs in a greenlet of its own making inside a tasklet, which cannot be parked."""
    if getcurrent() is not sched.current._greenlet:
        raise RuntimeError(
            f"{sched.current.label} cannot switch to another tasklet from inside a greenlet of its own: "
            "let that greenlet finish or switch back first"
        )
