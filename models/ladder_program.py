"""The ladder's Pyro program: the plain one's plates, with the sites that a rung adds."""

from __future__ import annotations

import math

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from models.factorization import Latents, Ratings
from models.ladder import SCALE, SHAPE, SIDES, STRENGTH, Ladder


def program(model: Ladder, data: Ratings, batch_size: int | None, batch: Tensor | None) -> None:
    """Sites in the order in which they depend on each other; a row and its bias are one draw, in two sites."""
    zero = data.rating.new_zeros(())
    variance = zero + model.noise_variance
    if model.noise:
        variance = pyro.sample("sigma2", dist.InverseGamma(zero + SHAPE, zero + SCALE))
    latents: Latents = {}
    for (side, bias), plate, count in zip(SIDES, ("users", "items"), (model.num_users, model.num_items), strict=True):
        K = model.rank
        if not model.hierarchical:
            entry = dist.Normal(zero, zero + math.sqrt(model.prior_variance))
            with pyro.plate(plate, count):
                latents[side] = pyro.sample(side, entry.expand([K]).to_event(1))
                if model.biases:
                    latents[bias] = pyro.sample(bias, entry)
            continue
        mean, precision = _row_prior(model, side, zero)
        with pyro.plate(plate, count):
            covariance = torch.linalg.inv(precision)
            latents[side] = pyro.sample(side, dist.MultivariateNormal(mean[:K], covariance[:K, :K]))
            if model.biases:  # b_i given u_i, from the precision of both
                own = precision[K, K]
                shifted = mean[K] - ((latents[side] - mean[:K]) @ precision[:K, K]) / own
                latents[bias] = pyro.sample(bias, dist.Normal(shifted, own.rsqrt()))
    model.observe(latents, data, variance.sqrt(), batch_size, batch)


def _row_prior(model: Ladder, side: str, zero: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and precision of a side's rows."""
    D = model.width
    eye = torch.eye(D, dtype=zero.dtype, device=zero.device)
    precision = pyro.sample(f"precision_{side}", dist.Wishart(zero + D, precision_matrix=eye))
    mean = pyro.sample(f"mean_{side}", dist.MultivariateNormal(eye.new_zeros(D),
                                                               precision_matrix=STRENGTH * precision))
    return mean, precision
