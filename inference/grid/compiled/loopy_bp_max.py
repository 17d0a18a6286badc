"""Compiled flooding sweep of max-product on a homogeneous grid: a row at a time, so that loops vectorise.

The same numbers as `compiled.loopy_bp`, which takes one message after the other, from the same sums. No product, no
division, and nothing that could overflow: log odds are added and compared. With m_l = min_k T[k, l],

    max_k(T[k, l] + h(k)) = max(m_l + max_k h(k), the terms with T[k, l] > m_l)

so a label whose entries are alike but for a few, as those of Potts grids are, takes few terms, not K.
"""

from __future__ import annotations

import numpy as np

from inference.grid.compiled.loopy_bp_binary import compiled, target


@compiled
def flood(first: int, last: int, new: np.ndarray, old: np.ndarray, local: np.ndarray, tables: np.ndarray,
          damping: float, change: np.ndarray) -> None:
    """What rows first to last send, by `tables` (2, K, K) with (own label, receiver's) and turned."""
    M, H, W = local.shape
    h, most, base, top, largest = np.zeros((M + 1, W)), np.empty(W), np.empty(W), np.empty(W), np.zeros(W)
    for i in range(first, last):
        for side in range(4):
            to, count, start, shift = target(side, i, W)
            if 0 <= to < H:
                _cavity(h, most, old, local, side, i)
                _best(base, tables[side & 1], 0, h, most)
                for l in range(M):
                    _best(top, tables[side & 1], l + 1, h, most)
                    for n in range(count):
                        o, sent = old[side, l, to, n + shift], top[n + start] - base[n + start]
                        moved = abs(sent - o)
                        largest[n] = moved if moved > largest[n] else largest[n]
                        new[side, l, to, n + shift] = (1.0 - damping) * sent + damping * o
    change[first] = largest.max()


@compiled
def two(first: int, last: int, new: np.ndarray, old: np.ndarray, local: np.ndarray, tables: np.ndarray,
        damping: float, change: np.ndarray) -> None:
    """Two labels, in one loop: max(T[0, 1], T[1, 1] + h) - max(T[0, 0], T[1, 0] + h)."""
    _, H, W = local.shape
    largest = np.zeros(W)
    for i in range(first, last):
        for side in range(4):
            to, count, start, shift = target(side, i, W)
            if 0 <= to < H:
                table, other, another = tables[side & 1], side ^ 2, side ^ 3
                a, b, c, d = table[0, 0], table[1, 0], table[0, 1], table[1, 1]
                for n in range(count):
                    j, k = n + start, n + shift
                    h = local[0, i, j] + old[side, 0, i, j] + (old[other, 0, i, j] + old[another, 0, i, j])
                    top, base = d + h, b + h
                    o, sent = old[side, 0, to, k], (top if top > c else c) - (base if base > a else a)
                    moved = abs(sent - o)
                    largest[n] = moved if moved > largest[n] else largest[n]
                    new[side, 0, to, k] = (1.0 - damping) * sent + damping * o
    change[first] = largest.max()


@compiled
def _cavity(h: np.ndarray, most: np.ndarray, old: np.ndarray, local: np.ndarray, side: int, i: int) -> None:
    """h(k) = log phi(k) + the messages from three sides, of row i, and the largest, h(0) = 0 included."""
    M, _, W = local.shape
    other, another = side ^ 2, side ^ 3
    for j in range(W):
        most[j] = 0.0
    for k in range(M):
        for j in range(W):
            x = local[k, i, j] + old[side, k, i, j] + (old[other, k, i, j] + old[another, k, i, j])
            h[k + 1, j], most[j] = x, x if x > most[j] else most[j]


@compiled
def _best(out: np.ndarray, table: np.ndarray, l: int, h: np.ndarray, most: np.ndarray) -> None:
    """out = max_k T[k, l] + h(k), a row."""
    K, W = h.shape
    least = table[0, l]
    for k in range(1, K):
        least = min(least, table[k, l])
    for j in range(W):
        out[j] = least + most[j]
    for k in range(K):
        b = table[k, l]
        if b > least:
            for j in range(W):
                term = b + h[k, j]
                out[j] = term if term > out[j] else out[j]
