"""Factorizations at sizes where a sweep is nothing: not square, with counts that differ, a user and an item unrated.

The prior variance differs from the noise variance and both from 1, so that a variance read as a standard
deviation, or one in the place of the other, changes something.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from checks.problems.factorization_features import coordinates, free, normal
from checks.problems.problem import Problem
from checks.problems.replicates import Replicates
from inference.method import Latents
from models.factorization import Factorization

SIX_BY_FOUR = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 2), (1, 3), (2, 1), (2, 0), (3, 2), (3, 0), (5, 3))
FOUR_BY_FIVE = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 3), (2, 0), (2, 3), (3, 1))


def problems() -> list[Problem]:
    """The test problems, the most telling first. User 4 of the first and item 4 of the second have no ratings."""
    return [
        problem("6 users x 4 items, rank 2, 12 ratings",
                Factorization(6, 4, 2, prior_variance=2.0, noise_variance=0.4, pairs=pairs(SIX_BY_FOUR))),
        problem("4 users x 5 items, rank 3, 10 ratings",
                Factorization(4, 5, 3, prior_variance=0.6, noise_variance=1.7, pairs=pairs(FOUR_BY_FIVE))),
    ]


def pairs(listed: tuple[tuple[int, int], ...]) -> tuple[Tensor, Tensor]:
    user, item = torch.tensor(listed).unbind(1)
    return user.contiguous(), item.contiguous()


def problem(name: str, model: Factorization) -> Problem:
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

    return Problem(name, "factorization", model, joint, Replicates.one, free, normal, {
        "noise variance": lambda factor: replace(model, noise_variance=factor * model.noise_variance),
        "prior variance": lambda factor: replace(model, prior_variance=factor * model.prior_variance),
        "inverse temperature": lambda factor: replace(model, noise_variance=model.noise_variance / factor,
                                                      prior_variance=model.prior_variance / factor),
    }, coordinates)
