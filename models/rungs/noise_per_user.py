"""A noise precision a user, for some people rate more steadily than others.

    w_i | sigma^2 ~ Gamma(4, 4 sigma^2)      i = 1..users: mean 1 / sigma^2, half of it their standard deviation
    sigma^2       ~ Gamma(2, 2)

so that both conditionals are Gammas. A user with few ratings is noisy as users are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Gamma

from models.densities import gamma
from models.model import Latents
from ranks.part import WHOLE, Part

ALIKE = 4.0  # the shape of the users' precisions: how alike they are
SHAPE, RATE = 2.0, 2.0


@dataclass(frozen=True)
class NoisePerUser:
    """The sites sigma2, (), the users' typical variance, and precision_user, (users,), of the users of a part."""

    num_users: int
    part: Part = WHOLE

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        return {"sigma2": (), "precision_user": (self.num_users,)}

    def prior(self, rng: torch.Generator) -> Latents:
        shape, alike = torch.tensor([SHAPE, ALIKE], dtype=torch.float64, device=rng.device)
        sigma2 = gamma(rng, shape) / RATE
        return {"sigma2": sigma2, "precision_user": gamma(rng, alike.expand(self.num_users)) / (ALIKE * sigma2)}

    def log_prior(self, latents: Latents) -> Tensor:
        sigma2 = latents["sigma2"]
        shape, rate, alike = sigma2.new_tensor([SHAPE, RATE, ALIKE])
        each = Gamma(alike, ALIKE * sigma2[..., None], validate_args=False).log_prob(latents["precision_user"])
        return Gamma(shape, rate, validate_args=False).log_prob(sigma2) + self.part.sum(each.sum(-1))

    def program(self, zero: Tensor) -> Latents:
        import pyro
        import pyro.distributions as dist

        sigma2 = pyro.sample("sigma2", dist.Gamma(zero + SHAPE, zero + RATE))
        users = dist.Gamma(zero + ALIKE, ALIKE * sigma2).expand([self.num_users]).to_event(1)
        return {"sigma2": sigma2, "precision_user": pyro.sample("precision_user", users)}
