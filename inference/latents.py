"""Draws of all latents that are kept for predictions after the run: thinned to so many, and to so many bytes.

A row's numbers are kept in single precision, which tells ratings to 1e-6; the few that all rows share in double.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from inference.method import Latents

BYTES = 2**24  # of a result's latents, all chains together, unless the LEAST of draws need more
DRAWS, LEAST = 200, 10  # all chains together
FEW = 1000  # numbers of a site that are kept in double precision
Groups = Mapping[str, Mapping[str, np.ndarray]]


class Keeper(Protocol):
    """Somebody for whom latents are kept, and what he makes of them."""

    @property
    def coords(self) -> dict[str, tuple[str, np.ndarray]]:
        """Names along the dims of his groups, as in `Result.coords`."""

    def groups(self, rng: torch.Generator, latents: Latents) -> Groups:
        """Further groups of the result, by name; `latents` are (chain, draw, *shape of the site)."""


def every(sizes: Sequence[int], draws: int, chains: int) -> int:
    """Keep one draw in so many of `draws` of every chain, each of `sizes` bytes a site.

    >>> every([1000], 80, 2), every([2**20], 80, 2), every([2**24], 80, 2)
    (1, 10, 16)
    """
    most = min(DRAWS, max(LEAST, BYTES // max(1, sum(sizes))))
    return -(-draws * chains // most)


def light(latents: Latents) -> Latents:
    """As they are kept."""
    return {site: (value if value.numel() <= FEW else value.float()).detach().cpu().clone()
            for site, value in latents.items()}


def stacked(kept: Sequence[Sequence[Latents]]) -> dict[str, Tensor]:
    """[draw][chain] -> by site (chain, draw, *shape)."""
    return {site: torch.stack([torch.stack([one[site] for one in chains]) for chains in kept], 1)
            for site in (kept[0][0] if kept else {})}


def named(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    """Tensors as arrays."""
    return {group: {name: value.numpy() if isinstance(value, Tensor) else np.asarray(value)
                    for name, value in values.items()} for group, values in groups.items()}
