"""A discrete site's value as a table: the cells of its plates, which may be drawn together, and a cell's entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from models import supports


@dataclass(frozen=True)
class Cells:
    """A value of `shape` as a table (cells, entries of a cell, event), cells being indices of the dimensions `dims`."""

    shape: torch.Size
    dims: tuple[int, ...]
    event: int  # trailing dimensions that are one value together: 1 of a one-hot vector

    @classmethod
    def of(cls, site: Mapping[str, Any]) -> Cells:
        """The cells of all plates that the site is in."""
        event = int(isinstance(supports.base(supports.of(site["fn"])), type(constraints.one_hot)))
        batch = site["value"].ndim - site["fn"].event_dim
        dims = sorted(batch + frame.dim for frame in site["cond_indep_stack"] if frame.vectorized)
        return cls(site["value"].shape, tuple(dims), event)

    @property
    def order(self) -> list[int]:
        n = len(self.shape) - self.event
        return [*self.dims, *(d for d in range(n) if d not in self.dims), *range(n, len(self.shape))]

    @property
    def count(self) -> int:
        return torch.Size([self.shape[d] for d in self.dims]).numel()

    @property
    def entries(self) -> int:
        n = len(self.shape) - self.event
        return torch.Size([self.shape[d] for d in range(n) if d not in self.dims]).numel()

    def table(self, value: Tensor) -> Tensor:
        return value.permute(self.order).reshape(self.count, self.entries, *value.shape[value.ndim - self.event :])

    def value(self, table: Tensor) -> Tensor:
        moved = table.reshape([self.shape[d] for d in self.order])
        return moved.permute([self.order.index(d) for d in range(len(self.shape))])

    def terms(self, name: str, now: Any) -> Tensor:
        """log p of the sites that are in all plates of the site `name`, summed within a cell, (cells,) in nats."""
        plates = {frame.name: frame.dim for frame in now.nodes[name]["cond_indep_stack"] if frame.vectorized}
        dims, total = sorted(plates.values()), torch.zeros(self.count, dtype=torch.float64)
        sizes = [self.shape[d] for d in self.dims]
        for site in now.nodes.values():
            if site["type"] != "sample" or not plates.keys() <= {frame.name for frame in site["cond_indep_stack"]}:
                continue
            log_p = site["log_prob"].double()
            if log_p.ndim >= -dims[0] and [log_p.shape[d] for d in dims] == sizes:
                rest = [d for d in range(-log_p.ndim, 0) if d not in dims]
                total += (log_p.sum(rest) if rest else log_p).reshape(-1)
        return total


def put(table: Tensor, r: int, values: Tensor) -> Tensor:
    """The table with `values` (cells, event), or one event, as entry r of every cell."""
    table = table.clone()
    table[:, r] = values
    return table


def index(found: Tensor, values: Tensor) -> Tensor:
    """Where in the support each of `values` (cells, event) is."""
    equal = found[:, None] == values[None]
    return (equal if equal.ndim == 2 else equal.all(-1)).int().argmax(0)
