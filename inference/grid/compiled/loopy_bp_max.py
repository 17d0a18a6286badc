"""Compiled flooding sweep of max-product on a homogeneous grid: a row at a time, so that loops vectorise.

The same numbers as `compiled.loopy_bp`, which takes one message after the other, from the same sums. No product, no
division, and nothing that could overflow: log odds are added and compared.
"""

from __future__ import annotations

import numpy as np

from inference.grid.compiled.loopy_bp_binary import compiled, target


@compiled
def flood(first: int, last: int, new: np.ndarray, old: np.ndarray, local: np.ndarray, tables: np.ndarray,
          damping: float, change: np.ndarray) -> None:
    """What rows first to last send, by `tables` (2, K, K) with (own label, receiver's) and turned."""
    M, H, W = local.shape
    h, base, top, largest = np.empty((M, W)), np.empty(W), np.empty(W), np.zeros(W)
    for i in range(first, last):
        for side in range(4):
            to, count, start, shift = target(side, i, W)
            if 0 <= to < H:
                _cavity(h, old, local, side, i)
                _best(base, tables[side & 1], 0, h)
                for l in range(M):
                    _best(top, tables[side & 1], l + 1, h)
                    before, after = old[side, l, to], new[side, l, to]
                    for n in range(count):
                        o, sent = before[n + shift], top[n + start] - base[n + start]
                        moved = abs(sent - o)
                        largest[n] = moved if moved > largest[n] else largest[n]
                        after[n + shift] = (1.0 - damping) * sent + damping * o
    change[first] = largest.max()


@compiled
def _cavity(h: np.ndarray, old: np.ndarray, local: np.ndarray, side: int, i: int) -> None:
    """h(k) = log phi(k) + the messages from three sides, of row i."""
    M, _, W = local.shape
    for k in range(M):
        out, phi, a, b, c = h[k], local[k, i], old[side, k, i], old[side ^ 2, k, i], old[side ^ 3, k, i]
        for j in range(W):
            out[j] = phi[j] + a[j] + (b[j] + c[j])


@compiled
def _best(out: np.ndarray, table: np.ndarray, l: int, h: np.ndarray) -> None:
    """out = max(T[0, l], max_k T[k, l] + h(k)), a row."""
    M, W = h.shape
    out[:] = table[0, l]
    for k in range(M):
        b, row = table[k + 1, l], h[k]
        for j in range(W):
            term = b + row[j]
            out[j] = term if term > out[j] else out[j]
