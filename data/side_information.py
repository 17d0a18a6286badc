"""Files about users or items -> features: CSV, TSV, `|` as MovieLens' u.user and u.item, Parquet; packed or not.

Which column holds the ids is known by the names that these columns have in files of ratings, or `id`; without a header
it is the first. Columns of numbers are standardised; others are one-hot, their 50 most frequent words, those of lists
(`Action|Comedy`) each by itself; a column in which most words occur once (names, addresses of pages) says nothing of
others, and is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from data.rating_columns import NAMES, called, place_of, simple
from data.rating_files import read_sheet
from data.rating_questions import NOBODY, headless, places
from data.rating_sheet import Sheet, Words, listed, plain
from data.rating_text import EXPECTED, filled
from data.side_columns import described, encoded
from errors import InputError
from models.side_information import Encoding, Known

Say = Callable[[str], None]
OURS = "expected a column of ids and others about them"


@dataclass(frozen=True, eq=False)
class Table:
    """A file about one side: whose each row is, and its other columns by name."""

    name: str
    side: str
    ids: Words
    names: tuple[str, ...]
    columns: tuple[Words, ...]
    commas: bool


def read_known(path: Path, side: str, ids: np.ndarray, columns: str | None, say: Say) -> Known:
    """Of all of `ids`, in their order. Errors: InputError for a file that tells nothing of them."""
    table = read_table(path, side, ids, columns, say)
    place = _places(table, ids, say)
    mine = place != NOBODY
    some = replace(table, columns=tuple(c.take(np.flatnonzero(mine)) for c in table.columns))
    encoding, remarks = described(some.names, some.columns, some.commas)
    for remark in remarks:
        say(f"{table.name}: {remark}")
    if not encoding.columns:
        raise InputError(f"{table.name}: none of its columns tells {side}s apart: it gives no features; leave it out")
    values = _placed(some, encoding, place[mine], len(ids))
    length = float((values**2).sum() / mine.sum())
    encoding = replace(encoding, scale=length**-0.5)
    return Known(torch.from_numpy(values * encoding.scale), encoding)


def read_more(path: Path, side: str, ids: np.ndarray, columns: str | None, encoding: Encoding, say: Say) -> np.ndarray:
    """Features of others, made as those of a fit were: (ids, features). Errors: InputError for a missing column."""
    table = read_table(path, side, ids, columns, say)
    place = _places(table, ids, say)
    mine = place != NOBODY
    missing = [c.name for c in encoding.columns if c.name not in table.names]
    if missing:
        raise InputError(f"{table.name} has no {listed(missing)}, which the fit has features of; its columns are "
                         f"{listed(table.names)}")
    some = replace(table, columns=tuple(c.take(np.flatnonzero(mine)) for c in table.columns))
    return _placed(some, encoding, place[mine], len(ids), say) * encoding.scale


def read_table(path: Path, side: str, ids: np.ndarray, columns: str | None, say: Say) -> Table:
    """The rows of a file; `columns` is --columns, whose word for the side is taken if the file has such a column."""
    try:
        sheet = filled(headless(read_sheet(path, say), {str(name) for name in ids.tolist()}), "rows")
        if sheet.width < 2:
            raise InputError(f"{sheet.name} has {sheet.width} column(s); {OURS}")
        key = key_of(sheet, side, columns)
        others = [k for k in range(sheet.width) if k != key]
        found, *rest = sheet.columns([key, *others])
    except InputError as error:  # sheets are those of ratings, and their sentences say what these have
        raise InputError(str(error).replace(EXPECTED, OURS)) from None
    blank = np.array([w == "" for w in found.words.to_pylist()], dtype=bool)[found.codes]
    if blank.any():
        raise InputError(f"{sheet.where(int(np.argmax(blank)))} has no {side} id in {called(sheet, key)}")
    say(f"{sheet.name}: {side} = {called(sheet, key)}")
    names = tuple(sheet.header[k] if sheet.header else f"column {k + 1}" for k in others)
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise InputError(f"{sheet.name} has two columns {plain(twice)}; rename one of them")
    return Table(sheet.name, side, found, names, tuple(rest), sheet.commas)


def key_of(sheet: Sheet, side: str, columns: str | None) -> int:
    """Where the ids are."""
    if not sheet.header:
        return 0
    given = dict([part.strip() for part in word.partition("=")[::2]] for word in (columns or "").split(","))
    names = [simple(name) for name in sheet.header]
    if simple(given.get(side, "")) in names and given.get(side):
        return place_of(sheet, given[side])
    found = next((names.index(n) for n in (*NAMES[side], "id") if n in names), None)
    if found is None:
        raise InputError(f"{sheet.name} has the columns {listed(sheet.header)}, of which none is known as the {side}'s "
                         f"id: call it {side}")
    return found


def _places(table: Table, ids: np.ndarray, say: Say) -> np.ndarray:
    """The place of every row among the ids, NOBODY of most; how many are missing is said."""
    place = places(table.ids, ids)
    known = place[place != NOBODY]
    if not len(known):
        raise InputError(f"{table.name} has a row for none of the {table.side}s: its ids are like "
                         f"{plain(table.ids[0])}, those of the ratings like {plain(ids[0])}")
    if len(np.unique(known)) < len(known):
        twice = Counter(known.tolist()).most_common(1)[0][0]
        raise InputError(f"{table.name} has more than one row for {table.side} {plain(ids[twice])}; keep one")
    if len(known) < len(place):
        say(f"{table.name}: {len(place) - len(known):,} of {len(place):,} rows are of {table.side}s who have no "
            f"ratings: left out")
    if len(known) < len(ids):
        say(f"{table.name}: {len(ids) - len(known):,} of {len(ids):,} {table.side}s have no row: their features are 0")
    return place


def _placed(table: Table, encoding: Encoding, place: np.ndarray, rows: int, say: Say | None = None) -> np.ndarray:
    found = np.zeros((rows, encoding.width))
    wanted = [table.columns[table.names.index(column.name)] for column in encoding.columns]
    found[place], missing = encoded(encoding, wanted, table.commas)
    if missing and say:
        say(f"{table.name}: {missing:,} values are missing, or words that the fit has no feature of: 0 in their place")
    return found
