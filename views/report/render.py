"""A page -> one HTML file, by the templates beside this file: nothing is read but the figures that the page names."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml.converter import convert
from markupsafe import Markup, escape

from files import whole
from views.numbers import is_number, three
from views.report.about import ABOUT, PROGRAM, About
from views.report.page import Page
from views.tables import Table

WHOLE = re.compile(r"--[a-z][a-z-]*|[+-]?\d[\d.]*e[+-]\d+|(?<![\w.])-\d[\d.]*")
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


def html(pages: Sequence[Page], folder: Path, below: Sequence[str] = ("",)) -> str:
    """The report of these pages; the figures of each lie in the folder, below it where `below` says."""
    def about(kind: str) -> About:
        return ABOUT.get(kind, PROGRAM)

    def picture(n: int, path: str) -> str:
        return as_url(folder / below[n - 1] / path)

    return environment().get_template("report.html").render(pages=pages, about=about, picture=picture)


def write(pages: Sequence[Page], folder: Path, below: Sequence[str] = ("",)) -> Path:
    """`report.html` in the folder."""
    with whole(folder / "report.html") as aside:
        aside.write_text(html(pages, folder, below), encoding="utf-8")
    return folder / "report.html"


def table(shown: Table) -> str:
    """One table, everything escaped.

    >>> table(Table("<t>", ("a & b",), [(1,)]))
    '<table><caption>&lt;t&gt;</caption><tr><th>a &amp; b</th></tr><tr><td>1</td></tr></table>'
    """
    return environment().get_template("table.html").render(table=shown.words()).replace("\n", "")


@cache
def environment() -> Environment:
    """Text is escaped wherever it comes from."""
    made = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
                       undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"mathml": mathml, "inline": inline, "is_number": is_number, "three": three, "unbroken": unbroken}
    return made


def mathml(latex: str) -> Markup:
    """An equation of ours; no reader's file has one."""
    return Markup(convert(latex, display="block"))


def unbroken(words: str) -> Markup:
    """Words, escaped, in which no line ends within an option or a number.

    >>> unbroken("<b> give --sweeps 2e-06")
    Markup('&lt;b&gt; give <span class="whole">--sweeps</span> <span class="whole">2e-06</span>')
    """
    return Markup(WHOLE.sub(r'<span class="whole">\g<0></span>', str(escape(words))))


def inline(name: str) -> Markup:
    """A style, a script or a drawing of ours, as it is."""
    return Markup((Path(__file__).parent / "templates" / name).read_text())


def as_url(path: Path) -> str:
    """The figure as a data URL: its lines (.svg) where they are beside it."""
    found = path.with_suffix(".svg") if path.with_suffix(".svg").is_file() else path
    return f"data:{KINDS[found.suffix]};base64,{base64.b64encode(found.read_bytes()).decode()}"
