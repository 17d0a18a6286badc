"""When ratings were given: a column of numbers or dates, read only where somebody asks for it.

Numbers are seconds since 1970 (UTC), or milli-, micro- or nanoseconds, as their size tells; dates are as ISO 8601 has
them, as Amazon's reviewTime and Goodreads have them, or with the month in English; in UTC where they name no zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from data.rating_columns import called
from data.rating_sheet import Sheet, Words, number, shown
from errors import InputError

FARTHEST = 1e11  # seconds, some 3,000 years; a larger number is of a smaller unit
UNITS = (1.0, 1e3, 1e6, 1e9)  # in a second
COMPACT = r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"  # a day in eight digits, which is no second of 1970
FORMS = ("%m %d, %Y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%d-%b-%Y", "%a %b %d %H:%M:%S %z %Y")


@dataclass(frozen=True, eq=False)
class Times:
    """The times of ratings; `words` reads them, `where(n)` says where rating n stands, `place` in which column."""

    words: Callable[[], Words]
    where: Callable[[int], str]
    place: str

    @classmethod
    def of(cls, sheet: Sheet, place: int) -> Times:
        """Those in a column of a sheet."""
        return cls(lambda: sheet.columns([place])[0], sheet.where, called(sheet, place))

    def take(self, rows: np.ndarray) -> Times:
        return Times(lambda: self.words().take(rows), lambda n: self.where(int(rows[n])), self.place)

    def order(self) -> np.ndarray:
        """(N,) float64 that grow with time. Errors: InputError for what is neither a number nor a date."""
        words = self.words()
        return self._values(words)[words.codes]

    def seconds(self) -> np.ndarray:
        """Since 1970, (N,) int64. Errors: InputError for what is neither a number nor a date."""
        words = self.words()
        values = self._values(words)
        unit = next(u for u in UNITS if not (np.abs(values) >= FARTHEST * u).any())
        return np.floor(values / unit)[words.codes].astype(np.int64)

    def _values(self, words: Words) -> np.ndarray:
        """Of every distinct word; not a number for those that no rating has."""
        used = np.flatnonzero(np.bincount(words.codes, minlength=len(words.words)))
        values = np.full(len(words.words), np.nan)
        values[used] = [instant(w) for w in words.words.take(used).to_pylist()]
        if (wrong := used[np.isnan(values[used])]).size:
            self._refuse(words, min(words.first(int(code)) for code in wrong))
        return values

    def _refuse(self, words: Words, row: int) -> None:
        what = f"{shown(words[row])} in {self.place} is no time" if words[row] else f"has no time in {self.place}"
        raise InputError(f"{self.where(row)}{':' * bool(words[row])} {what}; expected are seconds since 1970, or dates "
                         f"like 2014-05-03 12:00 or 3 May 2014")


def instant(word: str) -> float:
    """A number as it is, a date in seconds since 1970; not a number where it is neither, or too far away.

    >>> instant("881250949"), instant("1970-01-02"), instant("1970-01-01T01:00:00+01:00"), instant("soon")
    (881250949.0, 86400.0, 0.0, nan)
    >>> instant("01 2, 1970"), instant("19700102"), instant("2 January 1970")
    (86400.0, 86400.0, 86400.0)
    """
    value = None if re.fullmatch(COMPACT, word) else number(word)
    if value is None:
        date = dated(word)
        if date is None:
            return float("nan")
        value = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return value if abs(value) < FARTHEST * UNITS[-1] else float("nan")


def dated(word: str) -> datetime | None:
    """The date that a word says in one of the forms above. A day and a month in numbers alone, as in 03/05/2014, may be
    either way round, and are none."""
    for form in ("", *FORMS):
        try:
            return datetime.strptime(word, form) if form else datetime.fromisoformat(word)
        except ValueError:
            continue
    return None


def said(seconds: np.ndarray) -> str:
    """From when to when.

    >>> said(np.array([874724710, 893286638]))
    'times from 1997-09-20 to 1998-04-22'
    """
    first, last = (datetime.fromtimestamp(int(t), UTC).date() for t in (seconds.min(), seconds.max()))
    return f"times from {first} to {last}"
