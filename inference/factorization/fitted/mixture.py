"""Predictive distributions as mixtures of Gaussians, one component a draw.

    p(r) = 1/D sum_d N(r | m_d, s_d)
    mean = 1/D sum_d m_d        variance = 1/D sum_d (s_d + (m_d - mean)^2)
    P(star k) = F(upper edge of k) - F(lower edge of k),    F the distribution function, edges half-way between levels
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from inference.factorization.compiled.mixture import intervals
from inference.threads import over_rows


@dataclass(frozen=True, eq=False)
class Predicted:
    """What is predicted of P ratings; `levels` are the stars, if the ratings are stars, else none."""

    mean: np.ndarray  # (P,)
    sd: np.ndarray
    low: np.ndarray  # of the central interval
    high: np.ndarray
    levels: np.ndarray  # (L,)
    probability: np.ndarray  # (P, L)

    def take(self, rows: np.ndarray) -> Predicted:
        return Predicted(self.mean[rows], self.sd[rows], self.low[rows], self.high[rows], self.levels,
                         self.probability[rows])

    @classmethod
    def joined(cls, parts: list[Predicted], levels: np.ndarray) -> Predicted:
        def together(name: str, *shape: int) -> np.ndarray:
            return np.concatenate([np.empty((0, *shape)), *(getattr(p, name) for p in parts)])

        mean, sd, low, high = (together(name) for name in ("mean", "sd", "low", "high"))
        return cls(mean, sd, low, high, levels, together("probability", len(levels)))


def predicted(m: np.ndarray, s: np.ndarray, levels: np.ndarray, inside: float,
              limits: tuple[float, float] | None = None) -> Predicted:
    """Of components with means m and variances s, (D, P); `inside` is the probability of the interval, which ends at
    `limits` where the scale has these."""
    mean = m.mean(0)
    sd = np.sqrt(np.maximum((s + (m - mean) ** 2).mean(0), 0))
    p = np.array([(1 - inside) / 2, (1 + inside) / 2])
    ends, stars = np.empty((len(mean), 2)), np.empty((len(mean), len(levels)))
    over_rows(intervals, len(mean), np.ascontiguousarray(m.T), np.ascontiguousarray(np.sqrt(s).T), p, ndtri(p), mean,
              sd, (levels[1:] + levels[:-1]) / 2, ends, stars)
    if limits:
        ends = np.clip(ends, *limits)
    return Predicted(mean, sd, ends[:, 0], ends[:, 1], levels, stars)
