"""Santa Claus (Trono's problem) with select: nine reindeer or three elves wake him, and the reindeer go first.

usage: santa.py [CHRISTMASES]

The reindeer come back from holiday one by one; when all nine are there, Santa harnesses them and delivers the toys.
The elves come for advice; Santa lets them in three at a time.  When both groups are complete, the toys come first.
How long everybody stays away is random, and the same for the same CHANLAB_SEED: time passes in turns of the scheduler.
"""

import random
import sys
from collections import deque

import stackless

REINDEER = ["Dasher", "Dancer", "Prancer", "Vixen", "Comet", "Cupid", "Donder", "Blitzen", "Rudolph"]
ELVES = ["Alabaster", "Bushy", "Holly", "Ivy", "Jingle", "Pepper", "Robin", "Shinny", "Sparkle", "Twinkle"]
HERD = 9  # reindeer for one sleigh
PARTY = 3  # elves for one consultation

chance = random.Random(stackless.getseed())
years = []  # what the Christmases were like: year, consultations, last reindeer home, elves waiting
events = deque(maxlen=8)  # what happened last


def pass_time(longest):
    """Let the others run for a random while."""
    for _ in range(chance.randint(1, longest)):
        stackless.schedule()


def visitor(door, longest):
    """A reindeer or an elf: stay away for a while, come to the door, and wait until Santa is done with the group."""
    name = stackless.getcurrent().label
    done = stackless.channel()
    done.label = f"{name} is done"
    while True:
        pass_time(longest)
        door.send((name, done))
        done.receive()


def serve(group, size, event, longest):
    """What Santa does with a complete group: it takes a while, then everybody may go."""
    names = [name for name, _ in group]
    assert len(set(names)) == len(group) == size
    events.append(f"{event} {', '.join(names)}")
    pass_time(longest)
    for _, done in group:
        done.send(None)
    group.clear()


def santa(christmases, home, study):
    """Let visitors in as they come, and serve each group that is complete."""
    reindeer_case, elf_case = home.receiveCase(), study.receiveCase()
    herd, party = [], []
    for year in range(1, christmases + 1):
        consultations = 0
        while len(herd) < HERD:
            # A select has no favourites: priority is a matter of what it is offered.  Once the last reindeer stands
            # at the door, no elf is let in.
            herd_is_here = len(herd) + home.balance == HERD
            visit = stackless.select([reindeer_case] if herd_is_here else [reindeer_case, elf_case])
            if visit.channel is home:
                herd.append(visit.value)
                continue
            party.append(visit.value)
            if len(party) == PARTY:
                assert len(herd) + home.balance < HERD, "the elves were served before a complete herd"
                consultations += 1
                serve(party, PARTY, "Santa advises", longest=6)
        last_home, _ = herd[-1]
        years.append((year, consultations, last_home, len(party) + study.balance))
        serve(herd, HERD, f"Christmas {year}: Santa delivers toys with", longest=12)


def start(label, function, *args):
    """A new tasklet with a name."""
    stackless.tasklet(function)(*args).label = label


def main(christmases=500):
    home, study = stackless.channel(), stackless.channel()
    home.label, study.label = "home", "study"
    start("Santa", santa, christmases, home, study)
    for name in REINDEER:
        start(name, visitor, home, 60)
    for name in ELVES:
        start(name, visitor, study, 30)

    stackless.run()  # until Santa has retired, and all others wait at his doors for ever

    print("Christmas  consultations before it  last reindeer home  elves kept waiting")
    for year, consultations, last_home, waiting in years[-10:]:
        print(f"{year:9}  {consultations:23}  {last_home:18}  {waiting:18}")
    stood_back = sum(waiting >= PARTY for *_, waiting in years)
    print(f"A complete party of elves stood back for the reindeer before {stood_back} of {len(years)} Christmases.")
    print("\nThe last events:")
    for event in events:
        print(f"  {event}")
    print(f"\nSanta has retired; {home.balance} reindeer and {study.balance} elves wait for his successor.")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
