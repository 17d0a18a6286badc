"""The noise of two unbiased estimators of the same gradient, side by side (2.3 against 2.4)."""

from __future__ import annotations

import numpy as np
import torch

from inference.factorization import coordinate_ascent, elbo_by_hand, score_function
from inference.factorization.parts.gradient_samples import gradient_samples, mean_and_variance
from models.ladder import make
from models.ratings import Ratings

USERS = 1000  # the first of them: the noise of a user's gradient is that of their own ratings
SAMPLES = 100
SWEEPS = 3  # of coordinate ascent, to a q on the way to the best one
ESTIMATORS = {"score function (2.3)": score_function.gradient, "reparameterised (2.4)": elbo_by_hand.gradient}
METHODS = dict(zip(ESTIMATORS, ("score_function", "elbo_by_hand"), strict=True))

Spreads = dict[str, dict[str, np.ndarray]]


def spreads(train: Ratings, rank: int, rng: torch.Generator, **variances: float) -> Spreads:
    """By estimator and parameter: the standard deviation of every entry of one gradient sample, in nats per unit."""
    few = train.take(train.user < USERS)
    data = Ratings(few.user, few.item, few.rating, min(USERS, few.num_users), few.num_items)
    model = make("plain", data.num_users, data.num_items, rank, device=data.device, **variances)
    state = coordinate_ascent.init(rng, model, data)
    for _ in range(SWEEPS):
        state, _ = coordinate_ascent.step(rng, state, model, data)
    q = coordinate_ascent.expect(state, model)
    params = {f"{site}_{what}": q[f"{site}_mean"] if what == "mean" else q[f"{site}_var"].log()
              for site in model.sites for what in ("mean", "log_variance")}
    found = {}
    for name, gradient in ESTIMATORS.items():
        _, variance = mean_and_variance(gradient_samples(rng, gradient, model, data, params, SAMPLES))
        found[name] = {p: v.sqrt().flatten().cpu().numpy() for p, v in variance.items()}  # 0 for rows without ratings
    return found


def in_words(found: Spreads) -> str:
    """How many samples of the noisier one are worth one of the other."""
    noisy, quiet = found.values()
    ratio = {p: float(np.median((noisy[p][quiet[p] > 0] / quiet[p][quiet[p] > 0]) ** 2)) for p in noisy}
    low, high = min(ratio, key=lambda p: ratio[p]), max(ratio, key=lambda p: ratio[p])
    return (f"Without reparameterisation a gradient sample has {ratio[low]:.3g} ({low}) to {ratio[high]:.3g} ({high}) "
            f"times the variance, the median over entries: so many times the samples for the same gradient.")
