"""The sweep of `generalised_bp`, compiled, without a table of K^4: a plaquette's belief is a product of four edges'.

    b_a(k, l, m, n) ~ A(k, l) B(m, n) C(k, m) D(l, n)        labels at the upper left and right, lower left and right

where A = exp(top + psi's part + its pixels' messages) and so on. What an edge has of it is two matrix products,

    b_a(k, l) ~ A(k, l) (C B D^T)(k, l)    B (C^T A D)    C (A D B^T)    D (A^T C B)

so that a sweep costs 20 K^3 multiplications and 24 K^2 exponentials or logarithms a plaquette, row by row. Each
table's largest entry is taken out; where the four ranges of a plaquette add up to more than RANGE nats, products
could be lost, and the sweep is left to the readable twin.
"""

from __future__ import annotations

import numpy as np

from inference.bits import exp, log
from inference.grid.compiled.chains import compiled, copy
from inference.threads import over_rows

RANGE = 600.0  # nats
TOP, BOTTOM, LEFT, RIGHT = 0, 1, 2, 3
BELOW, ASIDE, CORNERS, BELIEFS = 0, 1, 2, 3  # messages of edges below rows, and in them; of pixels; what is reported


def sweep(base: np.ndarray, edges: np.ndarray, pixels: np.ndarray, damping: float
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float] | None:
    """New edges (4, K, K, h, w) and pixels (4, K, h, w), the corners' marginals, Kikuchi's log Z and the residual.

    `base` is what psi gives to each of a plaquette's edges (4, K, K, h, w). None where products could be lost.
    """
    _, K, _, h, w = base.shape
    new, corners, moved = edges.copy(), pixels.copy(), np.zeros((3, h))
    apart, nu, log_z, work = np.zeros(h), np.empty_like(pixels), np.empty(h), K**2 * (8 + K) * w
    for phase, flat, upright, at, rows in ((BELOW, edges, edges, pixels, h - 1), (ASIDE, new, edges, pixels, h),
                                           (CORNERS, new, new, pixels, h), (BELIEFS, new, new, corners, h)):
        if phase == BELIEFS and h > 1:
            over_rows(across_pixels, K * w * np.arange(h), corners, pixels, nu, damping, moved[2], pieces=1)
        if rows:
            over_rows(of_rows, work * np.arange(rows + 1), phase, new, nu, log_z, base, flat, upright, at, damping,
                      moved[min(phase, 1)], apart, pieces=1)
        if apart.max() > RANGE:
            return None
    return new, corners, nu, float(log_z.sum()), float(moved.max())


@compiled
def factors(work: np.ndarray, top: np.ndarray, base: np.ndarray, flat: np.ndarray, upright: np.ndarray,
            pixels: np.ndarray, i: int) -> float:
    """A, B, C, D of row i, and the sum of the logarithms that were taken out; returns how far a product could range.

    Messages of horizontal edges are taken from `flat`, those of vertical ones from `upright`.
    """
    K, w = work.shape[1], work.shape[3]
    high, low, apart = np.empty(w), np.empty(w), np.zeros(w)
    top[:] = 0.0
    for t in range(4):
        high[:], low[:] = -np.inf, np.inf
        for a in range(K):
            for b in range(K):
                row, psi, mu = work[t, a, b], base[t, a, b, i], (flat if t < 2 else upright)[t, a, b, i]
                if t < 2:
                    one, other = pixels[2 * t, a, i], pixels[2 * t + 1, b, i]
                    for j in range(w):
                        row[j] = psi[j] + mu[j] + (one[j] + other[j])
                else:
                    for j in range(w):
                        row[j] = psi[j] + mu[j]
                for j in range(w):
                    high[j] = row[j] if row[j] > high[j] else high[j]
                    low[j] = row[j] if row[j] < low[j] else low[j]
        for a in range(K):
            for b in range(K):
                row = work[t, a, b]
                for j in range(w):
                    row[j] = exp(row[j] - high[j])
        for j in range(w):
            top[j] += high[j]
            apart[j] += high[j] - low[j]
    return apart.max()


