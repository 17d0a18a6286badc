"""Tables for the terminal, drawn by rich, and for a notebook, in HTML."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import rich.table
from rich import box
from rich.console import Console
from rich.text import Text

from views.numbers import cell

WIDTH = 240  # what a table may need


@dataclass(frozen=True)
class Table:
    """A title, columns and rows; None is a dash, and a column with nothing in it is left out."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    @property
    def shown(self) -> list[int]:
        """The columns that hold something."""
        return [k for k in range(len(self.columns)) if any(row[k] is not None for row in self.rows)]

    def drawn(self) -> rich.table.Table:
        """For a terminal, numbers to the right; square brackets are square brackets."""
        table = rich.table.Table(title=Text(self.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD,
                                 show_edge=False, pad_edge=False)
        for k in self.shown:
            numeric = any(isinstance(row[k], int | float) for row in self.rows)
            table.add_column(Text(self.columns[k]), justify="right" if numeric else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*(v if isinstance(v, Text) else Text(cell(v)) for v in (row[k] for k in self.shown)))
        return table

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
            console.print(self.drawn())
        return "\n".join(line.rstrip() for line in shown.get().splitlines())

    def html(self) -> str:
        """As a notebook shows it, everything escaped.

        >>> Table("<t>", ("a & b",), [(1,)]).html()
        '<table><caption>&lt;t&gt;</caption><tr><th>a &amp; b</th></tr><tr><td>1</td></tr></table>'
        """
        lines = [[f"<th>{escape(self.columns[k])}</th>" for k in self.shown],
                 *([f"<td>{escape(cell(row[k]))}</td>" for k in self.shown] for row in self.rows)]
        return (f"<table><caption>{escape(self.title)}</caption>"
                + "".join(f"<tr>{''.join(line)}</tr>" for line in lines) + "</table>")


def show(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table and an empty line."""
    console.print(Table(title, columns, list(rows)).drawn())
    console.print()


class Terminal(Console):
    """A pipe that is closed is the door's business."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """The terminal or a file, taken to be wide enough for the tables: a wrapped line loses nothing, a cut cell does."""
    return Terminal(width=max(Console().width, WIDTH))


def checkpoints(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """The checkpoint table; fields as in `summary.json`."""
    show(console, "Checkpoints", ("id", "what", "ours", "reference", "passes if", ""), [
        (c["id"], c["what"], f"{c['ours']:.9g}", f"{c['reference']:.9g}", c["passes"],
         Text("pass", "green") if c["passed"] else Text("FAIL", "bold red")) for c in items
    ])
