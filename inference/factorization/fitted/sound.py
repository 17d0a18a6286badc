"""Whether a file that says it is a fit holds one: its arrays of the shapes that its model has, their numbers possible.

A saved fit may be anybody's, and its arrays index one another; what does not belong together is said, before it is
used, by the name of the first array that does not. Each of these gives that name, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, get_type_hints

import numpy as np
import torch
from torch import Tensor

from models.factorization import Factorization
from models.ordinal import MOST_LEVELS

LARGEST = 1e50  # of any number: its square has room
COUNTED = ("user_count", "item_count", "rated_item", "test_of_user", "test_of_item")
POSITIVE = ("sigma2", "ridge_U", "ridge_V", "precision_user", "precision_day", "precision_period")
DEFINITE = ("precision_U", "precision_V")


def fault_of_model(kind: type[Factorization], given: Mapping[str, Any]) -> str:
    """In what is said of it: a number where a number belongs, a yes or no where one does."""
    hints = get_type_hints(kind)
    for name, value in given.items():
        if name == "levels" and hints.get("levels"):
            if not _ascending(value):
                return name
            continue
        wanted = {int: int, float: int | float, bool: bool}.get(hints[name], type(None))
        if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)) or not _possible(value):
            return name
    return next((name for name in ("num_users", "num_items", "rank") if name not in given), "")


def fault_of_training(training: Mapping[str, np.ndarray], users: int, items: int) -> str:
    """In `constant_data`, see `groups`."""
    shapes: dict[str, tuple[int, ...] | None] = {"rating_mean": (), "rating_variance": (), "range": (2,)}
    shapes |= {f"{side}_{what}": (count,) for side, count in (("user", users), ("item", items))
               for what in ("count", "mean")}
    shapes |= dict.fromkeys(("rated_item", "test_of_user", "test_of_item", "test_rating"))
    shapes |= {name: () for name in ("bounded",) if name in training}
    shapes |= {name: None for name in ("level",) if name in training}
    for name, shape in shapes.items():
        values = training.get(name)
        if values is None or (values.ndim != 1 if shape is None else values.shape != shape) or not _all(values):
            return name
        if name in COUNTED and (values.dtype.kind not in "iu" or (values < 0).any()):
            return name
    return _disagreement(training, users, items)


def _disagreement(training: Mapping[str, np.ndarray], users: int, items: int) -> str:
    """What does not go with the others."""
    rated, ends = training["rated_item"], training["range"]
    checks = {
        "user_count": training["user_count"].sum() == len(rated) and (training["user_count"] <= items).all(),
        "rated_item": len(rated) > 0 and (rated < items).all(),
        "item_count": training["item_count"].sum() == len(rated),
        "test_of_user": len(training["test_of_user"]) == len(training["test_rating"])
        and (training["test_of_user"] < users).all(),
        "test_of_item": len(training["test_of_item"]) == len(training["test_rating"])
        and (training["test_of_item"] < items).all(),
        "range": ends[0] <= ends[1], "rating_variance": training["rating_variance"] >= 0,
        "level": (np.diff(training.get("level", np.empty(0))) > 0).all()}
    return next((name for name, holds in checks.items() if not holds), "")


def fault_of_draws(model: Factorization, latents: Mapping[str, np.ndarray]) -> str:
    """In the kept draws, (chain, draw, *site) each."""
    lead = next(iter(latents.values())).shape[:2]
    for name, value in latents.items():
        if value.shape != (*lead, *model.sites[name]) or not value.size or not _all(value):
            return name
        if name in POSITIVE and (value <= 0).any():
            return name
        if name == "cutpoints" and (np.diff(value, axis=-1) <= 0).any():
            return name
        if name in DEFINITE and not _definite(torch.from_numpy(value.astype(np.float64))):
            return name
    return ""


def fault_of_names(coords: Mapping[str, tuple[str, np.ndarray]], counts: Sequence[int]) -> str:
    """In the ids of users and items."""
    return next((side for side, count in zip(("user", "item"), counts, strict=True)
                 if len(coords[side][1]) != count or coords[side][1].dtype.kind not in "iuOU"), "")


def _all(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and (np.abs(values.astype(np.float64)) <= LARGEST).all())


def _ascending(values: object) -> bool:
    """Whether these are the levels of an ordinal model."""
    return isinstance(values, list) and 2 <= len(values) <= MOST_LEVELS and all(
        isinstance(v, int | float) and not isinstance(v, bool) and _possible(v) for v in values) and all(
        a < b for a, b in pairwise(values))


def _possible(value: object) -> bool:
    return not isinstance(value, int | float) or -LARGEST <= value <= LARGEST


def _definite(values: Tensor) -> bool:
    """Whether matrices are symmetric and positive definite."""
    return bool(torch.allclose(values, values.mT) and (torch.linalg.cholesky_ex(values).info == 0).all())
