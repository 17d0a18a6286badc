"""Factorizations at sizes where a sweep is nothing, so that whatever a mistake may depend on (`SHOWS` in coverage.py)
is on some problem.

The prior variance differs from the noise variance and both from 1, so that a variance read as a standard
deviation, or one in the place of the other, changes something.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from checks.problems.factorization.answers import MeanField
from checks.problems.factorization.coverage import SHOWS
from checks.problems.factorization.features import coordinates, free, normal, sorts
from checks.problems.factorization.implied import implied
from checks.problems.factorization.replicates import Replicates
from checks.problems.problem import Problem, ProblemSet, join, take
from inference.method import Latents
from models.factorization import SMALL, Factorization

FOUR_BY_FIVE = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 3), (2, 0), (2, 3), (3, 1))
FIVE_BY_THREE = ((2, 2), (1, 0), (3, 2), (1, 2), (3, 0))  # item 1 unrated too
FOUR_BY_SIX = ((2, 4), (2, 1), (1, 2), (1, 4), (2, 2), (1, 1))  # item 3 unrated too
THREE_BY_FOUR = ((0, 0), (0, 1), (0, 3), (1, 1), (2, 0), (2, 2))
ALL_OF_FIVE_BY_THREE = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 0), (3, 1), (3, 0), (4, 1))
EIGHT_BY_SIX = tuple((i, j) for i in range(8) for j in range(6) if (5 * i + 3 * j + i * j) % 7 < 4 and i != 5)
USES = "the ratings are data.rating, at the pairs data.user and data.item"


def problems() -> list[Problem]:
    """The test problems, the most telling first."""
    return [
        problem("6 users x 4 items, rank 2, 12 ratings",
                Factorization(6, 4, 2, prior_variance=2.0, noise_variance=0.4, pairs=pairs(SMALL))),
        problem("4 users x 5 items, rank 3, 10 ratings",
                Factorization(4, 5, 3, prior_variance=0.6, noise_variance=1.7, pairs=pairs(FOUR_BY_FIVE))),
        *(replace(p, brief=True) for p in (
            problem("5 users x 3 items, rank 1, the first and the last user unrated",
                    Factorization(5, 3, 1, prior_variance=1.6, noise_variance=0.5, pairs=pairs(FIVE_BY_THREE))),
            problem("4 users x 6 items, rank 2, the first and the last of both unrated, two ratings equal and one 0",
                    Factorization(4, 6, 2, prior_variance=1.2, noise_variance=0.6, pairs=pairs(FOUR_BY_SIX)),
                    equal=(0, 2), zero=4),
            problem("3 users x 4 items, rank 1, every user and item rated",
                    Factorization(3, 4, 1, prior_variance=1.4, noise_variance=0.7, pairs=pairs(THREE_BY_FOUR))),
            problem("5 users x 3 items, rank 2, every user and item rated, two ratings equal",
                    Factorization(5, 3, 2, prior_variance=1.3, noise_variance=0.6, pairs=pairs(ALL_OF_FIVE_BY_THREE)),
                    equal=(0, 1)),
        ))]


def fitting() -> Problem:
    """8 users, one of them unrated, x 6 items, rank 2; the variances differ from each other and from 1."""
    model = Factorization(8, 6, 2, prior_variance=2.0, noise_variance=0.4, pairs=pairs(EIGHT_BY_SIX))
    return problem(f"8 users x 6 items, rank 2, {len(EIGHT_BY_SIX)} ratings", model)


def pairs(listed: tuple[tuple[int, int], ...]) -> tuple[Tensor, Tensor]:
    user, item = torch.tensor(listed).unbind(1)
    return user.contiguous(), item.contiguous()


def problem(name: str, model: Factorization, equal: tuple[int, int] | None = None, zero: int | None = None
            ) -> Problem[Factorization]:
    """(U, V, ratings) drawn from the model itself; perhaps given that two ratings are equal, or that one is 0."""
    assert model.pairs is not None
    user, item = model.pairs

    def latents(rng: torch.Generator, n: int) -> Latents:
        return {site: math.sqrt(model.prior_variance) * randn(rng, n, *shape) for site, shape in model.sites.items()}

    def fits(rng: torch.Generator, mean: Tensor) -> Tensor:
        """Latents with what is given are p(latents) times its density, largest where the means are equal, or 0."""
        weight = mean.new_zeros(len(mean))
        if equal:
            weight -= (mean[:, equal[0]] - mean[:, equal[1]]).square() / (4 * model.noise_variance)
        if zero is not None:
            weight -= mean[:, zero].square() / (2 * model.noise_variance)
        return torch.rand(len(mean), generator=rng, dtype=torch.float64).log() < weight

    def ratings(rng: torch.Generator, mean: Tensor) -> Tensor:
        rating = mean + math.sqrt(model.noise_variance) * randn(rng, *mean.shape)
        if equal:  # the product of two normal densities of one number
            both = mean[:, list(equal)].mean(1) + math.sqrt(model.noise_variance / 2) * randn(rng, len(mean))
            rating[:, list(equal)] = both[:, None]
        if zero is not None:
            rating[:, zero] = 0.0
        return rating

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Replicates]:
        drawn = latents(rng, n)
        if equal or zero is not None:
            drawn = kept(rng, n, latents, lambda x: fits(rng, model.quantities(x)["prediction"]))
        rating = ratings(rng, model.quantities(drawn)["prediction"])
        return drawn, Replicates(user, item, rating, model.num_users, model.num_items)

    return Problem(name, model, joint, Replicates.one, free, normal, {
        "noise variance": lambda factor: replace(model, noise_variance=factor * model.noise_variance),
        "prior variance": lambda factor: replace(model, prior_variance=factor * model.prior_variance),
        "inverse temperature": lambda factor: replace(model, noise_variance=model.noise_variance / factor,
                                                      prior_variance=model.prior_variance / factor),
    }, coordinates, USES, implied, sorts, MeanField(model))


def randn(rng: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def kept(rng: torch.Generator, n: int, draw: Callable[[torch.Generator, int], Latents],
         fits: Callable[[Latents], Tensor]) -> Latents:
    """n draws of those that fit, (m,) true or false."""
    parts: list[Latents] = []
    tried = had = 0
    while had < n:
        count = math.ceil(1.05 * (n - had) * (tried + 1) / (had + 1)) if tried else n
        drawn = draw(rng, count)
        parts.append(take(drawn, fits(drawn)))
        tried, had = tried + count, had + len(parts[-1]["U"])
    return take(join(parts), slice(n))


SET = ProblemSet("factorization", "factorization", "Problem 2 or 3", "--problem 3 (factorizations)", problems, fitting,
                 shows=SHOWS)
