"""Predictions from a fit of ratings, in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from errors import InputError
from inference.factorization.fitted.fit import NOBODY, Fit
from inference.result import Result


def predict(fit: Result | str | Path, users: Sequence[object], items: Sequence[object], *, level: float = 0.9
            ) -> dict[str, np.ndarray]:
    """What a fit says of these pairs, by their ids: as `python run.py predict` does.

    fit      a saved fit of ratings (.nc), or a result of `run(..., keep=True)`
    level    probability of the interval from `low` to `high`
    Returns mean, sd, low, high and by (what each is predicted from), (n,); probability (n, levels) of each `level`,
    where ratings are stars. Errors: InputError for a fit without draws of its factors.
    """
    if not 0 < level < 1:
        raise InputError(f"level must lie between 0 and 1, not {level:g}")
    if isinstance(users, str) or isinstance(items, str):
        raise InputError("users and items are lists of ids, also of one: users=['u1'], items=['i1']")
    if len(users) != len(items):
        raise InputError(f"users and items are pairs: as many of each, not {len(users)} and {len(items)}")
    if isinstance(fit, Result) and fit.facts.get("problem") == "factorization" and not fit.groups.get("latents"):
        raise InputError("this result does not hold draws of its factors: run it with keep=True")
    held = Fit.of(fit, "this result") if isinstance(fit, Result) else Fit.of(Result.load(Path(fit)), str(fit))
    user, item = (_places(words, ids) for words, ids in ((users, held.user_ids), (items, held.item_ids)))
    found = held.predict(user, item, level)
    return {"mean": found.mean, "sd": found.sd, "low": found.low, "high": found.high, "by": held.basis(user, item),
            "probability": found.probability, "level": held.levels}


def _places(words: Sequence[object], ids: np.ndarray) -> np.ndarray:
    known = {str(name): place for place, name in enumerate(ids.tolist())}
    return np.array([known.get(str(word), NOBODY) for word in words], dtype=np.int64)
