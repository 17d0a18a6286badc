"""Compiled loopy BP in logs: any schedule, either rule, any tables; the same formulas as in `loopy_bp`.

A message is its log odds log m(l) - log m(0), l = 1..K-1, so it needs no normalising and damping is a plain
average. Log-sum-exp takes out the largest term, so potentials of 1e4 nats do no harm. One message costs K^2
exponentials (none under the rule `max`); `loopy_bp_odds_numba` is some 20 times faster where it may be used.

A homogeneous grid's table comes as (1, 1, K, K), others as (H, W-1, K, K) and (H-1, W, K, K).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float64
from numba import njit
from torch import Tensor

from models.grid import GridMRF

compiled = njit(cache=True, nogil=True, error_model="numpy")


def sweep(
    messages: Float64[Tensor, "4 M H W"], local: Float64[Tensor, "M H W"], model: GridMRF,
    schedule: str, damping: float, rule: str,
) -> tuple[Float64[Tensor, "4 M H W"], float]:
    """The new log odds of all messages, and the residual in nats; see `loopy_bp.step`."""
    H, W = local.shape[1:]
    one = slice(0, 1 if model.pair is not None else None)  # a homogeneous grid's one table
    right, down = (table[one, one].contiguous().numpy() for table in (model.right, model.down))
    old, new, change = messages.numpy(), messages.clone(), np.zeros(max(H, W))
    options = local.numpy(), right, down, damping, rule == "max"
    if schedule == "residual":
        return new, _most_changed_first(new.numpy(), *options)
    if schedule == "flooding":
        in_row_blocks(_flood, H, new.numpy(), old, *options, change)
    else:
        in_row_blocks(_along_rows, H, new.numpy(), *options, change)
        in_row_blocks(_along_columns, W, new.numpy(), *options, change)
    return new, float(change.max())


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="loopy_bp")


os.register_at_fork(after_in_child=_pool.cache_clear)


def in_row_blocks(kernel: Callable[..., None], rows: int, *arguments) -> None:
    """kernel(*arguments, first, last) over all rows, a block for each thread that torch may use.

    Plain threads (kernels release the GIL): no compile time of their own, and no spinning on a busy machine.
    """
    threads = min(torch.get_num_threads(), rows)
    mine, *others = pairwise(rows * n // threads for n in range(threads + 1))
    waiting = [_pool().submit(kernel, *arguments, *block) for block in others]
    kernel(*arguments, *mine)
    for block in waiting:
        block.result()


@compiled
def _flood(new, old, local, right, down, damping, take_max, change, first, last):
    """All messages into rows first to last, from the old ones."""
    H, W = local.shape[1:]
    work = np.empty((3, len(local) + 1))
    for i in range(first, last):
        for j in range(W):
            for side in range(4):
                if _has_neighbour(side, i, j, H, W):
                    moved = _message(work, old, local, right, down, side, i, j, take_max)
                    _write(new, old, work, side, i, j, damping)
                    change[i] = max(change[i], moved)


@compiled
def _along_rows(new, local, right, down, damping, take_max, change, first, last):
    """In rows first to last, all messages to the right, from left to right, then those to the left."""
    W = local.shape[2]
    work = np.empty((3, len(local) + 1))
    for i in range(first, last):
        for side in range(2):
            for n in range(1, W):
                j = n if side == 0 else W - 1 - n
                moved = _message(work, new, local, right, down, side, i, j, take_max)
                _write(new, new, work, side, i, j, damping)
                change[i] = max(change[i], moved)


@compiled
def _along_columns(new, local, right, down, damping, take_max, change, first, last):
    """In columns first to last, all messages down, from the top, then those up."""
    H = local.shape[1]
    work = np.empty((3, len(local) + 1))
    for side in range(2, 4):
        for n in range(1, H):
            i = n if side == 2 else H - 1 - n
            for j in range(first, last):
                moved = _message(work, new, local, right, down, side, i, j, take_max)
                _write(new, new, work, side, i, j, damping)
                change[j] = max(change[j], moved)


@compiled
def _most_changed_first(new, local, right, down, damping, take_max):
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
def _play(best, waiting, n):
    a, b = min(best[2 * n], best[2 * n + 1]), max(best[2 * n], best[2 * n + 1])
    best[n] = b if waiting[b] > waiting[a] else a


@compiled
def _has_neighbour(side, i, j, H, W):
    """Whether there is one at the left, right, upper, lower side (0, 1, 2, 3) of pixel (i, j)."""
    y, x = _neighbour(side, i, j)
    return 0 <= y < H and 0 <= x < W


@compiled
def _neighbour(side, i, j):
    return i + (side == 3) - (side == 2), j + (side == 1) - (side == 0)


@compiled
def _message(work, messages, local, right, down, side, i, j, take_max):
    """work[0, 1:] = log odds of the new message into (i, j) from its `side`; returns its change in nats."""
    y, x = _neighbour(side, i, j)
    fill_cavity(work[1], messages, local, y, x, side ^ 1)
    table, row, column = (right, i, min(j, x)) if side < 2 else (down, min(i, y), j)
    row, column = min(row, table.shape[0] - 1), min(column, table.shape[1] - 1)  # one table may serve all edges
    change = 0.0
    for l in range(work.shape[1]):
        for k in range(work.shape[1]):
            pair = table[row, column, l, k] if side & 1 else table[row, column, k, l]
            work[2, k] = work[1, k] + pair
        work[0, l] = log_sum_exp(work[2], take_max)
        if l > 0:
            work[0, l] -= work[0, 0]
            change = max(change, abs(work[0, l] - messages[side, l - 1, i, j]))
    return change


@compiled
def _write(new, old, work, side, i, j, damping):
    """The new message, damped: (1 - d) new + d old, in logs."""
    for l in range(new.shape[1]):
        new[side, l, i, j] = (1.0 - damping) * work[0, l + 1] + damping * old[side, l, i, j]


@compiled
def fill_cavity(log_h, messages, local, i, j, but):
    """log h(k) of pixel (i, j) relative to label 0: its evidence and what comes in, save from one side (-1: none)."""
    log_h[0] = 0.0
    for k in range(len(local)):
        total = local[k, i, j]
        for side in range(4):
            if side != but:
                total += messages[side, k, i, j]
        log_h[k + 1] = total


@compiled
def log_sum_exp(terms, take_max):
    """log sum exp, or only the largest."""
    top = terms[0]
    for k in range(1, len(terms)):
        top = max(top, terms[k])
    if take_max:
        return top
    total = 0.0
    for k in range(len(terms)):
        total += 1.0 if terms[k] == top else math.exp(terms[k] - top)
    return top + math.log(total)
