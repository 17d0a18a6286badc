"""What the page on factorization shows: a small matrix, and what a guide and a kernel believe of one user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from errors import InputError
from inference import load
from inference.drive import drive
from inference.job import Plan, generator
from inference.method import Family
from models.factorization import Factorization
from models.model import Latents
from models.ratings import Ratings

GUIDES = {"mean field, entry by entry": "coordinate_ascent",
          "mean field, row by row": "coordinate_ascent:covariance=row",
          "mean field by gradient steps": "elbo_by_hand"}
KERNELS = {"Gibbs, row by row": "row_gibbs", "Gibbs, entry by entry": "entry_gibbs",
           "random walk": "random_walk:moves=1"}
METHODS = {label: word.partition(":")[0] for label, word in (GUIDES | KERNELS).items()}
SWEEPS, DRAWS, PATH = 2000, 1000, 60
STEPS = {Family.MCMC: SWEEPS, Family.VARIATIONAL: 200}


@dataclass(frozen=True)
class World:
    """A matrix drawn from the model; `ratings` of its entries are seen, with noise of variance 1."""

    users: int
    items: int
    rank: int
    prior: float
    ratings: int
    seed: int

    @property
    def model(self) -> Factorization:
        n = self.users * self.items
        seen = np.sort(np.random.default_rng(self.seed).permutation(n)[:self.ratings])
        pairs = torch.tensor(seen // self.items), torch.tensor(seen % self.items)
        return Factorization(self.users, self.items, self.rank, self.prior, pairs=pairs)

    def drawn(self) -> tuple[Factorization, Latents, Ratings]:
        """The model, the true latents, and the ratings."""
        model, rng = self.model, generator(self.seed, "playground/ratings")
        latents = model.prior(rng)
        return model, latents, model.simulate(rng, latents)


@dataclass(frozen=True, eq=False)
class Belief:
    """Draws of U (n, users, K) and V (n, items, K), of a chain after a tenth of it, or from q; `path`: its first."""

    users: np.ndarray
    items: np.ndarray
    path: np.ndarray
    refused: str = ""


@lru_cache(maxsize=32)
def belief(word: str, world: World) -> Belief:
    """What a method believes; with the sentence that says why, if it refuses."""
    name, _, options = word.partition(":")
    method = load.method("factorization", name)
    model, _, data = world.drawn()
    steps = STEPS[method.family]
    plan = Plan(steps, warmup=0, draws=DRAWS, tolerance=1e-9 if method.family is Family.VARIATIONAL else 0.0,
                seed=world.seed)
    try:
        result = drive(method, model, data, plan, dict([options.split("=")] if options else []))
    except InputError as error:
        none = np.empty((0, world.users, world.rank))
        return Belief(none, none, none, str(error))
    users, items = (np.asarray(result.draws[site])[0] for site in "UV")
    burnt = len(users) // 10 if method.family is Family.MCMC else 0
    return Belief(users[burnt:], items[burnt:], users[:PATH])


def plane(users: np.ndarray, user: int) -> np.ndarray:
    """One user's first two factors in every draw (n, 2); of rank 1, the factor and 0."""
    found = users[:, user, :2]
    return found if found.shape[1] == 2 else np.pad(found, ((0, 0), (0, 1)))


def ellipse(users: np.ndarray, user: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of what `plane` shows."""
    points = plane(users, user)
    return points.mean(0), np.cov(points.T) + 1e-9 * np.eye(2)


def predictions(world: World, beliefs: dict[str, Belief], user: int) -> list[dict[str, object]]:
    """A row for each item: the true u.v, the rating if it is seen, and everyone's mean and sd of u.v."""
    _, latents, data = world.drawn()
    truth = (latents["U"] @ latents["V"].T)[user].numpy()
    seen = {int(j): float(r) for i, j, r in zip(data.user, data.item, data.rating, strict=True) if int(i) == user}
    rows = []
    for item in range(world.items):
        row: dict[str, object] = {"item": item + 1, "rating": f"{seen[item]:z.1f}" if item in seen else "-",
                                  "true u.v": f"{truth[item]:z.1f}"}
        for name, each in beliefs.items():
            if len(each.users):
                products = (each.users[:, user] * each.items[:, item]).sum(-1)
                row[name] = f"{products.mean():z.1f} ± {products.std():.1f}"
        rows.append(row)
    return rows


def said(beliefs: dict[str, Belief], user: int) -> str:
    """How far the guide's spread is from the chain's, in a sentence."""
    guide, kernel = beliefs.values()
    if guide.refused or kernel.refused:
        return guide.refused or kernel.refused
    ours, theirs = (np.sqrt(np.trace(ellipse(each.users, user)[1])) for each in (guide, kernel))
    why = ("turning U and V together changes no rating, so the posterior is the same in all directions"
           if guide.users.shape[-1] > 1 else
           "changing the sign of U and V together changes no rating, so the posterior has two halves")
    return (f"The chain's cloud has a standard deviation of {theirs:.2g}, the guide's ellipse one of {ours:.2g}: "
            f"{why}, of which q takes one.")
