"""The generator behind every choice that select leaves to chance, and the order in which it is drawn from.

It is Steele, Lea and Flood's SplitMix64 (OOPSLA 2014): 64 bits of state, masked after every step, so that it is the
same in Python and in C and never grows.  Each OS thread has one of its own.

    state = (state + 0x9E3779B97F4A7C15) mod 2**64
    z = state;  z = (z ^ z>>30) * 0xBF58476D1CE4E5B9;  z = (z ^ z>>27) * 0x94D049BB133111EB;  draw = z ^ z>>31
    below(n) = (draw * n) >> 64                      one draw, a bias below n / 2**64

When numbers are drawn, and only then (the same in every twin):

    1. a select that finds two or more cases ready draws one number below their count, in list order (arrays flattened,
       cases that cannot happen left out); pri_select draws none;
    2. whoever completes a blocked select (a partner, close(), a timer) that offers two or more cases of that channel and direction draws one
       number below the count of those, in list order, from the generator of the thread that completes it.

The seed is `CHANLAB_SEED` (the host's `--seed`) when given, else 64 random bits.  The main thread starts from the
seed itself, the n-th further thread that uses tasklets from seed + n * 0xD1B54A32D192ED03.
"""

from __future__ import annotations

import itertools
import os
import re

from . import hooks

MASK = 2**64 - 1
_THREAD_STRIDE = 0xD1B54A32D192ED03


class Generator:
    """SplitMix64; `seed` is any integer, taken modulo 2**64."""

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = seed & MASK

    def draw(self) -> int:
        """The next 64 random bits, as an int."""
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n: int) -> int:
        """An int from 0 to n - 1, each equally likely."""
        return (self.draw() * n) >> 64


PyGenerator = Generator
Generator = hooks._chanlab.Generator if "select" in hooks.FUSED else Generator

_SEED = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+", re.ASCII)


def parse_seed(text: str) -> int:
    """The seed that `text` spells: 0 to 2**64 - 1, decimal or 0x...; ValueError on anything else."""
    if _SEED.fullmatch(text):
        seed = int(text, 16 if text[:2] in ("0x", "0X") else 10)
        if seed <= MASK:
            return seed
    raise ValueError(f"'{text}' is no seed: give a whole number from 0 to 2**64-1, decimal or 0x...")


def read_seed(text: str | None) -> int:
    """The seed that `text` (CHANLAB_SEED) names, else a random one.  Raises ValueError on anything but a seed."""
    if not text:
        return int.from_bytes(os.urandom(8), "little")
    try:
        return parse_seed(text)
    except ValueError as error:
        raise ValueError(f"CHANLAB_SEED {error}") from None


#: The seed of this process.
SEED = read_seed(os.environ.get("CHANLAB_SEED"))
_threads = itertools.count()


def for_new_thread() -> Generator:
    """The generator of the next thread that starts to use tasklets."""
    return Generator(SEED + next(_threads) * _THREAD_STRIDE)
