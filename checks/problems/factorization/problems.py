"""Factorizations at sizes where a sweep is nothing: not square, with counts that differ, a user and an item unrated.

The prior variance differs from the noise variance and both from 1, so that a variance read as a standard
deviation, or one in the place of the other, changes something.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from checks.problems.factorization.answers import MeanField
from checks.problems.factorization.features import coordinates, free, normal
from checks.problems.factorization.implied import implied
from checks.problems.factorization.replicates import Replicates
from checks.problems.problem import Problem, ProblemSet
from inference.method import Latents
from models.factorization import SMALL, Factorization

FOUR_BY_FIVE = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 3), (2, 0), (2, 3), (3, 1))
EIGHT_BY_SIX = tuple((i, j) for i in range(8) for j in range(6) if (5 * i + 3 * j + i * j) % 7 < 4 and i != 5)
USES = "the ratings are data.rating, at the pairs data.user and data.item"


def problems() -> list[Problem]:
    """The test problems, the most telling first. User 4 of the first and item 4 of the second have no ratings."""
    return [
        problem("6 users x 4 items, rank 2, 12 ratings",
                Factorization(6, 4, 2, prior_variance=2.0, noise_variance=0.4, pairs=pairs(SMALL))),
        problem("4 users x 5 items, rank 3, 10 ratings",
                Factorization(4, 5, 3, prior_variance=0.6, noise_variance=1.7, pairs=pairs(FOUR_BY_FIVE))),
    ]


def fitting() -> Problem:
    """8 users, one of them unrated, x 6 items, rank 2; the variances differ from each other and from 1."""
    model = Factorization(8, 6, 2, prior_variance=2.0, noise_variance=0.4, pairs=pairs(EIGHT_BY_SIX))
    return problem(f"8 users x 6 items, rank 2, {len(EIGHT_BY_SIX)} ratings", model)


def pairs(listed: tuple[tuple[int, int], ...]) -> tuple[Tensor, Tensor]:
    user, item = torch.tensor(listed).unbind(1)
    return user.contiguous(), item.contiguous()


def problem(name: str, model: Factorization) -> Problem[Factorization]:
    """(U, V, ratings) drawn from the model itself."""
    assert model.pairs is not None
    user, item = model.pairs

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Replicates]:
        def randn(*shape: int) -> Tensor:
            return torch.randn(n, *shape, generator=rng, dtype=torch.float64)

        latents = {site: math.sqrt(model.prior_variance) * randn(*shape) for site, shape in model.sites.items()}
        mean = model.quantities(latents)["prediction"]
        rating = mean + math.sqrt(model.noise_variance) * randn(len(user))
        return latents, Replicates(user, item, rating, model.num_users, model.num_items)

    return Problem(name, model, joint, Replicates.one, free, normal, {
        "noise variance": lambda factor: replace(model, noise_variance=factor * model.noise_variance),
        "prior variance": lambda factor: replace(model, prior_variance=factor * model.prior_variance),
        "inverse temperature": lambda factor: replace(model, noise_variance=model.noise_variance / factor,
                                                      prior_variance=model.prior_variance / factor),
    }, coordinates, USES, implied, MeanField(model))


SET = ProblemSet("factorization", "factorization", "Problem 2 or 3", "--problem 3 (factorizations)", problems, fitting)
