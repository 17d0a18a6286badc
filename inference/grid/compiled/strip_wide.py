"""The sums of `strip` compiled, for potentials up to 1e15 nats: every number is m 2^e with its own exponent.

1 <= m < 2 in float64 and e in int64. Adding shifts the smaller number by the difference of the exponents;
what is lost that way is below 2^-1022 of the sum, never of the answer. The twin is `strip.LogSpace`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from numpy import ndarray
from torch import Tensor

TILE = 512  # states worked on at a time, so that they stay in the first cache
FAST = {"reassoc", "contract", "nsz", "nnan"}
LOG2 = math.log(2.0)


class Wide:
    """Numbers m 2^e, 1 <= m < 2 in float64 and e in int64, one exponent for every entry."""

    def __init__(self, S: int, states: int) -> None:
        self.a, self.a_exp = np.empty((S + 1, states)), np.empty((S + 1, states), np.int64)
        self.b, self.b_exp = np.empty((2, states)), np.empty((2, states), np.int64)

    def forward(self, log_a: Tensor, T: Tensor, out: Tensor) -> float:
        _split(log_a.numpy(), self.b[0], self.b_exp[0])
        wide_forward(self.b, self.b_exp, *_split(T.numpy()))
        end = len(T) % 2
        top = int(self.b_exp[end].max())
        _join(self.b[end], self.b_exp[end] - top, out.numpy())
        total = math.log(np.exp(out.numpy()).sum())
        np.subtract(out.numpy(), total, out=out.numpy())
        return total + LOG2 * top

    def backward(self, log_a: Tensor, log_b: Tensor | None, T: Tensor) -> tuple[Tensor, Tensor]:
        t, t_exp = _split(T.numpy())
        _split(log_a.numpy(), self.a[0], self.a_exp[0])
        wide_forward(self.a, self.a_exp, t, t_exp)
        log_b = log_a.new_zeros(len(log_a)) if log_b is None else log_b
        _split(log_b.numpy(), self.b[0], self.b_exp[0])
        joint = np.zeros_like(t)
        wide_backward(self.a, self.a_exp, self.b, self.b_exp, t, t_exp, joint)
        end = len(T) % 2
        out = np.empty(self.b.shape[1])
        _join(self.b[end], self.b_exp[end] - self.b_exp[end].max(), out)
        return torch.from_numpy(out), torch.from_numpy(joint)


def _split(x: ndarray, m: ndarray | None = None, e: ndarray | None = None) -> tuple[ndarray, ndarray]:
    """exp x = m 2^e, into m and e where given."""
    e = np.empty(x.shape, np.int64) if e is None else e
    np.floor(x / LOG2, out=e, casting="unsafe")
    return np.exp(x - e * LOG2, out=m), e


def _join(m: ndarray, e: ndarray, out: ndarray) -> None:
    """log(m 2^e) into `out`."""
    np.log(m, out=out)
    out += e * LOG2


@njit(inline="always")
def power2(d: int) -> float:
    """2^d for d <= 1023, by its bits; 0 below 2^-1022."""
    return np.int64((max(d, -1023) + 1023) << 52).view(np.float64)


@njit(cache=True)
def normalise(m: ndarray, e: ndarray) -> None:
    """Move the exponent of m into e, by its bits."""
    for r in range(m.size):
        bits = np.float64(m[r]).view(np.int64)
        e[r] += (bits >> 52) - 1023
        m[r] = np.int64((bits & ((1 << 52) - 1)) | (1023 << 52)).view(np.float64)


@njit(cache=True)
def wide_forward(a: ndarray, a_exp: ndarray, t: ndarray, t_exp: ndarray) -> None:
    """As `linear_forward`, without scaling."""
    n = a.shape[0]
    for j in range(t.shape[0]):
        wide_site(a[j % n], a_exp[j % n], a[(j + 1) % n], a_exp[(j + 1) % n], t[j], t_exp[j])


@njit(cache=True)
def wide_site(x: ndarray, x_exp: ndarray, y: ndarray, y_exp: ndarray, t: ndarray, t_exp: ndarray) -> None:
    P, K = t.shape[0], t.shape[1]
    M = x.size // K
    B = M // P
    for p in range(P):
        for start in range(p * B, (p + 1) * B, TILE):
            n = min(TILE, (p + 1) * B - start)
            for k in range(K):
                out, out_exp = y[k * M + start : k * M + start + n], y_exp[k * M + start : k * M + start + n]
                for l in range(K):
                    first, last = start * K + l, (start + n) * K
                    add_scaled(out, out_exp, x[first:last:K], x_exp[first:last:K], t[p, l, k], t_exp[p, l, k], l == 0)
                normalise(out, out_exp)


@njit(cache=True)
def add_scaled(out: ndarray, out_exp: ndarray, x: ndarray, x_exp: ndarray, c: float, c_exp: int, first: bool) -> None:
    """out += c x, or out = c x if it is the first term; x and out may be strided."""
    if first:
        for r in range(x.size):
            out[r] = c * x[r]
            out_exp[r] = c_exp + x_exp[r]
    else:
        for r in range(x.size):
            e = c_exp + x_exp[r]
            top = max(out_exp[r], e)
            out[r] = out[r] * power2(out_exp[r] - top) + c * x[r] * power2(e - top)
            out_exp[r] = top


@njit(cache=True)
def wide_backward(a: ndarray, a_exp: ndarray, b: ndarray, b_exp: ndarray, t: ndarray, t_exp: ndarray,
                  joint: ndarray) -> None:
    """As `linear_backward`: each site's joint is counted in units of its largest a b, 2^unit."""
    S = t.shape[0]
    for i in range(S):
        j, now, then = S - 1 - i, i % 2, 1 - i % 2
        wide_site_back(b[now], b_exp[now], b[then], b_exp[then], t[j], t_exp[j])
        unit = np.int64(-(1 << 62))
        for r in range(a.shape[1]):
            unit = max(unit, a_exp[j, r] + b_exp[then, r])
        wide_joint(a[j], a_exp[j], b[now], b_exp[now], t[j], t_exp[j], unit, joint[j])


