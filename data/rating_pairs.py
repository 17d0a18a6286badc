"""Triples -> `Ratings`: what is checked of them, and a pair that is rated twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from data.rating_labels import labelled
from data.rating_sheet import plain
from data.rating_time import said
from data.rating_triples import Triples
from errors import InputError, unknown
from models.ratings import Ratings

Scale = tuple[float, float]

DUPLICATES = ("refuse", "last", "mean")


def to_ratings(parts: Sequence[Triples], scale: Scale | None = None, duplicates: str = "refuse",
               say: Callable[[str], None] = lambda line: None, times: bool = False) -> list[Ratings]:
    """`Ratings` of every part, over the users and items of all of them together.

    Refuses ratings that are not finite or off the scale, and a pair that is rated twice, unless `duplicates` says to
    take the last or the mean; never one in two parts. Their `times` are read where that is asked for and there are any.
    """
    if duplicates not in DUPLICATES:
        raise unknown("--duplicates", duplicates, DUPLICATES)
    scale = scale or parts[0].scale
    for part in parts:
        if not len(part.rating):
            raise InputError(f"{part.name} has no ratings")
        check_values(part, scale)
    user_ids, users = labelled(parts, "user")
    item_ids, items = labelled(parts, "item")
    for part, user, item in zip(parts, users, items, strict=True):
        say(f"{part.name}: {part.columns}; the first rating: user {plain(user_ids[user[0]])}, item "
            f"{plain(item_ids[item[0]])}, {part.rating[0]:.10g}")
    if duplicates != "refuse":
        kept = [merged(part, pair_of(user, item, len(item_ids)), duplicates, say)
                for part, user, item in zip(parts, users, items, strict=True)]
        parts = [part.take(rows) if rating is None else _with(part.take(rows), rating)
                 for part, (rows, rating) in zip(parts, kept, strict=True)]
        users, items = ([each[rows] for each, (rows, _) in zip(of, kept, strict=True)] for of in (users, items))
    check_pairs(parts, users, items, len(item_ids))
    ratings, when = [part.rating for part in parts], [seconds(part, say) if times else None for part in parts]
    del parts, part  # the text, which only sentences about it need
    return [Ratings(user=torch.from_numpy(user.astype(np.int64)), item=torch.from_numpy(item.astype(np.int64)),
                    rating=torch.from_numpy(rating), num_users=len(user_ids), num_items=len(item_ids), scale=scale,
                    user_ids=user_ids, item_ids=item_ids, time=time)
            for rating, user, item, time in zip(ratings, users, items, when, strict=True)]


def seconds(part: Triples, say: Callable[[str], None]) -> torch.Tensor | None:
    """When the ratings were given, (N,) int64, where the source tells it; says from when to when."""
    if part.time is None:
        return None
    found = part.time.seconds()
    say(f"{part.name}: {said(found)}")
    return torch.from_numpy(found)


def pair_of(user: np.ndarray, item: np.ndarray, num_items: int) -> np.ndarray:
    """A number for every (user, item) pair, (N,) int64."""
    pair = user.astype(np.int64)
    pair *= num_items
    pair += item
    return pair


def _with(part: Triples, rating: np.ndarray) -> Triples:
    return Triples(part.name, part.user, part.item, rating, part.where, part.time, part.scale, part.columns,
                   part.certain)


def check_values(part: Triples, scale: Scale | None) -> None:
    finite = np.isfinite(part.rating)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(f"{part.where(row)}: the rating is {part.rating[row]}, not a finite number")
    low, high = scale or (-math.inf, math.inf)
    off = (part.rating < low) | (part.rating > high)
    if off.any():
        row = int(np.argmax(off))
        raise InputError(f"{part.where(row)}: the rating {part.rating[row]:.10g} is off the scale {low:g} to {high:g}; "
                         f"{int(off.sum())} of {len(off)} are")


def merged(part: Triples, pair: np.ndarray, how: str, say: Callable[[str], None]
           ) -> tuple[np.ndarray, np.ndarray | None]:
    """The rows to keep, one of every pair, and their ratings where these are other ones."""
    distinct, place, count = np.unique(pair, return_inverse=True, return_counts=True)
    if len(distinct) == len(pair):
        return np.arange(len(pair)), None
    order = np.arange(len(pair))
    if part.time is not None and how == "last":  # whose times decide; those of the others are not even read
        again = np.flatnonzero(count[place] > 1)
        order[again] = again[np.argsort(part.time.take(again).order(), kind="stable")]
    chosen = np.empty(len(distinct), dtype=np.int64)
    turn = order[::-1] if how == "mean" else order  # what is written last stays
    chosen[place[turn]] = turn
    rows = np.sort(chosen)
    by = "of each pair the last is taken" + (", by time" if part.time is not None else "")
    more = len(pair) - len(distinct)
    say(f"{part.name}: {more:,} rating{'s repeat' if more > 1 else ' repeats'} a pair; "
        f"{by if how == 'last' else 'their mean is taken'}")
    return rows, (np.bincount(place, part.rating) / count)[place[rows]] if how == "mean" else None


def check_pairs(parts: Sequence[Triples], users: Sequence[np.ndarray], items: Sequence[np.ndarray],
                num_items: int) -> None:
    """Errors: InputError for a (user, item) pair that occurs twice in the parts together."""
    def all_pairs() -> np.ndarray:
        each = [pair_of(user, item, num_items) for user, item in zip(users, items, strict=True)]
        return each[0] if len(each) == 1 else np.concatenate(each)

    ordered = all_pairs()
    ordered.sort()
    if not (ordered[1:] == ordered[:-1]).any():
        return
    pair = all_pairs()
    order = np.argsort(pair, kind="stable")
    again = order[1:][pair[order[1:]] == pair[order[:-1]]]
    second = int(again.min())
    first = int(np.argmax(pair == pair[second]))
    starts = np.cumsum([0, *(len(p.rating) for p in parts)])

    def place(n: int) -> tuple[Triples, int]:
        k = int(np.searchsorted(starts, n, side="right")) - 1
        return parts[k], n - int(starts[k])

    part, row = place(second)
    before, earlier = place(first)
    do = "; give --duplicates last or mean" if part is before else ": no pair is in both sets"
    raise InputError(f"{part.where(row)}: user {plain(part.user[row])} rates item {plain(part.item[row])} a second "
                     f"time, first in {before.where(earlier)}; {len(again)} rating(s) repeat a pair{do}")
