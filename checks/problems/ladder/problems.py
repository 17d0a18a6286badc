"""Test problems where more than U and V is learned: the noise alone, and everything."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from checks.problems.factorization.features import coordinates
from checks.problems.factorization.problems import FOUR_BY_FIVE, USES, fitting, pairs
from checks.problems.factorization.problems import problems as plain
from checks.problems.factorization.replicates import Replicates
from checks.problems.ladder.features import free, normal
from checks.problems.problem import Problem, ProblemSet
from inference.method import Latents
from models.densities import gamma, gaussian_draw
from models.factorization import SMALL
from models.ladder import SCALE, SHAPE, STRENGTH, Ladder


def problems() -> list[Problem]:
    return [
        problem("6 users x 4 items, rank 2, learned noise",
                Ladder(6, 4, 2, prior_variance=2.0, pairs=pairs(SMALL), noise=True)),
        problem("4 users x 5 items, rank 2, learned noise, priors and biases",
                Ladder(4, 5, 2, pairs=pairs(FOUR_BY_FIVE), noise=True, hierarchical=True, biases=True)),
        plain()[0],
    ]


def problem(name: str, model: Ladder) -> Problem[Ladder]:
    """Latents and ratings from the model, in the order in which it says they come about."""
    assert model.pairs is not None
    user, item = model.pairs

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Replicates]:
        def randn(*shape: int) -> Tensor:
            return torch.randn(n, *shape, generator=rng, dtype=torch.float64)

        latents: Latents = {}
        for side, count in (("U", model.num_users), ("V", model.num_items)):
            rows = math.sqrt(model.prior_variance) * randn(count, model.width)
            if model.hierarchical:
                precision = wishart(rng, n, model.width)
                mean = gaussian_draw(randn(model.width), torch.zeros(()), STRENGTH * precision)
                latents |= {f"mean_{side}": mean, f"precision_{side}": precision}
                rows = gaussian_draw(randn(count, model.width), mean[:, None], precision[:, None])
            latents |= model.from_rows(rows, side)
        variance = torch.full((n,), model.noise_variance, dtype=torch.float64)
        if model.noise:
            variance = latents["sigma2"] = SCALE / gamma(rng, torch.full((n,), SHAPE, dtype=torch.float64))
        mean = model.quantities(latents)["prediction"]
        rating = mean + variance.sqrt()[:, None] * randn(len(user))
        return latents, Replicates(user, item, rating, model.num_users, model.num_items)

    changed = {} if model.hierarchical else {
        "prior variance": lambda factor: replace(model, prior_variance=factor * model.prior_variance)}
    return Problem(name, model, joint, Replicates.one, free, normal, changed, coordinates, USES)


def wishart(rng: torch.Generator, n: int, D: int) -> Tensor:
    """n draws from Wishart(D, I), by Bartlett."""
    A = torch.randn(n, D, D, generator=rng, dtype=torch.float64).tril(-1)
    half = 0.5 * (D - torch.arange(D, dtype=torch.float64)).expand(n, D)
    A = A + torch.diag_embed((2 * gamma(rng, half)).sqrt())
    return A @ A.mT


SET = ProblemSet("ladder", "factorization", "Problem 2 or 3", "--problem 3 --model ladder (factorizations)", problems,
                 fitting, richer=True)
