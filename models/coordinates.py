"""The continuous latents of a program as one vector u without constraints: x = T(u), T from the support of each site.

    p(u) = p(x) |det dx / du|
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.distributions import biject_to

from errors import InputError
from models.model import Latents
from models.sites import Site


@dataclass(frozen=True)
class Coordinates:
    """u is (D,); all functions are of one replicate."""

    sites: Mapping[str, Site]

    def __post_init__(self) -> None:
        for name, site in self.sites.items():
            if site.moves:
                raise InputError(f"the support of the site {name} changes with other sites: give it a fixed one, as "
                                 f"hi * u with u ~ Uniform(0, 1) has, or use composite_gibbs_pyro")

    @cached_property
    def to(self) -> dict[str, Any]:
        """T of every site. Errors: InputError for a support that has none."""
        found = {}
        for name, site in self.sites.items():
            try:
                found[name] = biject_to(site.support)
            except NotImplementedError:
                raise InputError(f"the site {name} has no transform to unconstrained space: {site.support}") from None
        return found

    @cached_property
    def shapes(self) -> dict[str, torch.Size]:
        """Of u, site by site."""
        return {name: torch.Size(self.to[name].inverse_shape(torch.Size(site.shape)))
                for name, site in self.sites.items()}

    @property
    def size(self) -> int:
        """D."""
        return sum(shape.numel() for shape in self.shapes.values())

    @property
    def names(self) -> list[str]:
        """Of the entries of u, as theta[3]."""
        return [name if not shape else f"{name}[{', '.join(map(str, at))}]"
                for name, shape in self.shapes.items() for at in itertools.product(*map(range, shape))]

    def free(self, latents: Latents) -> Tensor:
        """u of the latents."""
        parts = [self.to[name].inv(latents[name]).reshape(-1) for name in self.sites]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)

    def parts(self, u: Tensor) -> Latents:
        """u site by site, each in a shape of its own."""
        parts = u.split([shape.numel() for shape in self.shapes.values()])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def latents(self, u: Tensor) -> tuple[Latents, Tensor]:
        """x = T(u), and log |det dx / du| in nats."""
        found, log_det = {}, u.new_zeros(())
        for name, z in self.parts(u).items():
            found[name] = self.to[name](z)
            log_det = log_det + self.to[name].log_abs_det_jacobian(z, found[name]).sum()
        return found, log_det
