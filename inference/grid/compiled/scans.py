"""The scans of `parts.scans`, compiled: all rows at a site side by side (`compiled.chains`)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from inference.grid.compiled.chains import FACTORS, MAX, SUM, by_site, compiled, send
from inference.threads import over_rows

RANGE = 650.0  # nats within a table, below which its exponentials, and their sums, keep all digits


def along_rows(messages: Tensor, field: Tensor, right: Tensor, rho_right: Tensor, rho_down: Tensor, damping: float,
               take_max: bool) -> tuple[Tensor, float]:
    """Messages to the right, then to the left, and how far they moved; potentials and weights as of `Weighted`."""
    H, W, _ = field.shape
    if W == 1:
        return messages, 0.0
    new = messages.movedim(1, -1).clone(memory_format=torch.contiguous_format)
    rho, (table, rule) = by_site(rho_right), _table(right, take_max)
    across = rho_down.new_zeros(H + 1, W)
    across[1:-1] = rho_down
    change = np.zeros(H)
    over_rows(scan, messages.numel() // H * np.arange(H + 1), *new.numpy(), by_site(field), by_site(across), table,
              rho, damping, rule, change, pieces=1)
    return new.movedim(-1, 1), float(change.max())


def _table(pair: Tensor, take_max: bool) -> tuple[np.ndarray, int]:
    """Tables, or their exponentials where they are safe, of one site if they are all the same; and the rule for them.

    All the same is a view, as `Weighted.of` makes it. What is left out of a message, a constant, is of no account.
    """
    one = pair.stride()[:2] == (0, 0)
    part, rule = (pair[:1, :1] if one else pair), MAX if take_max else SUM
    top = part.amax((2, 3), keepdim=True)
    if rule == SUM and float((top - part).max()) <= RANGE:
        part, rule = torch.exp(part - top), FACTORS
    return by_site(part.expand(len(pair), *part.shape[1:])), rule


@compiled
def scan(first: int, last: int, ahead: np.ndarray, back: np.ndarray, above: np.ndarray, below: np.ndarray,
         field: np.ndarray, across: np.ndarray, pair: np.ndarray, rho: np.ndarray, damping: float, rule: int,
         change: np.ndarray) -> None:
    """Rows first to last: messages to the right, into `ahead`, then to the left, into `back`; `above` and `below` stay.

    `rho` weighs the edges along a row, `across` those to the rows above and below, 0 beyond the border.
    """
    W, K, _ = field.shape
    n, start = last - first, np.uint64(first)
    b, sent, largest = np.empty((K, n)), np.empty((K + 1, n)), np.zeros(n)
    for step in range(2 * W - 2):
        left = step >= W - 1
        j = 2 * W - 2 - step if left else step
        edge, before = (j - 1, min(j, W - 2)) if left else (j, max(j - 1, 0))
        along, against, to = (back, ahead, j - 1) if left else (ahead, back, j + 1)
        for k in range(K):
            for r in range(n):
                s = r + start
                still = field[j, k, s] + across[j, s] * above[j, k, s] + across[j, s + np.uint64(1)] * below[j, k, s]
                b[k, r] = still + rho[before, s] * along[j, k, s] - (1.0 - rho[edge, s]) * against[j, k, s]
        send(sent, b, pair[min(edge, len(pair) - 1)], first, left, rule)
        _write(along[to], sent, first, damping, largest)
    change[first] = largest.max()


@compiled
def _write(place: np.ndarray, sent: np.ndarray, first: int, damping: float, largest: np.ndarray) -> None:
    """`parts.scans._write`."""
    K, n, start = len(sent) - 1, len(largest), np.uint64(first)
    top, high, low = np.empty(n), np.full(n, -np.inf), np.full(n, np.inf)
    for k in range(K):
        for r in range(n):
            top[r] = sent[k, r] if k == 0 or sent[k, r] > top[r] else top[r]
    for k in range(K):
        for r in range(n):
            new, old = sent[k, r] - top[r], place[k, r + start]
            moved = new - old
            high[r] = moved if moved > high[r] else high[r]
            low[r] = moved if moved < low[r] else low[r]
            place[k, r + start] = (1.0 - damping) * new + damping * old
    for r in range(n):
        largest[r] = high[r] - low[r] if high[r] - low[r] > largest[r] else largest[r]
