"""The scorer's inner loop: all pairs times a few draws, in blocks that stay in the first-level cache.

Per block and draw: the residuals r - u_i . v_j; their energies q = (r - u_i . v_j)^2 / (2 s); and, for every pair,

    total += exp(-q - log(s) / 2)

with an exponential that LLVM turns into vector code (relative error below 5e-16). One logarithm serves a
whole block: the sum of log(total) is the sum of the exponents and the log of the product of the mantissas,
read from the bits. A total below exp(FLOOR) is stored as its logarithm, which is negative, so nothing
underflows; blocks with such a pair go through `add_exactly`, one pair after another.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, uint64
from numpy import ndarray

from inference.bits import as_float, as_int, exp, exponent, mantissa
from inference.threads import over_rows

FLOOR = -690.0  # exp of it is still a normal double
BLOCK = 1024
LOW, HIGH = math.exp(-10), math.exp(10)  # roots between which no total is out of range
CHUNK = 256  # so many mantissas are multiplied: below 2^256

LOG_2 = math.log(2)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def residuals(U: ndarray, V: ndarray, K: int, user: ndarray, item: ndarray, rating: ndarray, out: ndarray) -> None:
    """out[n] = rating[n] - u . v; U and V are flat, indices unsigned so that they are not wrapped around."""
    if K == 2:
        for n in range(len(rating)):
            i, j = uint64(2) * user[n], uint64(2) * item[n]
            out[n] = rating[n] - U[i] * V[j] - U[i + uint64(1)] * V[j + uint64(1)]
        return
    for n in range(len(rating)):
        i, j = uint64(K) * user[n], uint64(K) * item[n]
        dot = 0.0
        for k in range(uint64(K)):
            dot += U[i + k] * V[j + k]
        out[n] = rating[n] - dot


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def energies(scale: float, e: ndarray) -> tuple[float, float]:
    """e -> q = scale e^2 in place; their sum and the largest (as bits: of these, nan is the largest of all)."""
    total, largest = 0.0, 0
    for n in range(len(e)):
        q = scale * e[n] * e[n]
        e[n] = q
        total += q
        largest = max(largest, as_int(q))
    return total, as_float(largest)


@njit(cache=True, nogil=True, fastmath={"contract"})
def scaled(offset: ndarray, root: ndarray, e: ndarray) -> tuple[float, float]:
    """e -> (e - offset) root in place, for offsets and roots of each pair's own or none; the ends of the roots."""
    low, high = 1.0, 1.0
    for n in range(len(offset)):
        e[n] -= offset[n]
    for n in range(len(root)):
        e[n] *= root[n]
        low, high = min(low, root[n]), max(high, root[n])
    return low, high


@njit(cache=True, nogil=True)
def any_coded(total: ndarray) -> bool:
    """Whether one is negative, that is, a logarithm."""
    signs = 0
    for n in range(len(total)):
        signs |= as_int(total[n])
    return signs < 0


@njit(cache=True, nogil=True, fastmath={"contract"})
def add(offset: float, q: ndarray, total: ndarray) -> None:
    """total[n] += exp(offset - q[n])"""
    for n in range(len(total)):
        total[n] += exp(offset - q[n])


@njit(cache=True, nogil=True, fastmath={"contract"})
def add_rooted(root: ndarray, q: ndarray, total: ndarray) -> None:
    """total[n] += root[n] exp(-q[n])"""
    for n in range(len(total)):
        total[n] += root[n] * exp(-q[n])


@njit(cache=True, nogil=True)
def add_exactly(offset: float, q: ndarray, total: ndarray) -> None:
    """The same where a density or a total may be below exp(FLOOR); a total of 0 is that of no draw yet."""
    for n in range(len(total)):
        new, old = offset - q[n], total[n]
        if new > FLOOR and old >= 0:
            total[n] = old + math.exp(new)
            continue
        if old != 0:
            before = math.log(old) if old > 0 else old
            high, low = max(new, before), min(new, before)
            new = high + math.log1p(math.exp(low - high)) if low > -math.inf else high
        total[n] = math.exp(new) if new > FLOOR else new


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def sum_of_logs(total: ndarray) -> float:
    """The sum of log(total), every total positive and normal."""
    logs, powers = 0.0, 0
    for start in range(0, len(total), CHUNK):
        product = 1.0
        for n in range(start, min(start + CHUNK, len(total))):
            powers += exponent(total[n])
            product *= mantissa(total[n])
        logs += math.log(product)
    return logs + LOG_2 * (powers - 1023 * len(total))


@njit(cache=True, nogil=True)
def sum_of_coded(total: ndarray) -> float:
    """The sum of the logs, where a negative total is one itself."""
    logs = 0.0
    for x in total:
        logs += math.log(x) if x > 0 else x
    return logs


