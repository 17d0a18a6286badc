"""Coins: p_n ~ Beta(a, b), and heads_n ~ Binomial(tosses, p_n)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Beta, Binomial

from models.densities import gamma
from models.model import Latents, fingerprint


@dataclass(frozen=True, eq=False)
class Coins:
    """The latent `p`, (..., count); the data are heads, (..., count)."""

    count: int = 3
    a: float = 2.0
    b: float = 3.0
    tosses: int = 5
    device: str = "cpu"

    kind: ClassVar[str] = "coins"
    program: ClassVar[None] = None
    labels: ClassVar[dict[str, int]] = {}
    besides: ClassVar[tuple[str, ...]] = ()
    dims: ClassVar[dict[str, tuple[str, ...]]] = {"posterior/p": ("coin",), "expected/p": ("coin",)}

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        return {"p": (self.count,)}

    def log_joint(self, latents: Latents, data: Tensor) -> Tensor:
        p = latents["p"]
        prior = Beta(torch.tensor(self.a).double(), torch.tensor(self.b).double(), validate_args=False).log_prob(p)
        return (prior + Binomial(self.tosses, p, validate_args=False).log_prob(data)).sum(-1)

    def prior(self, rng: torch.Generator) -> Latents:
        return {"p": beta(rng, torch.full((self.count,), self.a), torch.full((self.count,), self.b))}

    somewhere = prior

    def simulate(self, rng: torch.Generator, latents: Latents) -> Tensor:
        toss = torch.rand((self.tosses, *latents["p"].shape), generator=rng, dtype=torch.float64)
        return (toss < latents["p"]).double().sum(0)

    def quantities(self, latents: Latents) -> dict[str, Tensor]:
        return {"p": latents["p"]}

    def blank(self) -> Tensor:
        return torch.zeros(0)

    def check_data(self, data: Tensor) -> None:
        pass

    def small(self, rng: torch.Generator) -> tuple[Coins, Tensor]:
        return self, self.simulate(rng, self.prior(rng))

    def facts(self, data: Tensor) -> dict[str, Any]:
        return {"model": {"class": "Coins", "a": self.a, "b": self.b},
                "data": {"heads": {"coins": self.count, "fingerprint": fingerprint([data])}}}

    def given(self) -> str:
        return "coins, the latent p (count,), and the heads as data"


def beta(rng: torch.Generator, a: Tensor, b: Tensor) -> Tensor:
    x, y = gamma(rng, a.double()), gamma(rng, b.double())
    return x / (x + y)
