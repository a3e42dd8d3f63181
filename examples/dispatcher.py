"""The dispatcher: one select over 1, 10, ... 10,000 channels, with one list of cases that is used again and again.

usage: dispatcher.py [CASES] [MOST_CHANNELS]

Bulušek's loop.  A select that has to wait posts every case, and whoever meets one of them withdraws all the others:
a request costs the more, the more channels there are.  So that each line of the table is about the same work, the
dispatcher serves CASES / channels requests: 50,000 from one channel, 5 from 10,000.
"""

import sys

import stackless


def client(requests):
    """Ask for something, again and again."""
    number = 0
    while True:
        number += 1
        requests.send(number)


def dispatch(cases, requests):
    """Serve so many requests.  Returns, for each channel that was served, how many came (the number of the last)."""
    served = {}
    for _ in range(requests):
        request = stackless.select(cases)
        served[request.channel] = request.value
    return served


def measure(channels, requests):
    """Start a client on each of so many channels, serve their requests, and end them again."""
    clients, cases = [], []
    for number in range(1, channels + 1):
        inlet = stackless.channel()
        inlet.label = f"requests {number}"
        task = stackless.tasklet(client)(inlet)
        task.label = f"client {number}"
        clients.append(task)
        cases.append(inlet.receiveCase())
    served = dispatch(cases, requests)
    for task in clients:
        task.kill()
    assert sum(served.values()) == requests
    print(f"{channels:8}  {requests:8}  {len(served):14}  {min(served.values()):12}  {max(served.values()):11}")


def main(cases=50_000, most_channels=10_000):
    print("channels  requests  clients served  least of one  most of one")
    channels = 1
    while channels <= most_channels:
        measure(channels, requests=max(1, cases // channels))
        channels *= 10


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
