"""Replays one recorded program: replay.py SEED PROFILE prints its log, with --program the program itself.

A program is a list of operations for each of a few tasklets and for main, drawn by a generator of its own, so that it
is the same on every Python.  The log has a line before (`>`) and after each operation (`<` result, `!` exception),
each of the latter with the state of the world; `{` and `}` are the beginning and end of a tasklet.  Both the
generator and the format are those of the recorded logs beside this file and must not change.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from typing import Any

import stackless
from stackless import TaskletExit

CORE = "send recv recv send sched sched spawn run switch"
ERRORS = "insert remove kill pkill throw pthrow close open sendexc seq pref all srm nrun"
REST = "trap raise peek iter1"
OPERATIONS = [CORE.split(), f"{CORE} {ERRORS}".split(), f"{CORE} {ERRORS} {REST}".split()]

MOST_TASKLETS = 10
MOST_STEPS = 400
MOST_RUNS = 12
GUARD = 60  # seconds until a program that hangs is given up; nothing is measured


class Random:
    """The recorded programs' generator: 32 bits, linear congruential."""

    def __init__(self, seed: int) -> None:
        self.state = (seed * 2654435761 + 12345) % 2**32

    def below(self, n: int) -> int:
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) % n


class Program:
    """What one seed says: channels with their settings, and operations (name, a, b) for each tasklet and for main."""

    def __init__(self, seed: int, profile: int) -> None:
        draw = Random(seed).below
        names = OPERATIONS[profile]

        def operations(count: int) -> list[tuple[str, int, int]]:
            return [(names[draw(len(names))], draw(8), draw(8)) for _ in range(count)]

        tasklets, channels = 2 + draw(4), 1 + draw(3)
        self.preferences = [draw(3) - 1 for _ in range(channels)]
        self.schedule_alls = [int(draw(6) == 0) for _ in range(channels)]
        self.tasklets = [operations(2 + draw(7)) for _ in range(tasklets)]
        self.main = operations(1 + draw(5))


class E(Exception):
    """What the programs throw."""


class Exhausted(SystemError):
    """The program has had its number of steps."""


