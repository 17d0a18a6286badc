"""A model and ratings whose users are divided among ranks: each has its own, and what all agree on."""

from __future__ import annotations

from dataclasses import replace

import torch

from errors import InputError
from inference.method import Latents
from models.factorization import Factorization
from ranks.part import WHOLE


def from_prior(rng: torch.Generator, model: Factorization) -> Latents:
    """A draw from the prior, of which a part has its users' rows, whatever the number of ranks."""
    if not model.part.divided:
        return model.prior(rng)
    drawn = replace(model, num_users=model.part.bounds[-1], part=WHOLE).prior(rng)
    return {site: model.part_of(site).own(value) for site, value in drawn.items()}


def refuse(model: Factorization, what: str) -> None:
    """Errors: InputError where the users are divided, for what has to have all of them."""
    if model.part.divided:
        raise InputError(f"{what} needs all users in one process: run it without torchrun")
