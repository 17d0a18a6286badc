"""Tables for the terminal, drawn by rich."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def show(console: Console, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table with a title; numbers to the right, None as a dash, columns with nothing in them left out."""
    rows = [list(row) for row in rows]
    shown = [k for k in range(len(columns)) if any(row[k] is not None for row in rows)]
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False,
                  pad_edge=False)
    for k in shown:
        numeric = any(isinstance(row[k], int | float) for row in rows)
        table.add_column(columns[k], justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(cell(row[k]) for k in shown))
    console.print(table)
    console.print()


def console() -> Console:
    """The terminal or a file, taken to be wide enough for the tables: a wrapped line loses nothing, a cut cell does."""
    return Console(width=max(Console().width, 240))


def cell(value: Any) -> str:
    """One value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.3f}" if abs(value) < 1e6 else f"{value:.6g}"
    return str(value)


def checkpoints(console: Console, items: Sequence[Mapping[str, Any]]) -> None:
    """The checkpoint table; fields as in `summary.json`."""
    show(console, "Checkpoints", ("id", "what", "ours", "reference", "error", ""), [
        (c["id"], c["what"], f"{c['ours']:.9g}", f"{c['reference']:.9g}", f"{c['error']:.1e}",
         "[green]pass[/]" if c["passed"] else "[bold red]FAIL[/]") for c in items
    ])