@njit(cache=True)
def wide_site_back(y: ndarray, y_exp: ndarray, z: ndarray, z_exp: ndarray, t: ndarray, t_exp: ndarray) -> None:
    P, K = t.shape[0], t.shape[1]
    M = z.size // K
    B = M // P
    for p in range(P):
        for start in range(p * B, (p + 1) * B, TILE):
            n = min(TILE, (p + 1) * B - start)
            for l in range(K):
                first, last = start * K + l, (start + n) * K
                out, out_exp = z[first:last:K], z_exp[first:last:K]
                for k in range(K):
                    ks = k * M + start
                    add_scaled(out, out_exp, y[ks : ks + n], y_exp[ks : ks + n], t[p, l, k], t_exp[p, l, k], k == 0)
                normalise(out, out_exp)


@njit(cache=True, fastmath=FAST)
def wide_joint(x: ndarray, x_exp: ndarray, y: ndarray, y_exp: ndarray, t: ndarray, t_exp: ndarray,
               unit: np.int64, joint: ndarray) -> None:
    P, K = t.shape[0], t.shape[1]
    M = x.size // K
    B = M // P
    for p in range(P):
        for l in range(K):
            for k in range(K):
                xs, xs_exp = x[p * B * K + l : (p + 1) * B * K : K], x_exp[p * B * K + l : (p + 1) * B * K : K]
                ys, ys_exp = y[k * M + p * B :], y_exp[k * M + p * B :]
                total, shift = 0.0, t_exp[p, l, k] - unit
                for r in range(B):
                    total += xs[r] * ys[r] * power2(xs_exp[r] + ys_exp[r] + shift)
                joint[p, l, k] = t[p, l, k] * total
