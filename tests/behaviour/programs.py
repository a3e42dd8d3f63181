"""Random programs on tasklets, channels and select: programs.py SEED runs one and prints what it did.

Richer than the recorded ones of tests/golden: select with cases of both directions, reused lists, kills and throws at
whatever waits, pending ones, closing, nested run(), preferences, error handler, block_trap.  A program is drawn from
its seed alone and depends on neither hashes nor addresses, so its output is the same wherever it runs.
At its end it says whether the world is in order: every value that was sent arrived once or was taken back.

go_programs.py adds Go's channels, time and the rest of select to this world.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import stackless
from chanlab import rng
from chanlab.sched import here
from select_proto import DEFAULT, TIMEOUT, case

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
    operations = OPERATIONS
    steps_of_a_tasklet = (2, 9)
    tasklets_at_first = (2, 7)
    steps_of_main_between_runs = 0

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        # Every program draws select's choices from a state of its own: then it does alone what it does among others.
        here.sched.rng.state = (rng.SEED + seed) & rng.MASK
        self.steps = 0
        self.values = 0
        self.sent: dict[
            str, str
        ] = {}  # value -> what its sender knows: "offered", "passed", "interrupted", "taken back"
        self.rivals: list[
            set[str]
        ] = []  # the values of one select that was interrupted: one of them at most has passed
        self.received: list[str] = []
        self.lost: set[str] = set()  # values whose receiver was hit before it saw them
        self.doubtful = 0  # how often an error came over main in an operation that may have received a value
        self.problems: list[str] = []
        self.tasklets: list[Any] = []
        self.made = 0
        self.channels = [self.new_channel() for _ in range(self.draw.randint(1, 4))]
        self.trapped = self.draw.random() < 0.1

    def new_channel(self) -> Any:
        return self.labelled(stackless.channel(), "c")

    def labelled(self, ch: Any, letter: str) -> Any:
        self.made += 1
        ch.label = f"{letter}{self.made}"
        ch.preference = self.draw.randint(-1, 1)
        ch.schedule_all = int(self.draw.random() < 0.15)
        return ch

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

    def hit(self, t: Any) -> Any:
        """Something is about to be thrown at t: what it has received and not seen yet is lost with it.  Returns t."""
        found = None if t.blocked else t.tempval
        if isinstance(found, case):  # the one that its select is to return
            found = found.value if found.direction < 0 else None
        if isinstance(found, str) and found in self.sent:
            self.lost.add(found)
        return t

    def interrupted(self) -> None:
        """An operation that may have received a value raises.  Errors of others come over main unannounced."""
        self.doubtful += stackless.getcurrent() is stackless.getmain()

    def offer(self) -> Any:
        """What a case that sends is given."""
        return self.new_value()

    def offered(self, value: Any) -> str | None:
        """The value that passes for what offer() has given, None as long as there is none."""
        return value

    # -- operations --------------------------------------------------------------------------------------------------

    def cases(self) -> list[Any]:
        result = []
        for _ in range(self.draw.choice((1, 2, 2, 3, 3, 4, 6))):
            if self.draw.random() < 0.5:
                result.append(self.pick(-1).receiveCase())
            else:
                result.append(self.pick(1).sendCase(None))
        return result

    def select(self, cases: list[Any], decide: Any = None) -> str:
        for c in cases:
            if c.direction > 0:  # a reused case offers a new value each time
                c.value = self.offer()
        try:
            chosen = (decide or self.decide)(cases)
        except BaseException:
            values = {self.offered(c.value) for c in cases if c.direction > 0} - {None}
            for value in values:
                self.gone(value, "interrupted")
            self.rivals.append(values)
            self.interrupted()
            if sum(c.ok is not None for c in cases) > 1:
                self.problems.append("more than one case is marked")
            raise
        for c in cases:
            if c is chosen:
                continue
            if c.ok is not None:
                self.problems.append(f"a loser is {c.ok}")
            if c.direction > 0:
                if self.offered(c.value) is not None:
                    self.gone(self.offered(c.value), "taken back")
            elif c.value is not None:
                self.problems.append(f"a loser has value {c.value}")
        if chosen is DEFAULT or chosen is TIMEOUT:
            return repr(chosen)
        if chosen.direction > 0:
            if self.offered(chosen.value) is not None:
                self.gone(self.offered(chosen.value), "passed")
        elif chosen.callback is None:  # else that one has seen it
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
                    c.callback = None  # so that select() accounts for the value
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

    def receive(self, ch: Any, how: str = "receive") -> Any:
        try:
            result = getattr(ch, how)()
        except StopIteration:
            return "end"
        except BaseException:
            self.interrupted()
            raise
        self.arrived(result[0] if how == "receive_ok" else result)
        return result

    def pick(self, direction: int) -> Any:
        """A channel to do something with in that direction."""
        return self.draw.choice(self.channels)

    def send_sequence(self, ch: Any) -> int:
        values = [self.new_value() for _ in range(self.draw.randint(0, 3))]
        for value in values:
            self.gone(value, "interrupted")
        count = ch.send_sequence(values)
        for value in values:
            self.gone(value, "passed")
        return count

    def spawn(self) -> Any:
        if len(self.tasklets) >= MOST_TASKLETS:
            return None
        t = stackless.tasklet(self.body)
        t.label = f"T{len(self.tasklets)}"
        self.tasklets.append(t)
        return t(t.label, self.draw.randint(*self.steps_of_a_tasklet))

    def perform(self, who: str, operation: str, own: list[Any]) -> Any:
        ch = self.pick(-1 if operation in ("receive", "iterate") else 1)
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
                return self.hit(t).kill()
            case "pending kill":
                return self.hit(t).kill(pending=True)
            case "throw":
                return self.hit(t).throw(E, f"from {who}")
            case "pending throw":
                return self.hit(t).throw(E, f"pending from {who}", pending=True)
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
                return self.send_sequence(ch)
            case "iterate":
                return self.receive(ch, "__next__")
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

        channels = " ".join(map(self.state_of, self.channels))
        return f"[{channels} {''.join(map(letter, self.tasklets))} {stackless.getruncount()}]"

    def state_of(self, ch: Any) -> str:
        return f"{ch.balance}{'' if ch.queue is None else ch.queue.label}"

    def step(self, who: str, own: list[Any]) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Exhausted
        operation = self.draw.choice(self.operations)
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
        for _ in range(self.draw.randint(*self.tasklets_at_first)):
            self.spawn()
        own: list[Any] = []
        try:
            self.main_steps(self.draw.randint(1, 12), own)
            for _ in range(6):
                try:
                    stackless.run()
                except (Exception, stackless.TaskletExit) as error:
                    self.say("M run raised", type(error).__name__, error)
                self.main_steps(self.steps_of_main_between_runs, own)
        except Exhausted:
            self.say("exhausted")
        self.settle()

    def main_steps(self, count: int, own: list[Any]) -> None:
        for _ in range(count):
            try:
                self.step("M", own)
            except (KeyError, stackless.TaskletExit) as error:
                self.say("M got", type(error).__name__)

    def settle(self) -> None:
        """Kill everything, then look whether the world is in order."""
        main = stackless.getmain()
        self.steps = -(10**6)
        main.block_trap = False
        stackless.set_error_handler(None)
        for _ in range(30):
            for t in self.tasklets:
                try:
                    self.hit(t).kill()
                except (Exception, Exhausted, stackless.TaskletExit) as error:
                    self.say("settling", type(error).__name__, error)
            if not any(t.alive for t in self.tasklets):
                break
        self.check()
        self.say("values:", len(self.sent), "received:", len(self.received))
        print("in order" if not self.problems else f"PROBLEMS {self.problems}")

    def everywhere(self) -> list[Any]:
        """All channels that were ever used."""
        return self.channels

    def buffered(self) -> list[str]:
        """The values that were sent, and wait for a receiver."""
        return []

    def check(self) -> None:
        main = stackless.getmain()
        check = self.problems.append
        if stackless.getcurrent() is not main:
            check("main is not current")
        if stackless.getruncount() != 1 or main.next is not main:
            check(f"run count {stackless.getruncount()}")
        for t in self.tasklets:
            if t.alive or t.scheduled or t.blocked or t.paused:
                check(f"{t!r} is left")
        for ch in self.everywhere():
            if ch.balance or ch.queue is not None or len(ch._senders) or len(ch._receivers):
                check(f"{ch!r} has waiters")
        arrived = self.received + self.buffered()
        if len(set(arrived)) != len(arrived):
            check(f"twice there: {sorted(v for v in set(arrived) if arrived.count(v) > 1)}")
        for value in arrived:
            if self.sent[value] == "taken back":
                check(f"{value} was received, and its sender thinks that it was not")
        for values in self.rivals:
            if len(values & set(arrived)) > 1:
                check(f"more than one case of a select happened: {sorted(values & set(arrived))}")
        missing = {v for v, how in self.sent.items() if how == "passed"} - set(arrived) - self.lost
        if len(missing) > self.doubtful:
            check(f"nobody has received {sorted(missing)}")


def main(world: type[World], arguments: list[str]) -> None:
    """Run the programs SEED or FIRST-LAST."""
    for argument in arguments:
        first, _, last = argument.partition("-")
        for seed in range(int(first), int(last or first) + 1):
            print("program", seed)
            world(seed).run()


if __name__ == "__main__":
    main(World, sys.argv[1:])
