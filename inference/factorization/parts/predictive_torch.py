"""The scorer's inner loop in torch: for any model and any device, and the readable twin of `compiled.predictive`."""

from __future__ import annotations

import torch
from jaxtyping import Float64
from torch import Tensor

from inference.engine import at_once
from inference.factorization.compiled.predictive import FLOOR
from inference.method import Latents
from models.factorization import Factorization
from models.ratings import Ratings

CHUNK = 2**18  # pairs predicted at once


def score(model: Factorization, ratings: Ratings, total: Float64[Tensor, "N"], stack: list[Latents]
          ) -> tuple[float, float]:
    """The draws in `stack` are added to `total`, in place.

    Returns the sum over the pairs of (r - prediction)^2 / (2 s) + log(s) / 2 of the last draw, and that of the logs of
    the totals after it.
    """
    energy = log_total = 0.0
    step = at_once(CHUNK, ratings.device)
    for latents in stack:
        energy = log_total = 0.0
        for first in range(0, len(ratings), step):
            part = ratings.take(torch.arange(first, min(first + step, len(ratings)), device=ratings.device))
            here, s = total[first : first + step], variance(model, latents, part)
            q = (part.rating - model.expected(latents, part)) ** 2 / (2 * s) + 0.5 * s.log()
            log = torch.logaddexp(decode(here), -q)
            here.copy_(encode(log))
            energy += float(q.sum())
            log_total += float(log.sum())
    return energy, log_total


def detail(model: Factorization, ratings: Ratings, stack: list[Latents], prediction: Float64[Tensor, "n"],
           square: Float64[Tensor, "n"], below: Float64[Tensor, "n"], noise: Float64[Tensor, "n"]) -> None:
    """Every draw's predictions, their squares, Phi((r - prediction) / sqrt(s)) and noise variances, added up in
    place."""
    for latents in stack:
        new, s = model.expected(latents, ratings), variance(model, latents, ratings)
        prediction.add_(new)
        square.addcmul_(new, new)
        below.add_(torch.special.ndtr((ratings.rating - new) / s.sqrt()))
        noise.add_(s)


def variance(model: Factorization, latents: Latents, at: Ratings) -> Tensor:
    """The noise variances of these ratings, (N,) or (1,)."""
    return torch.as_tensor(model.noise_of(latents, at), dtype=torch.float64, device=at.device).reshape(-1)


def decode(total: Tensor) -> Tensor:
    """The logarithm of a total; -inf before the first draw."""
    return torch.where(total < 0, total, total.clamp(min=0).log())


def encode(log: Tensor) -> Tensor:
    """A total from its logarithm."""
    return torch.where(log > FLOOR, log.exp(), log)
