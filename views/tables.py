"""Tables for the terminal, drawn by rich."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import rich.table
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from views.numbers import cell, is_number
from views.style import PALETTE, colour

WIDTH = 240  # what a table may need
BETWEEN = 3  # columns of the terminal between two of a table
LONG = 40  # of words: a column that is longer is cut before it goes
NARROW = 18  # characters of a line of prose
BLACK = PALETTE[6]  # is not seen on a dark terminal


@dataclass(frozen=True)
class Table:
    """A title, columns and rows; None is a dash, and a column with nothing in it is left out.

    spare  columns that a narrow terminal does without, the first to go first; then the last, but for two
    prose  columns whose words may take several lines
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    spare: Sequence[str] = ()
    prose: Sequence[str] = ()

    @property
    def shown(self) -> list[int]:
        """The columns that hold something."""
        return [k for k in range(len(self.columns)) if any(row[k] is not None for row in self.rows)]

    def fitting(self, width: int) -> list[int]:
        """The columns for which there is room.

        >>> table = Table("", ("name", "by", "value"), [("a", "hand", 1), ("b", "pyro", 2)], spare=("by",))
        >>> table.fitting(80), table.fitting(15)
        ([0, 1, 2], [0, 2])
        """
        kept = self.shown
        wide = {k: min(self.width(k), LONG, NARROW if self.columns[k] in self.prose else LONG) for k in kept}
        go = [*(k for name in self.spare for k in kept if self.columns[k] == name), *kept[:1:-1]]
        for k in go:
            if sum(wide[k] + BETWEEN for k in kept) - BETWEEN <= width:
                break
            kept = [other for other in kept if other != k]
        return kept

    def width(self, k: int) -> int:
        """What a column needs."""
        return max(cell_len(word) for word in (self.columns[k], *(str(cell(row[k])) for row in self.rows)))

    def drawn(self, width: int = WIDTH) -> rich.table.Table:
        """For a terminal, numbers to the right; square brackets are square brackets. A row is never two lines."""
        kept = self.fitting(width)
        rest = sum(min(self.width(k), LONG) + BETWEEN for k in kept) - LONG - BETWEEN
        table = rich.table.Table(title=Text(self.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD,
                                 show_edge=False, pad_edge=False)
        for k in kept:
            numeric = any(isinstance(row[k], int | float) for row in self.rows) or all(
                is_number(str(row[k])) for row in self.rows if row[k] is not None)
            prose = self.columns[k] in self.prose
            table.add_column(Text(self.columns[k]), justify="right" if numeric else "left", no_wrap=not prose,
                             max_width=None if self.width(k) <= LONG or prose else max(LONG, width - rest))
        for row in self.rows:
            table.add_row(*(_styled(row[k]) for k in kept))
        return table

    def words(self) -> Table:
        """The same, every cell as it is read, the empty columns gone."""
        return replace(self, columns=[self.columns[k] for k in self.shown],
                       rows=[[str(v) if isinstance(v, Text) else cell(v) for v in (row[k] for k in self.shown)]
                             for row in self.rows])

    def text(self) -> str:
        """As the terminal shows it.

        >>> print(Table("A title", ("name", "n"), [("one", 1), ("two", None)]).text())
        A title
        name   n
        ────────
        one    1
        two    -
        """
        console = Console(file=io.StringIO(), width=WIDTH)
        with console.capture() as shown:
            console.print(Text(self.title))
            console.print(replace(self, title="").drawn())
        return "\n".join(line.rstrip() for line in shown.get().splitlines())


def _styled(value: object) -> Text:
    """A cell; the name of a method in its colour."""
    if isinstance(value, Text):
        return value
    own = colour(value)
    return Text(cell(value), style="" if own in (None, BLACK) else str(own))


def show(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]],
         spare: Sequence[str] = (), prose: Sequence[str] = ()) -> None:
    """Print a table and an empty line."""
    put(console, Table(title, columns, list(rows), spare, prose))


def put(console: Console, table: Table) -> None:
    """The same of one that is made; which columns it has no room for is said."""
    console.print(Text(table.title, "bold"))  # as wide as the terminal, where the table may be narrow
    console.print(replace(table, title="").drawn(console.width))
    kept = table.fitting(console.width)
    if gone := [table.columns[k] for k in table.shown if k not in kept]:
        console.print(Text(f"(no room here for {', '.join(gone)})", "dim"), soft_wrap=True)
    console.print()


class Terminal(Console):
    """A pipe that is closed is the door's business."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """The terminal, as wide as it is, or as COLUMNS says; a file or a pipe has room for every column."""
    wide = Console().width
    return Terminal(width=wide if sys.stdout.isatty() or os.environ.get("COLUMNS") else max(wide, WIDTH))


def checkpoints(items: Sequence[Mapping[str, Any]]) -> Table:
    """The checkpoint table; fields as in `summary.json`."""
    return Table("Checkpoints", ("id", "what", "ours", "reference", "passes if", ""), [
        (c["id"], c["what"], f"{c['ours']:.9g}", f"{c['reference']:.9g}", c["passes"],
         Text("pass", "green") if c["passed"] else Text("FAIL", "bold red")) for c in items
    ], spare=("passes if", "reference", "ours"))
