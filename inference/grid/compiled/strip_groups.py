"""The sites of a line of `strip`, a few at a time, in place of one another: the plain float64 arithmetic of it.

The frontier's state is the number sum_j y_j K^j, so that site j changes one digit and no entry moves:

    a'(.. k p ..) = sum_l a(.. l p ..) t[p, l, k]        l, k at digit j, p at digit j - 1

A group of sites j .. j+g-1 touches g digits, K^g cells; all others are the same before and after. So the frontier falls
into tiles, of all cells and up to LANES values of the other digits, for which the group is worked out in the first
cache: memory is read and written once a group, not once a site. Lanes share p of the first site. They lie beside each
other where the digits below j are many, else one for each value of the digits above j + g - 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from inference.vector import fma, larger, largest, load, mul, splat, store, total

LANES = 64  # eight vectors
CELLS = 32  # K^g at most
BESIDE = 16  # lanes beside each other are worth it from so many
FAST = {"contract", "nsz", "nnan"}
Labels = tuple[int, ...] | np.ndarray  # 0, .. K-1


def group_size(K: int) -> int:
    """g, by the number of labels."""
    return max(g for g in range(1, 6) if g == 1 or K**g <= CELLS)


@njit(cache=True)
def tiling(states: int, K: int, j: int, g: int) -> tuple[int, int, int, int]:
    """(tiles, lanes, step between lanes, values of the digits below j - 1) of the group at j."""
    low, run = K**j, K ** max(j - 1, 0)
    high = states // (low * K**g)
    if run >= BESIDE:
        lanes = min(LANES, run)
        return high * K * -(-run // lanes), lanes, 1, run
    return -(-high // LANES) * low, LANES, low * K**g, run


@njit(cache=True)
def place(i: int, states: int, K: int, j: int, g: int) -> tuple[int, int, int]:
    """(first entry, lanes, p of the first site) of tile i."""
    _, lanes, step, run = tiling(states, K, j, g)
    low = K**j
    if step == 1:
        pieces = -(-run // lanes)
        row, piece = i // pieces, i % pieces
        return row // K * low * K**g + row % K * run + piece * lanes, min(lanes, run - piece * lanes), row % K
    block, rest = i // low, i % low
    return block * LANES * step + rest, min(LANES, states // step - block * LANES), rest // run if j else 0


@njit(cache=True, fastmath=FAST)
def take(x: np.ndarray, scale: float, start: int, low: int, step: int, lanes: int, width: int, cells: int,
         out: np.ndarray) -> None:
    """out[cell, lane] = scale x[start + cell low + lane step], and 0 in lanes that there are not; `width` a cell."""
    factor = splat(scale, 8)
    for cell in range(cells):
        at, to, r = start + cell * low, cell * width, 0
        if step == 1:
            while r + 8 <= lanes:
                store(out, to + r, mul(factor, load(x, at + r, 8)))
                r += 8
        while r < lanes:
            out[np.uintp(to + r)] = scale * x[np.uintp(at + r * step)]
            r += 1
        while r < width:
            out[np.uintp(to + r)] = 0.0
            r += 1


@njit(cache=True, fastmath=FAST)
def put(x: np.ndarray, begin: int, start: int, low: int, step: int, lanes: int, width: int, cells: int,
        out: np.ndarray) -> float:
    """out[start + cell low + lane step] = x[begin:][cell, lane]; returns the largest."""
    top = splat(0.0, 8)
    for cell in range(cells):
        at, of, r = start + cell * low, begin + cell * width, 0
        for v in range(of, of + width, 8):
            top = larger(top, load(x, v, 8))
        if step == 1:
            while r + 8 <= lanes:
                store(out, at + r, load(x, of + r, 8))
                r += 8
        while r < lanes:
            out[np.uintp(at + r * step)] = x[np.uintp(of + r)]
            r += 1
    return largest(top)


@njit(cache=True, fastmath=FAST)
def forward_site(x: np.ndarray, begin: int, y: np.ndarray, end: int, t: np.ndarray, cells: int, stride: int, own: int,
                 width: int, labels: Labels) -> None:
    """a' of one site of a tile, from x[begin:] to y[end:]. Its label's cells lie `stride` apart, below them those of
    its left neighbour's p; where `stride` is 1, p is `own` in all of them."""
    K, D, size = len(labels), stride * width, cells * width
    P, below = (1, width) if stride == 1 else (K, D // K)
    for d in range(P):
        p = own if stride == 1 else d
        if K == 2:
            t00, t01, t10, t11 = splat(t[p, 0, 0], 8), splat(t[p, 0, 1], 8), splat(t[p, 1, 0], 8), splat(t[p, 1, 1], 8)
            for first in range(d * below, size, D * K):
                for r in range(first, first + below, 8):
                    x0, x1 = load(x, begin + r, 8), load(x, begin + r + D, 8)
                    store(y, end + r, fma(t10, x1, mul(t00, x0)))
                    store(y, end + r + D, fma(t11, x1, mul(t01, x0)))
            continue
        for first in range(d * below, size, D * K):
            for r in range(first, first + below, 8):
                for k in labels:
                    a = mul(splat(t[p, 0, k], 8), load(x, begin + r, 8))
                    for l in labels[1:]:
                        a = fma(splat(t[p, l, k], 8), load(x, begin + r + l * D, 8), a)
                    store(y, end + r + k * D, a)


@njit(cache=True, fastmath=FAST)
def backward_site(a: np.ndarray, at: int, x: np.ndarray, begin: int, y: np.ndarray, end: int, t: np.ndarray,
                  joint: np.ndarray, cells: int, stride: int, own: int, width: int, labels: Labels) -> None:
    """b of one site from b' in x[begin:] to y[end:], and a(l) b'(k) added to joint[p, l, k], a from a[at:]."""
    K, D, size = len(labels), stride * width, cells * width
    P, below = (1, width) if stride == 1 else (K, D // K)
    for d in range(P):
        p = own if stride == 1 else d
        if K == 2:
            t00, t01, t10, t11 = splat(t[p, 0, 0], 8), splat(t[p, 0, 1], 8), splat(t[p, 1, 0], 8), splat(t[p, 1, 1], 8)
            s00 = s01 = s10 = s11 = splat(0.0, 8)
            for first in range(d * below, size, D * K):
                for r in range(first, first + below, 8):
                    x0, x1 = load(x, begin + r, 8), load(x, begin + r + D, 8)
                    a0, a1 = load(a, at + r, 8), load(a, at + r + D, 8)
                    store(y, end + r, fma(t01, x1, mul(t00, x0)))
                    store(y, end + r + D, fma(t11, x1, mul(t10, x0)))
                    s00, s01, s10, s11 = fma(a0, x0, s00), fma(a0, x1, s01), fma(a1, x0, s10), fma(a1, x1, s11)
            joint[p, 0, 0] += total(s00)
            joint[p, 0, 1] += total(s01)
            joint[p, 1, 0] += total(s10)
            joint[p, 1, 1] += total(s11)
            continue
        for first in range(d * below, size, D * K):
            for r in range(first, first + below, 8):
                for l in labels:
                    b = mul(splat(t[p, l, 0], 8), load(x, begin + r, 8))
                    for k in labels[1:]:
                        b = fma(splat(t[p, l, k], 8), load(x, begin + r + k * D, 8), b)
                    store(y, end + r + l * D, b)
        for l in labels:
            for k in labels:
                both = splat(0.0, 8)
                for first in range(d * below, size, D * K):
                    for r in range(first, first + below, 8):
                        both = fma(load(a, at + r + l * D, 8), load(x, begin + r + k * D, 8), both)
                joint[p, l, k] += total(both)


@njit(cache=True, fastmath=FAST)
def forward_group(x: np.ndarray, scale: float, y: np.ndarray, t: np.ndarray, j: int,
                  labels: Labels) -> float:
    """scale a' after sites j .. j+g-1 in y, from a in x; t is (g, P, K, K). Returns its largest entry."""
    K, g = len(labels), len(t)
    cells, low, top = K**g, K**j, 0.0
    tiles, _, step, _ = tiling(x.size, K, j, g)
    tile = np.empty(2 * cells * LANES)
    for i in range(tiles):
        start, lanes, own = place(i, x.size, K, j, g)
        width = (lanes + 7) // 8 * 8
        take(x, scale, start, low, step, lanes, width, cells, tile)
        stride, begin, end = 1, 0, cells * LANES
        for s in range(g):
            forward_site(tile, begin, tile, end, t[s], cells, stride, own, width, labels)
            stride, begin, end = stride * K, end, begin
        top = max(top, put(tile, begin, start, low, step, lanes, width, cells, y))
    return top


@njit(cache=True, fastmath=FAST)
def backward_group(x: np.ndarray, scale_x: float, y: np.ndarray, scale_y: float, z: np.ndarray, t: np.ndarray,
                   joint: np.ndarray, j: int, labels: Labels) -> float:
    """scale_y b before sites j .. j+g-1 in z, from a before them in x and b' after them in y; sums of a b', both with
    their scales, added to joint, (g, P, K, K). a is worked out again in the tile. Returns the largest entry of z."""
    K, g = len(labels), len(t)
    cells, low, top = K**g, K**j, 0.0
    tiles, _, step, _ = tiling(x.size, K, j, g)
    room = cells * LANES
    a, b = np.empty(g * room), np.empty(2 * room)
    for i in range(tiles):
        start, lanes, own = place(i, x.size, K, j, g)
        width = (lanes + 7) // 8 * 8
        take(x, scale_x, start, low, step, lanes, width, cells, a)
        take(y, scale_y, start, low, step, lanes, width, cells, b)
        stride = 1
        for s in range(g - 1):
            forward_site(a, s * room, a, (s + 1) * room, t[s], cells, stride, own, width, labels)
            stride *= K
        begin, end = 0, room
        for s in range(g - 1, -1, -1):
            backward_site(a, s * room, b, begin, b, end, t[s], joint[s], cells, stride, own, width, labels)
            stride, begin, end = stride // K, end, begin
        top = max(top, put(b, begin, start, low, step, lanes, width, cells, z))
    return top
