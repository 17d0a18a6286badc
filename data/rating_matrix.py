"""A matrix of ratings, a row per user and a column per item: whether a sheet is one, and its triples.

It has a header whose first name is that of a user's column, or whose others end in numbers; or it has none, and its
cells are of one range, with some that are not rated: empty, or 99 where no rating comes near. Jester's own starts with
the number of items rated.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

from data.rating_columns import HEADS, called, simple
from data.rating_sheet import NOT_RATED, THUMBS, Sheet, Words, number, numbers, plain
from data.rating_triples import Triples
from errors import InputError

MISSING = 99.0  # marks "not rated", where no rating comes near it
NEAR = 50.0  # a rating beyond this does
JESTER_SCALE = (-10.0, 10.0)
MANY = 8  # columns that are a matrix even where every cell is filled
STRAY = 0.2  # of the cells, at most, may be neither


def is_matrix(sheet: Sheet) -> bool:
    """Whether the first rows, and the header if there is one, are those of a matrix."""
    names, rows = [simple(n) for n in sheet.header or []], [r for r in sheet.sample if len(r) == sheet.width]
    if sheet.width < (3 if names else 5) or not rows:
        return False
    cells = [[cell(word) for word in row[1:]] for row in rows]
    values = np.array([[np.nan if c is None else c for c in row] for row in cells], dtype=float)
    if sum(c is None for row in cells for c in row) > STRAY * values.size or not alike(values):
        return False
    filled, many = not np.isnan(values).any(), sheet.width > MANY
    if not names:
        return many or not filled
    users = [row[0] for row in rows]
    if all(re.fullmatch(r"\D*\d+", n) for n in names[1:]):
        return True
    if len(set(users)) < len(users) or names[0] not in HEADS:
        return False
    return not filled or many or (names[0] != "" and sheet.width >= 5)


def cell(word: str) -> float | None:
    """Its rating, nan where there is none, None where it is something else."""
    word = word.strip()
    if word.lower() in NOT_RATED:
        return float("nan")
    word = THUMBS.get(word.lower(), word)
    value = number(word if "." in word else word.replace(",", ".", 1))
    return None if value is None or abs(value) == float("inf") else float("nan") if value == MISSING else value


def alike(values: np.ndarray) -> bool:
    """Whether the columns are of one range: none lies wholly beyond what most of the cells reach."""
    full = values[:, ~np.isnan(values).all(0)]
    if not full.size:
        return True
    low, high = np.nanquantile(full, [0.25, 0.75])
    reach = 2 * max(high - low, 1.0)
    return bool(((np.nanmin(full, 0) <= high + reach) & (np.nanmax(full, 0) >= low - reach)).all())


def wide(sheet: Sheet) -> Triples:
    """A user a row and an item a column; ids are those of the header and of the first column, or counted from 1."""
    columns = sheet.columns(range(sheet.width))
    named = sheet.header is not None and simple(sheet.header[0]) in HEADS
    cells = np.column_stack([numbers(sheet, words, called(sheet, k), empty=np.nan)
                             for k, words in enumerate(columns[named:], int(named))])
    rated, remark = without_missing(cells if named else cells[:, 1:])
    users, by, scale = columns[0], "the first column", None
    if not named:
        first = cells[:, 0]
        if is_count(first, rated):
            users, by, scale = counted(len(rated)), "row, counted from 1", jesters(sheet, first, rated)
        elif sheet.header:
            raise InputError(f"{sheet.name}: {called(sheet, 0)} of a matrix is neither the users, as 'user' or nothing "
                             f"would say, nor how many items each has rated")
        elif not are_ids(first, rated):
            users, by = counted(len(rated)), "row, counted from 1"
            rated, remark = without_missing(cells)
    what = f"a matrix of {len(rated):,} users, by {by}, and {rated.shape[1]:,} items, a column each; {remark}"
    return of_cells(sheet, users, item_names(sheet, rated.shape[1]), rated, scale, what)


def without_missing(cells: np.ndarray) -> tuple[np.ndarray, str]:
    """The cells with nan where nothing is rated, and what says so, for people."""
    empty, marked = np.isnan(cells), cells == MISSING
    if not marked.any() or (np.abs(cells[~empty & ~marked]) > NEAR).any():
        return cells, "an empty cell is not rated" if empty.any() else "every cell is rated"
    return np.where(marked, np.nan, cells), f"99 {'and an empty cell are' if empty.any() else 'is'} not rated"


def is_count(first: np.ndarray, rated: np.ndarray) -> bool:
    """Whether the first column says how many of the others are rated."""
    return bool(np.isnan(rated).any()) and bool((first == (~np.isnan(rated)).sum(1)).mean() > 0.5)


def jesters(sheet: Sheet, first: np.ndarray, rated: np.ndarray) -> tuple[float, float] | None:
    """The scale of a matrix that starts with counts: Jester's only where something lies below the stars.

    Errors: InputError for a count that is wrong.
    """
    counts = (~np.isnan(rated)).sum(1)
    if (first != counts).any():
        row = int(np.argmax(first != counts))
        raise InputError(f"{sheet.where(row)}: the first column says that {first[row]:g} items are rated, but "
                         f"{counts[row]} of the others are neither 99 nor empty")
    return JESTER_SCALE if counts.any() and np.nanmin(rated) < 0 else None


def are_ids(first: np.ndarray, rated: np.ndarray) -> bool:
    """Whole, each once, and reaching beyond the ratings."""
    whole = not np.isnan(first).any() and bool((first == np.floor(first)).all())
    rows = whole and len(np.unique(first)) == len(first) > 1 and not np.isnan(rated).all()
    return rows and bool(first.max() > np.nanmax(rated))


def item_names(sheet: Sheet, count: int) -> list[str]:
    names = sheet.header[1:] if sheet.header else [str(k) for k in range(1, count + 1)]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"{sheet.name}: two columns are called '{plain(twice)}'; give every item a name of its own")
    if "" in names:
        raise InputError(f"{sheet.name}: column {names.index('') + 2} has no name in the header, and it is an item's")
    return list(names)


def of_cells(sheet: Sheet, users: Words, names: list[str], rated: np.ndarray, scale: tuple[float, float] | None,
             what: str) -> Triples:
    rows, places = np.nonzero(~np.isnan(rated))
    if not len(rows):
        raise InputError(f"{sheet.name} is a matrix without a rating: every entry is 99 or empty")
    return Triples(sheet.name, users.take(rows), Words(places, pa.array(names, pa.string())), rated[rows, places],
                   lambda n: f"{sheet.where(int(rows[n]))}, item {plain(names[places[n]])}", None, scale, what, True)


def counted(count: int) -> Words:
    """1, 2, ..."""
    return Words(np.arange(count), pa.array([str(k) for k in range(1, count + 1)], pa.string()))
