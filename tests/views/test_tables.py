"""Tables: what is in a cell is what is read, whatever rich or HTML would make of it."""

import io

import pytest
from rich.console import Console

from views import style, tables
from views.report import render


def test_square_brackets_are_shown_and_checkpoints_are_coloured():
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system="standard")
    with console.capture() as shown:
        tables.show(console, "[bold]title", ("a", "b"), [("[red]x[/red]", None), ("split=[1]", None)])
    assert all(word in shown.get() for word in ("[bold]title", "[red]x[/red]", "split=[1]"))
    fields = {"id": "1.1", "what": "w", "ours": 1.0, "reference": 1.0, "error": 0.0, "passes": "ours <= 2"}
    with console.capture() as shown:
        console.print(tables.checkpoints([fields | {"passed": True}, fields | {"passed": False}]).drawn())
    assert "\x1b[32mpass" in shown.get() and "\x1b[1;31mFAIL" in shown.get()


def test_empty_columns_are_left_out_and_none_is_a_dash():
    table = tables.Table("t", ("a", "b", "c"), [(1, None, "x"), (None, None, "y & z")])
    assert table.text().splitlines()[1:] == ["a   c", "─" * 9, "1   x", "-   y & z"]
    page = render.table(table)
    assert "<td>-</td><td>y &amp; z</td>" in page and "<th>b</th>" not in page


WIDE = tables.Table("t", ("method", "by", "test NLL", "long words"), [("a" * 20, "hand", 1.5, "w" * 40)] * 2,
                    spare=("by",))


@pytest.mark.parametrize(("width", "columns"), [(240, [0, 1, 2, 3]), (80, [0, 2, 3]), (60, [0, 2]), (10, [0])])
def test_a_narrow_terminal_has_fewer_columns_and_no_second_lines(width, columns):
    assert WIDE.fitting(width) == columns
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as shown:
        tables.put(console, WIDE)
    lines = shown.get().splitlines()
    assert all(len(line) <= width for line in lines if "(" not in line)
    assert sum("aaa" in line for line in lines) == 2 or width < 20
    gone = [WIDE.columns[k] for k in range(4) if k not in columns]
    assert width < 20 or [line for line in lines if "no room" in line] == [
        f"(no room here for {', '.join(gone)})"] * bool(gone)


def test_the_terminal_is_as_wide_as_it_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert tables.console().width == 80
    monkeypatch.delenv("COLUMNS")
    assert tables.console().width == tables.WIDTH  # a file


def test_the_name_of_a_method_has_its_colour_in_the_terminal():
    style.begin(["loopy_bp", "gibbs"])
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    with console.capture() as shown:
        console.print(tables.Table("", ("method",), [("loopy_bp",), ("other",)]).drawn())
    red, green, blue = (int(style.colours()["loopy_bp"][k:k + 2], 16) for k in (1, 3, 5))
    assert f"38;2;{red};{green};{blue}mloopy_bp" in shown.get() and "mother" not in shown.get()
