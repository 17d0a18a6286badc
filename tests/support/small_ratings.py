"""Small ratings and parameters that several tests of stochastic variational inference share."""

import torch

from models.factorization import Factorization
from models.ratings import Ratings


def some_ratings(num_users, num_items, count, rank=1, seed=0) -> tuple[Factorization, Ratings]:
    """A model of this rank, and `count` ratings simulated at random pairs."""
    rng = torch.Generator().manual_seed(seed)
    pick = torch.randperm(num_users * num_items, generator=rng)[:count]
    model = Factorization(num_users, num_items, rank, 1.5, 0.7, pairs=(pick // num_items, pick % num_items))
    return model, model.simulate(rng, model.prior(rng))


def jester_in_small(num_users, num_items, count) -> tuple[Factorization, Ratings]:
    """Whole ratings from 1 to 5 with generous users, good items and one factor, as in `data.jester_like`."""
    rng = torch.Generator().manual_seed(0)
    pick = torch.randperm(num_users * num_items, generator=rng)[:count]
    user, item = pick // num_items, pick % num_items
    a, c, x, y, e = (torch.randn(n, generator=rng, dtype=torch.float64)
                     for n in (num_users, num_items, num_users, num_items, count))
    rating = 3.1 + 0.45 * a[user] + 0.3 * c[item] + 0.5 * x[user] * y[item] + 0.8 * e
    return (Factorization(num_users, num_items, 2),
            Ratings(user, item, rating.round().clamp(1, 5), num_users, num_items, (1.0, 5.0)))


def some_params(model, seed=0, sd=1.0):
    rng = torch.Generator().manual_seed(seed)
    return {f"{site}_{what}": sd * torch.randn(shape, generator=rng, dtype=torch.float64)
            for site, shape in model.sites.items() for what in ("mean", "log_variance")}
