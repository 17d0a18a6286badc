"""Ratings of whom or what the fit has never seen: one-way random effects of the side that it has.

    r = mean + effect_j + e,    effect_j ~ N(0, between),  e ~ N(0, within)

and for somebody new the predictive distribution is N(mean + shrunken effect_j, its variance + within), both variances
by the method of moments:

    within = sum_n (r_n - mean_j)^2 / (N - J)        between = (sum_j n_j (mean_j - mean)^2 - (J - 1) within) / n0
    n0 = N - sum_j n_j^2 / N        effect_j = w_j (mean_j - mean),        w_j = n_j / (n_j + within / between)

Source: Searle, Casella and McCulloch (1992), Variance Components, 3.6 and 3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Effects:
    """Predictive mean and variance of a rating by somebody new, for every row of a side; and without either."""

    mean: np.ndarray  # (rows,)
    variance: np.ndarray
    overall: float
    total: float  # variance of a rating of which nothing is known

    @classmethod
    def of(cls, training: Mapping[str, np.ndarray], side: str) -> Effects:
        """From a fit's `constant_data`."""
        count, means = training[f"{side}_count"].astype(float), training[f"{side}_mean"]
        overall, spread = float(training["rating_mean"]), float(training["rating_variance"])
        N, J = count.sum(), (count > 0).sum()
        among = float(count @ (means - overall) ** 2)
        within = max(N * spread - among, 0.0) / (N - J) if N > J else spread
        n0 = N - float(count @ count) / N
        between = max((among - (J - 1) * within) / n0, 0.0) if n0 > 0 else 0.0
        weight = count * between / (count * between + within) if within > 0 else (count > 0).astype(float)
        return cls(overall + weight * (means - overall), (1 - weight) * between + within, overall, between + within)
