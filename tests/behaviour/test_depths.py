"""What depths.py works out from code must be right: the collector relies on it."""

import dis
import inspect
import sys

import pytest
from chanlab.depths import loop_depths

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="since 3.14 CPython says so itself: nobody asks")


def depths(function):
    """The depths at the `for` loops of a function, in the order of the code."""
    code = function.__code__
    found = memoryview(loop_depths(code)).cast("H")
    return [found[this.offset // 2] for this in dis.get_instructions(code) if this.opname == "FOR_ITER"]


def plain(a):
    for _ in a:
        pass


def nested(a, b, c):
    for _ in a:
        for _ in b:
            for _ in c:
                if a:
                    break
                continue
        else:
            return 1
    return 2


def after_branches(a, b):
    x = (1 if a else 2) + ((b and 3) or 4)
    while x:
        x -= 1
        if x == 7:
            break
    for _ in b:
        x += 1
    return x


def in_with(a, lock):
    with lock:
        for _ in a:
            pass


def in_try(a):
    try:
        for _ in a:
            pass
    finally:
        a = None


@pytest.mark.parametrize(
    ("function", "expected"),
    [(plain, [1]), (nested, [1, 2, 3]), (after_branches, [1]), (in_try, [1])],
)
def test_known_depths(function, expected):
    assert depths(function) == expected


def test_inside_with():
    assert depths(in_with)[0] == 2  # below the iterator is the lock's __exit__


@pytest.mark.parametrize("name", ["argparse", "inspect", "typing", "threading", "dataclasses"])
def test_possible_everywhere(name):
    """In a lot of ordinary code: an entry per code unit, and never more than the code's stack can hold."""
    __import__(name)
    members = vars(sys.modules[name]).values()
    classes = [m for m in members if inspect.isclass(m)]
    functions = [
        f for holder in (members, *(vars(c).values() for c in classes)) for f in holder if inspect.isfunction(f)
    ]
    loops = 0
    for function in functions:
        code = function.__code__
        assert len(loop_depths(code)) == len(code.co_code)
        for depth in depths(function):
            assert 0 <= depth <= code.co_stacksize
            loops += depth > 0
    assert loops > 3
