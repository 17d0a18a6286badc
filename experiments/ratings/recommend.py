"""Recommendations: what a user has not rated, and the best of it."""

from __future__ import annotations

import numpy as np
import torch

from data.rating_sheet import plain
from data.ratings import Ratings
from errors import InputError
from experiments.ratings.calibration import LEVEL
from inference.factorization.fitted.fit import Fit
from inference.result import Result
from models.ratings import Pairs
from runs.run import Run

WHOLE = 10**6  # characters: ids are shown as they are
NORMAL_90 = 1.6448536269514722  # 90% of a Gaussian lies within so many standard deviations of its mean


def unrated(train: Ratings, user: str) -> Pairs:
    """The user of that original id, with every item that has no rating of theirs in the training set."""
    ids = [str(i) for i in (train.user_ids if train.user_ids is not None else range(train.num_users))]
    if user not in ids:
        raise InputError(f"--recommend {user}: there is no user {plain(user)}; "
                         f"the ids of the {len(ids):,} users run from {plain(ids[0])} to {plain(ids[-1])}")
    place = ids.index(user)
    rated = torch.zeros(train.num_items, dtype=torch.bool, device=train.device)
    rated[train.item[train.user == place]] = True
    items = torch.nonzero(~rated).flatten()
    if not len(items):
        raise InputError(f"--recommend {user}: user {user} has rated every item")
    return torch.full_like(items, place), items


def recommend(this: Run, user: str, top: int, train: Ratings, pairs: Pairs, result: Result) -> None:
    """The items with the highest predictive mean, by original id, with 90% predictive intervals."""
    known = bool((train.user == pairs[0][0]).any())
    mean, low, high = interval(result, train) if known else by_means(result, pairs)
    ids = train.item_ids if train.item_ids is not None else range(train.num_items)
    best = np.argsort(-mean, kind="stable")[:top]
    why = "" if known else ", who has no rating in the training set: the items' means, and how users differ"
    by = result.name if known else "all users' ratings"
    this.table(f"For user {user}{why}, by {by}", ("item", "predicted rating", "90% interval"),
                [(plain(ids[int(pairs[1][n])], WHOLE), f"{mean[n]:.2f}", f"{low[n]:.2f} to {high[n]:.2f}")
                 for n in best])


def interval(result: Result, train: Ratings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictive means and the ends of their intervals, at the pairs that the fit was asked for."""
    mean = result.expected["ask_mean"]
    noise = result.expected.get("ask_noise", result.expected["noise_variance"])
    sd = np.sqrt(result.expected["ask_spread"] ** 2 + noise)
    low, high = mean - NORMAL_90 * sd, mean + NORMAL_90 * sd
    return (mean, np.clip(low, *train.scale), np.clip(high, *train.scale)) if train.scale else (mean, low, high)


def by_means(result: Result, pairs: Pairs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for somebody of whom nothing is known, by the items' means."""
    user, item = (side.cpu().numpy() for side in pairs)
    found = Fit.of(result, result.name).predict(user, item, LEVEL)
    return found.mean, found.low, found.high
