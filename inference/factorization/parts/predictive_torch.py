"""The scorer's inner loop in torch: for any model and any device, and the readable twin of `compiled.predictive`."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.factorization.compiled.predictive import FLOOR
from inference.method import Latents
from models.factorization import Factorization
from models.ratings import Ratings

CHUNK = 2**18  # pairs predicted at once


def score(model: Factorization, ratings: Ratings, total: Float64[Tensor, "N"], stack: list[Latents],
          noise: list[float]) -> tuple[float, float]:
    """The draws in `stack`, of these noise variances, are added to `total`, in place.

    Returns the mean energy (r - prediction)^2 / (2 s) of the last draw, and the mean log of the totals after it.
    """
    energy = log_total = 0.0
    for latents, variance in zip(stack, noise, strict=True):
        energy = log_total = 0.0
        for user, item, rating, here in zip(*(x.split(CHUNK) for x in (*ratings.pairs, ratings.rating, total)),
                                            strict=True):
            q = (rating - model.quantities(latents, (user, item))["prediction"]) ** 2 / (2 * variance)
            log = torch.logaddexp(decode(here), -q - 0.5 * math.log(variance))
            here.copy_(encode(log))
            energy += float(q.sum()) / len(ratings)
            log_total += float(log.sum()) / len(ratings)
    return energy, log_total


def detail(model: Factorization, ratings: Ratings, stack: list[Latents], noise: list[float],
           prediction: Float64[Tensor, "n"], square: Float64[Tensor, "n"], below: Float64[Tensor, "n"]) -> None:
    """Every draw's predictions, their squares, and Phi((r - prediction) / sqrt(s)), added up in place."""
    for latents, variance in zip(stack, noise, strict=True):
        new = model.quantities(latents, ratings.pairs)["prediction"]
        prediction.add_(new)
        square.addcmul_(new, new)
        below.add_(torch.special.ndtr((ratings.rating - new) / math.sqrt(variance)))


def decode(total: Tensor) -> Tensor:
    """The logarithm of a total; -inf before the first draw."""
    return torch.where(total < 0, total, total.clamp(min=0).log())


def encode(log: Tensor) -> Tensor:
    """A total from its logarithm."""
    return torch.where(log > FLOOR, log.exp(), log)
