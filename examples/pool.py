"""Worker pool: Go's buffered channels share out jobs and bring the results, and closing a channel cancels everybody.

usage: pool.py [JOBS]

After Ajmani's "Go Concurrency Patterns: Pipelines and cancellation".  The first pool does all its jobs.  Those after
it have jobs without end, until main has found what it looked for and closes `done`: a receive from a closed channel is
ready for ever, so that nobody misses it.  But a select takes any case that is ready, and whoever has more to do may do
some of it first; where `done` has priority, which Go does not offer, nobody begins anything new.
"""

import sys
from collections import Counter
from itertools import count

import stackless
from gochan import after, chan, close, go
from select_proto import case, pri_select, select

WORKERS = ("Ann", "Bob", "Eve", "Joe")
LIMIT = 600  # seconds; nobody is that slow


def new_channel(label, size=0):
    ch = chan(size)
    ch.label = label
    return ch


def start(label, function, *args):
    go(function, *args).label = label


def is_armstrong(number):
    """Whether it is the sum of its digits, each to the power of how many there are, as 153 = 1 + 125 + 27."""
    digits = str(number)
    return number == sum(int(digit) ** len(digits) for digit in digits)


class Pool:
    """Workers that look at numbers: `results` brings each with the answer, and is closed when all have stopped.

    `choose` is the select that they and the producer hear of `done` by.
    """

    def __init__(self, numbers, choose=select):
        self.choose = choose
        self.jobs = new_channel("jobs", len(WORKERS))
        self.results = new_channel("results", len(WORKERS))
        self.done = new_channel("done")
        self.stopped = new_channel("stopped")
        self.begun = Counter()
        start("producer", self.produce, numbers)
        for name in WORKERS:
            start(name, self.work, name)
        start("closer", self.close_results)

    def produce(self, numbers):
        cancelled = self.done.receiveCase()
        for number in numbers:
            if self.choose([cancelled, self.jobs.sendCase(number)]) is cancelled:
                break
        close(self.jobs)

    def work(self, name):
        cancelled, next_job = self.done.receiveCase(), self.jobs.receiveCase()
        while True:
            match self.choose([cancelled, next_job]):
                case case(index=1, ok=True, value=number):
                    self.begun[name] += 1
                case _:  # cancelled, or no more jobs
                    break
            stackless.schedule()  # a job takes its time; the others are as fast
            result = number, is_armstrong(number)
            if self.choose([cancelled, self.results.sendCase(result)]) is cancelled:
                break
        self.stopped.send(name)

    def close_results(self):
        for _ in WORKERS:
            self.stopped.receive()
        close(self.results)


def do_all(pool):
    """Receive until the results end, or the time is over.  Returns what has been found."""
    found = []
    too_late = after(LIMIT)
    too_late.label = "too late"
    while True:
        match select([pool.results.receiveCase(), too_late.receiveCase()]):
            case case(index=0, ok=True, value=(number, True)):
                found.append(number)
            case case(index=0, ok=False):
                return found
            case case(index=1):
                close(pool.done)


def find_one(choose):
    """Let a pool look for one, and cancel.  Returns what has been found, and who has begun how much after that."""
    pool = Pool(count(100), choose)
    found = next(number for number, good in pool.results if good)
    close(pool.done)
    before = pool.begun.copy()
    for _ in pool.results:  # until everybody has stopped
        pass
    return found, pool.begun - before


def table(counts):
    return ", ".join(f"{name} {counts[name]}" for name in WORKERS)


def main(jobs=10_000):
    pool = Pool(range(1, jobs + 1))
    print(f"{len(do_all(pool))} of {jobs} numbers are Armstrong's.  Looked at: {table(pool.begun)}.")
    times = max(jobs // 100, 1)
    for choose in (select, pri_select):
        late = Counter()
        for _ in range(times):
            found, begun = find_one(choose)
            late += begun
        print(f"{found} found, cancel ({times} times, {choose.__name__}).  Begun after that: {table(late)}.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
