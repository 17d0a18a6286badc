"""One noise variance for all ratings, learned: sigma^2 ~ InverseGamma(3, 2), whose mean is the plain model's 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import InverseGamma

from models.densities import gamma
from models.model import Latents

SHAPE, SCALE = 3.0, 2.0


@dataclass(frozen=True)
class Noise:
    """The site sigma2, ()."""

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        return {"sigma2": ()}

    def prior(self, rng: torch.Generator) -> Latents:
        return {"sigma2": SCALE / gamma(rng, torch.tensor(SHAPE, dtype=torch.float64, device=rng.device))}

    def log_prior(self, latents: Latents) -> Tensor:
        sigma2 = latents["sigma2"]
        shape, scale = sigma2.new_tensor([SHAPE, SCALE])
        return InverseGamma(shape, scale, validate_args=False).log_prob(sigma2)

    def program(self, zero: Tensor) -> Latents:
        import pyro
        import pyro.distributions as dist

        return {"sigma2": pyro.sample("sigma2", dist.InverseGamma(zero + SHAPE, zero + SCALE))}
