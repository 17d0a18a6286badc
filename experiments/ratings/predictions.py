"""Predictions from a saved fit as tables: of pairs, and of the best items of users, old and new."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import torch

import files
from data.rating_files import Reading, read_triples
from data.rating_labels import WHOLE
from data.rating_pairs import check_values
from data.rating_questions import NOBODY, places, read_pairs, read_timed_pairs, read_users, written
from data.rating_sheet import plain
from data.rating_triples import Triples
from data.side_information import read_more
from errors import InputError
from inference.factorization.fitted.fit import Fit
from inference.factorization.fitted.fold_in import Rows
from inference.factorization.fitted.mixture import Predicted
from inference.factorization.fitted.ranking import best
from models.ordinal import Ordinal
from models.ratings import Ratings
from models.timed import Timed

DIGITS = 6  # decimals of a number in a CSV
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class NewUsers:
    """Users that a fit does not know, with their ratings: their ids, their rows, and what they rated, by number."""

    ids: np.ndarray
    rows: Rows
    rated: list[np.ndarray]


def read_new_users(fit: Fit, path: Path, columns: str | None, say: Say, features: Path | None = None) -> NewUsers:
    """Their rows given their ratings of the fit's items, and what the file `features` says of them.

    Errors: InputError for a user that the fit knows, for a rating outside the range of the training set, and where no
    item is known.
    """
    triples = read_triples(path, Reading(columns, say=say), single=True)
    check_units(fit, triples)
    user, item = places(triples.user, fit.user_ids), places(triples.item, fit.item_ids)
    old = fit.known("user", user)
    if old.any():
        row = int(np.argmax(old))
        raise InputError(f"{triples.where(row)}: user {plain(triples.user[row])} is in the fit already: --new-users "
                         f"are for those who are not; fit again to use new ratings of the others")
    known = fit.known("item", item)
    if not known.any():
        raise InputError(f"{triples.name}: the fit knows none of these items, the first of them "
                         f"{plain(triples.item[0])}; its own are like {plain(fit.item_ids[0])}")
    if not known.all():
        say(f"{triples.name}: {int((~known).sum()):,} of {len(known):,} ratings are of items without a training "
            f"rating, which say nothing about a user: left out")
    names, number = np.unique(written(triples.user).astype(str), return_inverse=True)
    pair = number[known] * len(fit.item_ids) + item[known]
    if len(np.unique(pair)) < len(pair):
        raise InputError(f"{triples.name}: a user rates an item twice; keep one of the two")
    new = Ratings(torch.from_numpy(number[known].astype(np.int64)), torch.from_numpy(item[known]),
                  torch.from_numpy(np.ascontiguousarray(triples.rating[known])), len(names), len(fit.item_ids))
    rated = [item[known][number[known] == k] for k in range(len(names))]
    ids = names.astype(object)
    return NewUsers(ids, fit.folded(new, _known(fit, ids, features, columns, say)), rated)


def check_units(fit: Fit, new: Triples) -> None:
    """Errors: InputError for a rating that is off the scale or the stars of the fit; where it has neither, for one as
    far beyond its training ratings as these reach."""
    low, high = map(float, fit.training["range"])
    scale = (low, high) if fit.bounded or len(fit.levels) else None
    check_values(new, scale)
    far = (new.rating < low - (high - low)) | (new.rating > high + (high - low))
    if far.any():
        row = int(np.argmax(far))
        raise InputError(f"{new.where(row)}: the rating {new.rating[row]:.10g} lies far beyond those that the fit was "
                         f"trained on, {low:g} to {high:g}: new ratings must be in the same units")


def _known(fit: Fit, ids: np.ndarray, path: Path | None, columns: str | None, say: Say) -> torch.Tensor | None:
    """What a file says of new users, as features like those of the fit."""
    if fit.encoding is None:
        if path:
            raise InputError("--user-features would change nothing: the fit has no features of users from a file")
        return None
    if path is None:
        say("the fit has features of users from a file; of the new ones they are 0: --user-features gives them")
        return None
    return torch.from_numpy(read_more(path, "user", ids, columns, fit.encoding, say))


def of_pairs(fit: Fit, path: Path, columns: str | None, inside: float, new: NewUsers | None, say: Say,
             times: bool = False) -> pa.Table:
    """A row for each pair of a file, in its order; `times`: at the times that it tells."""
    ids, time = (fit.user_ids, fit.item_ids), None
    if times:
        users, items, time = read_timed_pairs(path, columns, ids, say)
    else:
        users, items = read_pairs(path, columns, ids, say)
    user, item = places(users, fit.user_ids), places(items, fit.item_ids)
    basis = fit.basis(user, item)
    if isinstance(fit.model, Timed):
        known = basis == "fit"
        say(at_times(fit.model, fit.at(user[known], item[known], None if time is None else time[known])))
    found = fit.predict(user, item, inside, time=time)
    if new is not None:
        number = places(users, new.ids)
        here = np.flatnonzero((number != NOBODY) & ~fit.known("user", user))
        basis[here] = fit.basis(number[here], item[here], new=True)
        put(found, here, fit.predict(number[here], item[here], inside, new.rows,
                                     None if time is None else time[here]))
    count_in_words(fit, basis, say)
    return table({"user": written(users), "item": written(items)}, found, basis)


def at_times(model: Timed, known: Ratings) -> str:
    """At which times pairs that the fit knows are predicted."""
    places = [place for place in model.of_time.calendar.places(known) if place]
    if not places:
        return "predictions are at any of the times of their user's and item's ratings; --use-times uses a file's"
    days, periods = (place.missing for place in places)
    return (f"predictions are at the times of the file: {days:,} of {len(known):,} are on a day without a training "
            f"rating of their user, {periods:,} in a period without one of their item: there an effect is 0, give or "
            f"take what such effects are")


def put(found: Predicted, here: np.ndarray, others: Predicted) -> None:
    """Others in the place of some."""
    for name in ("mean", "sd", "low", "high", "probability"):
        getattr(found, name)[here] = getattr(others, name)


BY = {"item mean": "user is not in the training set: the item's mean there, and how users differ about it",
      "user mean": "item is not in the training set: the user's mean there, and how items differ",
      "mean": "user and item are not in the training set: its overall mean and spread"}


def count_in_words(fit: Fit, basis: np.ndarray, say: Say) -> None:
    """How many are predicted from what, where it is not from the fit."""
    for name, why in BY.items():
        count = int((basis == name).sum())
        if count:
            say(f"{count:,} of {len(basis):,} predictions {'has' if count == 1 else 'have'} no draws behind "
                f"{'it, as its' if count == 1 else 'them, as their'} {why}")
    folded = int((basis == "new user").sum())
    if folded:
        of = {"mcmc": "draw of the items", "variational": "draw of the items from q"}.get(fit.family, "point")
        how = "drawn" if isinstance(fit.model, Ordinal) else "exact"
        days = "; their days unknown, each rating as if of a day of its own" if isinstance(fit.model, Timed) else ""
        say(f"{folded:,} of {len(basis):,} predictions {'is' if folded == 1 else 'are'} of new users, their factors "
            f"{how} given each {of}, which their ratings do not change{days}")


def recommended(fit: Fit, who: str, columns: str | None, top: int, inside: float, new: NewUsers | None, say: Say
                ) -> pa.Table:
    """The `top` unrated items of every user, of those in a file, or of the new users, the best first."""
    rows, rated = (new.rows, new.rated) if new else (None, None)
    ids = new.ids if new else fit.user_ids
    users = np.arange(len(ids))
    if who != "all":
        words = read_users(Path(who), columns, (ids,), say)
        users = places(words, ids)
        if (users == NOBODY).any():
            row = int(np.argmax(users == NOBODY))
            raise InputError(f"{Path(who).name}: there is no user {plain(words[row])} in the "
                             f"{'file of new users' if new else 'fit'}, and {int((users == NOBODY).sum()) - 1:,} more")
    chosen = list(best(fit, users, top, rows, rated))
    user, item = np.repeat(users, [len(c) for c in chosen]), np.concatenate([np.empty(0, np.int64), *chosen])
    rank = np.concatenate([np.empty(0, np.int64), *(np.arange(1, len(c) + 1) for c in chosen)])
    basis = fit.basis(user, item, new=new is not None)
    count_in_words(fit, basis, say)
    return table({"user": ids[user], "rank": rank, "item": fit.item_ids[item]},
                 fit.predict(user, item, inside, rows), basis)


def table(first: dict[str, np.ndarray], found: Predicted, basis: np.ndarray) -> pa.Table:
    """Columns user, item, mean, sd, low, high, p_1, p_2 and so on, and `by`: what each is predicted from."""
    columns: dict[str, Any] = {name: labels(values) for name, values in first.items()}
    columns |= {name: getattr(found, name) for name in ("mean", "sd", "low", "high")}
    columns |= {f"p_{level:g}": found.probability[:, k] for k, level in enumerate(found.levels)}
    return pa.table(columns | {"by": pa.array(basis.tolist(), pa.string())})


def labels(values: np.ndarray) -> pa.Array:
    """Whole numbers where all are, written as such; else text.

    >>> labels(np.array(["7", "12"], dtype=object)).type, labels(np.array(["007", "7"], dtype=object)).type
    (DataType(int64), DataType(string))
    """
    if values.dtype == object and all(isinstance(v, str) and len(v) < 19 and re.match(WHOLE, v) for v in values):
        return pa.array([int(v) for v in values], pa.int64())
    return pa.array(values.tolist(), pa.string() if values.dtype == object else None)


def write(found: pa.Table, path: Path) -> None:
    """As CSV or Parquet, by the ending, whole or not at all."""
    with files.whole(path) as aside:
        if path.suffix == ".parquet":
            pa.parquet.write_table(found, aside)
        else:
            aside.write_bytes(as_csv(found))


def as_csv(found: pa.Table) -> bytes:
    """With a header; text in quotes only where one of its words needs them."""
    rounded = pa.table({n: np.round(c.to_numpy(), DIGITS) if pa.types.is_floating(c.type) else c
                        for n, c in zip(found.column_names, found.columns, strict=True)})
    for style in ("none", "needed"):
        sink = pa.BufferOutputStream()
        sink.write((",".join(found.column_names) + "\n").encode())
        try:
            pa.csv.write_csv(rounded, sink, pa.csv.WriteOptions(include_header=False, quoting_style=style))
        except pa.ArrowInvalid:
            continue  # a word holds a comma, a quotation mark or a line end
        return bytes(sink.getvalue())
    raise InputError("an id cannot be written as CSV: give --out a name that ends in .parquet")
