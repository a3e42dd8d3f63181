"""The prime sieve: a chain of filters that grows by one tasklet with every prime it finds.

usage: sieve.py [PRIMES]

McIlroy's program: the numbers 2, 3, 4, ... flow through the chain, each filter lets through what its prime does not
divide, and what comes out at the end is the next prime.
"""

import sys
from itertools import count

import stackless


def new_channel(label):
    ch = stackless.channel()
    ch.label = label
    return ch


def generate(outlet):
    """Send 2, 3, 4, ..."""
    for number in count(2):
        outlet.send(number)


def sift(prime, inlet, outlet):
    """Pass on what `prime` does not divide."""
    while True:
        number = inlet.receive()
        if number % prime:
            outlet.send(number)


def sieve(how_many):
    """The first `how_many` primes."""
    outlet = new_channel("numbers")
    stackless.tasklet(generate)(outlet).label = "generate"
    primes = []
    while len(primes) < how_many:
        prime = outlet.receive()
        primes.append(prime)
        inlet, outlet = outlet, new_channel(f"not by {prime}")
        stackless.tasklet(sift)(prime, inlet, outlet).label = f"sift {prime}"
    return primes


def main(how_many=500):
    primes = sieve(how_many)
    print("first:", *primes[:10])
    print("last: ", *primes[-10:])
    print(f"{len(primes)} primes, and as many filters")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
