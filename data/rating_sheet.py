"""What a rating file is cut into before anybody knows which of its columns say what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from errors import InputError

LONGEST, FILE = 40, 60  # characters of a value and of a file's name that a sentence shows
NOT_RATED = ("", "nan", "na", "n/a", "null", "none", "<na>")  # in a cell, in small letters
THUMBS = {"true": "1", "false": "0"}  # up or down, where a column holds nothing else
A_DATE = r"[\d\s:/.-]+"  # or a time, which is no rating in words
FEW_WORDS, WORD, ROOM = 21, 20, 40  # that may be ratings in words; characters of one, and of all that are named
HOW = "; a rating is a number, or true or false in every line; leave out lines without one"
DECIMAL_COMMA = r"^[+-]?[0-9]*,[0-9]+$"
THOUSANDS = r"^[+-]?[0-9]{1,3}(,[0-9]{3})+$"


@dataclass(frozen=True, eq=False)
class Words:
    """A column of text: row n holds `words[codes[n]]`, blanks at its ends gone, "" where there is nothing."""

    codes: np.ndarray  # (N,) int32
    words: pa.Array  # of strings, each once

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Words:
        if not pa.types.is_dictionary(column.type):
            column = pc.fill_null(column.cast(pa.string()), "").dictionary_encode()
        chunks = [c for c in column.unify_dictionaries().chunks if len(c)]
        if not chunks:
            return cls(np.empty(0, np.int32), pa.array([], pa.string()))
        codes = np.concatenate([np.from_dlpack(c.indices) for c in chunks])
        trimmed = pc.utf8_trim_whitespace(chunks[0].dictionary).dictionary_encode()
        same = len(trimmed.dictionary) == len(chunks[0].dictionary)
        return cls(codes if same else np.from_dlpack(trimmed.indices)[codes], trimmed.dictionary)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> str:
        return self.words[int(self.codes[row])].as_py()

    def take(self, rows: np.ndarray) -> Words:
        return Words(self.codes[rows], self.words)

    def first(self, code: int) -> int:
        """The first row that holds a word."""
        return int(np.argmax(self.codes == code))


class Sheet(Protocol):
    """Rows and columns of one file, whichever kind it is."""

    @property
    def name(self) -> str: ...

    @property
    def header(self) -> list[str] | None:
        """Names of columns, as they are written."""

    @property
    def width(self) -> int: ...

    @property
    def sample(self) -> list[list[str]]:
        """The first rows."""

    @property
    def commas(self) -> bool:
        """Whether a comma in a number can only be a decimal one."""

    def columns(self, wanted: Sequence[int]) -> list[Words]:
        """Some of the columns. Errors: InputError that names the line at fault."""

    def where(self, row: int) -> str: ...


def numbers(sheet: Sheet, words: Words, place: str, empty: float | None = None, more: str = "") -> np.ndarray:
    """A column as float64; `empty` stands for what NOT_RATED says, where it may.

    Errors: InputError names the row, and ends in `more`.
    """
    distinct = words.words
    if empty is not None:
        distinct = pc.if_else(pc.is_in(pc.utf8_lower(distinct), pa.array(NOT_RATED)), "nan", distinct)
    thumbs = [*THUMBS, "nan"] if empty is not None else list(THUMBS)
    if len(distinct) and pc.all(pc.is_in(pc.utf8_lower(distinct), pa.array(thumbs))).as_py():
        for word, value in THUMBS.items():
            distinct = pc.if_else(pc.equal(pc.utf8_lower(distinct), word), value, distinct)
    try:
        values = np.from_dlpack(pc.cast(distinct, pa.float64()))
    except pa.ArrowInvalid:
        values = np.array(_slowly(sheet, words, distinct, place, more), dtype=np.float64)
    if empty is not None:
        values = np.where(np.isnan(values), empty, values)
    return values[words.codes]


def _slowly(sheet: Sheet, words: Words, distinct: pa.Array, place: str, more: str) -> list[float]:
    """One after the other, with decimal commas, which Arrow does not know."""
    written = distinct.to_pylist()
    commas = [w for w in written if re.match(DECIMAL_COMMA, w)]
    doubtful = not sheet.commas and all(re.match(THOUSANDS, w) for w in commas)
    found = [number(w if doubtful else w.replace(",", ".", 1)) for w in written]
    wrong = [code for code, value in enumerate(found) if value is None]
    if wrong:
        row = min(words.first(code) for code in wrong)
        if not words[row]:
            raise InputError(f"{sheet.where(row)} has no rating in {place}: leave out such lines")
        held = [w for w in written if w.lower() not in NOT_RATED]
        if len(held) <= FEW_WORDS and all(number(w) is None and len(w) <= WORD and not re.fullmatch(A_DATE, w)
                                          for w in held):
            raise InputError(f"{sheet.where(row)}: {place} holds words, {listed(sorted(held), ROOM)}: write a number "
                             f"for each, the better the higher{more}")
        raise InputError(f"{sheet.where(row)}: {shown(words[row])} in {place} stands where a number belongs"
                         f"{more or HOW}")
    return [value for value in found if value is not None]


def number(word: str) -> float | None:
    """
    >>> number("4.5"), number(" 3"), number("1_0"), number("good")
    (4.5, 3.0, None, None)
    """
    try:
        return None if "_" in word else float(word)
    except ValueError:
        return None


def shown(value: object) -> str:
    """A value from a file, fit for a terminal: short, in quotes, nothing that is not printable.

    >>> shown("good"), shown(chr(27) + "[31m"), len(shown("x" * 99))
    ("'good'", "'?[31m'", 45)
    """
    return f"'{plain(value)}'"


def plain(value: object, longest: int = LONGEST) -> str:
    """The same without quotes."""
    text = "".join(c if c.isprintable() else "?" for c in str(value)[:longest + 1])
    return text if len(text) <= longest else text[:longest] + "..."


def listed(names: Sequence[str], most: int = 60) -> str:
    """Names of columns, in about so many characters.

    >>> listed(["a", "b"]), listed(list("abcdefghijk"), 6)
    ('a, b', 'a, b, c and 8 more')
    """
    said, count = plain(names[0]) if names else "", min(1, len(names))
    while count < len(names) and len(said) + len(plain(names[count])) < most:
        said, count = f"{said}, {plain(names[count])}", count + 1
    return said + (f" and {len(names) - count} more" if count < len(names) else "")
