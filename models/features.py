"""The ladder with features: the prior mean of a row is linear in what is known of it.

    row_i ~ N(mean + F_i B, precision^-1)                  F: (rows, features), of users and of items
    B_f | precision, ridge ~ N(0, (ridge precision)^-1)    f = 1..features, (D,) each
    ridge ~ Gamma(2, 1)                                    each side its own

F is implicit feedback from the training pairs: which items a user rated, 1 / sqrt(how many) each, so that a row of F
has length 1; which users rated an item alike; and what is known of users and items besides (`side_information`), after
it or instead of it. E[1 / ridge] = 1: the features explain as much of a row, a priori, as they leave. Users and items
without a rating have an implicit F_i of 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Gamma

from errors import InputError
from models.densities import gamma, gaussian_draw, log_gaussian
from models.factorization import Factorization
from models.ladder import Ladder, make, standardised
from models.model import Latents, fingerprint
from models.ratings import Pairs, Ratings
from models.side_information import Known

RIDGE_SHAPE, RIDGE_RATE = 2.0, 1.0
MOST = 25_000_000  # users times items, which the features of a side hold
FEATURES = ("user_features", "item_features")
KNOWN = ("user_known", "item_known")


@dataclass(frozen=True, eq=False)
class Featured(Ladder):
    """Further latents: `ridge_U`, `ridge_V`, (); `weights_U`, `weights_V`, (features, D), in standard units.

    implicit       whether who rated what is among the features
    user_known     what else is known of the users; of the items likewise
    """

    implicit: bool = True
    user_known: Known | None = field(default=None, repr=False)
    item_known: Known | None = field(default=None, repr=False)
    user_features: Tensor | None = field(default=None, repr=False)
    item_features: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.hierarchical:
            raise InputError("features are of the priors that are learned: take hierarchical+features")

    @property
    def fingerprint(self) -> str:
        """Of the features of both sides."""
        return fingerprint([self.known(side) for side in "UV"])

    def known(self, side: str) -> Tensor:
        """F of a side. Errors: InputError where the model has not seen the training ratings."""
        found = self.user_features if side == "U" else self.item_features
        if found is None:
            raise InputError("this model has no features yet: `crosscheck.fitted(model, ratings)` makes them of "
                             "the training pairs")
        return found

    @property
    def sites(self) -> dict[str, tuple[int, ...]]:
        found = super().sites
        for side in "UV":
            found |= {f"ridge_{side}": (), f"weights_{side}": (self.known(side).shape[1], self.width)}
        return found

    def row_means(self, latents: Latents, side: str) -> Tensor:
        return super().row_means(latents, side) + self.known(side) @ latents[f"weights_{side}"]

    def more_of_rows(self, rng: torch.Generator, side: str, precision: Tensor) -> Latents:
        ridge = gamma(rng, precision.new_tensor(RIDGE_SHAPE)) / RIDGE_RATE
        z = torch.randn(self.known(side).shape[1], self.width, generator=rng, dtype=torch.float64, device=rng.device)
        return {f"ridge_{side}": ridge, f"weights_{side}": gaussian_draw(z, torch.zeros_like(z), ridge * precision)}

    def log_joint(self, latents: Latents, data: Ratings) -> Tensor:
        total = super().log_joint(latents, data)
        for side in "UV":
            B, ridge = latents[f"weights_{side}"], latents[f"ridge_{side}"]
            precision = ridge[..., None, None] * latents[f"precision_{side}"]
            total = total + log_gaussian(B, torch.zeros_like(B), precision[..., None, :, :]).sum(-1)
            total = total + self._ridge_prior(ridge).log_prob(ridge)
        return total

    @cached_property
    def spectra(self) -> dict[str, tuple[Tensor, Tensor]]:
        """By side the eigenvalues and vectors of F'F; of FF' where there are fewer rows than features."""
        return {side: torch.linalg.eigh(F @ F.mT if F.shape[0] < F.shape[1] else F.mT @ F)
                for side in "UV" for F in (self.known(side),)}

    @staticmethod
    def _ridge_prior(like: Tensor) -> Gamma:
        return Gamma(like.new_tensor(RIDGE_SHAPE), like.new_tensor(RIDGE_RATE), validate_args=False)

    def reduced(self) -> Factorization:
        """As of every factorization, with the implicit features of its pairs."""
        bare: dict[str, Any] = dict.fromkeys((*KNOWN, *FEATURES))
        model = super().reduced()
        assert isinstance(model, Featured) and model.pairs is not None
        return informed(replace(model, implicit=True, **bare), model.pairs)

    def to(self, device: torch.device | str) -> Factorization:
        known = {name: getattr(self, name) for name in (*KNOWN, *FEATURES)}
        moved: dict[str, Any] = {name: None if F is None else F.to(device) for name, F in known.items()}
        return replace(super().to(device), **moved)

    def facts(self, data: Ratings) -> dict[str, Any]:
        found = super().facts(data)
        said = {name: known.encoding.said for name in KNOWN if (known := getattr(self, name))}
        return found | {"model": found["model"] | {"features": self.fingerprint} | said}

    def _row_prior(self, side: str, zero: Tensor) -> tuple[Tensor, Tensor]:
        import pyro
        import pyro.distributions as dist

        mean, precision = super()._row_prior(side, zero)
        F = self.known(side)
        ridge = pyro.sample(f"ridge_{side}", dist.Gamma(zero + RIDGE_SHAPE, zero + RIDGE_RATE))
        row = dist.MultivariateNormal(torch.zeros_like(mean), precision_matrix=ridge * precision)
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
    return informed(model, ratings.pairs) if isinstance(model, Featured) else model


def informed(model: Featured, pairs: Pairs) -> Featured:
    """The model with the features of these training pairs, and what else is known.

    Errors: InputError for features of more numbers than MOST, and for none.
    """
    if model.implicit and model.num_users * model.num_items > MOST:
        raise InputError(f"--model features keeps a number for every user and item, at most {MOST:,}, and these are "
                         f"{model.num_users:,} users and {model.num_items:,} items; leave features out, or have those "
                         f"of files alone (--no-implicit)")
    if not (model.implicit or model.user_known or model.item_known):
        raise InputError("without implicit feedback features are of files: give --user-features or --item-features")
    user, item = pairs
    counts = (model.num_users, model.num_items)
    found: dict[str, Any] = {}
    for name, known, own, size in zip(FEATURES, (model.user_known, model.item_known), ((user, item), (item, user)),
                                      (counts, counts[::-1]), strict=True):
        parts = [implicit(own, *size)] if model.implicit else []
        parts += [known.values.to(user.device)] if known else []
        found[name] = torch.cat(parts, 1) if parts else torch.zeros(size[0], 0, dtype=torch.float64, device=user.device)
    return replace(model, **found)


def named(name: str, num_users: int, num_items: int, rank: int, **more: Any) -> Factorization:
    """As `models.ladder.make`, with `features` among the rungs."""
    rungs = name.split("+")
    if "features" not in rungs:
        return make(name, num_users, num_items, rank, **more)
    if "hierarchical" not in rungs:
        raise InputError(f"--model {name}: features are of the priors that are learned; add hierarchical")
    like = make("+".join(rung for rung in rungs if rung != "features"), num_users, num_items, rank, **more)
    return Featured(**{f.name: getattr(like, f.name) for f in fields(like)})