@compiled
def marginal(out: np.ndarray, work: np.ndarray, middle: np.ndarray, edge: int) -> None:
    """The belief of an edge, unnormalised: its own table times what the other three make of it."""
    K, w = len(middle), middle.shape[2]
    begins = edge % 2 == 0
    if edge < 2:
        x, y, z = work[LEFT], work[BOTTOM if begins else TOP], work[RIGHT]
    else:
        x, y, z = work[TOP], work[RIGHT if begins else LEFT], work[BOTTOM]
    for a in range(K):
        for c in range(K):
            total = middle[a, c]
            for d in range(K):
                one, other = (x[a, d] if begins else x[d, a]), y[d, c]
                for j in range(w):
                    total[j] = one[j] * other[j] + (total[j] if d > 0 else 0.0)
    for a in range(K):
        for b in range(K):
            total, own = out[a, b], work[edge, a, b]
            for c in range(K):
                one, other = middle[a, c], (z[b, c] if begins else z[c, b])
                for j in range(w):
                    total[j] = one[j] * other[j] + (total[j] if c > 0 else 0.0)
            for j in range(w):
                total[j] *= own[j]


@compiled
def without(nu: np.ndarray, mu: np.ndarray, i: int) -> None:
    """nu = log(marginal) - mu, in place, of row i."""
    for a in range(len(nu)):
        for b in range(len(nu)):
            row, own = nu[a, b], mu[a, b, i]
            for j in range(len(row)):
                row[j] = log(row[j]) - own[j]


@compiled
def put(new: np.ndarray, old: np.ndarray, sent: np.ndarray, zero: np.ndarray, to: int, come: int, n: int,
        damping: float, largest: np.ndarray) -> None:
    """Scale, damp and keep n messages of one label, from column `come` on, into those from column `to`."""
    at, start, share = np.uint64(to), np.uint64(come), 1.0 - damping
    for j in range(n):
        value, before = sent[j + start] - zero[j + start], old[j + at]
        moved = abs(value - before)
        largest[j] = moved if moved > largest[j] else largest[j]
        new[j + at] = share * value + damping * before


@compiled
def of_rows(first: int, last: int, phase: int, new: np.ndarray, nu: np.ndarray, log_z: np.ndarray, base: np.ndarray,
            flat: np.ndarray, upright: np.ndarray, pixels: np.ndarray, damping: float, change: np.ndarray,
            apart: np.ndarray) -> None:
    """A phase of the sweep in rows first to last. One kernel, because each would compile all that it calls again."""
    K, w = base.shape[1], base.shape[4]
    work, found, above = np.empty((4, K, K, w)), np.empty((4, K, K, w)), np.empty((K, K, w))
    top, middle, largest, old = np.empty(w), np.empty((K, K, w)), np.zeros(w), flat if phase == BELOW else upright
    for i in range(first, last + (phase == BELOW)):
        apart[i] = max(apart[i], factors(work, top, base, flat, upright, pixels, i))
        for edge in range(4):
            if phase == BELIEFS or (edge < 2) == (phase != ASIDE):
                marginal(found[edge], work, middle, edge)
                if phase <= ASIDE:
                    without(found[edge], old[edge], i)
        if phase == CORNERS:
            at_corners(nu, found, pixels, i)
        elif phase == BELIEFS:
            log_z[i] = beliefs(nu, found, top, flat, pixels, i)
        elif phase == ASIDE or i > first:
            for side in range(2):  # what ends in the edge, and what begins with it
                edge = side ^ 1 if phase == BELOW else 3 - side
                come, row = (found[edge ^ 1] if side == 0 or phase == ASIDE else above), i - 1 + side
                row = row if phase == BELOW else i
                n, to = (w, 0) if phase == BELOW else (w - 1, side)
                for a in range(K):
                    for b in range(K):
                        put(new[edge, a, b, row], old[edge, a, b, row], come[a, b], come[0, 0], to,
                            0 if phase == BELOW else 1 - side, n, damping, largest)
        if phase == BELOW:
            for a in range(K):
                for b in range(K):
                    copy(above[a, b], found[BOTTOM, a, b])
    change[first] = max(change[first], largest.max())


