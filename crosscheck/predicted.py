"""Predictions from a fit of ratings, in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from data.rating_sheet import Words
from data.rating_time import Times
from errors import InputError
from inference.factorization.fitted.fit import NOBODY, Fit
from inference.result import Result
from models.timed import Timed


def predict(fit: Result | str | Path, users: Sequence[object], items: Sequence[object], *, level: float = 0.9,
            times: Sequence[object] | None = None) -> dict[str, np.ndarray]:
    """What a fit says of these pairs, by their ids: as `python run.py predict` does.

    fit      a saved fit of ratings (.nc), or a result of `run(..., keep=True)`
    level    probability of the interval from `low` to `high`
    times    of a fit with time: when, in seconds since 1970 or as dates; None: at any of the times of user and item
    Returns mean, sd, low, high and by (what each is predicted from), (n,); probability (n, levels) of each `level`,
    where ratings are stars. Errors: InputError for a fit without draws of its factors.
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, not {level:g}")
    if isinstance(users, str) or isinstance(items, str):
        raise InputError("users and items are lists of ids, also of one: users=['u1'], items=['i1']")
    if len(users) != len(items):
        raise InputError(f"users and items are pairs: as many of each, not {len(users)} and {len(items)}")
    if times is not None and len(times) != len(users):
        raise InputError(f"times are those of the pairs: as many as there are users, {len(users)}, not {len(times)}")
    if isinstance(fit, Result) and fit.facts.get("problem") == "factorization" and not fit.groups.get("latents"):
        raise InputError("this result does not hold draws of its factors: run it with keep=True")
    held = Fit.of(fit, "this result") if isinstance(fit, Result) else Fit.of(Result.load(Path(fit)), str(fit))
    if times is not None and not isinstance(held.model, Timed):
        raise InputError("times would change nothing: the fit has no effects of time; leave them out")
    user, item = (_places(words, ids) for words, ids in ((users, held.user_ids), (items, held.item_ids)))
    found = held.predict(user, item, level, time=None if times is None else _seconds(times))
    return {"mean": found.mean, "sd": found.sd, "low": found.low, "high": found.high, "by": held.basis(user, item),
            "probability": found.probability, "level": held.levels}


def _seconds(times: Sequence[object]) -> np.ndarray:
    words = Words.of(pa.chunked_array([[str(time) for time in times]], pa.string()))
    return Times(lambda: words, lambda n: f"times[{n}]", "times").seconds()


def _places(words: Sequence[object], ids: np.ndarray) -> np.ndarray:
    known = {str(name): place for place, name in enumerate(ids.tolist())}
    return np.array([known.get(str(word), NOBODY) for word in words], dtype=np.int64)
