"""Noise precisions a user and their typical variance, each given the rest; the equations are in `ladder_gibbs`."""

from __future__ import annotations

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from inference.method import Latents
from models.densities import gamma
from models.rungs.noise_per_user import ALIKE, RATE, SHAPE
from ranks.part import WHOLE, Part


def precisions(rng: torch.Generator, sigma2: Tensor, error: Float64[Tensor, "N"], user: Int64[Tensor, "N"],
               num_users: int, part: Part = WHOLE) -> Latents:
    """w, (users,), given the errors of the ratings in standard units. Where users are divided among ranks each of them
    draws for all, as a Gamma takes as many random numbers as it happens to, and keeps its own."""
    count = torch.bincount(user, minlength=num_users)
    squares = torch.bincount(user, error.square(), num_users)
    drawn = part.own(gamma(rng, part.all(ALIKE + 0.5 * count)))
    return {"precision_user": drawn / (ALIKE * sigma2 + 0.5 * squares)}


def typical(rng: torch.Generator, precision: Float64[Tensor, "users"], part: Part = WHOLE) -> Latents:
    """sigma^2, (), given the users' precisions; the ratings say nothing more of it."""
    shape = precision.new_tensor(SHAPE + ALIKE * part.total(len(precision)))
    return {"sigma2": gamma(rng, shape) / (RATE + ALIKE * part.sum(precision.sum()))}