@compiled
def corner(out: np.ndarray, table: np.ndarray, which: int) -> None:
    """The sums of an edge's table that its first pixel has (which = 0), or its second."""
    for k in range(len(table)):
        total = out[k]
        for l in range(len(table)):
            row = table[k, l] if which == 0 else table[l, k]
            for j in range(len(total)):
                total[j] = row[j] + (total[j] if l > 0 else 0.0)


@compiled
def at_corners(nu: np.ndarray, found: np.ndarray, pixels: np.ndarray, i: int) -> None:
    """nu of the corners of row i."""
    K, w = found.shape[1], found.shape[3]
    out = np.empty((K, w))
    for place in range(4):
        corner(out, found[place // 2], place % 2)
        for k in range(K):
            row, own, mu = nu[place, k, i], out[k], pixels[place, k, i]
            for j in range(w):
                row[j] = log(own[j]) - mu[j]


@compiled
def across_pixels(first: int, last: int, new: np.ndarray, pixels: np.ndarray, nu: np.ndarray, damping: float,
                  change: np.ndarray) -> None:
    """The messages of the inner pixels below rows first to last: what is to the upper left has them as corner 3."""
    K, w = nu.shape[1], nu.shape[3]
    sent, largest = np.empty((K, w - 1)), np.zeros(w)
    for i in range(first, last):
        for place in range(4):
            row, to = i + (place < 2), int(place % 2 == 0)
            for k in range(K):
                out, own = sent[k], nu[place, k, row]
                one, two, three, four = nu[3, k, i], nu[2, k, i], nu[1, k, i + 1], nu[0, k, i + 1]
                for j in range(w - 1):
                    at = np.uint64(j)
                    mean = 0.2 * ((one[at] + two[at + np.uint64(1)]) + (three[at] + four[at + np.uint64(1)]))
                    out[j] = mean - own[at + np.uint64(to)]
            for k in range(K):
                put(new[place, k, row], pixels[place, k, row], sent[k], sent[0], to, 0, w - 1, damping, largest)
    change[first] = largest.max()


@compiled
def beliefs(marginals: np.ndarray, found: np.ndarray, top: np.ndarray, edges: np.ndarray, pixels: np.ndarray, i: int
            ) -> float:
    """The corners' marginals of row i, and what the row adds to Kikuchi's log Z:

        log Z_a - sum over a's regions r of E_r[mu_ra] - H(edge below) - H(edge to the right) + H(pixel there)
    """
    K, h, w = found.shape[1], edges.shape[3], found.shape[3]
    norm, out = np.zeros(w), np.empty((K, w))
    for a in range(K):
        for b in range(K):
            row = found[0, a, b]
            for j in range(w):
                norm[j] += row[j]
    for j in range(w):
        top[j] += log(norm[j])
    for t in range(4):
        n = (w if i + 1 < h else 0) if t == BOTTOM else w - 1 if t == RIGHT else 0
        for a in range(K):
            for b in range(K):
                row = found[t, a, b]
                for j in range(w):
                    row[j] /= norm[j]
                expected(top, row, edges[t, a, b, i], n, 1.0)
    for place in range(4):
        corner(out, found[place // 2], place % 2)
        n = w - 1 if place == 3 and i + 1 < h else 0
        for k in range(K):
            copy(marginals[place, k, i], out[k])
            expected(top, out[k], pixels[place, k, i], n, -1.0)
    return top.sum()


@compiled
def expected(total: np.ndarray, p: np.ndarray, mu: np.ndarray, n: int, sign: float) -> None:
    """total -= p mu, and to the first n of them sign p log p is added."""
    for j in range(len(total)):
        total[j] -= p[j] * mu[j]
    for j in range(n):
        total[j] += sign * p[j] * log(p[j])
