"""Whether hard constraints leave a grid any labelling, compiled: search with arc consistency.

A label that goes with none of those left to a neighbour is taken away, and so on (AC-3, Mackworth 1977); on a tree what
is then left is possible. On a grid the pixels in raster order take a label, each followed by the same, and another one
where that leaves somebody none (Sabin and Freuder 1994). Of two labels, a choice without such a conflict is never taken
back: what it settled says nothing about the rest (2-SAT).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.njit_later import njit_later

POSSIBLE, IMPOSSIBLE, UNKNOWN = 1, 0, -1


@njit(cache=True)
def _revise(s: int, left: np.ndarray, right: np.ndarray, down: np.ndarray, trail: np.ndarray,
            removed: int) -> tuple[int, bool]:
    """Take from the neighbours of pixel s what goes with no label of s; whether each has one left."""
    H, W, K = left.shape
    i, j = s // W, s % W
    for side in range(4):
        a, b = i + (side == 2) - (side == 3), j + (side == 0) - (side == 1)
        if not (0 <= a < H and 0 <= b < W):
            continue
        tables = right if side < 2 else down
        table = tables[min(i, a) % tables.shape[0], min(j, b) % tables.shape[1]]
        some = False
        for l in range(K):
            if not left[a, b, l]:
                continue
            goes = False
            for k in range(K):
                if left[i, j, k] and (table[k, l] if side % 2 == 0 else table[l, k]):
                    goes = True
                    break
            some |= goes
            if not goes:
                left[a, b, l] = False
                trail[removed] = (a * W + b) * K + l
                removed += 1
        if not some:
            return removed, False
    return removed, True


@njit(cache=True)
def _settle(first: int, left: np.ndarray, right: np.ndarray, down: np.ndarray, trail: np.ndarray,
            removed: int) -> tuple[int, bool]:
    """The same for all pixels that lost a label at `first` on the trail or later, and those that then do."""
    K = left.shape[2]
    while first < removed:
        s = trail[first] // K
        while first < removed and trail[first] // K == s:
            first += 1
        removed, some = _revise(s, left, right, down, trail, removed)
        if not some:
            return removed, False
    return removed, True


@njit_later("int64(boolean[:,:,::1], boolean[:,:,:,::1], boolean[:,:,:,::1], int64)", cache=True)
def search(left: np.ndarray, right: np.ndarray, down: np.ndarray, most: int) -> int:
    """POSSIBLE, with a labelling in `left` (H, W, K); IMPOSSIBLE; or UNKNOWN, after `most` conflicts.

    Tables of edges that are all alike along an axis may have length 1 there (`models.grid.distinct`).
    """
    H, W, K = left.shape
    flat, trail = left.reshape(-1), np.empty(H * W * K, np.int64)
    removed, depth, conflicts, s = 0, 0, 0, 0
    for one in range(H * W):
        removed, some = _revise(one, left, right, down, trail, removed)
        if not some:
            return IMPOSSIBLE
    removed, some = _settle(0, left, right, down, trail, removed)
    choices = np.empty((H * W, 2), np.int64)  # the label chosen, and how long the trail was
    while some and s < H * W:
        mine = np.flatnonzero(flat[s * K:(s + 1) * K])
        if len(mine) == 1:
            s += 1
            continue
        choices[depth] = s * K + mine[0], removed
        depth += 1
        for k in mine[1:]:
            flat[s * K + k] = False
            trail[removed] = s * K + k
            removed += 1
        removed, some = _settle(choices[depth - 1, 1], left, right, down, trail, removed)
        flipped = False
        while not some and depth and not (flipped and K == 2):
            conflicts += 1
            if conflicts > most:
                return UNKNOWN
            depth -= 1
            chosen, before = choices[depth]
            flat[trail[before:removed]] = True
            flat[chosen] = False
            trail[before], removed, s, flipped = chosen, before + 1, chosen // K, True
            if flat[s * K:(s + 1) * K].any():
                removed, some = _settle(before, left, right, down, trail, removed)
    return POSSIBLE if some else IMPOSSIBLE
