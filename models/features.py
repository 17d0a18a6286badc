"""The ladder with features: the prior mean of a row is linear in what is known of it.

    row_i ~ N(mean + F_i B, precision^-1)         F: (rows, features), of users and of items
    B_f | precision ~ N(0, (RIDGE precision)^-1)  f = 1..features, (D,) each

F is implicit feedback from the training pairs: which items a user rated, 1 / sqrt(how many) each, so that a row of F
has length 1; which users rated an item alike. RIDGE = 1: the features explain as much of a row, a priori, as they
leave. Users and items without a rating have F_i = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from errors import InputError
from models.densities import gaussian_draw, log_gaussian
from models.factorization import ELSEWHERE, Factorization
from models.ladder import Ladder, make, standardised
from models.model import Latents, fingerprint
from models.ratings import Pairs, Ratings

RIDGE = 1.0
MOST = 25_000_000  # users times items, which the features of a side hold
FEATURES = ("user_features", "item_features")


@dataclass(frozen=True, eq=False)
class Featured(Ladder):
    """Further latents: `weights_U`, `weights_V`, (features, D), in standard units."""

    user_features: Tensor | None = field(default=None, repr=False)
    item_features: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hierarchical:
            raise InputError("features are of the priors that are learned: take hierarchical+features")

    def known(self, side: str) -> Tensor:
        """F of a side. Errors: InputError where the model has not seen the training ratings."""
        found = self.user_features if side == "U" else self.item_features
        if found is None:
            raise InputError("this model has no features yet: `models.features.fitted(model, ratings)` makes them of "
                             "the training pairs")
        return found

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        return super().sites | {f"weights_{side}": (self.known(side).shape[1], self.width) for side in "UV"}

    def row_means(self, latents: Latents, side: str) -> Tensor:
        return super().row_means(latents, side) + self.known(side) @ latents[f"weights_{side}"]

    def more_of_rows(self, rng: torch.Generator, side: str, precision: Tensor) -> Latents:
        F = self.known(side)
        z = torch.randn(F.shape[1], self.width, generator=rng, dtype=torch.float64, device=rng.device)
        return {f"weights_{side}": gaussian_draw(z, torch.zeros_like(z), RIDGE * precision)}

    def log_joint(self, latents: Latents, data: Ratings) -> Tensor:
        total = super().log_joint(latents, data)
        for side in "UV":
            B, precision = latents[f"weights_{side}"], RIDGE * latents[f"precision_{side}"]
            total = total + log_gaussian(B, torch.zeros_like(B), precision[..., None, :, :]).sum(-1)
        return total

    @cached_property
    def roots(self) -> dict[str, Tensor]:
        """By side the Cholesky factor of F'F + RIDGE I; of FF' + RIDGE I where there are fewer rows than features."""
        found = {}
        for side in "UV":
            F = self.known(side)
            square = F @ F.mT if F.shape[0] < F.shape[1] else F.mT @ F
            found[side] = torch.linalg.cholesky(square + RIDGE * torch.eye(len(square), dtype=F.dtype, device=F.device))
        return found

    def solve(self, side: str, pull: Tensor) -> Tensor:
        """(F'F + RIDGE I)^-1 pull, (features, D); Woodbury's identity where there are fewer rows than features."""
        F, root = self.known(side), self.roots[side]
        if F.shape[0] >= F.shape[1]:
            return torch.cholesky_solve(pull, root)
        return (pull - F.mT @ torch.cholesky_solve(F @ pull, root)) / RIDGE

    def small(self, rng: torch.Generator) -> tuple[Factorization, Ratings]:
        bare = Ladder(**{f.name: getattr(self, f.name) for f in fields(Ladder)})
        like, ratings = bare.small(rng)
        named = {f.name: getattr(like, f.name) for f in fields(Ladder)}
        model = fitted(Featured(**named), ratings)
        return model, model.simulate(rng, model.prior(rng))

    def to(self, device: torch.device | str) -> Factorization:
        known = {name: getattr(self, name) for name in FEATURES}
        moved: dict[str, Any] = {name: None if F is None else F.to(device) for name, F in known.items()}
        return replace(super().to(device), **moved)

    def facts(self, data: Ratings) -> dict[str, Any]:
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in (*ELSEWHERE, *FEATURES)}
        said |= {"features": fingerprint([self.known(side) for side in "UV"])}
        return {"model": {"class": type(self).__name__} | said, "data": {"train": data.facts}}

    def _row_prior(self, side: str, zero: Tensor) -> tuple[Tensor, Tensor]:
        import pyro
        import pyro.distributions as dist

        mean, precision = super()._row_prior(side, zero)
        F = self.known(side)
        row = dist.MultivariateNormal(torch.zeros_like(mean), precision_matrix=RIDGE * precision)
        return mean + F @ pyro.sample(f"weights_{side}", row.expand([F.shape[1]]).to_event(1)), precision


def implicit(pairs: Pairs, rows: int, columns: int) -> Tensor:
    """Which columns a row is paired with, 1 / sqrt(how many) each: (rows, columns).

    >>> implicit((torch.tensor([0, 0]), torch.tensor([0, 2])), 2, 3).square()
    tensor([[0.5000, 0.0000, 0.5000],
            [0.0000, 0.0000, 0.0000]], dtype=torch.float64)
    """
    found = torch.zeros(rows, columns, dtype=torch.float64, device=pairs[0].device)
    found[pairs] = 1.0
    return found / found.sum(1, keepdim=True).clamp(min=1).sqrt()


def fitted(model: Factorization, ratings: Ratings) -> Factorization:
    """The model as the training ratings make it: their units, and the features of their pairs."""
    model = standardised(model, ratings)
    if not isinstance(model, Featured):
        return model
    if model.num_users * model.num_items > MOST:
        raise InputError(f"--model features keeps a number for every user and item, at most {MOST:,}, and these are "
                         f"{model.num_users:,} users and {model.num_items:,} items; leave features out")
    user, item = ratings.pairs
    return replace(model, user_features=implicit((user, item), model.num_users, model.num_items),
                   item_features=implicit((item, user), model.num_items, model.num_users))


def named(name: str, num_users: int, num_items: int, rank: int, **more: Any) -> Factorization:
    """As `models.ladder.make`, with `features` among the rungs."""
    rungs = name.split("+")
    if "features" not in rungs:
        return make(name, num_users, num_items, rank, **more)
    if "hierarchical" not in rungs:
        raise InputError(f"--model {name}: features are of the priors that are learned; add hierarchical")
    like = make("+".join(rung for rung in rungs if rung != "features"), num_users, num_items, rank, **more)
    return Featured(**{f.name: getattr(like, f.name) for f in fields(like)})
