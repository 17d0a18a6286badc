"""Densities and draws that models and methods share; densities in nats, every constant included."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def log_normal(x: Tensor, mean: Tensor | float, variance: float) -> Tensor:
    """log N(x | mean, variance), elementwise, in nats.

    >>> log_normal(torch.tensor([0.0, 1.0]), 0.0, 1.0)
    tensor([-0.9189, -1.4189])
    """
    return -0.5 * ((x - mean) ** 2 / variance + math.log(2 * math.pi * variance))


def log_gaussian(x: Tensor, mean: Tensor, precision: Tensor) -> Tensor:
    """log N(x | mean, precision^-1) over the last axis, in nats.

    >>> log_gaussian(torch.zeros(2), torch.zeros(2), torch.eye(2))
    tensor(-1.8379)
    """
    L = torch.linalg.cholesky(precision)
    y = (L.mT @ (x - mean)[..., None])[..., 0]
    return L.diagonal(dim1=-2, dim2=-1).log().sum(-1) - 0.5 * ((y**2).sum(-1) + x.shape[-1] * math.log(2 * math.pi))


def gaussian_draw(z: Tensor, mean: Tensor, precision: Tensor) -> Tensor:
    """A draw from N(mean, precision^-1) for N(0, 1) noise z, (..., D)."""
    L = torch.linalg.cholesky(precision)
    return mean + torch.linalg.solve_triangular(L.mT, z[..., None], upper=True)[..., 0]


def gamma(rng: torch.Generator, shape: Tensor) -> Tensor:
    """Gamma(shape, 1) from the generator, as torch's own sampler would from the global one."""
    return torch._standard_gamma(shape, generator=rng)


def wishart_draw(rng: torch.Generator, df: float, scale: Tensor) -> Tensor:
    """Wishart(df, scale), mean df * scale, by Bartlett: L A A' L', A lower triangular, A_kk^2 ~ chi^2(df - k)."""
    D = len(scale)
    A = torch.randn(D, D, generator=rng, dtype=scale.dtype, device=scale.device).tril(-1)
    half = 0.5 * (df - torch.arange(D, dtype=scale.dtype, device=scale.device))
    A = A + torch.diag((2 * gamma(rng, half)).sqrt())
    L = torch.linalg.cholesky(scale) @ A
    return L @ L.mT
