"""The prime sieve, a chain that grows by one filter with every prime; one operation is one transfer between tasklets.

What is fed into the chain is worked out beforehand, so that it makes exactly n transfers: a number goes as far as the
filter of its least prime factor, a prime through all filters to the end.
"""

from __future__ import annotations

from functools import lru_cache

import stackless
from _run import run

N = 1_000_000


@lru_cache(maxsize=1)
def feed(n: int) -> list[int]:
    """The numbers 2, 3, 4, ... that make n transfers; the last ones are fours, which make one each."""
    primes, numbers, left, number = [], [], n, 2
    while True:
        at = next((i for i, prime in enumerate(primes) if number % prime == 0), len(primes))
        if at + 1 > left:
            return numbers + [4] * left
        if at == len(primes):
            primes.append(number)
        numbers.append(number)
        left -= at + 1
        number += 1


def generate(numbers: list[int], outlet) -> None:
    send = outlet.send
    for number in numbers:
        send(number)


def sift(prime: int, inlet, outlet) -> None:
    receive, send = inlet.receive, outlet.send
    while True:
        number = receive()
        if number % prime:
            send(number)


def collect(outlet) -> None:
    """Receive the primes, and put a filter for each in front."""
    while True:
        prime = outlet.receive()
        inlet, outlet = outlet, stackless.channel()
        stackless.tasklet(sift)(prime, inlet, outlet)


def main(n: int) -> None:
    outlet = stackless.channel()
    stackless.tasklet(generate)(feed(n), outlet)
    stackless.tasklet(collect)(outlet)
    stackless.run()


if __name__ == "__main__":
    run(main, N, prepare=feed)
