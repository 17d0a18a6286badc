"""The sums and maxima of `strip` compiled, for potentials of moderate range in plain float64.

The twin is `strip.LogSpace`. Sums go a group of sites at a time (`strip_groups`); for maxima one site reads the
frontier as (p, rest, l) and writes it as (k, p, rest).

`Linear` scales vectors to a largest entry of 2^490, which is e^340, before every group. Inside it and after, an entry
lies below that by at most the ranges (largest less smallest entry) of the potentials that touch the frontier: those
behind it for a, those ahead for b, for the sites of a group lie in columns of their own. With both together under 1000
nats no entry falls below e^-660 and no product a b below e^-320, while float64 goes down to e^-708; and exp T of one
site does not either, with a range under 700 nats.
So nothing underflows. The reference's weights take 34 nats a column. Beyond these limits, `compiled.strip_wide`
gives every entry an exponent of its own, at about six times the time.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from inference.grid.compiled.strip_groups import Labels, backward_group, forward_group, group_size

TOP = 490  # log2 of the largest entry of a linear vector
MAX_RANGE = 1000.0  # nats, of a and b together
MAX_SITE = 700.0  # nats, of one site's T
UNROLLED = 2  # labels, up to which the compiler is told their number: with more it gains 0 to 15%, and compiles anew
FAST = {"reassoc", "contract", "nsz", "nnan"}
LOG2 = math.log(2.0)


def is_safe(field: Tensor, right: Tensor, down: Tensor) -> bool:
    """Whether `Linear` cannot underflow (tables with the longer side first)."""
    frontier, site = ranges(field, right, down)
    return frontier <= MAX_RANGE and site <= MAX_SITE


def ranges(field: Tensor, right: Tensor, down: Tensor) -> tuple[float, float]:
    """Bounds, in nats, on log max a / min a + log max b / min b of any frontier, and on max T - min T of any site.

    A frontier holds one site of every column; behind each lie its unary and its pairs to the left
    and above, ahead the pair below and, for the newest site, the pair to the right.
    """
    behind = field.amax(2) - field.amin(2)
    beside, above = (t.amax((2, 3)) - t.amin((2, 3)) if t.numel() else t.new_zeros(t.shape[:2]) for t in (right, down))
    behind[:, 1:] += beside
    behind[1:] += above
    ahead = above.amax(0).sum() if len(above) else 0.0
    return float(behind.amax(0).sum() + ahead + (beside.max() if beside.numel() else 0.0)), float(behind.max())


class Linear:
    """Scaled float64, a group of sites after the other; buffers are kept from line to line."""

    def __init__(self, S: int, states: int) -> None:
        size = group_size(round(states ** (1 / S)))
        self.starts = range(0, S, size)  # of the groups
        self.size = size
        self.a = np.empty((len(self.starts) + 1, states))
        self.b = np.empty((2, states))
        self.scales = np.ones(len(self.starts) + 1)
        self.top = 1.0  # the largest entry of the last b

    def forward(self, log_a: Tensor, T: Tensor, out: Tensor) -> float:
        t, nats = _tables(T)
        _fill(self.b[0], log_a)
        power = TOP + linear_forward(self.b, self.scales, t, self.size, _labels(t.shape[3]))
        a = self.b[len(self.starts) % 2]
        total = math.log(a.sum())
        np.log(a, out=out.numpy())
        np.subtract(out.numpy(), total, out=out.numpy())
        return total + nats - LOG2 * power

    def backward(self, log_a: Tensor, b: Tensor | None, T: Tensor) -> tuple[Tensor, Tensor]:
        t, _ = _tables(T)
        labels = _labels(t.shape[3])
        _fill(self.a[0], log_a)
        linear_forward(self.a, self.scales, t[: self.starts[-1]], self.size, labels)
        if b is None:
            self.b[0] = 2.0**TOP
        else:
            np.multiply(b.numpy(), 2.0 ** (TOP - math.frexp(self.top)[1]), out=self.b[0])
        joint = np.zeros_like(t)
        self.top = linear_backward(self.a, self.scales, self.b, t, joint, self.size, labels)
        return torch.from_numpy(self.b[len(self.starts) % 2]), torch.from_numpy(joint * t)


def _labels(K: int) -> Labels:
    """0, .. K-1: a tuple has its length in its type, by which loops over it are unrolled, and compiled for each K."""
    return tuple(range(K)) if K <= UNROLLED else np.arange(K)


def _tables(T: Tensor) -> tuple[np.ndarray, float]:
    """exp T with a largest entry of 1 per site, and the nats taken out."""
    top = T.amax((1, 2, 3), keepdim=True)
    return torch.exp(T - top).numpy(), float(top.sum())


def _fill(vector: np.ndarray, log_vector: Tensor) -> None:
    np.add(log_vector.numpy(), TOP * LOG2, out=vector)
    np.exp(vector, out=vector)


@njit(cache=True, fastmath=FAST)
def linear_forward(a: np.ndarray, scales: np.ndarray, t: np.ndarray, size: int, labels: Labels) -> int:
    """Fill a[(i+1) % n] from a[i % n] for every group i of `size` sites, and scales[i], by which a[i] is to be
    multiplied; returns log2 of the factor put into the last.

    `labels` are 0, .. K-1, as `_labels` gives them.
    """
    n, power = a.shape[0], 0
    scales[0] = 1.0
    for j in range(0, len(t), size):
        i = j // size
        top = forward_group(a[i % n], scales[i], a[(i + 1) % n], t[j : j + size], j, labels)
        shift = TOP - math.frexp(top)[1]
        scales[i + 1] = math.ldexp(1.0, shift)
        power += shift if j + size < len(t) else 0
    return power


@njit(cache=True, fastmath=FAST)
def linear_backward(a: np.ndarray, scales: np.ndarray, b: np.ndarray, t: np.ndarray, joint: np.ndarray, size: int,
                    labels: Labels) -> float:
    """From the last group to the first: b in turns in b[0] and b[1], sums of a b added to joint[j]; returns the largest
    entry of the last b."""
    scale, top, groups = 1.0, 0.0, -(-len(t) // size)
    for turn in range(groups):
        i = groups - 1 - turn
        j, end = i * size, (i + 1) * size
        top = backward_group(a[i], scales[i], b[turn % 2], scale, b[1 - turn % 2], t[j:end], joint[j:end], j, labels)
        scale = math.ldexp(1.0, TOP - math.frexp(top)[1])
    return top


def maxima(log_a: Tensor, T: Tensor, out: Tensor) -> float:
    """As `Linear.forward` with the largest in place of the sum, all in logs: no range is too much."""
    a = np.empty((2, len(log_a)))
    a[0] = log_a.numpy()
    max_forward(a, T.numpy(), _labels(T.shape[3]))
    end = a[len(T) % 2]
    top = end.max()
    np.subtract(end, top, out=out.numpy())
    return float(top)


@njit(cache=True, fastmath={"nnan", "nsz"})
def max_forward(a: np.ndarray, T: np.ndarray, labels: Labels) -> None:
    """a'(k, p, rest) = max_l a(p, rest, l) + T[p, l, k] for every site, in turns in a[0] and a[1]."""
    S, P, K = T.shape[0], T.shape[1], len(labels)
    M = a.shape[1] // K
    B = M // P
    for j in range(S):
        for p in range(P):
            block = a[j % 2, p * B * K : (p + 1) * B * K]
            for k in range(K):
                out = a[1 - j % 2, k * M + p * B : k * M + (p + 1) * B]
                for r in range(B):
                    top = -np.inf
                    for l in range(K):
                        top = max(top, T[j, p, l, k] + block[r * K + l])
                    out[r] = top
