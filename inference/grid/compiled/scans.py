"""The scans of `parts.scans`, compiled: all rows, or all columns, side by side (`compiled.chains`).

Planes stay label by label: columns are scanned where they lie, rows by blocks that are turned, so that every loop runs
over lines and vectorises. A message is its log odds against label 0; that label's own plane is 0, or left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference.bits import exp, log
from inference.grid.compiled.chains import FACTORS, LEAST, MAX, SUM, by_site, compiled, exponentials, mixed, send
from inference.threads import over_rows

RANGE = 650.0  # nats within a table, below which its exponentials, and their sums, keep all digits
BLOCK = 128  # rows that are turned at a time


@dataclass(frozen=True, eq=False)
class Lines:
    """Rows, or columns: the edges along them by their place in the line, one place where all are alike."""

    tables: np.ndarray  # (edges or 1, K, K, lines), or their exponentials, by the rule
    along: np.ndarray  # rho of these edges (edges or 1, lines)
    across: np.ndarray  # rho of the edges to other lines: (H or 1, W + 1) of columns, (H + 1, W) of rows
    rule: int
    left_out: float  # of all tables, nats

    @classmethod
    def of(cls, pair: Tensor, rho: Tensor, across: np.ndarray, take_max: bool) -> Lines:
        """Of lines along the second axis; all alike is a view, as `Weighted.of` makes it."""
        one = 1 if pair.stride()[:2] == (0, 0) else None
        part, rule = pair[:one, :one], MAX if take_max else SUM
        top, left_out = part.amax((2, 3), keepdim=True), 0.0
        if rule == SUM and (not part.numel() or float((top - part).max()) <= RANGE):
            left_out = float(top.expand(*pair.shape[:2], 1, 1).sum())
            part, rule = (part - top).exp(), FACTORS
        return cls(by_site(part.expand(len(pair), *part.shape[1:])), by_site(rho[:, :1] if alike(rho) else rho), across,
                   rule, left_out)


def alike(rho: Tensor) -> bool:
    return rho.stride() == (0, 0)


def lines(right: Tensor, down: Tensor, rho_right: Tensor, rho_down: Tensor, take_max: bool) -> tuple[Lines, Lines]:
    """Rows and columns; rho is 0 beyond the border."""
    right_rho = rho_right[:1] if alike(rho_right) else rho_right
    side = right_rho.new_zeros(len(right_rho), 1)
    across_columns = torch.cat((side, right_rho, side), 1).contiguous()
    edge = rho_down.new_zeros(1, rho_down.shape[1])
    across_rows = torch.cat((edge, rho_down, edge)).contiguous()
    return (Lines.of(right, rho_right, across_rows.numpy(), take_max),
            Lines.of(down.transpose(0, 1), rho_down.T, across_columns.numpy(), take_max))


def sweep(new: np.ndarray, local: np.ndarray, rows: Lines, columns: Lines, damping: float) -> float:
    """Right, left, down and up, into `new` (4, K or K - 1, H, W); local (K - 1, H, W) in log odds. The residual."""
    _, H, W = local.shape
    change, cost = np.zeros((2, max(H, W))), 3 * new.size
    for kernel, line, count, length in ((along_rows, rows, H, W), (along_columns, columns, W, H)):
        if length > 1:
            over_rows(kernel, cost // count * np.arange(count + 1), new, local, line.tables, line.along, line.across,
                      line.rule, damping, change[int(line is columns)], pieces=1)
    return float(change.max())


@compiled
def along_rows(first: int, last: int, new: np.ndarray, local: np.ndarray, tables: np.ndarray, along: np.ndarray,
               across: np.ndarray, rule: int, damping: float, change: np.ndarray) -> None:
    """In rows first to last, messages to the right, into new[0], then to the left, into new[1]."""
    M, _, W = local.shape
    base, size = new.shape[1] - M, min(BLOCK, last - first)
    still, ahead, back = np.empty((M, W, size)), np.empty((M, W, size)), np.empty((M, W, size))
    rows, largest = np.empty((size, W)), np.zeros(size)
    for start in range(first, last, BLOCK):
        n = min(BLOCK, last - start)
        for k in range(M):
            for r in range(n):
                i = start + r
                gather(rows[r], local[k, i], new[2, base + k, i], new[3, base + k, i], across[i], across[i + 1], 0, 0)
            turn(still[k], rows, 0, n)
            turn(ahead[k], new[0, base + k], start, n)
            turn(back[k], new[1, base + k], start, n)
        scan(ahead, back, still, np.int64(0), start, n, tables, along, rule, damping, largest)
        for k in range(M):
            turn_back(new[0, base + k], ahead[k], start, n)
            turn_back(new[1, base + k], back[k], start, n)
    change[first] = largest.max()


@compiled
def along_columns(first: int, last: int, new: np.ndarray, local: np.ndarray, tables: np.ndarray, along: np.ndarray,
                  across: np.ndarray, rule: int, damping: float, change: np.ndarray) -> None:
    """In columns first to last, messages down, into new[2], then up, into new[3]."""
    M, H, _ = local.shape
    base, n = new.shape[1] - M, last - first
    still, largest = np.empty((M, H, n)), np.zeros(n)
    for k in range(M):
        for i in range(H):
            rho = across[min(i, len(across) - 1)]
            gather(still[k, i], local[k, i], new[0, base + k, i], new[1, base + k, i], rho, rho, 1, first)
    scan(new[2], new[3], still, first, first, n, tables, along, rule, damping, largest)
    change[first] = largest.max()


@compiled
def gather(out: np.ndarray, phi: np.ndarray, one: np.ndarray, other: np.ndarray, rho: np.ndarray, rho_other: np.ndarray,
           shift: int, first: int) -> None:
    """out = phi and the messages from either side, weighed, a row, of all columns or those from `first`."""
    start, beyond = np.uint64(first), np.uint64(first + shift)
    for r in range(len(out)):
        s = r + start
        out[r] = phi[s] + rho[s] * one[s] + rho_other[r + beyond] * other[s]


@compiled
def turn(out: np.ndarray, plane: np.ndarray, first: int, n: int) -> None:
    """out[j, r] = plane[first + r, j]."""
    for j in range(plane.shape[1]):
        for r in range(n):
            out[j, r] = plane[np.uint64(first + r), np.uint64(j)]


@compiled
def turn_back(plane: np.ndarray, turned: np.ndarray, first: int, n: int) -> None:
    for r in range(n):
        for j in range(plane.shape[1]):
            plane[np.uint64(first + r), np.uint64(j)] = turned[np.uint64(j), np.uint64(r)]


@compiled
def scan(ahead: np.ndarray, back: np.ndarray, still: np.ndarray, place: int | np.int64, first: int, n: int,
         tables: np.ndarray, along: np.ndarray, rule: int, damping: float, largest: np.ndarray) -> None:
    """n lines, (labels, sites, lines): from site to site into `ahead`, then against it into `back`.

    Messages are those of lines from `place`, tables and weights those of lines from `first`.
    """
    M, sites, _ = still.shape
    base = len(ahead) - M
    b, sent = np.zeros((M + 1, n)), np.empty((M + 2, n))
    for step in range(2 * sites - 2):
        left = step >= sites - 1
        j = 2 * sites - 2 - step if left else step
        edge, before, to = (j - 1, min(j, sites - 2), j - 1) if left else (j, max(j - 1, 0), j + 1)
        own, other = along[min(edge, len(along) - 1)], along[min(before, len(along) - 1)]
        for k in range(M):
            if left:
                outgoing(b[k + 1], still[k, j], back[base + k, j], ahead[base + k, j], own, other, place, first)
            else:
                outgoing(b[k + 1], still[k, j], ahead[base + k, j], back[base + k, j], own, other, place, first)
        b[0] = 0.0
        odds(sent, b, tables[min(edge, len(tables) - 1)], first, left, rule)
        for k in range(M):
            write(back[base + k, to] if left else ahead[base + k, to], sent[k + 1], place, damping, largest)


@compiled
def outgoing(h: np.ndarray, still: np.ndarray, along: np.ndarray, against: np.ndarray, own: np.ndarray,
             other: np.ndarray, place: int | np.int64, first: int) -> None:
    """h = b - lambda_ts, of one label."""
    start, at = np.uint64(first), np.uint64(place)
    for r in range(len(h)):
        h[r] = still[r] + other[r + start] * along[r + at] - (1.0 - own[r + start]) * against[r + at]


@compiled
def odds(sent: np.ndarray, b: np.ndarray, table: np.ndarray, first: int, turned: bool | np.bool_, rule: int) -> None:
    """`chains.send`, against label 0, whose own is left as it is, a sum under FACTORS; one logarithm a label less."""
    K = len(b)
    if K == 2 and rule != SUM:
        of_two(sent, b, table, first, turned, rule)
        return
    if rule == FACTORS:
        exponentials(b, sent[K])
        mixed(sent, b, table, first, turned)
    else:
        send(sent, b, table, first, turned, rule)
    low = sent[0]
    for l in range(1, K):
        row = sent[l]
        if rule == FACTORS:
            for r in range(len(low)):
                row[r] = log(row[r] / low[r])
        else:
            for r in range(len(low)):
                row[r] -= low[r]


@compiled
def of_two(sent: np.ndarray, b: np.ndarray, table: np.ndarray, first: int, turned: bool | np.bool_, rule: int) -> None:
    """`odds` of two labels in one loop, b[0] being 0."""
    start, h = np.uint64(first), b[1]
    same, other = table[0], table[1]
    t00, t01, t10, t11 = same[0], (other[0] if turned else same[1]), (same[1] if turned else other[0]), other[1]
    low, row, top = sent[0], sent[1], sent[2]
    if rule == FACTORS:
        for r in range(len(h)):
            s, x = r + start, h[r]
            less = -x if x > 0.0 else x
            e = exp(less if less > LEAST else LEAST)
            p, q = (e, 1.0) if x > 0.0 else (1.0, e)
            low[r], top[r] = p * t00[s] + q * t10[s], x if x > 0.0 else 0.0
            row[r] = log((p * t01[s] + q * t11[s]) / low[r])
    else:
        for r in range(len(h)):
            s, x = r + start, h[r]
            a, c = x + t10[s], x + t11[s]
            low[r] = a if a > t00[s] else t00[s]
            row[r] = (c if c > t01[s] else t01[s]) - low[r]


@compiled
def write(kept: np.ndarray, sent: np.ndarray, place: int | np.int64, damping: float, largest: np.ndarray) -> None:
    """Damp and keep a message; how far its log odds were from the old one's."""
    at, share = np.uint64(place), 1.0 - damping
    for r in range(len(sent)):
        new, old = sent[r], kept[r + at]
        moved = abs(new - old)
        largest[r] = moved if moved > largest[r] else largest[r]
        kept[r + at] = share * new + damping * old
