"""A folder of Parquet files that is divided among ranks: each reads its own files, one after the other.

All agree on the sorted union of the ids and on whose each user is, in contiguous ranges as in `ranks/part.py`; then
every rating goes to the rank of its user. What each ends with is its part of what one process reads. Bytes a rating of
its own on a rank: 16 as codes and values, three times that while they are exchanged; and every id, as text, on all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import torch

from data import rating_layout
from data.rating_columns import by_name
from data.rating_files import FEW, Reading, once, read_sheet
from data.rating_labels import labelled
from data.rating_pairs import Scale, check_values
from data.rating_sheet import FILE, Words, plain
from data.rating_table import check_alike, files_of
from data.rating_triples import Triples
from errors import InputError
from models.ratings import Ratings
from ranks import group
from ranks.part import Part, divide


def divisible(folder: Path, how: Reading) -> bool:
    """Whether ranks can read their own: enough files, each with a rating a row, of which none depends on others."""
    if not how.apart or group.size() == 1 or not folder.is_dir() or how.duplicates != "refuse" or how.times:
        return False
    paths = files_of(folder)
    if len(paths) < group.size():
        return False
    try:
        header = parquet.read_schema(paths[0]).names
    except (pa.ArrowException, OSError):
        return False  # which is said where it is read
    places = by_name(header)
    return how.columns is not None or (places is not None and rating_layout.mark_of(header, places) is None)


def read_own(folder: Path, scale: Scale | None, how: Reading) -> Ratings:
    """This rank's ratings, in the order of users and items, by everybody's numbers. Errors: InputError."""
    name, parts = plain(folder.name, FILE) or "the folder", read_files(folder, scale, how)
    (user_ids, users), (item_ids, items) = (agreed(parts, side) for side in ("user", "item"))
    how.say(f"{name}: {parts[0].columns}; the first rating: user {plain(user_ids[users[0][0]])}, item "
            f"{plain(item_ids[items[0][0]])}, {parts[0].rating[0]:.10g}; each rank reads its own files")
    columns = [np.concatenate(x) for x in (users, items, [part.rating for part in parts])]
    doubt = None if parts[0].certain else once(_without_rows(parts[0], name))
    del parts, users, items
    count = group.total(torch.from_numpy(np.bincount(columns[0], minlength=len(user_ids))))
    own = divide(count.numpy(), group.size(), group.rank())
    user, item, rating = to_whom_they_are(columns, own)
    first = group.rank() == 0  # which alone says who is who
    found = Ratings(user.long(), item.long(), rating, len(user_ids), len(item_ids), scale,
                    user_ids if first else None, item_ids if first else None, own).in_order()
    if doubt and FEW <= found.total <= len(user_ids):
        raise doubt
    check_pairs(found, name, user_ids, item_ids)
    return found


def read_files(folder: Path, scale: Scale | None, how: Reading) -> list[Triples]:
    """The ratings of this rank's files. Errors: InputError, also where a file of any rank has other columns."""
    files = [_read(path, how) for path in own_files(files_of(folder))]
    check_alike([each for of_rank in group.everyone([header for header, _ in files]) for each in of_rank])
    for _, part in files:
        if not len(part.rating):
            raise InputError(f"{part.name} has no ratings")
        check_values(part, scale)
    return [part for _, part in files]


def to_whom_they_are(columns: list[np.ndarray], own: Part) -> list[torch.Tensor]:
    """Of columns of ratings, the users' first, those of this rank's users, from all ranks."""
    whose = np.searchsorted(np.array(own.bounds[1:]), columns[0], side="right").astype(np.int32)
    order, counts = np.argsort(whose, kind="stable"), np.bincount(whose, minlength=group.size()).tolist()
    return [group.exchange(torch.from_numpy(columns.pop(0)[order]), counts) for _ in range(3)]


def own_files(paths: list[Path]) -> list[Path]:
    """This rank's, a contiguous range; of nearly as many bytes as the others', and at least one."""
    part = divide([max(1, path.stat().st_size) for path in paths], group.size(), group.rank())
    return paths[part.users]


def _read(path: Path, how: Reading) -> tuple[tuple[str, list[str]], Triples]:
    """A file's name and columns, and its ratings without the table that they came of."""
    sheet = read_sheet(path, how.say)
    return (sheet.name, sheet.header or []), _without_rows(rating_layout.triples(sheet, how.columns, how.say),
                                                           sheet.name)


def _without_rows(part: Triples, name: str) -> Triples:
    return Triples(name, part.user, part.item, part.rating, lambda n: name, columns=part.columns, certain=part.certain)


def agreed(parts: list[Triples], side: str) -> tuple[tuple[int | str, ...], list[np.ndarray]]:
    """As `labelled`, over the ids of all ranks."""
    words = pa.concat_arrays([getattr(part, side).words.cast(pa.string()) for part in parts]).unique()
    others = [_ids(rank, found) for rank, found in enumerate(group.everyone(words)) if rank != group.rank()]
    ids, codes = labelled([*parts, *others], side)
    return ids, codes[: len(parts)]


def _ids(rank: int, words: pa.Array) -> Triples:
    """Another rank's ids, each once."""
    each = Words(np.arange(len(words), dtype=np.int32), words)
    return Triples(f"rank {rank}", each, each, np.empty(0), lambda n: f"a file that rank {rank} reads")


def check_pairs(found: Ratings, name: str, user_ids: tuple[int | str, ...], item_ids: tuple[int | str, ...]) -> None:
    """Errors: InputError, on every rank the same, for a pair that is rated twice; it is next to itself."""
    again = ((found.user[1:] == found.user[:-1]) & (found.item[1:] == found.item[:-1])).nonzero()[:, 0]
    of_all = group.everyone([(int(found.user[n]), int(found.item[n]), len(again)) for n in again[:1]])
    said = [each for of_rank in of_all for each in of_rank]
    if said:
        user, item, _ = said[0]
        raise InputError(f"{name}: user {plain(user_ids[user])} rates item {plain(item_ids[item])} a second time; "
                         f"{sum(count for *_, count in said)} rating(s) repeat a pair; give --duplicates last or mean")
