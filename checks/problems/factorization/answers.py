"""What is known about a q of independent entries: its ELBO in closed form, and coordinate ascent from there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from checks.problems.problem import Moments
from inference.factorization import coordinate_ascent
from inference.factorization.parts import mean_field_elbo
from inference.method import Latents, Quantities
from models.factorization import Factorization
from models.ratings import Ratings

SWEEPS = 300


@dataclass(frozen=True)
class MeanField:
    """q(U, V), every entry normal by itself: `U_mean`, `U_var` and so on."""

    model: Factorization
    compared: str = "true means behind the ratings"

    def moments(self, q: Quantities) -> Moments:
        return {site: (q[f"{site}_mean"], q[f"{site}_var"]) for site in self.model.sites}

    def values(self, draws: Latents) -> dict[str, Tensor]:
        return draws

    def summary(self, draws: Latents) -> Quantities:
        return {f"{site}_{part}": x for site in self.model.sites
                for part, x in (("mean", draws[site].mean(0)), ("var", draws[site].var(0)))}

    def independent(self, q: Quantities, draws: Latents) -> bool:
        """Whether the variance of random signed sums of draws is the sum of the variances, within 5 standard errors."""
        mean, variance = (torch.cat([m[k].flatten() for m in self.moments(q).values()]) for k in (0, 1))
        off = (torch.cat([x.flatten(1) for x in draws.values()], 1) - mean) / variance.sqrt()
        rng = torch.Generator().manual_seed(0)
        for _ in range(8):
            signs = torch.randint(2, off.shape[1:], generator=rng) * 2.0 - 1.0
            share = (off @ signs.double()).square() / off.shape[1]
            if abs(float(share.mean()) - 1) > 5 * float(share.std()) / len(share) ** 0.5:
                return False
        return True

    def elbo(self, data: Ratings, q: Quantities) -> float:
        return float(mean_field_elbo.elbo(self.model, data, self.moments(q)))

    def polished(self, data: Ratings, q: Quantities, tolerance: float = 1e-6) -> float:
        found = self.moments(q)
        state = coordinate_ascent.State(*found["U"], *found["V"], None, "torch")
        best = -torch.inf
        for _ in range(SWEEPS):
            state, info = coordinate_ascent.step(torch.Generator(), state, self.model, data)
            assert info.elbo is not None
            if info.elbo - best < tolerance:
                break
            best = info.elbo
        return best