class Replay:
    """One run of one program, and its log."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.log: list[str] = []
        self.steps = 0
        self.channels = [stackless.channel() for _ in program.preferences]
        for ch, preference, schedule_all in zip(self.channels, program.preferences, program.schedule_alls, strict=True):
            ch.preference = preference
            ch.schedule_all = schedule_all
        self.tasklets: list[Any] = []
        self.names = {id(stackless.getmain()): "M"}

    # -- what the log shows --------------------------------------------------------------------------------------------

    def name(self, task: Any) -> str:
        return "-" if task is None else self.names.get(id(task), "?")

    def ring(self) -> str:
        current = stackless.getcurrent()
        names = [self.name(current)]
        task = current.next
        while task is not None and task is not current and len(names) < 12:
            names.append(self.name(task))
            task = task.next
        return "".join(names)

    def state(self) -> str:
        channels = (
            f"{ch.balance}{self.name(ch.queue)}{'c' if ch.closed else 'k' if ch.closing else ''}"
            for ch in self.channels
        )
        tasklets = (
            ("A" if t.alive else "d") + ("b" if t.blocked else "p" if t.paused else "s" if t.scheduled else "-")
            for t in self.tasklets
        )
        return f"{self.ring()}|{','.join(channels)}|{''.join(tasklets)}"

    # -- operations ----------------------------------------------------------------------------------------------------

    def spawn(self, operations: list[tuple[str, int, int]]) -> str:
        name = chr(ord("a") + len(self.tasklets)) if len(self.tasklets) < 26 else "z"
        task = stackless.tasklet(self.body)
        self.names[id(task)] = name
        self.tasklets.append(task)
        task(name, operations)
        return name

    def perform(self, who: str, operation: str, a: int, b: int) -> Any:
        ch = self.channels[a % len(self.channels)]
        task = self.tasklets[b % len(self.tasklets)] if self.tasklets else None
        match operation:
            case "send":
                return ch.send(f"{who}{b}")
            case "recv":
                return ch.receive()
            case "sched":
                return self.name(stackless.schedule(None) if a else stackless.schedule())
            case "srm":
                return stackless.schedule_remove(f"v{b}")
            case "spawn":
                if len(self.tasklets) >= MOST_TASKLETS:
                    return "full"
                return self.spawn([("sched", 1, 1), ("send", a, b), ("recv", b, a)][a % 3 :][:2])
            case "run":
                return task.run()
            case "switch":
                return "self" if task is stackless.getcurrent() else task.switch()
            case "insert":
                return self.name(task.insert())
            case "remove":
                return self.name(task.remove())
            case "kill":
                return task.kill()
            case "pkill":
                return task.kill(pending=True)
            case "throw":
                return task.throw(E, f"x{a}")
            case "pthrow":
                return task.throw(E, f"y{a}", pending=True)
            case "close":
                return ch.close()
            case "open":
                return ch.open()
            case "sendexc":
                return ch.send_exception(E, "z", a)
            case "seq":
                return ch.send_sequence([f"{who}{i}" for i in range(a % 3)])
            case "pref":
                ch.preference = b % 3 - 1
                return b % 3 - 1
            case "all":
                ch.schedule_all = b & 1
                return b & 1
            case "nrun":
                return stackless.run()
            case "trap":
                stackless.getcurrent().block_trap = bool(a & 1)
                return a & 1
            case "raise":
                raise KeyError(f"r{who}")
            case "peek":
                current = stackless.getcurrent()
                return [stackless.getruncount(), self.name(current), self.name(current.prev)]
            case "iter1":
                for value in ch:
                    return f"it {value}"
                return "it end"

    def step(self, who: str, operation: str, a: int, b: int) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Exhausted
        self.log.append(f"{who}>{operation}{a}{b}")
        try:
            result = self.perform(who, operation, a, b)
            shown = self.name(result) if hasattr(result, "alive") else json.dumps(result)
            self.log.append(f"{who}<{operation}={shown} {self.state()}")
        except TaskletExit:
            self.log.append(f"{who}!{operation} TaskletExit {self.state()}")
            raise
        except SystemError:
            raise
        except Exception as error:
            self.log.append(f"{who}!{operation} {type(error).__name__} {error} {self.state()}")
            if operation == "raise" and isinstance(error, KeyError):
                raise

    def body(self, who: str, operations: list[tuple[str, int, int]]) -> None:
        self.log.append(f"{who}{{")
        try:
            for operation in operations:
                self.step(who, *operation)
        finally:
            self.log.append(f"{who}}}")

    # -- the whole -----------------------------------------------------------------------------------------------------

    def run(self) -> list[str]:
        for operations in self.program.tasklets:
            self.spawn(operations)
        try:
            for operation in self.program.main:
                try:
                    self.step("M", *operation)
                except (KeyError, TaskletExit):
                    pass
            for i in range(MOST_RUNS):
                before = len(self.log)
                try:
                    self.log.append(f"M=run {stackless.run()!r} {self.state()}")
                except SystemError:
                    raise
                except BaseException as error:
                    self.log.append(f"M!run {type(error).__name__} {error} {self.state()}")
                if len(self.log) == before + 1 and i > 2:
                    break
        except SystemError:
            self.log.append("budget")
        return self.log


def replay(seed: int, profile: int) -> list[str]:
    """The log of one program, run here and now; it leaves tasklets behind."""
    return Replay(Program(seed, profile)).run()


def apart(seed: int, profile: int) -> list[str] | None:
    """The log of one program, run in a child process of its own; None when the child crashed or hung."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(GUARD)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
            with open(write, "w", encoding="utf-8") as out:
                json.dump(replay(seed, profile), out)
        finally:
            os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as answer:
        text = answer.read()
    _, status = os.waitpid(pid, 0)
    return json.loads(text) if text and status == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description="Replay one recorded program.")
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("profile", type=int, choices=(0, 1, 2))
    parser.add_argument("--program", action="store_true", help="show the program, do not run it")
    options = parser.parse_args()
    if options.seed is None:  # each seed on the standard input, apart: a line of JSON for its log
        for line in sys.stdin:
            print(json.dumps(apart(int(line), options.profile)), flush=True)
    elif options.program:
        print(json.dumps(vars(Program(options.seed, options.profile)), indent=1))
    else:
        print("\n".join(replay(options.seed, options.profile)))


if __name__ == "__main__":
    main()
