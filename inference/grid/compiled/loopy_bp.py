"""Compiled loopy BP in logs: any schedule, either rule, any tables; the same formulas as in `loopy_bp`.

A message is its log odds log m(l) - log m(0), l = 1..K-1, so it needs no normalising and damping is a plain
average. Log-sum-exp takes out the largest term, so potentials of 1e4 nats do no harm. One message costs K^2
exponentials (none under the rule `max`); `compiled.loopy_bp_odds` is tens of times faster where it may be used.

Max-product's flooding of a homogeneous grid goes a row at a time (`compiled.loopy_bp_max`), `sequential` all rows, then
all columns, side by side (`compiled.scans`).

A homogeneous grid's table comes as (1, 1, K, K), others as (H, W-1, K, K) and (H-1, W, K, K).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float64
from numba import njit
from torch import Tensor

from inference.grid.compiled import loopy_bp_max, scans
from inference.grid.parts.scans import plain, prepared
from inference.threads import over_rows
from models.grid import GridMRF

compiled = njit(cache=True, nogil=True, error_model="numpy")


def sweep(messages: Float64[Tensor, "4 M H W"], local: Float64[Tensor, "M H W"], model: GridMRF, schedule: str,
          damping: float, rule: str) -> tuple[Float64[Tensor, "4 M H W"], float]:
    """The new log odds of all messages, and the residual in nats; see `loopy_bp.step`."""
    if schedule == "sequential":
        new = messages.clone()
        return new, scans.sweep(new.numpy(), local.numpy(), *prepared(plain(model, None), rule == "max")[1:], damping)
    pair = model.pair
    one = slice(0, 1 if pair is not None else None)  # a homogeneous grid's one table
    right, down = (table[one, one].contiguous().numpy() for table in (model.right, model.down))
    options = local.numpy(), right, down, damping, rule == "max"
    if schedule == "residual":
        new = messages.clone()
        return new, _most_changed_first(new.numpy(), *options)
    return _flooding(messages.numpy(), model, *options)


def _flooding(old: np.ndarray, model: GridMRF, local: np.ndarray, right: np.ndarray, down: np.ndarray, damping: float,
              take_max: bool) -> tuple[Float64[Tensor, "4 M H W"], float]:
    new, pair, H = np.empty_like(old), model.pair, local.shape[1]
    new[0, :, :, 0] = new[1, :, :, -1] = new[2, :, 0] = new[3, :, -1] = 0.0  # where no neighbour is
    change = np.zeros(H)  # the largest of a block of rows, at its first
    if take_max and pair is not None:
        flood, tables = loopy_bp_max.two if len(pair) == 2 else loopy_bp_max.flood, np.stack((pair, pair.T))
        over_rows(flood, new.size // (5 * H) * np.arange(H + 1), new, old, local, tables, damping, change, pieces=1)
    else:
        over_rows(_flood, 10 * new.size // H * np.arange(H + 1), new, old, local, right, down, damping, take_max,
                  change, pieces=1)
    return torch.from_numpy(new), float(change.max())


@compiled
def _flood(first: int, last: int, new: np.ndarray, old: np.ndarray, local: np.ndarray, right: np.ndarray,
           down: np.ndarray, damping: float, take_max: bool, change: np.ndarray) -> None:
    """All messages into rows first to last, from the old ones."""
    H, W = local.shape[1:]
    work, largest = np.empty((3, len(local) + 1)), 0.0
    for i in range(first, last):
        for j in range(W):
            for side in range(4):
                if _has_neighbour(side, i, j, H, W):
                    moved = _message(work, old, local, right, down, side, i, j, take_max)
                    _write(new, old, work, side, i, j, damping)
                    largest = max(largest, moved)
    change[first] = largest


@compiled
def _most_changed_first(new: np.ndarray, local: np.ndarray, right: np.ndarray, down: np.ndarray, damping: float,
                        take_max: bool) -> float:
    """As many updates as there are messages, always of the one that would change most (the first of equals).

    A tournament tree finds it: best[n] is the better of best[2 n] and best[2 n + 1], the leaves are the messages.
    An update plays the games of what its receiver sends on again. Returns the largest change still to come.
    """
    _, H, W = local.shape
    work, count, leaves = np.empty((3, len(local) + 1)), 0, 4 * H * W
    waiting, best = np.full(leaves, -1.0), np.empty(2 * leaves, np.int32)
    for leaf in range(leaves):
        side, i, j = leaf // (H * W), leaf // W % H, leaf % W
        best[leaves + leaf] = leaf
        if _has_neighbour(side, i, j, H, W):
            waiting[leaf] = _message(work, new, local, right, down, side, i, j, take_max)
            count += 1
    for n in range(leaves - 1, 0, -1):
        _play(best, waiting, n)
    for _ in range(count):
        first = best[1]
        if waiting[first] == 0.0:
            break
        side, i, j = first // (H * W), first // W % H, first % W
        moved = _message(work, new, local, right, down, side, i, j, take_max)
        _write(new, new, work, side, i, j, damping)
        for onward in range(4):
            leaf = first
            if onward == side:
                waiting[leaf] = damping * moved
            elif _has_neighbour(onward, i, j, H, W):
                y, x = _neighbour(onward, i, j)
                leaf = ((onward ^ 1) * H + y) * W + x
                waiting[leaf] = _message(work, new, local, right, down, onward ^ 1, y, x, take_max)
            n = (leaves + leaf) // 2
            while n > 0:
                _play(best, waiting, n)
                n //= 2
    return max(waiting[best[1]], 0.0)


@compiled
def _play(best: np.ndarray, waiting: np.ndarray, n: int) -> None:
    a, b = min(best[2 * n], best[2 * n + 1]), max(best[2 * n], best[2 * n + 1])
    best[n] = b if waiting[b] > waiting[a] else a


@compiled
def _has_neighbour(side: int, i: int, j: int, H: int, W: int) -> bool:
    """Whether there is one at the left, right, upper, lower side (0, 1, 2, 3) of pixel (i, j)."""
    y, x = _neighbour(side, i, j)
    return 0 <= y < H and 0 <= x < W


@compiled
def _neighbour(side: int, i: int, j: int) -> tuple[int, int]:
    return i + (side == 3) - (side == 2), j + (side == 1) - (side == 0)


@compiled
def _message(work: np.ndarray, messages: np.ndarray, local: np.ndarray, right: np.ndarray, down: np.ndarray, side: int,
             i: int, j: int, take_max: bool) -> float:
    """work[0, 1:] = log odds of the new message into (i, j) from its `side`; returns its change in nats.

    work[1] is log h of the sender, work[2] the terms of one sum. Indices are unsigned, because others are tested
    for being negative.
    """
    y, x = _neighbour(side, i, j)
    s, Y, X, one, K = np.uint64(side), np.uint64(y), np.uint64(x), np.uint64(1), np.uint64(work.shape[1])
    work[1, 0] = 0.0
    for k in range(K - one):
        work[1, k + one] = local[k, Y, X] + messages[s, k, Y, X] + (
            messages[s ^ np.uint64(2), k, Y, X] + messages[s ^ np.uint64(3), k, Y, X])
    if side < 2:
        row, column = np.uint64(min(i, len(right) - 1)), np.uint64(min(j, x, right.shape[1] - 1))
    else:
        row, column = np.uint64(min(i, y, len(down) - 1)), np.uint64(min(j, down.shape[1] - 1))
    change, first, norm = 0.0, 0.0, 1.0
    for l in range(K):
        top, total = -np.inf, 0.0
        for k in range(K):
            a, b = (l, k) if side & 1 else (k, l)
            term = work[1, k] + (right[row, column, a, b] if side < 2 else down[row, column, a, b])
            work[2, k] = term
            top = term if term > top else top
        if not take_max:
            for k in range(K):
                total += 1.0 if work[2, k] == top else math.exp(work[2, k] - top)
        if l == 0:
            first, norm = top, total
        else:
            work[0, l] = top - first if take_max else top - first + math.log(total / norm)
            moved = abs(work[0, l] - messages[s, l - one, np.uint64(i), np.uint64(j)])
            change = moved if moved > change else change
    return change


@compiled
def _write(new: np.ndarray, old: np.ndarray, work: np.ndarray, side: int, i: int, j: int, damping: float) -> None:
    """The new message, damped: (1 - d) new + d old, in logs."""
    s, y, x, one = np.uint64(side), np.uint64(i), np.uint64(j), np.uint64(1)
    for l in range(np.uint64(new.shape[1])):
        new[s, l, y, x] = (1.0 - damping) * work[0, l + one] + damping * old[s, l, y, x]
