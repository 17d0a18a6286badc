"""log Z of all combs of a grid (`parts.spanning_trees`), compiled: sums along lines, in log odds (`compiled.scans`).

With psi of an edge as its table less the two messages, all lines one way are summed to every pixel, p, and then each
line across takes its turn as the spine, whose pixels have the potentials log p:

    log Z = sum over lines of log Z_line + log Z of the spine
"""

from __future__ import annotations

import numpy as np

from inference.bits import log
from inference.grid.compiled.chains import FACTORS, compiled, copy, exponentials
from inference.grid.compiled.scans import BLOCK, Lines, gather, odds, turn, turn_back
from inference.threads import over_rows


def mean_log_z(messages: np.ndarray, local: np.ndarray, rows: Lines, columns: Lines) -> float:
    """The mean over columns as spines, and over rows, each a half, but for the field of label 0."""
    M, H, W = local.shape
    b, p = np.empty_like(local), np.empty_like(local)
    over_rows(beliefs, 4 * M * W * np.arange(H + 1), b, local, messages, rows.across, columns.across, pieces=1)
    work, total = 10 * M * (M + 1) * np.arange(max(H, W) + 1), 0.0
    for line, spine, along, across in ((rows, columns, of_rows, of_columns), (columns, rows, of_columns, of_rows)):
        lines, spines = (H, W) if line is rows else (W, H)
        ends, logs = np.empty(lines), np.empty(spines)
        over_rows(along, lines * work[:lines + 1], ends, p, b, messages, line.tables, line.rule, True, pieces=1)
        over_rows(across, spines * work[:spines + 1], logs, p, p, messages, spine.tables, spine.rule, False, pieces=1)
        total += ends.sum() + line.left_out + (logs.sum() + spine.left_out) / spines
    return float(total / 2)


@compiled
def beliefs(first: int, last: int, b: np.ndarray, local: np.ndarray, messages: np.ndarray, down: np.ndarray,
            right: np.ndarray) -> None:
    """`Weighted.beliefs` of rows first to last."""
    for k in range(len(b)):
        for i in range(first, last):
            rho = right[min(i, len(right) - 1)]
            gather(b[k, i], local[k, i], messages[0, k + 1, i], messages[1, k + 1, i], rho, rho, 1, 0)
            gather(b[k, i], b[k, i], messages[2, k + 1, i], messages[3, k + 1, i], down[i], down[i + 1], 0, 0)


@compiled
def of_rows(first: int, last: int, logs: np.ndarray, p: np.ndarray, b: np.ndarray, messages: np.ndarray,
            tables: np.ndarray, rule: int, inner: bool) -> None:
    """`sums` of rows first to last, turned."""
    M, _, W = b.shape
    size = min(BLOCK, last - first)
    own, ahead, back = np.empty((M, W, size)), np.empty((M, W, size)), np.empty((M, W, size))
    for start in range(first, last, BLOCK):
        n = min(BLOCK, last - start)
        for k in range(M):
            turn(own[k], b[k], start, n)
            turn(ahead[k], messages[0, k + 1], start, n)
            turn(back[k], messages[1, k + 1], start, n)
        sums(logs, own, ahead, back, np.int64(0), start, n, tables, rule, inner)
        if inner:
            for k in range(M):
                turn_back(p[k], own[k], start, n)


@compiled
def of_columns(first: int, last: int, logs: np.ndarray, p: np.ndarray, b: np.ndarray, messages: np.ndarray,
               tables: np.ndarray, rule: int, inner: bool) -> None:
    """`sums` of columns first to last."""
    if inner:
        for k in range(len(b)):
            for i in range(b.shape[1]):
                for j in range(first, last):
                    p[k, i, j] = b[k, i, j]
    sums(logs, p, messages[2, 1:], messages[3, 1:], first, first, last - first, tables, rule, inner)


@compiled
def sums(logs: np.ndarray, b: np.ndarray, ahead: np.ndarray, back: np.ndarray, place: int | np.int64, first: int,
         n: int, tables: np.ndarray, rule: int, inner: bool) -> None:
    """log Z of n lines, (labels, sites, lines); `inner`: b becomes the log odds of their marginals, otherwise b is
    log odds of probabilities, whose logarithms the lines have as potentials."""
    M, sites, _ = b.shape
    K, at = M + 1, np.uint64(place)
    h, x, none, sent = np.empty((K, n)), np.zeros((K, n)), np.zeros((K, n)), np.empty((K + 1, n))
    before, total = np.zeros((M, sites, n) if inner else (M, 1, n)), np.zeros(n)
    for j in range(sites):
        if not inner:
            fill(h, b, none, j, place)
            norm(total, h, sent, -1.0)
        fill(h, b, x, j, place)
        if j + 1 == sites:
            norm(total, h, sent, 1.0)
            break
        for k in range(M):
            take(h[k + 1], back[k, j], place)
        odds(sent, h, tables[min(j, len(tables) - 1)], first, np.bool_(False), rule)
        for r in range(n):
            total[r] += log(sent[0, r]) + sent[K, r] if rule == FACTORS else sent[0, r]
        for k in range(M):
            copy(x[k + 1], sent[k + 1])
            take(x[k + 1], ahead[k, j + 1], place)
            if inner:
                copy(before[k, j + 1], x[k + 1])
    for r in range(n):
        logs[first + r] = total[r]
    x[:] = 0.0
    for j in range(sites - 1 if inner else -1, -1, -1):
        fill(h, b, x, j, place)
        for k in range(M):
            for r in range(n):
                b[k, j, r + at] = h[k + 1, r] + before[k, j, r]
        if j > 0:
            for k in range(M):
                take(h[k + 1], ahead[k, j], place)
            odds(sent, h, tables[min(j - 1, len(tables) - 1)], first, np.bool_(True), rule)
            for k in range(M):
                copy(x[k + 1], sent[k + 1])
                take(x[k + 1], back[k, j - 1], place)


@compiled
def fill(h: np.ndarray, b: np.ndarray, x: np.ndarray, j: int, place: int | np.int64) -> None:
    """h = b + x of a site, 0 for label 0."""
    at = np.uint64(place)
    h[0] = 0.0
    for k in range(1, len(h)):
        out, own, come = h[k], b[k - 1, j], x[k]
        for r in range(len(out)):
            out[r] = own[r + at] + come[r]


@compiled
def take(h: np.ndarray, message: np.ndarray, place: int | np.int64) -> None:
    at = np.uint64(place)
    for r in range(len(h)):
        h[r] -= message[r + at]


@compiled
def norm(total: np.ndarray, h: np.ndarray, work: np.ndarray, sign: float) -> None:
    """total += sign log sum_k exp(h(k)); h is used up."""
    top, out = work[0], work[1]
    exponentials(h, top)
    out[:] = 0.0
    for k in range(len(h)):
        row = h[k]
        for r in range(len(row)):
            out[r] += row[r]
    for r in range(len(total)):
        total[r] += sign * (log(out[r]) + top[r])
