"""Quantiles and probabilities of mixtures of Gaussians, one pair of user and item after another."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

STEPS = 60  # of the search for a quantile, at most
NEAR = 1e-7  # of the distribution function at a quantile


@njit(cache=True, nogil=True)
def ndtr(x: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


@njit(cache=True, nogil=True)
def below(x: float, m: np.ndarray, root: np.ndarray) -> float:
    """F(x) of one mixture; `root` are its components' standard deviations."""
    total = 0.0
    for d in range(len(m)):
        total += ndtr((x - m[d]) / root[d])
    return total / len(m)


@njit(cache=True, nogil=True)
def quantile(p: float, z: float, start: float, m: np.ndarray, root: np.ndarray) -> float:
    """x with F(x) = p, by Newton's steps from `start`, halved where they leave what holds it; z is that of N(0, 1)."""
    lower, upper = math.inf, -math.inf
    for d in range(len(m)):
        lower, upper = min(lower, m[d] + z * root[d]), max(upper, m[d] + z * root[d])
    x = min(max(start, lower), upper)
    for _ in range(STEPS):
        total, density = 0.0, 0.0
        for d in range(len(m)):
            y = (x - m[d]) / root[d]
            total += ndtr(y)
            density += math.exp(-0.5 * y * y) / root[d]
        gap = total / len(m) - p
        if abs(gap) <= NEAR:
            break
        if gap < 0:
            lower = x
        else:
            upper = x
        density /= len(m) * math.sqrt(2 * math.pi)
        x = x - gap / density if density > 0 else lower
        if not lower < x < upper:
            x = (lower + upper) / 2
    return x


@njit(cache=True, nogil=True)
def intervals(first: int, last: int, m: np.ndarray, root: np.ndarray, p: np.ndarray, z: np.ndarray, mean: np.ndarray,
              sd: np.ndarray, edges: np.ndarray, ends: np.ndarray, stars: np.ndarray) -> None:
    """For rows first .. last of m and root, (P, D): ends[n, e], the quantile p[e], z[e] being that of N(0, 1); and
    stars[n, l], the probability between the l-th edge and the one before, the outermost having the tails."""
    for n in range(first, last):
        for e in range(len(p)):
            ends[n, e] = quantile(p[e], z[e], mean[n] + z[e] * sd[n], m[n], root[n])
        before = 0.0
        for k in range(stars.shape[1]):
            here = below(edges[k], m[n], root[n]) if k < len(edges) else 1.0
            stars[n, k] = here - before
            before = here
