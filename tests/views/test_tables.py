"""Tables: what is in a cell is what is read, whatever rich or HTML would make of it."""

import io

from rich.console import Console

from views import tables


def test_square_brackets_are_shown_and_checkpoints_are_coloured():
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system="standard")
    with console.capture() as shown:
        tables.show(console, "[bold]title", ("a", "b"), [("[red]x[/red]", None), ("split=[1]", None)])
    assert all(word in shown.get() for word in ("[bold]title", "[red]x[/red]", "split=[1]"))
    fields = {"id": "1.1", "what": "w", "ours": 1.0, "reference": 1.0, "error": 0.0, "passes": "ours <= 2"}
    with console.capture() as shown:
        tables.checkpoints(console, [fields | {"passed": True}, fields | {"passed": False}])
    assert "\x1b[32mpass" in shown.get() and "\x1b[1;31mFAIL" in shown.get()


def test_empty_columns_are_left_out_and_none_is_a_dash():
    table = tables.Table("t", ("a", "b", "c"), [(1, None, "x"), (None, None, "y & z")])
    assert table.text().splitlines()[1:] == ["a   c", "─" * 9, "1   x", "-   y & z"]
    assert "<td>-</td><td>y &amp; z</td>" in table.html() and "<th>b</th>" not in table.html()
