"""Draws of a gradient estimator at fixed parameters, to set the noise of one beside another's.

Estimators: `elbo_by_hand.gradient` (reparameterised, 2.4) and `score_function.gradient` (2.3 as it stands).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from inference.factorization.parts.gaussian import standard_normal
from inference.factorization.parts.stochastic import Gradient, Tensors, batches, check_batch
from models.factorization import Factorization
from models.ratings import Ratings


def gradient_samples(rng: torch.Generator, gradient: Gradient, model: Factorization, data: Ratings, params: Tensors,
                     count: int, batch_size: int | None = None) -> Iterator[Tensors]:
    """`count` independent draws, each a dict of the shapes of `params`; on all ratings, or random minibatches."""
    size = check_batch(model, data, batch_size, 1)
    everything = torch.arange(len(data), device=data.device)
    for _ in range(count):
        batch = everything if size == len(data) else batches(rng, data, size)[0]
        noise = {site: standard_normal(rng, params[f"{site}_mean"]) for site in model.sites}
        yield gradient(model, data, params, noise, batch)[1]


def mean_and_variance(samples: Iterable[Tensors]) -> tuple[Tensors, Tensors]:
    """Of every entry, over at least two samples that are looked at once and not kept (Welford 1962)."""
    count = 0
    mean: Tensors = {}
    square: Tensors = {}
    for sample in samples:
        count += 1
        for name, value in sample.items():
            if count == 1:
                mean[name], square[name] = torch.zeros_like(value), torch.zeros_like(value)
            change = value - mean[name]
            mean[name] += change / count
            square[name] += change * (value - mean[name])
    return mean, {name: value / (count - 1) for name, value in square.items()}
