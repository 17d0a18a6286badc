"""Columns of text and numbers -> features, see `models/side_information.py`; what is left out, and why, is said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from data.rating_sheet import DECIMAL_COMMA, NOT_RATED, Words, number, plain
from models.side_information import Column, Encoding

LEVELS = 50  # words of a column that become features, the most frequent
LISTS = {"|": 1, ";": 2, ",": 2}  # what words of a list are apart by, and in how many cells each is, on average
QUOTES = " '\"[]{}"  # about a list, or about one of its words
MISSING = tuple(word for word in NOT_RATED if word != "none")  # of words: none may be one, as an occupation


def described(names: Sequence[str], columns: Sequence[Words], commas: bool) -> tuple[Encoding, list[str]]:
    """How these become features, and what should be known of it. The scale is left at 1."""
    found, remarks, used = [], [], []
    for name, words in zip(names, columns, strict=True):
        column, remark = _column(name, words, commas)
        if column is None:
            remarks.append(f"{plain(name)} is left out: {remark}")
            continue
        found.append(column)
        used.append(f"{plain(name)} ({f'{len(column.words)} words' if column.words else 'a number'}{remark})")
    if used:
        remarks.insert(0, f"features of {', '.join(used)}")
    return Encoding(tuple(found)), remarks


def _column(name: str, words: Words, commas: bool) -> tuple[Column | None, str]:
    """What a column becomes and a remark; of none, why."""
    values = as_numbers(words, commas)
    if values is not None:
        missing = int(np.isnan(values).sum())
        kept = values[~np.isnan(values)]
        largest = float(np.abs(kept).max(initial=0)) or 1.0
        sd = largest * float((kept / largest).std()) if len(kept) else 0.0
        if not sd > 1e-12 * largest:
            return None, "it is empty" if not len(kept) else "it is the same number everywhere"
        return Column(name, largest * float((kept / largest).mean()), sd), _missing(missing, "its mean in their place")
    counts = np.bincount(words.codes, minlength=len(words.words))
    cells = [(int(n), w) for n, w in zip(counts, words.words.to_pylist(), strict=True)
             if n and w.lower() not in MISSING]
    separator = separator_of([word for _, word in cells])
    rows, found = sum(n for n, _ in cells), Counter[str]()
    for n, cell in cells:
        found.update(dict.fromkeys(listed(cell, separator), n))
    if len(found) < 2:
        return None, "it is the same word everywhere"
    if not separator and len(found) > 2 and 2 * len(found) > rows:
        return None, f"it has {len(found):,} words in {rows:,} rows"
    kept = sorted(found, key=lambda word: (-found[word], word))[:LEVELS]
    more = f" of {len(found):,}, the most frequent" if len(found) > len(kept) else ""
    apart = f" in lists, apart by '{separator}'" if separator else ""
    return (Column(name, words=tuple(sorted(kept)), separator=separator),
            apart + more + _missing(len(words) - rows, "none of the words"))


def separator_of(cells: Sequence[str]) -> str:
    """What the words of a list are apart by, where cells are such: whole ones differ, and their words are the same.

    >>> separator_of(["Action|Comedy", "Action", "Drama"]), separator_of(["Smith, John", "Doe, Jane"])
    ('|', '')
    """
    for separator, least in LISTS.items():
        if any(separator in cell for cell in cells):
            found = Counter(word for cell in cells for word in dict.fromkeys(listed(cell, separator)))
            if found.total() > len(found) and found.total() >= least * len(found):
                return separator
    return ""


def listed(cell: str, separator: str) -> list[str]:
    """The words of a list; without a separator the one that a cell is.

    >>> listed("['War', 'Film noir']", ","), listed("War|", "|")
    (['War', 'Film noir'], ['War'])
    """
    return [word for part in cell.split(separator) if (word := part.strip(QUOTES))] if separator else [cell]


def _missing(count: int, meaning: str) -> str:
    return f"; {count:,} missing: {meaning}" if count else ""


def as_numbers(words: Words, commas: bool) -> np.ndarray | None:
    """A column as numbers, nan where one is missing; None where a word is no number.

    >>> import pyarrow as pa
    >>> as_numbers(Words(np.array([0, 1, 2]), pa.array(["1,5", "NA", "3"])), commas=True)
    array([1.5, nan, 3. ])
    """
    found = [_value(word, commas) for word in words.words.to_pylist()]
    if any(found[code] is None for code in np.unique(words.codes).tolist()):
        return None
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)[words.codes]


def _value(word: str, commas: bool) -> float | None:
    """nan where it is missing, None for what is no finite number."""
    if word.lower() in NOT_RATED:
        return np.nan
    value = number(word.replace(",", ".", 1) if commas and re.match(DECIMAL_COMMA, word) else word)
    return value if value is not None and np.isfinite(value) else None


def encoded(encoding: Encoding, columns: Sequence[Words], commas: bool) -> tuple[np.ndarray, int]:
    """(rows, features), without the scale, and how many values are missing or none of the encoding's: these are 0."""
    parts, missing = [np.empty((len(columns[0]), 0))], 0
    for column, words in zip(encoding.columns, columns, strict=True):
        table, known = _table(column, words.words.to_pylist(), commas)
        parts.append(table[words.codes])
        missing += int((~known[words.codes]).sum())
    return np.concatenate(parts, 1), missing


def _table(column: Column, words: Sequence[str], commas: bool) -> tuple[np.ndarray, np.ndarray]:
    """The features of each word, (words, features), and whether it has any."""
    if not column.words:
        values = np.array([np.nan if (v := _value(word, commas)) is None else v for word in words], dtype=np.float64)
        return np.nan_to_num((values - column.mean) / column.sd)[:, None], ~np.isnan(values)
    place = {word: k for k, word in enumerate(column.words)}
    table = np.zeros((len(words), column.width))
    cells = [listed(word, column.separator) for word in words]
    for code, cell in enumerate(cells):
        table[code, [place[word] for word in cell if word in place]] = 1.0
    return table, np.array([bool(cell) and all(word in place for word in cell) for cell in cells], dtype=bool)
