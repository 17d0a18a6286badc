"""Sums and maxima along many chains (`parts.chains`) and over a tree (`parts.spanning_trees`), compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

PHI = "float64[:,:,:]"  # any strides
PAIRS = "float64[:,:,:,:]"
OUT = "float64[:,:,::1]"


@njit(inline="always")
def reduced(terms: np.ndarray, take_max: bool) -> float:
    """log sum exp, or max."""
    top = terms[0]
    for k in range(1, len(terms)):
        top = max(top, terms[k])
    if take_max or top == -np.inf:
        return top
    total = 0.0
    for k in range(len(terms)):
        total += math.exp(terms[k] - top)
    return top + math.log(total)


@njit(f"void({PHI}, {PAIRS}, boolean, {OUT})", cache=True, nogil=True)
def forward(phi: np.ndarray, pair: np.ndarray, take_max: bool, a: np.ndarray) -> None:
    """a of every site, into `a`."""
    n, sites, K = phi.shape
    terms = np.empty(K)
    for c in range(n):
        for k in range(K):
            a[c, 0, k] = phi[c, 0, k]
        for j in range(1, sites):
            for k in range(K):
                for l in range(K):
                    terms[l] = a[c, j - 1, l] + pair[c, j - 1, l, k]
                a[c, j, k] = phi[c, j, k] + reduced(terms, take_max)


@njit(f"void({PHI}, {PAIRS}, boolean, {OUT})", cache=True, nogil=True)
def backward(phi: np.ndarray, pair: np.ndarray, take_max: bool, b: np.ndarray) -> None:
    """b of every site, into `b`."""
    n, sites, K = phi.shape
    terms = np.empty(K)
    for c in range(n):
        for l in range(K):
            b[c, sites - 1, l] = 0.0
        for j in range(sites - 2, -1, -1):
            for l in range(K):
                for k in range(K):
                    terms[k] = pair[c, j, l, k] + phi[c, j + 1, k] + b[c, j + 1, k]
                b[c, j, l] = reduced(terms, take_max)


@njit("float64(int64[::1], int64[::1], float64[:,::1], float64[:,:,::1])", cache=True, nogil=True)
def tree(order: np.ndarray, parent: np.ndarray, total: np.ndarray, psi: np.ndarray) -> float:
    """log Z of a tree, every pixel in `order` after those that hang on it; `total` is b, and used up."""
    K = total.shape[1]
    terms = np.empty(K)
    for s in order[:-1]:
        for l in range(K):
            for k in range(K):
                terms[k] = total[s, k] + psi[s, k, l]
            total[parent[s], l] += reduced(terms, False)
    return reduced(total[order[-1]], False)


@njit(inline="always")
def write(place: np.ndarray, sent: np.ndarray, damping: float) -> float:
    """`parts.scans.write`."""
    top, high, low = sent.max(), -np.inf, np.inf
    for k in range(len(sent)):
        moved = sent[k] - top - place[k]
        high, low = max(high, moved), min(low, moved)
        place[k] = (1 - damping) * (sent[k] - top) + damping * place[k]
    return high - low


@njit(f"float64({OUT}, {OUT}, {OUT}, {PAIRS}, float64[:,:], float64, boolean)", cache=True, nogil=True)
def scan(ahead: np.ndarray, back: np.ndarray, still: np.ndarray, pair: np.ndarray, rho: np.ndarray, damping: float,
         take_max: bool) -> float:
    """`parts.scans` along rows: messages to the right (into `ahead`), then to the left (into `back`), and how far they
    moved; `still` is the field and what comes from above and below."""
    H, W, K = still.shape
    b, terms, sent = np.empty(K), np.empty(K), np.empty(K)
    change = 0.0
    for i in range(H):
        for j in range(W - 1):
            for k in range(K):
                b[k] = still[i, j, k] - (1 - rho[i, j]) * back[i, j, k]
                if j > 0:
                    b[k] += rho[i, j - 1] * ahead[i, j, k]
            for l in range(K):
                for k in range(K):
                    terms[k] = b[k] + pair[i, j, k, l]
                sent[l] = reduced(terms, take_max)
            change = max(change, write(ahead[i, j + 1], sent, damping))
        for j in range(W - 2, -1, -1):
            for k in range(K):
                b[k] = still[i, j + 1, k] - (1 - rho[i, j]) * ahead[i, j + 1, k]
                if j + 2 < W:
                    b[k] += rho[i, j + 1] * back[i, j + 1, k]
            for l in range(K):
                for k in range(K):
                    terms[k] = b[k] + pair[i, j, l, k]
                sent[l] = reduced(terms, take_max)
            change = max(change, write(back[i, j], sent, damping))
    return change
