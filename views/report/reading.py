"""`report.json` -> a page. The file may be anybody's: what it names is looked for below its folder alone, and what is
not as a run writes it is said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from errors import InputError
from files import read_json
from views.report.page import Figure, Made, Page, Part
from views.report.render import KINDS
from views.tables import Table

COLOUR = re.compile("#[0-9a-fA-F]{6}")


def page_of(path: Path) -> Page:
    """Errors: InputError for a file that is not as `Story.write` writes it, or whose figures are not there."""
    said = read_json(path)
    try:
        page = Page.of(said)
        for figure in (figure for part in page.parts for figure in part.figures):
            _check_figure(path.parent, figure)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        page = None
    if page is None or not _typed(page, Page) or not _sound(page):
        raise InputError(f"{path} is not what this version writes when a problem is finished: delete its folder to "
                         f"run it again")
    return page


def _check_figure(folder: Path, figure: Figure) -> None:
    """Errors: ValueError for one that is not a picture below the folder."""
    place = (folder / figure.path).resolve()
    if place.suffix not in KINDS or not place.is_relative_to(folder.resolve()) or not place.is_file():
        raise ValueError(figure.path)


def _typed(value: object, kind: Any) -> bool:
    """Whether a value is of an annotated type, and all that it holds too.

    >>> _typed([("a", 1)], Sequence[Sequence[object]]), _typed({"a": 1}, Mapping[str, str]), _typed(None, int | None)
    (True, False, True)
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind in (Any, object):
        return value is None or isinstance(value, int | float) or _typed(value, str)
    if kind is str:
        return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)
    if kind is float:
        return isinstance(value, int | float)
    if origin is Sequence:
        return isinstance(value, list | tuple) and all(_typed(each, inner[0]) for each in value)
    if origin is Mapping:
        return isinstance(value, dict) and all(_typed(k, inner[0]) and _typed(v, inner[1]) for k, v in value.items())
    if inner:
        return any(_typed(value, each) for each in inner)
    if kind in (Figure, Made, Page, Part, Table):
        return isinstance(value, kind) and all(_typed(getattr(value, n), k) for n, k in get_type_hints(kind).items())
    return value is None if kind is type(None) else isinstance(value, kind)


def _sound(page: Page) -> bool:
    """Whether its tables have a cell a column, and its colours are some."""
    tables = [table for part in page.parts for table in part.tables] + [page.checkpoints] * bool(page.checkpoints)
    return all(COLOUR.fullmatch(colour) for colour in page.colours.values()) and all(
        len(row) == len(table.columns) and all(isinstance(word, str) for word in row)
        for table in tables if table for row in table.rows)
