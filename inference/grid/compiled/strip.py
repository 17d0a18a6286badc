"""The sums and maxima of `strip` compiled, for potentials of moderate range in plain float64.

One site reads the frontier as (p, rest, l) and writes it as (k, p, rest); the twin is `strip.LogSpace`.

`Linear` scales vectors to a largest entry of 2^490, which is e^340. An entry lies below the largest by at
most the ranges (largest less smallest entry) of the potentials that touch the frontier: those behind it for
a, those ahead for b. With both together under 1000 nats no entry falls below e^-660 and no product a b below
e^-320, while float64 goes down to e^-708; and exp T of one site does not either, with a range under 700 nats.
So nothing underflows. The reference's weights take 34 nats a column. Beyond these limits, `compiled.strip_wide`
gives every entry an exponent of its own, at about six times the time.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

TOP = 490  # log2 of the largest entry of a linear vector
MAX_RANGE = 1000.0  # nats, of a and b together
MAX_SITE = 700.0  # nats, of one site's T
TILE = 512  # states worked on at a time, so that they stay in the first cache
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
    """Scaled float64; buffers are kept from line to line."""

    def __init__(self, S: int, states: int) -> None:
        self.a = np.empty((S + 1, states))
        self.b = np.empty((2, states))

    def forward(self, log_a: Tensor, T: Tensor, out: Tensor) -> float:
        t, nats = _tables(T)
        _fill(self.b[0], log_a)
        power = TOP + linear_forward(self.b, t, tuple(range(t.shape[3])))
        a = self.b[len(t) % 2]
        total = math.log(a.sum())
        np.log(a, out=out.numpy())
        np.subtract(out.numpy(), total, out=out.numpy())
        return total + nats - LOG2 * power

    def backward(self, log_a: Tensor, log_b: Tensor, T: Tensor) -> tuple[Tensor, Tensor]:
        t, _ = _tables(T)
        labels = tuple(range(t.shape[3]))
        _fill(self.a[0], log_a)
        linear_forward(self.a, t, labels)
        _fill(self.b[0], log_b)
        joint = np.zeros_like(t)
        linear_backward(self.a, self.b, t, joint, labels)
        out = np.log(self.b[len(t) % 2])
        out -= out.max()
        return torch.from_numpy(out), torch.from_numpy(joint * t)


def _tables(T: Tensor) -> tuple[np.ndarray, float]:
    """exp T with a largest entry of 1 per site, and the nats taken out."""
    top = T.amax((1, 2, 3), keepdim=True)
    return torch.exp(T - top).numpy(), float(top.sum())


def _fill(vector: np.ndarray, log_vector: Tensor) -> None:
    np.add(log_vector.numpy(), TOP * LOG2, out=vector)
    np.exp(vector, out=vector)


@njit(cache=True, fastmath=FAST)
def linear_forward(a: np.ndarray, t: np.ndarray, labels: tuple[int, ...]) -> int:
    """Fill a[(j+1) % n] from a[j % n] for every site j; returns log2 of the factor put into the last.

    `labels` is (0, .. K-1): its length is known to the compiler, which unrolls the loops over it.
    """
    n = a.shape[0]
    power = 0
    scale = 1.0
    for j in range(t.shape[0]):
        top = linear_site(a[j % n], a[(j + 1) % n], t[j], scale, labels)
        if j + 1 < t.shape[0]:
            shift = TOP - math.frexp(top)[1]
            scale = math.ldexp(1.0, shift)
            power += shift
    return power


@njit(cache=True, fastmath=FAST)
def linear_site(x: np.ndarray, y: np.ndarray, t: np.ndarray, scale: float, labels: tuple[int, ...]) -> float:
    """y(k, p, rest) = scale sum_l x(p, rest, l) t[p, l, k]; returns the largest."""
    P, K = t.shape[0], len(labels)
    M = x.size // K
    B = M // P
    top = 0.0
    for p in range(P):
        block = x[p * B * K : (p + 1) * B * K]
        for k in range(K):
            out = y[k * M + p * B : k * M + (p + 1) * B]
            for r in range(B):
                total = 0.0
                for l in range(K):
                    total += scale * t[p, l, k] * block[r * K + l]
                out[r] = total
                top = max(top, total)
    return top


@njit(cache=True, fastmath=FAST)
def linear_backward(a: np.ndarray, b: np.ndarray, t: np.ndarray, joint: np.ndarray, labels: tuple[int, ...]) -> None:
    """From the last site to the first: b in turns in b[0] and b[1], sums of a b added to joint[j]."""
    scale = 1.0
    S = t.shape[0]
    for i in range(S):
        j = S - 1 - i
        top = linear_site_back(a[j], b[i % 2], b[1 - i % 2], t[j], scale, joint[j], labels)
        scale = math.ldexp(1.0, TOP - math.frexp(top)[1])


@njit(cache=True, fastmath=FAST)
def linear_site_back(x: np.ndarray, y: np.ndarray, z: np.ndarray, t: np.ndarray, scale: float, joint: np.ndarray,
                     labels: tuple[int, ...]) -> float:
    """z(p, rest, l) = scale sum_k t[p, l, k] y(k, p, rest), joint[p, l, k] = sum_rest x(p, rest, l) y(k, p, rest)."""
    P, K = t.shape[0], len(labels)
    M = x.size // K
    B = M // P
    top = 0.0
    by_label = np.empty((K, TILE))
    for p in range(P):
        for start in range(p * B, (p + 1) * B, TILE):
            n = min(TILE, (p + 1) * B - start)
            xs, ys, zs = x[start * K : (start + n) * K], y[start:], z[start * K : (start + n) * K]
            for r in range(n):
                for l in range(K):
                    total = 0.0
                    for k in range(K):
                        total += scale * t[p, l, k] * ys[k * M + r]
                    zs[r * K + l] = total
                    top = max(top, total)
            for r in range(n):
                for l in range(K):
                    by_label[l, r] = xs[r * K + l]
            for l in range(K):
                xl = by_label[l]
                for k in range(K):
                    yk = ys[k * M : k * M + n]
                    total = 0.0
                    for r in range(n):
                        total += xl[r] * yk[r]
                    joint[p, l, k] += total
    return top


def maxima(log_a: Tensor, T: Tensor, out: Tensor) -> float:
    """As `Linear.forward` with the largest in place of the sum, all in logs: no range is too much."""
    a = np.empty((2, len(log_a)))
    a[0] = log_a.numpy()
    max_forward(a, T.numpy(), tuple(range(T.shape[3])))
    end = a[len(T) % 2]
    top = end.max()
    np.subtract(end, top, out=out.numpy())
    return float(top)


@njit(cache=True, fastmath={"nnan", "nsz"})
def max_forward(a: np.ndarray, T: np.ndarray, labels: tuple[int, ...]) -> None:
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
