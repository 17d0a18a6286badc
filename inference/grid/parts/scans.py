"""Messages between neighbours that carry a weight rho an edge, sent in four scans of the grid, in logs.

    b_s(k)       = field_s(k) + sum over neighbours n of s of  rho_ns lambda_ns(k)
    lambda_st(l) = log sum_k exp(b_s(k) - lambda_ts(k) + pair_st(k, l) / rho_st),    or max_k

With rho = 1 this is belief propagation. Whatever the messages, p~ is what it was:

    log p~(y) = sum_s b_s(y_s) + sum over edges of  rho_st psi_st(y_s, y_t)
    psi_st(k, l) = pair_st(k, l) / rho_st - lambda_ts(k) - lambda_st(l)

A message is scaled to 0 nats for label 0: its log odds. Sides 0 to 3 of a pixel are left, right, above, below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from inference.grid.parts.chains import Plus, compiled
from models.grid import GridMRF, distinct

Messages = Float64[Tensor, "4 H W K"]  # what a pixel gets from each side; 0 nats where there is no neighbour


@dataclass(frozen=True, eq=False)
class Weighted:
    """A grid's potentials, and the weights of its edges."""

    field: Float64[Tensor, "H W K"]
    right: Float64[Tensor, "H W-1 K K"]  # divided by rho
    down: Float64[Tensor, "H-1 W K K"]  # divided by rho
    rho_right: Float64[Tensor, "H W-1"]
    rho_down: Float64[Tensor, "H-1 W"]

    @classmethod
    def of(cls, model: GridMRF, data: Tensor | None, rho_right: Tensor, rho_down: Tensor) -> Weighted:
        right, down = ((distinct(table) / distinct(rho[..., None, None])).expand_as(table)
                       for table, rho in ((model.right, rho_right), (model.down, rho_down)))
        return cls(planes(model.field(data)), right, down, rho_right, rho_down)

    def beliefs(self, messages: Messages) -> Float64[Tensor, "H W K"]:
        """b of every pixel."""
        b = self.field.clone()
        b[:, 1:] += self.rho_right[..., None] * messages[0, :, 1:]
        b[:, :-1] += self.rho_right[..., None] * messages[1, :, :-1]
        b[1:] += self.rho_down[..., None] * messages[2, 1:]
        b[:-1] += self.rho_down[..., None] * messages[3, :-1]
        return b

    def edges(self, messages: Messages) -> tuple[Float64[Tensor, "H W-1 K K"], Float64[Tensor, "H-1 W K K"]]:
        """psi of the edges to the right, and of those down."""
        right = self.right - messages[1, :, :-1, :, None] - messages[0, :, 1:, None]
        return right, self.down - messages[3, :-1, :, :, None] - messages[2, 1:, :, None]

    @property
    def turned(self) -> Weighted:
        """Rows for columns."""
        return Weighted(self.field.transpose(0, 1), self.down.transpose(0, 1), self.right.transpose(0, 1),
                        self.rho_down.T, self.rho_right.T)


def plain(model: GridMRF, data: Tensor | None) -> Weighted:
    """All weights 1; made once for a model that holds its image itself."""
    return _plain(model) if data is None else _plain.__wrapped__(model, data)


@lru_cache(maxsize=4)
def _plain(model: GridMRF, data: Tensor | None = None) -> Weighted:
    H, W, _ = model.shape
    one = model.unary.new_ones(())
    return Weighted.of(model, data, one.expand(H, W - 1), one.expand(H - 1, W))


def turned(messages: Messages) -> Messages:
    """The messages of `Weighted.turned`; a copy."""
    return messages[[2, 3, 0, 1]].transpose(1, 2)


def planes(table: Tensor) -> Float64[Tensor, "... H W K"]:
    """The same numbers, laid out label by label: what runs over pixels is then fast, K being small."""
    return table.movedim(-1, -3).contiguous().movedim(-3, -1)


def sweep(messages: Messages, grid: Weighted, damping: float, plus: Plus) -> tuple[Messages, float]:
    """Right, left, down and up, each message from the newest; the largest undamped change of log odds, in nats."""
    if compiled(messages, grid.right):
        from inference.grid.compiled import scans as scans_numba

        new = messages.movedim(-1, 1).clone(memory_format=torch.contiguous_format)
        change = scans_numba.sweep(new.numpy(), *prepared(grid, plus is torch.amax), damping)
        return new.movedim(1, -1), change
    along, first = _along_rows(messages, grid, damping, plus)
    back, second = _along_rows(turned(along), grid.turned, damping, plus)
    return planes(turned(back)), max(first, second)


@lru_cache(maxsize=4)
def prepared(grid: Weighted, take_max: bool) -> tuple[np.ndarray, Any, Any]:
    """The field's log odds, planes first, and `compiled.scans.lines`."""
    from inference.grid.compiled import scans as scans_numba

    local = (grid.field[..., 1:] - grid.field[..., :1]).movedim(-1, 0).contiguous().numpy()
    return local, *scans_numba.lines(grid.right, grid.down, grid.rho_right, grid.rho_down, take_max)


def _along_rows(messages: Messages, grid: Weighted, damping: float, plus: Plus) -> tuple[Messages, float]:
    """All messages to the right, column after column, then those to the left."""
    new, change = messages.clone(memory_format=torch.contiguous_format), 0.0
    rho, W = grid.rho_right[..., None], grid.field.shape[1]
    still = grid.beliefs(messages).contiguous()  # what comes along the row is taken out: the rest stays
    still[:, 1:] -= rho * messages[0, :, 1:]
    still[:, :-1] -= rho * messages[1, :, :-1]
    for j in range(W - 1):
        b = still[:, j] + (rho[:, j - 1] * new[0, :, j] if j else 0.0) - (1 - rho[:, j]) * new[1, :, j]
        sent = plus(b[..., None] + grid.right[:, j], 1)
        change = max(change, _write(new[0, :, j + 1], sent, damping))
    for j in reversed(range(W - 1)):
        b = still[:, j + 1] + (rho[:, j + 1] * new[1, :, j + 1] if j + 2 < W else 0.0)
        sent = plus((b - (1 - rho[:, j]) * new[0, :, j + 1])[:, None] + grid.right[:, j], 2)
        change = max(change, _write(new[1, :, j], sent, damping))
    return new, change


def _write(place: Float64[Tensor, "n K"], sent: Tensor, damping: float) -> float:
    """Scale, damp and keep a message; how far its log odds were from the old one's."""
    sent = sent - sent[..., :1]
    moved = (sent - place).abs()
    place.copy_((1 - damping) * sent + damping * place)
    return float(moved.max())
