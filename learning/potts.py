"""Evidence and coupling of Potts denoising, learned from an image and its truth.

    p(y, x) = exp(J S(y)) / Z(J)  prod_s exp(E [x_s = y_s]) / (e^E + K - 1),      S(y) = how many neighbours are equal

Given the truth y the two factors part: E is a frequency, J is learned from y alone, by the whole likelihood where the
strip recursion can sum it, else by Besag's pseudo-likelihood (J. Besag, The Statistician 24 (1975) 179).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64, Int64
from scipy.optimize import brentq

from errors import InputError
from inference import load
from inference.drive import drive
from inference.job import Plan
from models.grid import GridMRF

UNKNOWN = -1
STRONGEST = 20.0  # nats; a coupling beyond it is none that an image tells
NONE = 1e-4  # of a slope, which is of whole numbers of neighbours
APART = 1e-3  # nats between two couplings, for the curvature of log Z
CHEAP = 2 * 10**6  # steps of the strip recursion


@dataclass(frozen=True)
class Learned:
    """A weight in nats, its standard error, and what it comes from."""

    value: float
    error: float
    by: str


def evidence(observed: Int64[np.ndarray, "H W"], truth: Int64[np.ndarray, "H W"], K: int) -> Learned:
    """E = log (c (K - 1) / (1 - c)), c the share of observed labels that are true; se = 1 / sqrt(n c (1 - c)).

    -1 is a pixel that was not observed, or whose truth is not known. Errors: InputError for none wrong, or all.
    """
    both = (observed != UNKNOWN) & (truth != UNKNOWN)
    n, right = int(both.sum()), int((observed == truth)[both].sum())
    if right in (0, n):
        raise InputError(f"{right} of {n} observed pixels are as in the truth, from which no finite evidence follows: "
                         f"the image has to be noisy, and its truth another file")
    share = right / n
    return Learned(float(np.log(share * (K - 1) / (1 - share))), (n * share * (1 - share)) ** -0.5, "its frequency")


def coupling(truth: Int64[np.ndarray, "H W"], K: int) -> Learned:
    """By the whole likelihood where that takes a second or so and all of the truth is known, else the pseudo one."""
    H, W = truth.shape
    cheap = H * W * K ** (min(H, W) + 1) <= CHEAP
    return by_likelihood(truth, K) if cheap and (truth != UNKNOWN).all() else by_pseudo_likelihood(truth, K)


def by_pseudo_likelihood(truth: Int64[np.ndarray, "H W"], K: int) -> Learned:
    """The J that maximises sum_s log p(y_s | its neighbours), of the pixels whose neighbours are known too.

        n_s(k) = neighbours of s with label k,   p_s = softmax(J n_s),   u_s = n_s(y_s) - sum_k p_s(k) n_s(k)
        sum_s u_s = 0,    se^2 = V / H^2,    H = sum_s var_(p_s)(n_s),    V = sum_s u_s (u_s + sum of its neighbours' u)

    Scores of pixels that are not neighbours are uncorrelated, so that V is the variance of the sum (X. Guyon, Random
    Fields on a Network, 1995, 5.3).
    """
    counts = counted(truth, K)
    whole = (truth != UNKNOWN) & (neighbours((truth == UNKNOWN).astype(float)) == 0)

    def moments(J: float) -> tuple[Float64[np.ndarray, "H W"], Float64[np.ndarray, "H W"]]:
        p = np.exp(J * (counts - counts.max(-1, keepdims=True) if J >= 0 else counts))
        p /= p.sum(-1, keepdims=True)
        mean = (p * counts).sum(-1)
        here = np.take_along_axis(counts, truth.clip(0)[..., None], -1)[..., 0]
        return (here - mean) * whole, ((p * counts**2).sum(-1) - mean**2) * whole

    J = root(lambda J: float(moments(J)[0].sum()))
    u, variance = moments(J)
    return Learned(J, float(max((u * (u + neighbours(u))).sum(), 0.0) ** 0.5 / variance.sum()), "pseudo-likelihood")


def by_likelihood(truth: Int64[np.ndarray, "H W"], K: int) -> Learned:
    """The J at which E_J[S] = S(y); E_J[S] = d log Z / dJ and var_J(S) = d2 log Z / dJ2, by differences of the strip
    recursion's log Z; se = 1 / sqrt(var)."""
    if (truth == UNKNOWN).any():
        raise InputError("the whole likelihood needs the truth of every pixel: learn by pseudo_likelihood")
    H, W = truth.shape
    pair, blank = torch.eye(K, dtype=torch.float64), torch.zeros(H, W, K)

    def log_z(J: float) -> float:
        result = drive(load.method("grid", "strip"), GridMRF.potts(blank, 0.0, J * pair), None, Plan(1, draws=0))
        assert result.log_evidence is not None
        return result.log_evidence

    equal = float((truth[1:] == truth[:-1]).sum() + (truth[:, 1:] == truth[:, :-1]).sum())
    J = root(lambda J: equal - (log_z(J + APART) - log_z(J - APART)) / (2 * APART))
    curvature = (log_z(J + APART) - 2 * log_z(J) + log_z(J - APART)) / APART**2
    return Learned(J, float(curvature**-0.5), "the whole likelihood")


def root(slope: Callable[[float], float]) -> float:
    """Where a falling slope is 0. Errors: InputError where it is not within the couplings that an image can tell."""
    if slope(-STRONGEST) <= NONE or slope(STRONGEST) >= -NONE:
        raise InputError("no finite coupling follows from the truth: its neighbours are all equal, or none are")
    return float(brentq(slope, -STRONGEST, STRONGEST, xtol=1e-9))


def counted(truth: Int64[np.ndarray, "H W"], K: int) -> Float64[np.ndarray, "H W K"]:
    """How many neighbours of every pixel have each label."""
    return np.stack([neighbours((truth == k).astype(float)) for k in range(K)], -1)


def neighbours(values: Float64[np.ndarray, "H W"]) -> Float64[np.ndarray, "H W"]:
    """The sum over the neighbours of every pixel.

    >>> neighbours(np.array([[1.0, 2.0], [4.0, 8.0]]))
    array([[6., 9.],
           [9., 6.]])
    """
    total = np.zeros_like(values)
    total[1:] += values[:-1]
    total[:-1] += values[1:]
    total[:, 1:] += values[:, :-1]
    total[:, :-1] += values[:, 1:]
    return total
