"""The order of runs, and where two sequences of lines part."""

from __future__ import annotations

from itertools import islice
from math import factorial

import pytest
from chanlab.ab import diff, equality, plan, report, sides


@pytest.mark.parametrize("arms", [2, 3, 4, 9])
def test_blocks_are_balanced(arms):
    for seed in range(20):
        for block in islice(plan.blocks(arms, seed), 10):
            assert sorted(block) == sorted([*range(arms)] * 2)
            assert block == block[::-1]


@pytest.mark.parametrize("arms", [2, 3, 4])
def test_few_arms_come_equally_often_in_each_order(arms):
    orders = factorial(arms)
    for seed in range(5):
        blocks = plan.blocks(arms, seed)
        for _ in range(3):
            assert len(set(islice(blocks, orders))) == orders


def test_the_seed_decides_the_order():
    first = [list(islice(plan.blocks(3, seed), 6)) for seed in (1, 1, 2, 3, 4)]
    assert first[0] == first[1]
    assert len({tuple(blocks) for blocks in first}) > 2


def test_how_many_blocks():
    assert [plan.blocks_for(runs) for runs in (1, 2, 3, 20)] == [1, 1, 2, 10]


@pytest.mark.parametrize(
    ("done", "seconds", "width", "enough"),
    [
        (5, 1000.0, 0.0, False),  # too few for an interval, whatever it takes
        (6, 9.0, 0.5, True),  # another one would not fit the budget
        (6, 5.0, 0.0, False),  # precise by chance: not looked at yet
        (11, 5.0, 0.0, False),
        (12, 5.0, 0.011, False),
        (12, 5.0, 0.01, True),
        (plan.MOST, 5.0, 0.5, True),
    ],
)
def test_when_to_stop(done, seconds, width, enough):
    assert plan.enough(done, seconds, budget=10.0, width=width, precision=0.01) is enough


def lines(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)


def test_equal_lines_do_not_part():
    assert diff.first_difference(lines("a\nb\n"), lines("a\nb\n")) is None
    assert diff.first_difference([], []) is None


def test_where_lines_part():
    parting = diff.first_difference(lines("1\n2\n3\n4\nx\ny\nz\nw\n"), lines("1\n2\n3\n4\nq\n"))
    assert parting == diff.Parting(5, (b"2\n", b"3\n", b"4\n"), (b"x\n", b"y\n", b"z\n"), (b"q\n",))


def test_one_side_ends():
    parting = diff.first_difference(lines("1\n"), lines("1\n2\n"))
    assert parting == diff.Parting(2, (b"1\n",), (), (b"2\n",))
    assert diff.show_line(parting, "a", "b") == ["  line 2 of a    (nothing: it ends here)", "  line 2 of b    2"]


def test_a_missing_newline_is_a_difference_that_is_seen():
    left, right = diff.show_line(diff.first_difference([b"x\n"], [b"x"]), "a", "b")
    assert left.endswith("x") and right.endswith("x\\ (no newline at the end)")


def test_lines_are_fit_for_a_terminal():
    assert diff.text(b"\x1b[31m\xff\tred\r\n") == "\\x1b[31m\\xff\\tred\\r"
    left, right = diff.window("=" * 500 + "left" + "." * 500, "=" * 500 + "right" + "." * 500)
    assert "left" in left and "right" in right
    assert max(len(left), len(right)) <= diff.WIDTH + 2


def test_events_in_words():
    event = b'{"step":12,"event":"commit","tasklet":"t1","peer":"t2","channel":"c1","direction":-1,"value":"5"}\n'
    assert diff.describe(event).split() == ["12", "commit", "t1", "receives", "on", "c1", "to", "t2", "value", "5"]
    assert diff.describe(b'{"step":1,"event":"switch","tasklet":"t1","peer":"t2"}\n').split()[1:] == [
        "switch", "t1", "to", "t2",
    ]  # fmt: skip


@pytest.mark.parametrize("line", [b"not json\n", b"[1]\n", b"3\n", b"{}\n", b"\xff\n", b'{"step":1,"event":"switch"'])
def test_a_line_that_is_no_event_is_shown_as_it_is(line):
    assert diff.describe(line) == diff.text(line)


def test_own_frames_do_not_count():
    own = sides.PYLIB
    text = f"""\
Traceback (most recent call last):
  File "user.py", line 3, in <module>
    ch.receive()
  File "{own}/chanlab/channel.py", line 9, in receive
    return self.wait(
           ^^^^^^^^^^
  File "{own}/select_proto.py", line 9, in select
  File "user.py", line 1, in callback
    boom()
RuntimeError: a text
  | Traceback (most recent call last):
  |   File "{own}/stackless.py", line 1, in run
  |     x
  |   File "user.py", line 5, in f
"""
    left = b"".join(equality.without_own_frames(lines(text))).decode()
    assert own not in left
    assert "return self" not in left and "^^^" not in left and "    x\n" not in left
    for line in ("    ch.receive()", "    boom()", "RuntimeError: a text", '  |   File "user.py", line 5, in f'):
        assert line + "\n" in left


def test_durations_and_shares():
    assert [report.duration(s) for s in (98.7e-9, 1.5e-6, 0.0123, 0.9999, 0.99999, 12.3456)] == [
        "98.7 ns", "1.5 µs", "12.3 ms", "999.9 ms", "1.000 s", "12.346 s",
    ]  # fmt: skip
    assert [report.percent(s) for s in (0.25, 0.0123, 0.0004)] == ["25.0 %", "1.2 %", "0.04 %"]


def test_the_programs_line_is_readable():
    assert report.program_line(("-c", "import x\nx.y()", "", "plain")) == "-c 'import x\\nx.y()' '' plain"
    assert len(report.program_line(("x" * 1000,))) == 120
