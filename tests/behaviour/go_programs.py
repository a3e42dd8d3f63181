"""Random programs on Go's channels, time, and all that select takes: go_programs.py SEED runs one, as programs.py does.

To what programs.py does they add Go channels (with and without a buffer, nil) beside Stackless ones in the same select,
receive_ok() and iteration, None and arrays among the cases, guards, late values, callbacks that raise or give way,
defaults, timeouts, sets of cases that are kept (Selector) and shared, sleep(), after() and tick().

Time is virtual: it stands still while tasklets run, unless one of them works, and when all wait it is the next timer's
time at once.  So no run waits, and the order of what happens depends on the seed alone.
"""

from __future__ import annotations

import math
import sys
import weakref
from typing import Any

import gochan
import stackless
from chanlab import clock, threads
from chanlab.sched import here
from gochan import after, chan, nil, tick
from programs import OPERATIONS, E, World, main
from select_proto import DEFAULT, TIMEOUT, Selector, late, pri_select, select

GO_OPERATIONS = [
    *OPERATIONS,
    *(["send"] * 8 + ["receive"] * 6 + ["select"] * 10 + ["reselect"] * 4 + ["use selector"] * 6 + ["renew"] * 3),
    *("receive ok", "receive ok", "iterate", "exception", "sequence", "spawn"),
    *("selector", "selector", "share selector", "share selector"),
]
TIMED_OPERATIONS = [*GO_OPERATIONS, *(["sleep"] * 6 + ["after"] * 3 + ["tick", "tick", "work", "work"])]
MOST_TIMERS = 4
#: Few and simple, so that often several timers are due at the same instant.
TIMES = [0, 0.25, 0.5, 0.5, 1, 1, 1, 2, 3]


