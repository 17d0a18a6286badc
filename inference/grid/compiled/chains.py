"""Sums and maxima along many chains (`parts.chains`) and over a tree (`parts.spanning_trees`), compiled.

Arrays are laid out (sites, K, chains), so that loops run over all chains at a site, and vectorise, the exponential and
the logarithm (`inference.bits`, 5e-16) included.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from inference.bits import exp, log
from inference.njit_later import njit_later
from inference.threads import over_rows

SUM, MAX, FACTORS = 0, 1, 2  # log sum exp and max of logs; log sum exp with a table that is no logarithm
LEAST = -700.0  # nats below the largest term, where a term counts for nothing

compiled = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


def by_site(phi: Tensor) -> np.ndarray:
    """(chains, sites, ..) as (sites, .., chains)."""
    return phi.movedim(0, -1).contiguous().numpy()


def run(which: str, phi: Tensor, pair: Tensor, take_max: bool) -> Tensor:
    """`parts.chains.forward` or `backward`."""
    n, sites, K = phi.shape
    out = np.empty((sites, K, n))
    kernel = forward if which == "forward" else backward
    over_rows(kernel, 4 * phi.numel() // n * np.arange(n + 1), by_site(phi), by_site(pair), MAX if take_max else SUM,
              out, pieces=1)
    return torch.from_numpy(out).movedim(-1, 0).contiguous()


@compiled
def send(sent: np.ndarray, b: np.ndarray, table: np.ndarray, first: int, turned: bool | np.bool_, rule: int) -> None:
    """sent(l) = log sum_k exp(b(k) + table(k, l)), or max_k, or log sum_k exp(b(k)) table(k, l), or with table(l, k);
    of chains from `first`. FACTORS, where b is used up, takes K exponentials in place of K^2."""
    if rule == FACTORS:
        exponentials(b, sent[len(b)])
        mixed(sent, b, table, first, turned)
        for l in range(len(b)):
            row = sent[l]
            for r in range(len(row)):
                row[r] = log(row[r])
        return
    K, n = b.shape
    start = np.uint64(first)
    for l in range(K):
        top, work = sent[l], sent[K]
        for k in range(K):
            row, h = table[l, k] if turned else table[k, l], b[k]
            for r in range(n):
                term = h[r] + row[r + start]
                top[r] = term if k == 0 or term > top[r] else top[r]
        if rule == SUM:
            for k in range(K):
                row, h = table[l, k] if turned else table[k, l], b[k]
                for r in range(n):
                    term = h[r] + row[r + start] - top[r]
                    work[r] = exp(term if term > LEAST else LEAST) + (work[r] if k > 0 else 0.0)
            for r in range(n):
                top[r] += log(work[r])


@compiled
def mixed(sent: np.ndarray, b: np.ndarray, table: np.ndarray, first: int, turned: bool | np.bool_) -> None:
    """sent(l) = sum_k b(k) table(k, l), or table(l, k), of chains from `first`."""
    K, n = b.shape
    start = np.uint64(first)
    for l in range(K):
        out = sent[l]
        for k in range(K):
            row, h = table[l, k] if turned else table[k, l], b[k]
            for r in range(n):
                out[r] = h[r] * row[r + start] + (out[r] if k > 0 else 0.0)


@compiled
def copy(out: np.ndarray, row: np.ndarray) -> None:
    """out[:] = row, which numba compiles with all that it says of shapes that differ: 2 to 4 s in place of 0.1."""
    for r in range(len(out)):
        out[r] = row[r]


@compiled
def exponentials(b: np.ndarray, top: np.ndarray) -> None:
    """exp(b - max_k b), into b, and the largest into `top`; of two labels one is 1."""
    n = len(top)
    copy(top, b[0])
    for k in range(1, len(b)):
        h = b[k]
        for r in range(n):
            top[r] = h[r] if h[r] > top[r] else top[r]
    if len(b) == 2:
        low, high = b[0], b[1]
        for r in range(n):
            apart = low[r] - high[r]
            less = apart if apart < 0.0 else -apart
            e = exp(less if less > LEAST else LEAST)
            low[r], high[r] = (e, 1.0) if apart < 0.0 else (1.0, e)
        return
    for k in range(len(b)):
        h = b[k]
        for r in range(n):
            term = h[r] - top[r]
            h[r] = exp(term if term > LEAST else LEAST)


@compiled
def forward(first: int, last: int, phi: np.ndarray, pair: np.ndarray, rule: int, a: np.ndarray) -> None:
    """a of every site of chains first to last, into `a`."""
    sites, K, _ = phi.shape
    n, start = last - first, np.uint64(first)
    b, sent = np.empty((K, n)), np.zeros((K + 1, n))
    for j in range(sites):
        for k in range(K):
            for r in range(n):
                b[k, r] = phi[j, k, r + start] + sent[k, r]
                a[j, k, r + start] = b[k, r]
        if j + 1 < sites:
            send(sent, b, pair[j], first, np.bool_(False), rule)  # a constant would have it compiled anew


@compiled
def backward(first: int, last: int, phi: np.ndarray, pair: np.ndarray, rule: int, b: np.ndarray) -> None:
    """b of every site of chains first to last, into `b`."""
    sites, K, _ = phi.shape
    n, start = last - first, np.uint64(first)
    h, sent = np.empty((K, n)), np.zeros((K + 1, n))
    for step in range(sites):
        j = sites - 1 - step
        for k in range(K):
            for r in range(n):
                b[j, k, r + start] = sent[k, r]
                h[k, r] = phi[j, k, r + start] + sent[k, r]
        if j > 0:
            send(sent, h, pair[j - 1], first, np.bool_(True), rule)


@njit(inline="always")
def reduced(terms: np.ndarray) -> float:
    """log sum exp."""
    top = terms.max()
    if top == -np.inf:
        return top
    total = 0.0
    for k in range(len(terms)):
        total += math.exp(terms[k] - top)
    return top + math.log(total)


@njit_later("float64(int64[::1], int64[::1], float64[:,::1], float64[:,:,::1])", cache=True, nogil=True)
def tree(order: np.ndarray, parent: np.ndarray, total: np.ndarray, psi: np.ndarray) -> float:
    """log Z of a tree, every pixel in `order` after those that hang on it; `total` is b, and used up."""
    K = total.shape[1]
    terms = np.empty(K)
    for s in order[:-1]:
        for l in range(K):
            for k in range(K):
                terms[k] = total[s, k] + psi[s, k, l]
            total[parent[s], l] += reduced(terms)
    return reduced(total[order[-1]])
