"""The step of `swendsen_wang`, compiled: clusters by union-find, then one after another relabelled."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from inference.njit_later import njit_later

LABELS = "uint8[:,::1]"
FIELD = "float64[:,:,::1]"
TABLES = "float64[:,:,:,:]"  # any strides


@njit(inline="always")
def _add(p: np.ndarray, i: int, j: int, c: int, root: np.ndarray, y: np.ndarray, field: np.ndarray, right: np.ndarray,
         down: np.ndarray) -> None:
    """A pixel's part of its cluster's log weights: its field, and its edges to other clusters."""
    H, W, K = field.shape
    pixel = i * W + j
    for k in range(K):
        p[k] += field[i, j, k]
    if j + 1 < W and root[pixel + 1] != c:
        for k in range(K):
            p[k] += right[i, j, k, y[i, j + 1]]
    if j > 0 and root[pixel - 1] != c:
        for k in range(K):
            p[k] += right[i, j - 1, y[i, j - 1], k]
    if i + 1 < H and root[pixel + W] != c:
        for k in range(K):
            p[k] += down[i, j, k, y[i + 1, j]]
    if i > 0 and root[pixel - W] != c:
        for k in range(K):
            p[k] += down[i - 1, j, y[i - 1, j], k]


@njit(inline="always")
def _clusters(y: np.ndarray, right: np.ndarray, down: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The first pixel of every pixel's cluster, after equal neighbours are bound with chance 1 - e^-delta."""
    H, W = y.shape
    parent = np.arange(H * W)
    for i in range(H):
        for j in range(W):
            if j + 1 < W and y[i, j] == y[i, j + 1] and uniform[0, i, j] < -math.expm1(right[i, j, 0, 0]):
                _join(parent, i * W + j, i * W + j + 1)
            if i + 1 < H and y[i, j] == y[i + 1, j] and uniform[1, i, j] < -math.expm1(down[i, j, 0, 0]):
                _join(parent, i * W + j, i * W + j + W)
    for pixel in range(H * W):  # a parent comes before its children
        parent[pixel] = parent[parent[pixel]]
    return parent


@njit(inline="always")
def _join(parent: np.ndarray, a: int, b: int) -> None:
    """The smaller root becomes the root of both."""
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    while parent[b] != b:
        parent[b] = parent[parent[b]]
        b = parent[b]
    if a < b:
        parent[b] = a
    else:
        parent[a] = b


@njit(inline="always")
def _by_cluster(root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels sorted by cluster, in raster order within: those of cluster c lie from first[c] to first[c + 1]."""
    n = len(root)
    first = np.zeros(n + 2, np.int64)
    for pixel in range(n):
        first[root[pixel] + 2] += 1
    for c in range(2, n + 2):
        first[c] += first[c - 1]
    pixels = np.empty(n, np.int64)
    for pixel in range(n):
        pixels[first[root[pixel] + 1]] = pixel
        first[root[pixel] + 1] += 1
    return first, pixels


@njit(inline="always")
def _draw(p: np.ndarray, uniform: float) -> int:
    """Log weights -> probabilities, in place; and the label where their sum passes a uniform number."""
    top, total, below = p[0], 0.0, 0.0
    for k in range(1, len(p)):
        top = max(top, p[k])
    for k in range(len(p)):
        p[k] = math.exp(p[k] - top)
        total += p[k]
    for k in range(len(p)):
        p[k] /= total
    for k in range(len(p) - 1):
        below += p[k]
        if uniform < below:
            return k
    return len(p) - 1


@njit_later(f"void({LABELS}, {FIELD}, {FIELD}, {TABLES}, {TABLES}, float64[:,:,::1])", cache=True)
def sweep(y: np.ndarray, sums: np.ndarray, field: np.ndarray, right: np.ndarray, down: np.ndarray,
          uniform: np.ndarray) -> None:
    """Moves `y`, adds each pixel's label probabilities to `sums`."""
    H, W, K = field.shape
    root = _clusters(y, right, down, uniform)
    first, pixels = _by_cluster(root)
    p = np.empty(K)
    for c in range(H * W):
        if first[c] == first[c + 1]:
            continue
        p[:] = 0.0
        for pixel in pixels[first[c] : first[c + 1]]:
            _add(p, pixel // W, pixel % W, c, root, y, field, right, down)
        label = _draw(p, uniform[2, c // W, c % W])
        for pixel in pixels[first[c] : first[c + 1]]:
            i, j = pixel // W, pixel % W
            y[i, j] = label
            for k in range(K):
                sums[i, j, k] += p[k]
