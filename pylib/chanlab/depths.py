"""How many operands a frame holds while it waits for the next round of a `for` loop.

CPython does not keep that number while code in C runs; the collector's view of parked stacks needs it (native/depths.c).
It follows from the code alone: each instruction changes it by a fixed amount, which dis tells.
"""

from __future__ import annotations

import dis
import itertools
import sys
from types import CodeType


def loop_depths(code: CodeType) -> bytes:
    """How many operands a frame holds before each FOR_ITER of its code, as native unsigned shorts, one per code unit.

    0 elsewhere, and where it does not follow from the code (in an except block, say).
    """
    instructions = list(dis.get_instructions(code))
    known = {0: 0}  # offset -> depth before the instruction there
    for _ in range(len(instructions)):
        before = len(known)
        for this, following in itertools.pairwise(instructions):
            if this.offset in known:
                _follow(this, following.offset, known)
        if len(known) == before:
            break
    depths = [0] * (len(code.co_code) // 2)
    for this in instructions:
        if this.opname == "FOR_ITER":
            depths[this.offset // 2] = max(known.get(this.offset, 0), 0)
    # Not by the module array: imported where the recursion limit strikes it harms CPython 3.11's reference counts.
    return b"".join(depth.to_bytes(2, sys.byteorder) for depth in depths)


def _follow(this: dis.Instruction, following: int, known: dict[int, int]) -> None:
    """Note the depth where `this` instruction may lead to."""
    argument = this.arg if this.opcode >= dis.HAVE_ARGUMENT else None
    depth = known[this.offset]
    if this.opcode in _JUMPS:
        known.setdefault(this.argval, depth + dis.stack_effect(this.opcode, argument, jump=True))
    if this.opname not in _NO_WAY_ON:
        known.setdefault(following, depth + dis.stack_effect(this.opcode, argument, jump=False))


_JUMPS = frozenset(dis.hasjrel + dis.hasjabs)
_NO_WAY_ON = frozenset(
    (
        "JUMP_FORWARD",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "RETURN_VALUE",
        "RETURN_CONST",
        "RAISE_VARARGS",
        "RERAISE",
    )
)
