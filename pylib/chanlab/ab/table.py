"""Tables as lines of text."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

#: More than any table needs, so that nothing is cut; a terminal wraps what is too wide for it.
WIDTH = 250


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under a header; all but the first and the last are set flush right.  Lines without trailing blanks."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for number, name in enumerate(header):
        outer = number in (0, len(header) - 1)
        made.add_column(name, justify="left" if outer else "right", no_wrap=True)
    for row in rows:
        made.add_row(*(f"  {cell}" if i == 0 else cell for i, cell in enumerate(row)))
    out = io.StringIO()
    # No markup, no colours: a label may have brackets, and the lines may go to a file.
    Console(file=out, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False).print(made)
    return [line.rstrip() for line in out.getvalue().splitlines()]
