"""A guide to start from: every entry of U and V by itself, a normal. Change it, and run it beside the others:

    python run.py --problem 2 --guide examples/guide.py --guide mean_field

A guide is any Pyro program that draws U and V, each in the plate of the model, with a shape of (rows, K).
"""

import pyro
import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from torch import Tensor

from inference.factorization.parts.spectral_start import spectral_start
from models.factorization import Factorization
from models.ratings import Ratings


def guide(model: Factorization, data: Ratings, *, sd: float = 0.1) -> None:  # what is after *: --set sd=0.3
    for site, plate in (("U", "users"), ("V", "items")):
        rows, K = model.sites[site]
        # Parameters: a name, where it starts, and what it must keep to. They are what is fitted.
        mean = pyro.param(f"{site}_mean", torch.randn(rows, K))
        scale = pyro.param(f"{site}_scale", torch.full((rows, K), sd), constraint=constraints.positive)
        with pyro.plate(plate, rows):  # rows are independent under q ...
            pyro.sample(site, dist.Normal(mean, scale).to_event(1))  # ... and a draw is a row of K entries


def start(rng: torch.Generator, model: Factorization, data: Ratings) -> dict[str, Tensor]:
    """Optional: better places to start than those above. From random means a fit gets stuck lower down."""
    return {f"{site}_mean": mean for site, mean in spectral_start(rng, model, data).items()}
