"""Random programs on tasklets, channels and select: programs.py SEED runs one and prints what it did.

Richer than the recorded ones of tests/golden: select with cases of both directions, reused lists, kills and throws at
whatever waits, pending ones, closing, nested run(), preferences, error handler, block_trap.  A program is drawn from
its seed alone and depends on neither hashes nor addresses, so its output is the same wherever it runs.
At its end it says whether the world is in order: every value that was sent arrived once or was taken back.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import stackless
from select_proto import DEFAULT

OPERATIONS = (
    ["send"] * 4
    + ["receive"] * 4
    + ["select"] * 10
    + ["reselect"] * 3
    + ["schedule"] * 4
    + ["kill", "pending kill", "throw", "pending throw", "run", "switch", "insert", "remove", "pause", "spawn"]
    + ["close", "open", "preference", "all", "nested run", "trap", "exception", "sequence", "iterate", "fail", "forget"]
)
MOST_TASKLETS = 14
MOST_STEPS = 300


class E(Exception):
    """What the programs throw."""


class Exhausted(BaseException):
    """The program has had its number of steps."""


class World:
    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.steps = 0
        self.values = 0
        self.sent: dict[
            str, str
        ] = {}  # value -> what its sender knows: "offered", "passed", "interrupted", "taken back"
        self.rivals: list[
            set[str]
        ] = []  # the values of one select that was interrupted: one of them at most has passed
        self.received: list[str] = []
        self.problems: list[str] = []
        self.tasklets: list[Any] = []
        self.channels = [stackless.channel() for _ in range(self.draw.randint(1, 4))]
        for ch in self.channels:
            ch.preference = self.draw.randint(-1, 1)
            ch.schedule_all = int(self.draw.random() < 0.15)
        self.trapped = self.draw.random() < 0.1

    def say(self, *words: object) -> None:
        print(*words)

    # -- values ------------------------------------------------------------------------------------------------------

    def new_value(self) -> str:
        self.values += 1
        value = f"v{self.values}"
        self.sent[value] = "offered"
        return value

    def arrived(self, value: Any) -> None:
        if isinstance(value, str) and value in self.sent:
            self.received.append(value)

    def gone(self, value: str, how: str) -> None:
        self.sent[value] = how

    # -- operations --------------------------------------------------------------------------------------------------

    def cases(self) -> list[Any]:
        result = []
        for _ in range(self.draw.choice((1, 2, 2, 3, 3, 4, 6))):
            ch = self.draw.choice(self.channels)
            result.append(ch.receiveCase() if self.draw.random() < 0.5 else ch.sendCase(None))
        return result

    def select(self, cases: list[Any]) -> str:
        for c in cases:
            if c.direction > 0:  # a reused case offers a new value each time
                c.value = self.new_value()
        offered = {id(c): c.value for c in cases if c.direction > 0}
        try:
            chosen = self.decide(cases)
        except BaseException:
            for value in offered.values():
                self.gone(value, "interrupted")
            self.rivals.append(set(offered.values()))
            raise
        for c in cases:
            if c is chosen:
                continue
            if chosen is not DEFAULT and c.ok is not None:
                self.problems.append(f"a loser is {c.ok}")
            if c.direction > 0:
                self.gone(c.value, "taken back")
            elif c.value is not None:
                self.problems.append(f"a loser has value {c.value}")
        if chosen is DEFAULT:
            return "default"
        if chosen.direction > 0:
            self.gone(chosen.value, "passed")
        else:
            self.arrived(chosen.value)
        return f"{chosen.index} of {len(cases)}: {chosen!r}"

    def decide(self, cases: list[Any]) -> Any:
        """One of the ways to select."""
        how = self.draw.random()
        if how < 0.1:
            return stackless.pri_select(cases)
        if how < 0.2:
            return stackless.select(tuple(cases), default=True)
        if how < 0.3:
            return stackless.select([None, *cases, stackless.channel().receiveCase().when(False)])
        if how > 0.9:
            for c in cases:
                c.callback = lambda value: self.steps
            try:
                stackless.select(cases)
            finally:
                for c in cases:
                    c.callback = None
            return next(c for c in cases if c.ok is not None)
        return stackless.select(cases)

    def send(self, ch: Any) -> None:
        value = self.new_value()
        try:
            ch.send(value)
        except BaseException:  # perhaps after it has passed, but before the sender went on
            self.gone(value, "interrupted")
            raise
        self.gone(value, "passed")

    def receive(self, ch: Any) -> Any:
        value = ch.receive()
        self.arrived(value)
        return value

    def spawn(self) -> Any:
        if len(self.tasklets) >= MOST_TASKLETS:
            return None
        t = stackless.tasklet(self.body)
        t.label = f"T{len(self.tasklets)}"
        self.tasklets.append(t)
        return t(t.label, self.draw.randint(2, 9))

    def perform(self, who: str, operation: str, own: list[Any]) -> Any:
        ch = self.draw.choice(self.channels)
        t = self.draw.choice(self.tasklets)
        match operation:
            case "send":
                return self.send(ch)
            case "receive":
                return self.receive(ch)
            case "select":
                own[:] = self.cases()
                return self.select(own)
            case "reselect":
                if not own:
                    own[:] = self.cases()
                elif self.draw.random() < 0.3:
                    own.pop()
                self.draw.shuffle(own)
                return self.select(own) if own else None
            case "schedule":
                return stackless.schedule(None)
            case "kill":
                return t.kill()
            case "pending kill":
                return t.kill(pending=True)
            case "throw":
                return t.throw(E, f"from {who}")
            case "pending throw":
                return t.throw(E, f"pending from {who}", pending=True)
            case "run":
                return t.run()
            case "switch":
                return t.switch()
            case "insert":
                return t.insert()
            case "remove":
                return t.remove()
            case "pause":
                return stackless.schedule_remove(None)
            case "spawn":
                return self.spawn()
            case "close":
                return ch.close()
            case "open":
                return ch.open()
            case "preference":
                ch.preference = self.draw.randint(-1, 1)
                return ch.preference
            case "all":
                ch.schedule_all = self.draw.random() < 0.3
                return ch.schedule_all
            case "nested run":
                return stackless.run()
            case "trap":
                stackless.getcurrent().block_trap = self.trapped and self.draw.random() < 0.5
                return None
            case "exception":
                return ch.send_exception(E, f"sent by {who}")
            case "sequence":
                return ch.send_sequence([])
            case "iterate":
                for value in ch:
                    self.arrived(value)
                    return value
                return "end"
            case "fail":
                raise KeyError(who)
            case "forget":
                own.clear()
                return None

    def state(self) -> str:
        def letter(t: Any) -> str:
            if not t.alive:
                return "d"
            return "b" if t.blocked else "s" if t.scheduled else "p"

        channels = " ".join(f"{ch.balance}{'' if ch.queue is None else ch.queue.label}" for ch in self.channels)
        return f"[{channels} {''.join(map(letter, self.tasklets))} {stackless.getruncount()}]"

    def step(self, who: str, own: list[Any]) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Exhausted
        operation = self.draw.choice(OPERATIONS)
        self.say(who, operation)
        try:
            result = self.perform(who, operation, own)
        except Exception as error:
            self.say(who, operation, "raised", type(error).__name__, error, self.state())
            if operation == "fail" and isinstance(error, KeyError):
                raise
        else:
            self.say(who, operation, "->", result if not hasattr(result, "alive") else result.label, self.state())

    def body(self, who: str, steps: int) -> None:
        own: list[Any] = []
        try:
            for _ in range(steps):
                self.step(who, own)
        except stackless.TaskletExit:
            self.say(who, "killed", self.state())
            raise
        finally:
            if self.draw.random() < 0.2:
                self.say(who, "finally")
                stackless.schedule(None)
            self.say(who, "ends")

    # -- the whole ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        if self.draw.random() < 0.1:
            stackless.set_error_handler(lambda kind, value, tb: self.say("handler", kind.__name__, value))
        for _ in range(self.draw.randint(2, 7)):
            self.spawn()
        own: list[Any] = []
        try:
            for _ in range(self.draw.randint(1, 12)):
                try:
                    self.step("M", own)
                except (KeyError, stackless.TaskletExit) as error:
                    self.say("M got", type(error).__name__)
            for _ in range(6):
                try:
                    stackless.run()
                except (Exception, stackless.TaskletExit) as error:
                    self.say("M run raised", type(error).__name__, error)
        except Exhausted:
            self.say("exhausted")
        self.settle()

    def settle(self) -> None:
        """Kill everything, then look whether the world is in order."""
        main = stackless.getmain()
        self.steps = -(10**6)
        main.block_trap = False
        stackless.set_error_handler(None)
        for _ in range(30):
            for t in self.tasklets:
                try:
                    t.kill()
                except (Exception, Exhausted, stackless.TaskletExit) as error:
                    self.say("settling", type(error).__name__, error)
            if not any(t.alive for t in self.tasklets):
                break
        check = self.problems.append
        if stackless.getcurrent() is not main:
            check("main is not current")
        if stackless.getruncount() != 1 or main.next is not main:
            check(f"run count {stackless.getruncount()}")
        for t in self.tasklets:
            if t.alive or t.scheduled or t.blocked or t.paused:
                check(f"{t!r} is left")
        for ch in self.channels:
            if ch.balance or ch.queue is not None or len(ch._senders) or len(ch._receivers):
                check(f"{ch!r} has waiters")
        if len(set(self.received)) != len(self.received):
            check(f"received twice: {sorted(v for v in set(self.received) if self.received.count(v) > 1)}")
        for value in self.received:
            if self.sent[value] == "taken back":
                check(f"{value} was received, and its sender thinks that it was not")
        for values in self.rivals:
            if len(values & set(self.received)) > 1:
                check(f"more than one case of a select happened: {sorted(values & set(self.received))}")
        self.say("values:", len(self.sent), "received:", len(self.received))
        print("in order" if not self.problems else f"PROBLEMS {self.problems}")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        first, _, last = argument.partition("-")
        for seed in range(int(first), int(last or first) + 1):
            print("program", seed)
            World(seed).run()
