"""Files that ask: pairs of a user and an item without a rating, or users alone; and the places of ids in a fit."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.rating_columns import NAMES, ROLES, place_of, said, simple
from data.rating_files import read_sheet
from data.rating_labels import WHOLE_FLOAT
from data.rating_sheet import Sheet, Words, listed, shown
from data.rating_text import TextSheet, filled
from data.rating_time import Times
from errors import InputError

Say = Callable[[str], None]
NOBODY = -1  # the place of an id that is not there


def read_pairs(path: Path, columns: str | None, ids: Sequence[np.ndarray], say: Say) -> tuple[Words, Words]:
    """The users and items of a file, by `columns` ("user=reviewer,item=asin"), else by their names, else the first two
    columns; other columns, ratings too, are left alone. `ids` are the known ones: a first line with one of them is no
    header."""
    user, item = _ids(*_opened(path, columns, ("user", "item"), ids, say))
    return user, item


def read_timed_pairs(path: Path, columns: str | None, ids: Sequence[np.ndarray], say: Say
                     ) -> tuple[Words, Words, np.ndarray]:
    """The same and when, in seconds since 1970: a column of a known name, or without a header the fourth, of three the
    third."""
    sheet, places = _opened(path, columns, ("user", "item", "time"), ids, say)
    time = Times.of(sheet, places.pop("time")).seconds()
    user, item = _ids(sheet, places)
    return user, item, time


def read_users(path: Path, columns: str | None, ids: Sequence[np.ndarray], say: Say) -> Words:
    """The users of a file, each once."""
    words = _ids(*_opened(path, columns, ("user",), ids, say))[0]
    _, first = np.unique(words.codes, return_index=True)
    return words.take(np.sort(first))


def _opened(path: Path, columns: str | None, roles: Sequence[str], ids: Sequence[np.ndarray], say: Say
            ) -> tuple[Sheet, dict[str, int]]:
    sheet = filled(headless(read_sheet(path, say), {str(name) for side in ids for name in side.tolist()}), "ids")
    places = _asked(sheet, columns, roles) if columns else _found(sheet, roles)
    say(f"{sheet.name}: {said(sheet, places)}")
    return sheet, places


def _ids(sheet: Sheet, places: dict[str, int]) -> list[Words]:
    words = sheet.columns(list(places.values()))
    for role, column in zip(places, words, strict=True):
        empty = [code for code, word in enumerate(column.words.to_pylist()) if not word]
        if empty:
            raise InputError(f"{sheet.where(column.first(empty[0]))} has no {role} id")
    return words


def headless(sheet: Sheet, ids: Set[str]) -> Sheet:
    """Without a header where what was taken for one holds an id, as the first of a list of names does."""
    if not isinstance(sheet, TextSheet) or sheet.header is None or not ids & set(sheet.header):
        return sheet
    line = io.StringIO()
    csv.writer(line, delimiter=sheet.separator, lineterminator="\n").writerow(sheet.header)
    return replace(sheet, header=None, body=line.getvalue().encode() + sheet.body, first_line=sheet.first_line - 1)


def _asked(sheet: Sheet, columns: str, roles: Sequence[str]) -> dict[str, int]:
    """By somebody's word; roles that are named for the ratings' file too may be among them."""
    given = dict([part.strip() for part in word.partition("=")[::2]] for word in columns.split(","))
    missing = [role for role in roles if not given.get(role)]
    if missing or not given.keys() <= set(ROLES):
        raise InputError(f"--columns is like {','.join(f'{role}=...' for role in roles)} here, not {shown(columns)}")
    return {role: place_of(sheet, given[role]) for role in roles}


def _found(sheet: Sheet, roles: Sequence[str]) -> dict[str, int]:
    if sheet.width < len(roles):
        raise InputError(f"{sheet.name} has {sheet.width} column(s); expected the columns {', '.join(roles)}")
    if not sheet.header:
        return {role: min(ROLES.index(role), sheet.width - 1) if role == "time" else place
                for place, role in enumerate(roles)}
    names = [simple(name) for name in sheet.header]
    found = {role: next((names.index(n) for n in NAMES[role] if n in names), None) for role in roles}
    if sheet.width == len(roles) == 1:
        return {"user": 0}
    missing = [role for role, place in found.items() if place is None]
    if missing:
        raise InputError(f"{sheet.name} has the columns {listed(sheet.header)}, of which none is known as "
                         f"{' or '.join(missing)}; name them, --columns {','.join(f'{role}=...' for role in roles)}")
    return {role: place for role, place in found.items() if place is not None}


def places(words: Words, ids: np.ndarray) -> np.ndarray:
    """The place of every word among the ids of a fit, NOBODY where it is none; 7 is also written 7.0 where the ids are
    whole numbers.

    >>> import pyarrow as pa
    >>> places(Words(np.array([0, 1, 2, 0]), pa.array(["7", "8.0", "x"])), np.array([3, 7, 8])).tolist()
    [1, 2, -1, 1]
    """
    known = {str(name): place for place, name in enumerate(ids.tolist())}
    whole = ids.dtype != object
    found = [known.get(w.partition(".")[0] if whole and re.match(WHOLE_FLOAT, w) else w, NOBODY)
             for w in words.words.to_pylist()]
    return np.array(found, dtype=np.int64)[words.codes]


def written(words: Words) -> np.ndarray:
    """As the file has them."""
    return np.array(words.words.to_pylist(), dtype=object)[words.codes]
