"""Test problems where more than U and V is learned: each rung of the ladder alone, some together, and everything."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from checks.problems.factorization.features import coordinates
from checks.problems.factorization.problems import (
    ALL_OF_FIVE_BY_THREE,
    FOUR_BY_FIVE,
    FOUR_BY_SIX,
    THREE_BY_FOUR,
    USES,
    fitting,
    kept,
    pairs,
    randn,
)
from checks.problems.factorization.problems import problems as plain
from checks.problems.factorization.replicates import Replicates
from checks.problems.ladder.coverage import SHOWS
from checks.problems.ladder.features import free, normal
from checks.problems.problem import Problem, ProblemSet
from inference.method import Latents
from models.densities import gamma, gaussian_draw
from models.factorization import SMALL
from models.features import RIDGE_RATE, RIDGE_SHAPE, Featured
from models.ladder import STRENGTH, Ladder
from models.rungs import noise_per_user as users
from models.rungs import time as of_time
from models.rungs.noise import SCALE, SHAPE
from models.timed import Timed

FIVE_BY_FOUR = ((0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (1, 0), (1, 1), (2, 2), (4, 1), (4, 2))
SEEN = 30.0  # no rating of a problem here is larger: about 3 in 4 sets of ratings of the ladder's whole model


def problems() -> list[Problem]:
    """The test problems, the most telling first."""
    return [
        problem("6 users x 4 items, rank 2, learned noise",
                Ladder(6, 4, 2, prior_variance=2.0, pairs=pairs(SMALL), noise=True)),
        problem("4 users x 5 items, rank 2, learned noise, priors and biases",
                Ladder(4, 5, 2, pairs=pairs(FOUR_BY_FIVE), noise=True, hierarchical=True, biases=True)),
        *(replace(p, brief=True) for p in (
            problem("5 users x 3 items, rank 2, learned priors", Ladder(
                5, 3, 2, noise_variance=0.6, pairs=pairs(ALL_OF_FIVE_BY_THREE), hierarchical=True)),
            problem("3 users x 4 items, rank 1, learned noise and priors", Ladder(
                3, 4, 1, pairs=pairs(THREE_BY_FOUR), noise=True, hierarchical=True)),
            problem("4 users x 6 items, rank 1, learned noise, the first and the last of both unrated", Ladder(
                4, 6, 1, prior_variance=1.6, pairs=pairs(FOUR_BY_SIX), noise=True)),
            problem("4 users x 6 items, rank 2, biases", Ladder(
                4, 6, 2, prior_variance=0.8, noise_variance=1.3, pairs=pairs(FOUR_BY_SIX), biases=True)),
            problem("5 users x 3 items, rank 1, learned noise and biases, ratings near 70 in units of 20", Ladder(
                5, 3, 1, prior_variance=1.2, pairs=pairs(ALL_OF_FIVE_BY_THREE), noise=True, biases=True, centre=70.0,
                unit=20.0)),
            problem("5 users x 4 items, rank 1, a noise for every user", Ladder(
                5, 4, 1, prior_variance=1.4, pairs=pairs(FIVE_BY_FOUR), noise=True, noise_per_user=True)),
            problem("4 users x 5 items, rank 1, a noise for every user, learned priors and biases", Ladder(
                4, 5, 1, pairs=pairs(FOUR_BY_FIVE), noise=True, hierarchical=True, biases=True, noise_per_user=True)),
            plain()[0],
        ))]


def problem(name: str, model: Ladder) -> Problem[Ladder]:
    """Latents and ratings from the model, those whose ratings are within `SEEN`.

    A choice by the data alone leaves p(latents | ratings) as it is. Without it 1 start in 20,000 has rows 1e5 long, for
    the model's Wishart priors have no more degrees of freedom than columns: no data put a chain there, and textbook
    formulas lose their digits.
    """
    assert model.pairs is not None
    user, item = model.pairs
    time = model.times if isinstance(model, Timed) else None

    def drawn(rng: torch.Generator, n: int) -> Latents:
        latents = prior(rng, model, n)
        blank = Replicates(user, item, torch.zeros(n, len(user)).double(), model.num_users, model.num_items, time)
        variance = torch.as_tensor(model.noise_of(latents, blank), dtype=torch.float64)  # type: ignore[arg-type]
        mean = model.expected(latents, blank)  # type: ignore[arg-type]  # as Ratings, with replicates
        return latents | {"rating": mean + variance.sqrt() * randn(rng, n, len(user))}

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Replicates]:
        found = kept(rng, n, drawn, lambda x: (x["rating"] - model.centre).abs().amax(-1) < SEEN * model.unit)
        rating = found.pop("rating")
        return found, Replicates(user, item, rating, model.num_users, model.num_items, time)

    changed = {} if model.hierarchical else {
        "prior variance": lambda factor: replace(model, prior_variance=factor * model.prior_variance)}
    return Problem(name, model, joint, Replicates.one, free, normal, changed, coordinates, USES)


def prior(rng: torch.Generator, model: Ladder, n: int) -> Latents:
    """n draws of the latents, in the order in which the model says they come about."""
    latents: Latents = {}
    for side, count in (("U", model.num_users), ("V", model.num_items)):
        rows = math.sqrt(model.prior_variance) * randn(rng, n, count, model.width)
        if model.hierarchical:
            precision = wishart(rng, n, model.width)
            mean = gaussian_draw(randn(rng, n, model.width), torch.zeros(()), STRENGTH * precision)
            latents |= {f"mean_{side}": mean, f"precision_{side}": precision}
            if isinstance(model, Featured):
                ridge = gamma(rng, torch.full((n,), RIDGE_SHAPE, dtype=torch.float64)) / RIDGE_RATE
                z = randn(rng, n, model.known(side).shape[1], model.width)
                of_weights = (ridge[:, None, None] * precision)[:, None]
                latents |= {f"ridge_{side}": ridge,
                            f"weights_{side}": gaussian_draw(z, torch.zeros(()), of_weights)}
            rows = gaussian_draw(randn(rng, n, count, model.width), model.row_means(latents, side), precision[:, None])
        latents |= model.from_rows(rows, side)
    if model.noise_per_user:
        latents["sigma2"] = gamma(rng, torch.full((n,), users.SHAPE, dtype=torch.float64)) / users.RATE
        each = gamma(rng, torch.full((n, model.num_users), users.ALIKE, dtype=torch.float64))
        latents["precision_user"] = each / (users.ALIKE * latents["sigma2"][:, None])
    elif model.noise:
        latents["sigma2"] = SCALE / gamma(rng, torch.full((n,), SHAPE, dtype=torch.float64))
    if isinstance(model, Timed):
        for cells in model.of_time.calendar.sides:
            t = gamma(rng, torch.full((n,), of_time.SHAPE, dtype=torch.float64)) / of_time.RATE
            latents |= dict(zip(cells.sites, (randn(rng, n, len(cells)) / t.sqrt()[:, None], t), strict=True))
    return latents


def wishart(rng: torch.Generator, n: int, D: int) -> torch.Tensor:
    """n draws from Wishart(D, I), by Bartlett."""
    A = torch.randn(n, D, D, generator=rng, dtype=torch.float64).tril(-1)
    half = 0.5 * (D - torch.arange(D, dtype=torch.float64)).expand(n, D)
    A = A + torch.diag_embed((2 * gamma(rng, half)).sqrt())
    return A @ A.mT


SET = ProblemSet("ladder", "factorization", "Problem 2 or 3", "--problem 3 --model ladder (factorizations)", problems,
                 fitting, richer=True, shows=SHOWS)