class VirtualTime:
    """Stands for the module `time` where chanlab asks it what time it is, and for the wait in which all are idle."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    time = monotonic

    def rest(self, sched: Any, until: float) -> tuple:
        """Instead of threads._rest(): nothing but timers wakes anybody here."""
        if until < math.inf and sched.clock.awaited():
            self.now = max(self.now, until)
        return ()

    def install(self) -> None:
        clock.monotonic = self.monotonic
        threads.time = gochan.time = self
        threads._rest = self.rest


class Computed:
    """What late() is given: a value that exists only when its case has been chosen."""

    def __init__(self, world: GoWorld, how: str) -> None:
        self.world = world
        self.how = how
        self.value: str | None = None
        self.calls = 0

    def __repr__(self) -> str:
        return f"computes {self.how}"

    def __call__(self) -> str:
        self.calls += 1
        if self.calls > 1:
            self.world.problems.append("a late value was computed twice")
        if self.how == "error":
            raise E("late")
        # Not with a channel callback: an operation that is refused calls it before, and the value of the one in whose
        # middle it is gets lost.
        if self.how == "nonsense" and stackless.get_channel_callback() is None:
            self.world.channels[0].send("in the middle of an operation")
        self.value = self.world.new_value()
        return self.value


class GoWorld(World):
    steps_of_a_tasklet = (5, 40)
    tasklets_at_first = (3, 9)
    steps_of_main_between_runs = 6

    def __init__(self, seed: int) -> None:
        self.retired: list[Any] = []
        self.timers: list[Any] = []
        self.every_timer: list[weakref.ref] = []
        self.selectors: dict[str, tuple[Selector, list[Any]]] = {}
        self.using: set[int] = set()  # the ids of the selectors that somebody is selecting on
        self.time = VirtualTime()
        super().__init__(seed)
        if self.draw.random() < 0.2:
            self.channels.append(nil)
        # Without a clock the core in C takes other ways than with one.
        self.timed = self.draw.random() < 0.7
        self.operations = TIMED_OPERATIONS if self.timed else GO_OPERATIONS

    def new_channel(self) -> Any:
        kind = self.draw.choice(("stackless", "unbuffered", "buffered", "buffered"))
        if kind == "stackless":
            return super().new_channel()
        ch = self.labelled(chan(0 if kind == "unbuffered" else self.draw.randint(1, 3)), "g")
        if self.draw.random() < 0.7:
            ch.preference = 0
            ch.schedule_all = 0
        return ch

    def pick(self, direction: int) -> Any:
        if self.timers and self.draw.random() < (0.15 if direction < 0 else 0.01):
            return self.draw.choice(self.timers)
        return super().pick(direction)

    # -- select ------------------------------------------------------------------------------------------------------

    def offer(self) -> Any:
        if self.draw.random() < 0.8:
            return self.new_value()
        return late(Computed(self, self.draw.choice(("value", "value", "value", "error", "nonsense"))))

    def offered(self, value: Any) -> str | None:
        return value.compute.value if type(value) is late else value

    def guard(self, may_wait: bool) -> Any:
        """A guard; one that lets others run only for cases that nobody else has."""
        draw = self.draw
        chance = draw.random()
        if chance < 0.7:
            return True
        if chance < 0.8:
            return draw.choice((False, 0, "", None))
        if chance < 0.85:
            return draw.choice((1, "yes", [0]))
        holds = draw.random() < 0.7

        def judge() -> bool:
            self.say("guard", holds)
            if chance > 0.98:
                raise E("guard")
            if chance > 0.95 and may_wait:
                stackless.schedule(None)
            return holds

        return judge

    def callback(self, c: Any) -> Any:
        chance = self.draw.random()

        def call(value: Any) -> tuple:
            if c.direction < 0:
                self.arrived(value)
            self.say("callback", value)
            if chance < 0.1:
                raise E("callback")
            if chance < 0.3:
                stackless.schedule(None)
            return "called", value

        if c.direction > 0 and chance > 0.7:
            return lambda: call(None)
        return call

    def arranged(self, cases: list[Any]) -> list[Any]:
        """The cases with None among them, and some of them in arrays."""
        draw, given = self.draw, []
        rest = list(cases)
        while rest:
            chance = draw.random()
            if chance < 0.1:
                given.append(None)
            elif chance < 0.25:
                length = draw.randint(0, 3)
                array = rest[:length]
                del rest[:length]
                if draw.random() < 0.2:
                    array.insert(draw.randint(0, len(array)), None)
                given.append(tuple(array) if draw.random() < 0.5 else array)
            else:
                given.append(rest.pop(0))
        return given

    def wish(self) -> dict[str, Any]:
        chance = self.draw.random()
        if chance < 0.2:
            return {"default": True}
        if self.timed and chance < 0.5:
            return {"timeout": self.draw.choice([*TIMES, -1, math.inf])}
        return {}

    def decide(self, cases: list[Any]) -> Any:
        given = self.arranged(cases)
        self.prepare(cases, may_wait=True)
        function = pri_select if self.draw.random() < 0.2 else select
        if self.draw.random() < 0.2:
            given = tuple(given)
        return self.winner(cases, given, function(given, **self.wish()))

    def prepare(self, cases: list[Any], may_wait: bool) -> None:
        called = self.draw.random() < 0.2
        for c in cases:
            c.guard = self.guard(may_wait)
            c.callback = self.callback(c) if called and self.draw.random() < 0.6 else None

    def winner(self, cases: list[Any], given: Any, result: Any) -> Any:
        """The case that has happened, DEFAULT or TIMEOUT."""
        marked = [c for c in cases if c.ok is not None]
        check = self.problems.append
        if result is DEFAULT or result is TIMEOUT:
            if marked:
                check(f"{result} and {marked}")
            return result
        if len(marked) != 1:
            check(f"marked are {marked}")
        chosen = marked[0]
        if chosen.callback is None and result is not chosen:
            check(f"{result} instead of {chosen}")
        if chosen.callback is not None and result[0] != "called":
            check(f"{result} from a callback")
        place = given[chosen.index]
        if (place if chosen.element is None else place[chosen.element]) is not chosen:
            check(f"{chosen} is not at {chosen.index}, {chosen.element}")
        ended = chosen.direction < 0 and chosen.value is None and chosen.channel._is_go()
        if chosen.ok is ended:
            check(f"{chosen} is {chosen.ok}")
        return chosen

    def new_selector(self, who: str) -> Any:
        given = self.arranged(self.cases())
        selector = Selector(given)
        self.selectors[who] = selector, given
        return repr(selector)

    def use_selector(self, who: str) -> Any:
        if who not in self.selectors:
            return None
        selector, given = self.selectors[who]
        cases = list(selector.cases)
        options = self.wish()
        function = selector.pri_select if self.draw.random() < 0.2 else selector.select
        if id(selector) in self.using:
            # Whoever uses it has been completed or not, but is not through: only a refusal changes nothing for him.
            if any(c._offers is not None for c in cases):
                return function(**options)
            return "in use"
        for c in cases:
            if self.draw.random() < 0.1:
                c.channel = self.draw.choice([None, self.pick(c.direction)])
                if c.direction > 0 and c.channel in self.timers:
                    c.channel = None

        def decide(_cases: list[Any]) -> Any:
            self.prepare(cases, may_wait=False)
            return self.winner(cases, given, function(**options))

        self.using.add(id(selector))
        try:
            return self.select(cases, decide)
        finally:
            self.using.discard(id(selector))

    # -- the rest ----------------------------------------------------------------------------------------------------

    def perform(self, who: str, operation: str, own: list[Any]) -> Any:
        draw = self.draw
        match operation:
            case "receive ok":
                go = [ch for ch in [*self.channels, *self.timers] if ch._is_go()]
                return self.receive(draw.choice(go), "receive_ok") if go else None
            case "selector":
                return self.new_selector(who)
            case "use selector":
                return self.use_selector(who)
            case "share selector":
                return self.use_selector(draw.choice(list(self.selectors))) if self.selectors else None
            case "renew":
                place = draw.randrange(len(self.channels))
                if self.channels[place]._closing:
                    self.retired.append(self.channels[place])
                    self.channels[place] = self.new_channel()
                return self.channels[place].label
            case "sleep":
                return stackless.sleep(draw.choice([*TIMES, -1]) if draw.random() < 0.95 else math.inf)
            case "after":
                return self.new_timer(after(draw.choice([*TIMES, math.inf])))
            case "tick":
                return self.new_timer(tick(draw.choice(TIMES)))
            case "work":
                self.time.now += draw.choice(TIMES)
                return self.time.now
            case "preference" | "all" if nil in self.channels:
                return None  # nil is everybody's, and outlives the program
        return super().perform(who, operation, own)

    def new_timer(self, ch: Any) -> str:
        if ch is not nil:
            self.made += 1
            ch.label = f"timer{self.made}"
            self.every_timer.append(weakref.ref(ch))
            if len(self.timers) < MOST_TIMERS:
                self.timers.append(ch)
            else:
                self.timers[self.draw.randrange(MOST_TIMERS)] = ch
        return ch.label

    def step(self, who: str, own: list[Any]) -> None:
        super().step(who, own)
        self.check_buffers()

    def state_of(self, ch: Any) -> str:
        return super().state_of(ch) + (f"({len(ch)}/{ch.cap})" if ch._is_go() else "")

    def state(self) -> str:
        return f"{super().state()}@{self.time.now}"

    def run(self) -> None:
        self.time.install()
        here.sched.clock = None
        watched = self.draw.random()  # whoever watches keeps the core in C from its fast paths, too
        if watched < 0.1:
            stackless.set_channel_callback(
                lambda ch, t, sends, blocks: self.say("operation", ch.label, t.label, sends, blocks)
            )
        elif watched < 0.2:
            stackless.set_schedule_callback(lambda prev, next_: self.say("switch", prev.label, next_.label))
        super().run()

    def settle(self) -> None:
        stackless.set_channel_callback(None)
        stackless.set_schedule_callback(None)
        super().settle()

    # -- the end -----------------------------------------------------------------------------------------------------

    def everywhere(self) -> list[Any]:
        return [*self.channels, *self.retired, nil, *(ch for ref in self.every_timer if (ch := ref()) is not None)]

    def buffered(self) -> list[str]:
        found = [value for ch in self.everywhere() if isinstance(ch, chan) for value in ch._buffer]
        return [value for value in found if isinstance(value, str)]

    def check(self) -> None:
        super().check()
        own = here.sched.clock
        if own is not None and (own.awaited() or own.inbox or own.promised or own.watched):
            self.problems.append("the clock is awaited")
        if not self.timed and own is not None:
            self.problems.append("there is a clock")
        self.check_buffers()

    def check_buffers(self) -> None:
        """Nobody waits on a Go channel for what is there."""
        for ch in self.everywhere():
            if not ch._is_go():
                continue
            full = len(ch._buffer) - ch._size
            if full > 0 or (full < 0 and len(ch._senders)) or (ch._buffer and len(ch._receivers)):
                self.problems.append(f"{list(ch._buffer)} is in the buffer of {ch!r}")
            if ch._closing and ch.queue is not None:
                self.problems.append(f"somebody waits on {ch!r}")


if __name__ == "__main__":
    main(GoWorld, sys.argv[1:])
