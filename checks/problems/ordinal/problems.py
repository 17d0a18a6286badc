"""Test problems of ordered levels: two, three and four of them, evenly spaced and not, plain and with more learned, on
days."""

from __future__ import annotations

from dataclasses import replace

import torch

from checks.problems.factorization.features import coordinates
from checks.problems.factorization.problems import (
    ALL_OF_FIVE_BY_THREE,
    FOUR_BY_FIVE,
    THREE_BY_FOUR,
    USES,
    fitting,
    pairs,
    randn,
)
from checks.problems.factorization.replicates import Replicates
from checks.problems.ladder.problems import prior
from checks.problems.ordinal.coverage import SHOWS
from checks.problems.ordinal.features import free, normal
from checks.problems.problem import Problem, ProblemSet
from checks.problems.time.problems import timed
from inference.method import Latents
from models.ladder import Ladder
from models.ordinal import Ordinal
from models.timed import Timed


def problems() -> list[Problem]:
    """The test problems, the most telling first."""
    return [
        problem("4 users x 5 items, rank 1, four levels", Ordinal(
            4, 5, 1, prior_variance=1.2, pairs=pairs(FOUR_BY_FIVE), levels=(1.0, 2.0, 3.0, 5.0))),
        problem("5 users x 3 items, rank 2, thumbs", Ordinal(
            5, 3, 2, prior_variance=0.8, pairs=pairs(ALL_OF_FIVE_BY_THREE), levels=(0.0, 1.0))),
        *(replace(p, brief=True) for p in (
            problem("3 users x 4 items, rank 1, three levels, biases", Ordinal(
                3, 4, 1, prior_variance=0.7, pairs=pairs(THREE_BY_FOUR), biases=True, levels=(1.0, 2.0, 3.0))),
            problem("3 users x 4 items, rank 1, three levels, learned priors and biases", Ordinal(
                3, 4, 1, pairs=pairs(THREE_BY_FOUR), hierarchical=True, biases=True, levels=(1.0, 2.0, 3.0))),
            problem("3 users x 4 items, rank 1, three levels, users of several days", timed(Ordinal(
                3, 4, 1, prior_variance=0.7, pairs=pairs(THREE_BY_FOUR), levels=(1.0, 2.0, 3.0)),
                (3, 3, 4, 30, 5, 5))),
        ))]


def problem(name: str, model: Ladder) -> Problem[Ordinal]:
    """Latents and levels from the model."""
    assert isinstance(model, Ordinal) and model.pairs is not None
    user, item = model.pairs
    time = model.times if isinstance(model, Timed) else None

    def joint(rng: torch.Generator, n: int) -> tuple[Latents, Replicates]:
        latents = prior(rng, model, n) | {"cutpoints": model.cutpoints_of(randn(rng, n, len(model.levels) - 1))}
        blank = Replicates(user, item, torch.zeros(n, len(user)).double(), model.num_users, model.num_items, time)
        y = model.latent_mean(latents, blank) + randn(rng, n, len(user))  # type: ignore[arg-type]  # as Ratings
        rating = model.levels_at[(y[..., None] > latents["cutpoints"][:, None]).sum(-1)]
        return latents, replace(blank, rating=rating)

    changed = {} if model.hierarchical else {
        "prior variance": lambda factor: replace(model, prior_variance=factor * model.prior_variance)}
    return Problem(name, model, joint, Replicates.one, free, normal, changed, coordinates, USES)


SET = ProblemSet("ordinal", "factorization", "Problem 3", "--problem 3 --model ordinal (factorizations)", problems,
                 fitting, richer=True, apart=True, shows=SHOWS)