@njit(cache=True, nogil=True)
def score_blocks(first: int, last: int, U: ndarray, V: ndarray, variance: ndarray, offset: ndarray, root: ndarray,
                 K: int, user: ndarray, item: ndarray, rating: ndarray, total: ndarray, sums: ndarray) -> None:
    """Blocks first..last-1: every draw of U (D, users K) and V (D, items K) is added to `total`.

    sums[block] = the energies of the last draw with its log(s) / 2, and the logs of the totals after it.
    """
    buffer = np.empty(BLOCK)
    for block in range(first, last):
        start = block * BLOCK
        stop = min(start + BLOCK, len(rating))
        e, here = buffer[: stop - start], total[start:stop]
        coded = any_coded(here)
        for d in range(len(variance)):
            residuals(U[d], V[d], K, user[start:stop], item[start:stop], rating[start:stop], e)
            own = root[d, start:stop]
            low, high = scaled(offset[d, start:stop], own, e)
            sums[block, 0], largest = energies(0.5 / variance[d], e)
            constant = -0.5 * math.log(variance[d])
            sums[block, 0] -= constant * len(e)
            for n in range(len(own)):
                sums[block, 0] -= math.log(own[n])
            fair = largest - constant < -FLOOR - 20.0 and abs(constant) < 10.0 and low > LOW and high < HIGH
            if fair and not coded and len(own) == 0:
                add(constant, e, here)
            elif fair and not coded:
                add_rooted(own, e, here)
            else:
                for n in range(len(own)):
                    e[n] -= math.log(own[n])
                add_exactly(constant, e, here)
                coded = any_coded(here) or not here.min() > 0
        sums[block, 1] = sum_of_coded(here) if coded else sum_of_logs(here)


def score(U: ndarray, V: ndarray, variance: ndarray, offset: ndarray, root: ndarray, user: ndarray, item: ndarray,
          rating: ndarray, total: ndarray) -> tuple[float, float]:
    """Add D draws to `total` (N,), in place: U (D, users, K), V (D, items, K), noise variances (D,).

    user, item (N,) uint32, best ordered by user; rating (N,). What a pair has of its own, (D, N) or (D, 0): `offset`
    is added to its prediction; `root` is 1 / sqrt(s), and its variance is 1 here. Returns the sums of the energies of
    the last draw with log(s) / 2, and of the logs of the totals after it, both without log(2 pi) / 2. The same bytes
    whatever the threads.
    """
    D, _, K = U.shape
    work = starts(len(rating))
    sums = np.empty((len(work) - 1, 2))
    over_rows(score_blocks, work, U.reshape(D, -1), V.reshape(D, -1), variance, offset, root, K, user, item, rating,
              total, sums)
    energy, log_total = sums.sum(0)
    return float(energy), float(log_total)


@njit(cache=True, nogil=True)
def detail_blocks(first: int, last: int, U: ndarray, V: ndarray, variance: ndarray, offset: ndarray, root: ndarray,
                  K: int, user: ndarray, item: ndarray, rating: ndarray, prediction: ndarray, square: ndarray,
                  below: ndarray, noise: ndarray) -> None:
    """Blocks first..last-1: every draw's predictions, their squares, Phi((r - prediction) / sqrt(s)) and s, summed."""
    buffer = np.empty(BLOCK)
    for block in range(first, last):
        start = block * BLOCK
        stop = min(start + BLOCK, len(rating))
        e = buffer[: stop - start]
        for d in range(len(variance)):
            residuals(U[d], V[d], K, user[start:stop], item[start:stop], rating[start:stop], e)
            scaled(offset[d, start:stop], root[d, :0], e)
            common = math.sqrt(1 / variance[d])
            for n in range(start, stop):
                p = rating[n] - e[n - start]
                prediction[n] += p
                square[n] += p * p
                one = root[d, n] if root.shape[1] > 0 else common
                below[n] += 0.5 * math.erfc(-math.sqrt(0.5) * one * e[n - start])
                noise[n] += 1 / one**2


def detail(U: ndarray, V: ndarray, variance: ndarray, offset: ndarray, root: ndarray, user: ndarray, item: ndarray,
           rating: ndarray, prediction: ndarray, square: ndarray, below: ndarray, noise: ndarray) -> None:
    """What is kept of the predictions of D draws, added in place; arguments as in `score`, sums (N,)."""
    D, _, K = U.shape
    over_rows(detail_blocks, starts(len(rating)), U.reshape(D, -1), V.reshape(D, -1), variance, offset, root, K,
              user, item, rating, prediction, square, below, noise)


def starts(pairs: int) -> ndarray:
    """How many pairs there are before each block."""
    return BLOCK * np.arange(-(-pairs // BLOCK) + 1)
