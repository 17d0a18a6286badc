"""The coupling of a Potts grid by persistent contrastive divergence: chains in the place of log Z.

    d log p(y) / dJ = S(y) - E_J[S],      S(y) = how many neighbours are equal

E_J[S] is the mean over chains that start at the truth, take one Gibbs sweep a step at the J of that step, and are never
started again (L. Younes, Stochastics 65 (1999) 177; T. Tieleman, ICML 2008). With V the variance of S by the chains,

    J <- J + (S(y) - mean over chains of S) / (V t^(2/3)),      the answer is the mean of J over the second half

    se^2 = 1 / V + (se of the chains' mean of S / V)^2          of the image, and of the chains

Any size of image, where the whole likelihood is known for narrow ones only; nearer to it than the pseudo-likelihood.
Cost of a step: a sweep of all chains, K H W each.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64

from errors import InputError
from learning.potts import UNKNOWN, Learned, by_pseudo_likelihood

STEPS, PIXELS, CHAINS = 600, 10_000, (4, 40)  # as many chains as make so many pixels, within these
FIRST = 10  # steps before the first change of J, to know V


def by_contrastive_divergence(truth: Int64[np.ndarray, "H W"], K: int, seed: int = 0) -> Learned:
    """The J and its error. Errors: InputError for a truth that is not known everywhere, or tells no finite J."""
    if (truth == UNKNOWN).any():
        raise InputError("persistent contrastive divergence needs the truth of every pixel: learn by pseudo-likelihood")
    J, rng = by_pseudo_likelihood(truth, K).value, np.random.default_rng(seed)
    count = int(np.clip(PIXELS // truth.size, *CHAINS))
    y, here = np.repeat(truth[None], count, 0), float(equal(truth[None])[0])
    path, seen = np.empty(STEPS), np.empty((STEPS, count))
    for t in range(STEPS):
        y = sweep(rng, y, J, K)
        path[t], seen[t] = J, equal(y)
        if t >= FIRST:
            J += (here - seen[t].mean()) / (variance(seen[t // 2 : t + 1]) * (t - FIRST + 1) ** (2 / 3))
    late = seen[STEPS // 2 :]
    V, chains = variance(late), float(late.mean(0).std(ddof=1)) / count**0.5
    return Learned(float(path[STEPS // 2 :].mean()), (1 / V + (chains / V) ** 2) ** 0.5,
                   "persistent contrastive divergence")


def variance(seen: Float64[np.ndarray, "steps chains"]) -> float:
    """Of S, and at least what one pair that turns makes."""
    return max(float(seen.var()), 1.0)


def equal(y: Int64[np.ndarray, "chains H W"]) -> Float64[np.ndarray, "chains"]:
    """S of every chain.

    >>> equal(np.array([[[0, 0], [0, 1]]]))
    array([2.])
    """
    return ((y[:, 1:] == y[:, :-1]).sum((1, 2)) + (y[:, :, 1:] == y[:, :, :-1]).sum((1, 2))).astype(float)


def sweep(rng: np.random.Generator, y: Int64[np.ndarray, "chains H W"], J: float, K: int
          ) -> Int64[np.ndarray, "chains H W"]:
    """A Gibbs sweep of every chain, one colour of the checkerboard after the other: the largest of Gumbel's noise added
    to J times how many neighbours have the label is a draw from their softmax."""
    _, H, W = y.shape
    for colour in range(2):
        padded = np.pad(y, ((0, 0), (1, 1), (1, 1)), constant_values=UNKNOWN)
        around = (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2], padded[:, 1:-1, 2:])
        scores = np.stack([J * sum((n == k).astype(float) for n in around) for k in range(K)])
        drawn = (scores + rng.gumbel(size=scores.shape)).argmax(0)
        y = np.where((np.arange(H)[:, None] + np.arange(W)) % 2 == colour, drawn, y)
    return y
