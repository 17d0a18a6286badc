"""Compiled flooding sweep of sum-product on a homogeneous grid, with messages as odds m(k) / m(0).

With T = exp(pair - max pair), phi = exp(unary - unary[0]) and the incoming messages o, all of them odds against
label 0, which itself has odds 1:

    h(k)  = phi(k) * product of the three other incoming o(k)             at the sending pixel
    o'(l) = (T[0, l] + sum_k T[k, l] h(k)) / (T[0, 0] + sum_k T[k, 0] h(k))

No exp, no log, and no cancellation: every number is a sum of products of positive numbers, so a belief of
1e-15 keeps all its digits. The range is kept by refusing what could leave it (`is_safe`); `loopy_bp` then works
in logs instead (`compiled.loopy_bp`).

Planes are contiguous (structure of arrays) and inner loops run along a row, so that they vectorise. Every number
has one writer and every row its own sum, so the bytes do not depend on the number of threads.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from inference.grid.compiled import loopy_bp_binary as binary
from inference.grid.compiled.loopy_bp_binary import compiled, log_product, target
from inference.threads import over_rows
from models.grid import GridMRF


def is_safe(local: Float64[Tensor, "M H W"], model: GridMRF) -> bool:
    """Whether the grid is homogeneous and nothing computed here can leave double precision, exp(-708) to exp(709).

    The log odds of a message never exceed the spread R of the pair table, whatever came in, so those of a
    belief stay within E + 4 R with E = max |log phi|; the largest product holds two beliefs and their pairs.
    """
    pair = model.pair
    return pair is not None and float(
        2 * local.abs().max() + 10 * (pair.max() - pair.min()) + 2 * math.log(len(pair))) < 690


def flood(messages: Float64[Tensor, "4 M H W"], local: Float64[Tensor, "M H W"],
          model: GridMRF) -> tuple[Float64[Tensor, "4 M H W"], float]:
    """The new odds of all messages from the old ones, and the largest change of log odds in nats."""
    old, phi, (table, _) = messages.numpy(), local.numpy(), _table(model)
    new = np.empty_like(old)
    new[0, :, :, 0] = new[1, :, :, -1] = new[2, :, 0] = new[3, :, -1] = 1.0  # where no neighbour is
    change = np.zeros(phi.shape[1])  # the largest of a block of rows, at its first
    kernel = binary.flood if len(table) == 2 else _flood
    over_rows(kernel, _cost(messages), new, old, phi, np.stack((table, table.T)), change, pieces=1)
    return torch.from_numpy(new), 2 * math.asinh(math.sqrt(change.max()) / 2)


def log_bethe(messages: Float64[Tensor, "4 M H W"], local: Float64[Tensor, "M H W"], model: GridMRF) -> float:
    """`loopy_bp.bethe` from odds, in nats."""
    table, largest = _table(model)
    _, H, W = local.shape
    logs = np.empty(H)
    kernel = binary.bethe if len(table) == 2 else _bethe
    over_rows(kernel, _cost(messages), logs, messages.numpy(), local.numpy(), table, pieces=1)
    return float(logs.sum()) + (H * (W - 1) + W * (H - 1)) * largest


def _cost(messages: Tensor) -> np.ndarray:
    """Of all before each row, for `over_rows`: a message takes about 1 ns."""
    H = messages.shape[2]
    return messages.numel() / (5 * H) * np.arange(H + 1)


def _table(model: GridMRF) -> tuple[Float64[np.ndarray, "K K"], float]:
    """T = exp(pair - max pair) of a homogeneous grid, and max pair."""
    H, W, K = model.shape
    pair = model.right[0, 0] if W > 1 else model.down[0, 0] if H > 1 else model.unary.new_zeros(K, K)
    largest = float(pair.max())
    return torch.exp(pair - largest).numpy(), largest


@compiled
def _flood(first: int, last: int, new: np.ndarray, old: np.ndarray, local: np.ndarray, tables: np.ndarray,
           change: np.ndarray) -> None:
    """What rows first to last send, plane by plane."""
    M, H, W = local.shape
    h, top, bottom, largest = np.empty((M, W)), np.empty(W), np.empty(W), np.zeros(W)
    for i in range(first, last):
        for side in range(4):
            to, count, start, shift = target(side, i, W)
            if 0 <= to < H:
                _cavity(h, old, local, side, side ^ 2, side ^ 3, i)
                _mix(bottom, tables[side & 1], 0, h)
                for j in range(W):
                    bottom[j] = 1.0 / bottom[j]
                for l in range(M):
                    _mix(top, tables[side & 1], l + 1, h)
                    for n in range(count):
                        o, p = old[side, l, to, n + shift], top[n + start] * bottom[n + start]
                        new[side, l, to, n + shift] = p
                        moved = (p - o) * (p - o) / (p * o)
                        largest[n] = moved if moved > largest[n] else largest[n]
    for j in range(W):
        change[first] = max(change[first], largest[j])


@compiled
def _cavity(h: np.ndarray, old: np.ndarray, local: np.ndarray, side: int, other: int, another: int, i: int) -> None:
    """h(k) = phi(k) times the messages from three sides, of row i."""
    M, _, W = local.shape
    for k in range(M):
        for j in range(W):
            h[k, j] = local[k, i, j] * old[side, k, i, j] * (old[other, k, i, j] * old[another, k, i, j])


@compiled
def _mix(out: np.ndarray, table: np.ndarray, l: int, h: np.ndarray) -> None:
    """out = T[0, l] + sum_k T[k, l] h(k), a row."""
    M, W = h.shape
    a, b = table[0, l], table[1, l]
    for j in range(W):
        out[j] = a + b * h[0, j]
    for k in range(1, M):
        b = table[k + 1, l]
        for j in range(W):
            out[j] += b * h[k, j]


@compiled
def _bethe(first: int, last: int, logs: np.ndarray, messages: np.ndarray, local: np.ndarray, table: np.ndarray) -> None:
    """As `compiled.loopy_bp_binary.bethe`, for any number of labels, with Z_ij = sum_kl h_i(k) T[k, l] h_j(l)."""
    M, H, W = local.shape
    h, mixed = np.empty((M, W)), np.empty(W)
    z, pair, f = np.empty((2, W)), np.empty(W), np.empty(W)
    _norm(z, messages, local, first)
    for i in range(first, last):
        x = i & 1
        f[:] = 1.0
        for side in range(0, 4, 2):  # the edge arrives at its far pixel's left, or upper side
            to, count, _, shift = target(side, i, W)
            if to == H:
                continue
            _cavity(h, messages, local, side, side ^ 2, side ^ 3, i)
            _mix(pair, table, 0, h)
            for l in range(M):
                _mix(mixed, table, l + 1, h)
                for j in range(count):
                    k = j + shift
                    pair[j] += mixed[j] * local[l, to, k] * messages[side + 1, l, to, k] * (
                        messages[side ^ 2, l, to, k] * messages[side ^ 3, l, to, k])
            if to > i:
                _norm(z, messages, local, to)
            for j in range(count):
                f[j] *= pair[j] / (z[x, j] * z[to & 1, j + shift])
        for j in range(W):
            f[j] *= z[x, j]
        logs[i] = log_product(f)


@compiled
def _norm(z: np.ndarray, messages: np.ndarray, local: np.ndarray, i: int) -> None:
    """Row i of Z_i = 1 + sum_k phi(k) * product of the four incoming o(k)."""
    M, _, W = local.shape
    x = i & 1
    for j in range(W):
        z[x, j] = 1.0
    for k in range(M):
        for j in range(W):
            z[x, j] += local[k, i, j] * messages[0, k, i, j] * messages[1, k, i, j] * (
                messages[2, k, i, j] * messages[3, k, i, j])
