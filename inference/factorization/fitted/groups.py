"""What a saved fit holds beside its draws: for ArviZ, and for predictions afterwards.

    log_likelihood, posterior_predictive, observed_data   r, at OBSERVED training ratings, evenly spaced; the same ones
                                                          for every fit of the same ratings
    constant_data                                         the units of the latents, counts and means of users and
                                                          items, who rated what, the levels and range of the ratings,
                                                          the test set; features from files; days of users and
                                                          periods of items
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from inference.factorization.fitted.calendar import dates
from inference.latents import Groups
from inference.method import Latents
from models.factorization import Factorization
from models.features import KNOWN
from models.ordinal import Ordinal
from models.ratings import Ratings, label_array
from ranks import group

OBSERVED = 1000
MOST_LEVELS = 21  # distinct ratings that are stars


@dataclass(frozen=True)
class Holding:
    """A `Keeper` (see inference/latents.py) of a fit to `train`."""

    model: Factorization
    train: Ratings
    test: Ratings

    @cached_property
    def observed(self) -> Ratings:
        return self.train.every(max(1, -(-self.train.total // OBSERVED))).gathered()

    @cached_property
    def constant(self) -> dict[str, np.ndarray]:
        return constants(self.train.to("cpu"), self.test.to("cpu"))

    def settle(self) -> None:
        """What all ranks have to say of ratings that they hold together, now that all are here."""
        _ = self.observed, self.constant

    @property
    def coords(self) -> dict[str, tuple[str, np.ndarray]]:
        """Ids, numbers from 0 where the source has none; and who and what each observed rating is of."""
        found: dict[str, tuple[str, np.ndarray]] = {}
        for side, ids, count, index in (
                ("user", self.train.user_ids, self.model.num_users, self.observed.user),
                ("item", self.train.item_ids, self.model.num_items, self.observed.item)):
            names = np.arange(count) if ids is None else label_array(ids)
            found |= {side: (side, names), f"rating_{side}": ("rating", names[index.cpu().numpy()])}
        return found

    def groups(self, rng: torch.Generator, latents: Latents) -> Groups:
        observed = self.observed.to("cpu")
        more = {"constant_data": self.constant | known(self.model) | dates(self.model)}
        if isinstance(self.model, Ordinal):
            return {**of_levels(rng, self.model, latents, observed), **more}
        mean, variance = predictions(self.model, latents, observed)
        z = torch.randn(mean.shape, generator=rng, dtype=mean.dtype, device=rng.device).cpu()
        return {
            "log_likelihood": {"r": torch.distributions.Normal(mean, variance.sqrt()).log_prob(observed.rating).float(
                ).numpy()},
            "posterior_predictive": {"r": (mean + variance.sqrt() * z).float().numpy()},
            "observed_data": {"r": observed.rating.numpy()},
            "constant_data": more["constant_data"] | units(self.model)}


def of_levels(rng: torch.Generator, model: Ordinal, latents: Latents, at: Ratings) -> Groups:
    """Log probabilities of these ratings, and levels drawn anew."""
    chains, draws = next(iter(latents.values())).shape[:2]
    log, again = (torch.empty(chains, draws, len(at), dtype=torch.float64) for _ in range(2))
    for c in range(chains):
        for d in range(draws):
            one = {site: value[c, d].double() for site, value in latents.items()}
            log[c, d] = model.log_probability(one, at)
            eta, sd = model.latent_mean(one, at), model.noise_of(one, at) ** 0.5
            y = eta + sd * torch.randn(eta.shape, generator=rng, dtype=eta.dtype, device=rng.device).cpu()
            again[c, d] = model.levels_at[torch.searchsorted(one["cutpoints"].contiguous(), y)]
    return {"log_likelihood": {"r": log.float().numpy()}, "posterior_predictive": {"r": again.float().numpy()},
            "observed_data": {"r": at.rating.numpy()}}


def known(model: Factorization) -> dict[str, np.ndarray]:
    """What files say of users and items, encoded; who rated what is in `constants`."""
    held = {name: getattr(model, name, None) for name in KNOWN}
    return {name: each.values.cpu().numpy() for name, each in held.items() if each is not None}


def units(model: Factorization) -> dict[str, np.ndarray]:
    """What turns predictions x of the latents into the ratings' own units: centre + unit x."""
    return {name: np.array(getattr(model, name, without)) for name, without in (("centre", 0.0), ("unit", 1.0))}


def predictions(model: Factorization, latents: Latents, at: Ratings) -> tuple[Tensor, Tensor]:
    """Predictions of these ratings and their noise variances, both (chain, draw, N)."""
    chains, draws = next(iter(latents.values())).shape[:2]
    mean = torch.empty(chains, draws, len(at), dtype=torch.float64)
    variance = torch.empty_like(mean)
    for c in range(chains):
        for d in range(draws):
            one = {site: value[c, d].double() for site, value in latents.items()}
            mean[c, d] = model.expected(one, at)
            variance[c, d] = torch.as_tensor(model.noise_of(one, at))
    return mean, variance


def constants(train: Ratings, test: Ratings) -> dict[str, np.ndarray]:
    """Of the training ratings, and the test set by the numbers of its users and items."""
    rated = train.item.numpy()
    if not train.ordered:
        rated = rated[np.lexsort((rated, train.user.numpy()))]
    rated = smallest(rated, train.num_items)
    if train.scattered:
        rated = group.to_first(torch.from_numpy(rated), train.ends).numpy()
    found = {"rated_item": rated, "rating_mean": np.array(train.mean), "rating_variance": np.array(train.variance),
             "bounded": np.array(train.scale is not None)}
    for side, index, count in (("user", train.user, train.num_users), ("item", train.item, train.num_items)):
        number = train.part.sum(torch.bincount(index, minlength=count)).numpy()
        total = train.part.sum(torch.bincount(index, train.rating, minlength=count)).numpy()
        mean = np.where(number, total / np.maximum(number, 1), train.mean)
        found |= {f"{side}_count": number, f"{side}_mean": mean}
    found["range"] = np.array(train.scale or train.range, dtype=np.float64)
    if levels := levels_of(train):
        found |= {"level": np.array(list(levels)), "level_count": np.array(list(levels.values()))}
    return found | {"test_of_user": smallest(test.user.numpy(), test.num_users),
                    "test_of_item": smallest(test.item.numpy(), test.num_items), "test_rating": test.rating.numpy()}


def levels_of(train: Ratings) -> dict[float, int]:
    """How often each rating occurs; nothing where there are too many."""
    own = dict(zip(*(x.tolist() for x in train.rating.unique(return_counts=True)), strict=True))
    found: Counter[float] = Counter()
    for each in group.everyone(own if len(own) <= MOST_LEVELS else None) if train.scattered else [own]:
        if each is None:
            return {}
        found.update(each)
    return dict(sorted(found.items())) if len(found) <= MOST_LEVELS else {}


def smallest(index: np.ndarray, count: int) -> np.ndarray:
    """Numbers below `count` in as few bytes as hold them.

    >>> smallest(np.array([3, 0]), 200).dtype
    dtype('uint8')
    """
    return index.astype(np.min_scalar_type(max(count - 1, 0)))
