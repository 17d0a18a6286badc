"""Ids as a source writes them -> numbers from 0 and the names that go with them.

Ids are labels. Where every one of a side is a whole number, written as such (7, 1.0, 18446744073709551615, or 1e+05, as
R and Excel write them), they are whole numbers, in their order; otherwise they are text as it is written, so that 007
and 7 are two, and the hexadecimal 1e3 is no thousand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.rating_sheet import NOT_RATED, Words, number, shown
from data.rating_triples import Triples
from errors import InputError

WHOLE = r"^(0|-?[1-9][0-9]*)$"
WHOLE_FLOAT = r"^(0|-?[1-9][0-9]*)(\.0*)?$"
HEXADECIMAL = r"^[0-9]+[eE][0-9]+$"  # a number too, but no software writes large ones without the + of 1e+05
EXACT = 2**53  # beyond it a float is not one whole number
LOWEST, HIGHEST, LONGEST = -(2**63), 2**64 - 1, 20  # of what NetCDF has; characters


def labelled(parts: Sequence[Triples], side: str) -> tuple[tuple[int | str, ...], list[np.ndarray]]:
    """The ids of one side, "user" or "item", of all parts together, and the place of each rating's among them."""
    words: list[Words] = [getattr(part, side) for part in parts]
    joined = pa.concat_arrays([w.words.cast(pa.string()) for w in words]).dictionary_encode()
    used = np.zeros(len(joined.dictionary), dtype=bool)
    into = np.split(np.from_dlpack(joined.indices), np.cumsum([len(w.words) for w in words])[:-1])
    codes = [place[w.codes] for place, w in zip(into, words, strict=True)]
    for each in codes:
        used[each] = True
    written = joined.dictionary
    if not used.all():
        keep = np.flatnonzero(used)
        written, codes = written.take(pa.array(keep)), [(np.cumsum(used, dtype=np.int32) - 1)[c] for c in codes]
    ids = _named(parts, side, written, codes)
    order = np.argsort(ids, kind="stable") if ids.dtype != object else np.array(
        sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64)
    ordered = ids[order]
    fresh = np.concatenate([[True], ordered[1:] != ordered[:-1]]).astype(bool)  # 1 and 1.0 are one
    place = np.empty(len(ids), dtype=np.int32)
    place[order] = np.cumsum(fresh) - 1
    return tuple(ordered[fresh].tolist()), [place[c] for c in codes]


def _named(parts: Sequence[Triples], side: str, written: pa.Array, codes: Sequence[np.ndarray]) -> np.ndarray:
    """Whole numbers, or text, one for every word. Errors: InputError for nothing, and for fractions."""
    if pc.all(pc.match_substring_regex(written, WHOLE)).as_py():
        return _whole(written.to_pylist())
    words = written.to_pylist()
    others = [w for w in words if w.lower() not in NOT_RATED]
    numeric = bool(others) and all(number(w) is not None and w.lower().lstrip("+-") not in ("inf", "infinity")
                                   and not re.match(HEXADECIMAL, w) for w in others)
    nothing = [k for k, w in enumerate(words) if not w or (numeric and w.lower() in NOT_RATED)]
    if nothing:
        raise InputError(f"{_where(parts, codes, nothing)} has no {side} id")
    if numeric and all(re.match(WHOLE_FLOAT, w) for w in words):
        return _whole([w.partition(".")[0] for w in words])
    if numeric and not any(re.match(r"^[+-]?0\d", w) for w in words):
        values = [float(w) for w in words]
        fractions = [k for k, v in enumerate(values) if v % 1]
        if fractions:
            raise InputError(f"{_where(parts, codes, fractions)}: the {side} id {shown(words[fractions[0]])} is not an "
                             f"integer; ids are whole numbers or text")
        if all("e" in w.lower() or "." in w or re.match(WHOLE, w) for w in words) and max(map(abs, values)) <= EXACT:
            return _whole([str(int(v)) for v in values])
    return np.array(words, dtype=object)


def _whole(words: Sequence[str]) -> np.ndarray:
    """As int64 or uint64 where they fit, else as the text that they are."""
    longest = max(map(len, words))
    if longest < 19:
        return np.array(list(map(int, words)), dtype=np.int64)
    if longest > LONGEST:
        return np.array(words, dtype=object)
    values = list(map(int, words))
    low, high = min(values), max(values)
    if low < LOWEST or high > HIGHEST or (low < 0 and high >= 2**63):
        return np.array(words, dtype=object)
    return np.array(values, dtype=np.uint64 if low >= 0 else np.int64)


def _where(parts: Sequence[Triples], codes: Sequence[np.ndarray], wrong: Sequence[int]) -> str:
    """The first rating whose word is one of `wrong`."""
    for part, code in zip(parts, codes, strict=True):
        rows = np.flatnonzero(np.isin(code, wrong))
        if len(rows):
            return part.where(int(rows[0]))
    raise AssertionError("no rating has such an id")
