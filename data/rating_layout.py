"""A sheet -> triples: a rating a row, or a matrix with a row per user and a column per item; decided on evidence.

The evidence for a matrix is in `rating_matrix`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from data import rating_columns
from data.rating_columns import HINT, called, simple
from data.rating_matrix import is_matrix, wide
from data.rating_sheet import NOT_RATED, Sheet, Words, listed, numbers
from data.rating_text import EXPECTED, filled
from data.rating_time import Times
from data.rating_triples import Triples
from errors import InputError

Say = Callable[[str], None]


def triples(sheet: Sheet, columns: str | None, say: Say) -> Triples:
    """The ratings of a sheet; `columns` are somebody's words for where they are. Says what was understood."""
    filled(sheet, "ratings")
    places = rating_columns.asked(sheet, columns) if columns else None
    if places is None and sheet.header:
        places = rating_columns.by_name(sheet.header)
    elif places is None and sheet.width in (3, 4):
        places = dict(zip(rating_columns.ROLES, range(sheet.width), strict=False))
        if rating_columns.item_first(sheet.sample):
            places |= {"user": 1, "item": 0}
            say(f"{sheet.name}: the ids look like Amazon's, with the item before the user")
    if places:
        return long(sheet, places, say, certain=bool(columns))
    if not is_matrix(sheet):
        found = f"the columns {listed(sheet.header)}" if sheet.header else f"{sheet.width} column(s)"
        raise InputError(f"{sheet.name} has {found}; {EXPECTED}" + (f"; {HINT}" if sheet.width > 2 else ""))
    return wide(sheet)


def long(sheet: Sheet, places: dict[str, int], say: Say, certain: bool) -> Triples:
    """A rating a line; lines without a word in any of the three columns are none."""
    roles = [role for role in places if role != "time"]
    columns = dict(zip(roles, sheet.columns([places[role] for role in roles]), strict=True))
    blank = np.logical_and.reduce([_blank(columns[role]) for role in roles])
    more = "" if certain or sheet.header else f"; if another column is meant, {HINT}"
    rating = numbers(sheet, columns["rating"], called(sheet, places["rating"]), 0.0 if blank.any() else None, more)
    if blank.any():
        empty = _blank(columns["rating"], NOT_RATED) & ~blank
        if empty.any():
            raise InputError(f"{sheet.where(int(np.argmax(empty)))} has no rating in "
                             f"{called(sheet, places['rating'])}: leave out such lines")
    time = Times.of(sheet, places["time"]) if "time" in places else None
    taken = rating_columns.said(sheet, places)
    found = Triples(sheet.name, columns["user"], columns["item"], rating, sheet.where, time, None, taken, certain)
    if not certain:
        _is_one_thing(sheet, found)
    if blank.any():
        found = found.take(np.flatnonzero(~blank))
    if not certain and sheet.header:
        found = _without_marks(sheet, places, found, say)
    return found


def _blank(words: Words, nothing: Sequence[str] = ("",)) -> np.ndarray:
    """Which rows hold nothing, or a word for it, in small letters."""
    return np.array([w.lower() in nothing for w in words.words.to_pylist()], dtype=bool)[words.codes]


def _is_one_thing(sheet: Sheet, found: Triples) -> None:
    """Errors: InputError where the ratings are times, as nobody's are."""
    x = found.rating
    if len(x) and np.isfinite(x).all() and any(4e8 * s <= x.min() and x.max() <= 4e9 * s and
                                               not (x % 1).any() for s in (1, 1e3, 1e6)):
        raise InputError(f"{sheet.where(0)}: the rating {x[0]:.0f} looks like a time; taken were {found.columns}; if "
                         f"others are meant, {HINT}")


def _without_marks(sheet: Sheet, places: dict[str, int], found: Triples, say: Say) -> Triples:
    """Anime's -1 and the 0 of Book-Crossing and Goodreads say that somebody watched or read, and did not rate."""
    mark = mark_of(sheet.header or [], places)
    if mark is None:
        return found
    marked = found.rating == mark
    if not marked.any() or marked.all() or found.rating[~marked].min() < 1:
        return found
    say(f"{sheet.name}: {int(marked.sum()):,} rows with a rating of {mark:g} are left out: there it says that nothing "
        f"was rated (to keep them, give --columns)")
    return found.take(np.flatnonzero(~marked))


def mark_of(header: Sequence[str], places: Mapping[str, int]) -> float | None:
    """The rating that may say that nothing was rated."""
    named = {role: simple(header[place]) for role, place in places.items()}
    of_books = named["rating"] == "bookrating" or "isread" in map(simple, header)
    return -1.0 if named["item"] == "animeid" else 0.0 if of_books else None
