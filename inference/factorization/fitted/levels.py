"""Predictive distributions of a model of levels: probabilities of each, averaged over the draws.

    P(r = k) = 1/D sum_d Phi((t_dk - m_d) / s_d) - Phi((t_d,k-1 - m_d) / s_d)
    mean = sum_k k P(k)        an interval from the first level that P(r <= k) reaches (1 - p) / 2 at, to (1 + p) / 2
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from inference.factorization.fitted.mixture import Predicted


def of_levels(m: np.ndarray, s: np.ndarray, cutpoints: np.ndarray, levels: np.ndarray, inside: float) -> Predicted:
    """Of latent means m and variances s, (D, P), and thresholds (D, L - 1)."""
    below = np.zeros((m.shape[1], len(levels) - 1))
    for mean, sd, cut in zip(m, np.sqrt(s), cutpoints, strict=True):
        below += ndtr((cut[None] - mean[:, None]) / sd[:, None]) / len(m)
    p = np.diff(below, axis=1, prepend=0.0, append=1.0)
    mean = p @ levels
    sd = np.sqrt(np.maximum(p @ levels**2 - mean**2, 0))
    return Predicted(mean, sd, *interval(p, levels, inside), levels, p)


def interval(p: np.ndarray, levels: np.ndarray, inside: float) -> tuple[np.ndarray, np.ndarray]:
    """From a level to a level, of the probabilities of each, (P, L).

    >>> interval(np.array([[0.02, 0.5, 0.48]]), np.array([1.0, 2.0, 3.0]), 0.9)
    (array([2.]), array([3.]))
    """
    below = p.cumsum(1)
    low, high = (levels[(below >= edge - 1e-12).argmax(1)] for edge in ((1 - inside) / 2, (1 + inside) / 2))
    return low, high


def expected_level(m: np.ndarray, cut: np.ndarray, levels: np.ndarray, sd: np.ndarray | float = 1.0) -> np.ndarray:
    """The mean of a rating at latent means m and standard deviations of any shape.

    >>> expected_level(np.zeros(1), np.zeros(1), np.array([0.0, 1.0]))
    array([0.5])
    """
    total = np.full(m.shape, levels[0], dtype=np.float64)
    for t, step in zip(cut, np.diff(levels), strict=True):
        total += step * ndtr((m - t) / sd)
    return total
