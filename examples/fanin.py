"""Fan-in: one select loop merges several boring talkers into one channel, until the listener quits.

usage: fanin.py [MESSAGES]

After Pike's "Go Concurrency Patterns".  All talkers stand ready, select gives each the same chance: the listener
hears about as much of one as of the other, in an order that only the seed decides.
"""

import sys
from collections import Counter
from itertools import count

import stackless

TALKERS = ("Joe", "Ann", "Bob", "Eve", "Sue")


def new_channel(label):
    ch = stackless.channel()
    ch.label = label
    return ch


def talk(voice):
    """Say something boring again and again."""
    name = stackless.getcurrent().label
    for number in count(1):
        voice.send(f"{name} {number}")


def fan_in(voices, merged, quit):
    """Pass on what any of the voices says.  Whoever waits must hear `quit`: while listening, and while passing on."""
    stop = quit.receiveCase()
    pass_on = merged.sendCase(None)
    anything_said = [voice.receiveCase() for voice in voices] + [stop]
    while True:
        heard = stackless.select(anything_said)
        if heard is stop:
            return
        pass_on.value = heard.value
        if stackless.select([pass_on, stop]) is stop:
            return


def main(messages=60_000):
    merged, quit = new_channel("merged"), new_channel("quit")
    voices = [new_channel(f"{name}'s voice") for name in TALKERS]
    for name, voice in zip(TALKERS, voices, strict=True):
        stackless.tasklet(talk)(voice).label = name
    stackless.tasklet(fan_in)(voices, merged, quit).label = "fan-in"

    heard = [merged.receive() for _ in range(messages)]
    quit.send(None)

    print("The first:", ", ".join(heard[:8]))
    print("The last: ", ", ".join(heard[-8:]))
    totals = Counter(message.split()[0] for message in heard)
    print(f"{messages} messages:", ", ".join(f"{totals[name]} from {name}" for name in TALKERS))
    print("You are all boring; I'm leaving.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
