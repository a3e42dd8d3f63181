"""Acquaints the fused core in C (native/core.h) with what it needs of the Python side: once, when all layers are there."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import channel, contexts, forgotten, hooks, sched, tasklet
from .bomb import bomb
from .waitq import WaitQueue
from .watch import watch

if TYPE_CHECKING:
    from .sched import Scheduler


def _collect(owner: Scheduler, task: tasklet.tasklet) -> None:
    if not sys.is_finalizing():
        forgotten.collect(owner, task)


def fuse(schedule: Callable, run: Callable, getcurrent: Callable) -> tuple[Callable, Callable, Callable]:
    """Make the core work.  Returns the functions' twins in C, or those given when the hook `sched` is not fused."""
    if not hooks.FUSED:
        return schedule, run, getcurrent
    core, twin = hooks._chanlab, tasklet.PyTasklet
    core.core_knows(
        watch=watch,
        bomb=bomb,
        TaskletExit=sched.TaskletExit,
        channel_numbers=channel._numbers,
        threading=vars(threading),
        new_context=contexts.current,
        new_sched=lambda: sched.here.sched,
        reap=forgotten.reap,
        collect=_collect,
        WaitQueue=WaitQueue,
        send=channel.PyChannel.send,
        receive=channel.PyChannel.receive,
        __next__=channel.PyChannel.__next__,
        receiveCase=channel.PyChannel.receiveCase,
        sendCase=channel.PyChannel.sendCase,
        schedule=schedule,
        run_all=run,
        getcurrent=getcurrent,
        run=sched.PyScheduler.run,
        __init__=twin.__init__,
        setup=twin.setup,
    )
    forgotten.watch_collector(core.around_collection)
    if "spawn" in hooks.FUSED:
        core.quick_tasklets()
    if "sched" not in hooks.FUSED:
        return schedule, run, getcurrent
    return core.schedule, core.run, core.current_tasklet
