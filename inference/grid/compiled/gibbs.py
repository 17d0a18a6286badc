"""Gibbs sweeps compiled: from a table of conditionals where the grid has one (`compiled.gibbs_table`), else worked out.

The table's thresholds are whole numbers of 2^-53, as the noise is: the same draw as by comparing floats. In the
checkerboard, row i of one colour is followed by row i-1 of the other, whose neighbours are then all new: the same
as one colour after the other, with one pass over memory. One thread: the bytes cannot depend on how many there are.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy import ndarray
from torch import Tensor

from inference.grid.compiled.gibbs_table import compact, table_of
from models.grid import GridMRF

GOLDEN, MIX1, MIX2 = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def sweep(model: GridMRF, data: Tensor | None, labels: Tensor, sums: Tensor, key: int,
          schedule: str) -> tuple[Tensor, Tensor]:
    """New labels and sums; the twin is `gibbs.sweep`."""
    H, W, K = model.shape
    old, new = sums.numpy(), torch.empty_like(sums)
    seed = np.uint64(key % 2**64)
    table = table_of(model, data)
    if table:
        y = np.full((H + 2, W + 2), K, np.uint8)
        y[1:-1, 1:-1] = labels.numpy()
        table_sweep = table_checkerboard if schedule == "checkerboard" else table_raster
        table_sweep(y, table.base, table.threshold, table.probability, old, new.numpy(), seed)
        return torch.from_numpy(y)[1:-1, 1:-1], new
    drawn = labels.clone(memory_format=torch.contiguous_format)
    general_sweep(drawn.numpy(), model.field(data).contiguous().numpy(), compact(model.right), compact(model.down),
                  old, new.numpy(), seed, 2 if schedule == "checkerboard" else 1)
    return drawn, new


@njit(inline="always")
def noise53(number: np.uint64, seed: np.uint64) -> np.int64:
    """The upper 53 bits of a number of the SplitMix64 stream."""
    z = seed + number * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * MIX1
    z = (z ^ (z >> np.uint64(27))) * MIX2
    return np.int64((z ^ (z >> np.uint64(31))) >> np.uint64(11))


@njit(cache=True)
def table_checkerboard(y: ndarray, base: ndarray, threshold: ndarray, probability: ndarray, old: ndarray,
                       new: ndarray, seed: np.uint64) -> None:
    """One sweep over y (H+2, W+2), which has a border of Ks, in place; new = old + probabilities."""
    H, W = base.shape
    noise, case = np.empty((W + 1) // 2, np.int64), np.empty((W + 1) // 2, np.uint16)
    for row in range(H + 1):
        for colour in range(2):
            i = row - colour
            if 0 <= i < H:
                first = (i + colour) % 2
                n = (W - first + 1) // 2
                find_cases(case[:n], base[i, first:], y[i, first:], y[i + 1, first:], y[i + 2, first:],
                           threshold.shape[0] + 2)
                fill_noise(noise[:n], np.uint64(i * W + first + 1), seed)
                pick(y[i + 1, first + 1 :], noise[:n], threshold, case)
                for k in range(probability.shape[0]):
                    add(new[k, i, first:], old[k, i, first:], probability[k], case[:n])


# Short loops of one kind each: the compiler makes vector code of the first two.


@njit(cache=True)
def find_cases(case: ndarray, base: ndarray, above: ndarray, here: ndarray, below: ndarray, K1: int) -> None:
    """Every second pixel's case; the rows of labels start one pixel to the left."""
    K2, K3 = K1 * K1, K1 * K1 * K1
    for n in range(case.size):
        j = 2 * n
        case[n] = base[j] + above[j + 1] + K1 * here[j] + K2 * here[j + 2] + K3 * below[j + 1]


@njit(cache=True)
def fill_noise(noise: ndarray, first: np.uint64, seed: np.uint64) -> None:
    for n in range(noise.size):
        noise[n] = noise53(first + np.uint64(2 * n), seed)


@njit(cache=True)
def pick(y: ndarray, noise: ndarray, threshold: ndarray, case: ndarray) -> None:
    """Every second label: how many thresholds the noise reaches."""
    for k in range(threshold.shape[0]):
        limit = threshold[k]
        if k == 0:
            for n in range(noise.size):
                y[2 * n] = noise[n] >= limit[case[n]]
        else:
            for n in range(noise.size):
                y[2 * n] += noise[n] >= limit[case[n]]


@njit(cache=True)
def add(new: ndarray, old: ndarray, probability: ndarray, case: ndarray) -> None:
    for n in range(case.size):
        new[2 * n] = old[2 * n] + probability[case[n]]


@njit(cache=True)
def table_raster(y: ndarray, base: ndarray, threshold: ndarray, probability: ndarray, old: ndarray,
                 new: ndarray, seed: np.uint64) -> None:
    """As `table_checkerboard`, pixel by pixel."""
    H, W = base.shape
    K1 = threshold.shape[0] + 2
    for i in range(H):
        for j in range(W):
            case = base[i, j] + y[i, j + 1] + K1 * (y[i + 1, j] + K1 * (y[i + 1, j + 2] + K1 * y[i + 2, j + 1]))
            noise = noise53(np.uint64(i * W + j + 1), seed)
            label = 0
            for k in range(threshold.shape[0]):
                label += noise >= threshold[k, case]
                new[k, i, j] = old[k, i, j] + probability[k, case]
            y[i + 1, j + 1] = label


@njit(cache=True)
def general_sweep(y: ndarray, field: ndarray, right: ndarray, down: ndarray, old: ndarray,
                  new: ndarray, seed: np.uint64, colours: int) -> None:
    """One sweep over labels y (H, W) in place, colour by colour (raster is one colour); new = old + probabilities.

    The tables of pairs may be one for all, (1, 1, K, K).
    """
    H, W, K = field.shape
    right_i, right_j = right.shape[0] - 1, right.shape[1] - 1
    down_i, down_j = down.shape[0] - 1, down.shape[1] - 1
    weight = np.empty(K)
    for colour in range(colours):
        for i in range(H):
            for j in range((i + colour) % colours, W, colours):
                for k in range(K):
                    weight[k] = field[i, j, k]
                if j + 1 < W:
                    for k in range(K):
                        weight[k] += right[min(i, right_i), min(j, right_j), k, y[i, j + 1]]
                if j > 0:
                    for k in range(K):
                        weight[k] += right[min(i, right_i), min(j - 1, right_j), y[i, j - 1], k]
                if i + 1 < H:
                    for k in range(K):
                        weight[k] += down[min(i, down_i), min(j, down_j), k, y[i + 1, j]]
                if i > 0:
                    for k in range(K):
                        weight[k] += down[min(i - 1, down_i), min(j, down_j), y[i - 1, j], k]
                draw_label(i, j, y, weight, old, new, noise53(np.uint64(i * W + j + 1), seed))


@njit(cache=True)
def draw_label(i: int, j: int, y: ndarray, weight: ndarray, old: ndarray, new: ndarray, noise: np.int64) -> None:
    """Turn log weights into probabilities, draw y[i, j], add p(y = k), k = 1 .. K-1, to the sums."""
    top = weight[0]
    for k in range(1, weight.size):
        top = max(top, weight[k])
    total = 0.0
    for k in range(weight.size):
        weight[k] = np.exp(weight[k] - top)
        total += weight[k]
    label, below = 0, 0.0
    for k in range(weight.size - 1):
        below += weight[k] / total
        label += noise * 2.0**-53 >= below
        new[k, i, j] = old[k, i, j] + weight[k + 1] / total
    y[i, j] = label
