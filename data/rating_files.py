"""Rating files -> `Ratings`: plain, gzipped or zipped text in any layout of `rating_text`, and Parquet.

Original ids are kept in `user_ids` and `item_ids`; the index tensors are contiguous, in the order of the ids.
1.76M ratings from a gzipped CSV take about a second.
"""

from __future__ import annotations

import gzip
import io
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from data.rating_text import EXPECTED, Triples, columns_by_name, read_text
from errors import InputError
from models.ratings import Ratings

Scale = tuple[float, float]

ZIPPED = ("jester_ratings.dat", "ratings.csv", "ratings.dat", "u.data")  # looked for in zip archives


def read_ratings(path: str | Path, scale: Scale | None = None) -> Ratings:
    """The ratings in a file; `scale` is the lowest and highest possible one, if known: others are refused."""
    return to_ratings([read_triples(path)], scale)[0]


def read_triples(path: str | Path) -> Triples:
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file '{path}'") from None
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}") from None
    return from_bytes(path.name, raw)


def from_bytes(name: str, raw: bytes) -> Triples:
    """Triples from a file's bytes; what kind of file it is, the bytes themselves say."""
    if raw.startswith(b"\x1f\x8b"):
        try:
            return from_bytes(name, gzip.decompress(raw))
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{name} is a damaged gzip file ({error}); fetch it again") from None
    if raw.startswith(b"PK\x03\x04"):
        return from_zip(name, raw)
    if raw.startswith(b"PAR1"):
        return from_parquet(name, raw)
    if b"\0" in raw[:4096]:
        raise InputError(f"{name} is not text, gzip, zip or Parquet (an Excel sheet must first be saved as CSV)")
    return read_text(name, raw)


def from_zip(name: str, raw: bytes) -> Triples:
    """The one member of an archive that holds ratings (MovieLens and Jester come like this)."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = [m for m in archive.namelist() if Path(m).name in ZIPPED]
            if len(members) != 1:
                raise InputError(f"the zip archive {name} must hold one of {', '.join(ZIPPED)}, "
                                 f"it holds {len(members)} of them; unpack it and give the file")
            return from_bytes(Path(members[0]).name, archive.read(members[0]))
    except (zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{name} is a damaged zip archive ({error}); fetch it again") from None


def from_parquet(name: str, raw: bytes) -> Triples:
    """A Parquet table with columns named user, item and rating, or like those of MovieLens."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(io.BytesIO(raw))
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{name} is a damaged Parquet file ({error}); fetch it again") from None
    columns = columns_by_name([c.replace("_", "").lower() for c in table.column_names])
    if columns is None:
        raise InputError(f"{name} has the columns {', '.join(table.column_names)}; {EXPECTED}")
    if not len(table):
        raise InputError(f"{name} has columns but no ratings")

    def where(row: int) -> str:
        return f"{name}, row {row + 1}"

    parsed = []
    for role, column in zip(("user", "item", "rating"), columns, strict=True):
        values = table.column(column)
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            raise InputError(f"{name}: the {role} column holds {values.type} where numbers belong")
        if values.null_count:
            raise InputError(f"{where(int(np.argmax(values.is_null().to_numpy())))} has no {role}")
        numbers = values.to_numpy()
        if role != "rating" and (numbers != np.floor(numbers)).any():
            row = int(np.argmax(numbers != np.floor(numbers)))
            raise InputError(f"{where(row)}: the {role} id '{numbers[row]}' is not an integer")
        parsed.append(numbers.astype(np.float64 if role == "rating" else np.int64))
    user, item, rating = parsed
    return Triples(user, item, rating, where)


def to_ratings(parts: Sequence[Triples], scale: Scale | None = None) -> list[Ratings]:
    """`Ratings` of every part, over the users and items of all of them together.

    Refuses negative ids, ratings that are not finite or off the scale, and a pair that is rated twice.
    """
    scale = scale or parts[0].scale
    for part in parts:
        check_values(part, scale)
    user_ids, user = contiguous(np.concatenate([p.user for p in parts]))
    item_ids, item = contiguous(np.concatenate([p.item for p in parts]))
    check_pairs(parts, user * len(item_ids) + item)
    ends = np.cumsum([0, *(len(p.user) for p in parts)])
    return [
        Ratings(
            user=torch.from_numpy(user[start:end]), item=torch.from_numpy(item[start:end]),
            rating=torch.tensor(part.rating), num_users=len(user_ids), num_items=len(item_ids), scale=scale,
            user_ids=tuple(user_ids.tolist()), item_ids=tuple(item_ids.tolist()),
        )
        for part, start, end in zip(parts, ends[:-1], ends[1:], strict=True)
    ]


def check_values(part: Triples, scale: Scale | None) -> None:
    for role, ids in (("user", part.user), ("item", part.item)):
        if ids.min() < 0:
            row = int(np.argmax(ids < 0))
            raise InputError(f"{part.where(row)}: the {role} id {ids[row]} is negative")
    if not np.isfinite(part.rating).all():
        row = int(np.argmin(np.isfinite(part.rating)))
        raise InputError(f"{part.where(row)}: the rating is {part.rating[row]}, not a finite number")
    low, high = scale or (-math.inf, math.inf)
    off = (part.rating < low) | (part.rating > high)
    if off.any():
        row = int(np.argmax(off))
        raise InputError(f"{part.where(row)}: the rating {part.rating[row]:g} is off the scale {low:g} to {high:g}; "
                         f"{int(off.sum())} of {len(off)} are")


def contiguous(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ids in order, and the place of each of `ids` among them. O(N) where the ids are dense."""
    if ids.max() > 4 * len(ids) + 1000:
        return np.unique(ids, return_inverse=True)
    present = np.zeros(ids.max() + 1, dtype=bool)
    present[ids] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[ids]


def check_pairs(parts: Sequence[Triples], pair: np.ndarray) -> None:
    """`pair` numbers the (user, item) pair of each rating of all parts in a row; each may occur once."""
    ordered = np.sort(pair)
    if not (ordered[1:] == ordered[:-1]).any():
        return
    order = np.argsort(pair, kind="stable")
    again = order[1:][pair[order[1:]] == pair[order[:-1]]]
    second = int(again.min())
    first = int(np.argmax(pair == pair[second]))
    starts = np.cumsum([0, *(len(p.user) for p in parts)])

    def place(n: int) -> tuple[Triples, int]:
        k = int(np.searchsorted(starts, n, side="right")) - 1
        return parts[k], n - int(starts[k])

    part, row = place(second)
    before, earlier = place(first)
    raise InputError(f"{part.where(row)}: user {part.user[row]} rates item {part.item[row]} a second time, "
                     f"first in {before.where(earlier)}; {len(again)} rating(s) repeat a pair, keep one of each")
