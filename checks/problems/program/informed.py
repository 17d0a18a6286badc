"""How far the data of a user's example tell anything of each site.

    share = Var E[u | y] / Var u,        sd of the posterior / sd of the prior = sqrt(1 - share), in the mean over data

of the normal scores of u, from draws of the joint: a ridge regression on the normal scores of y, their squares, their
neighbours' products and `TANH` random functions of them, judged on draws that it has not seen. A regression that finds
less than there is makes the ratio too large, never too small.
"""

from __future__ import annotations

import torch
from torch import Tensor

from checks.problems.program.features import coordinates
from models.model import Data
from models.program import Program
from models.sites import stems

DRAWS, SLOW = 6000, 600  # replicates, and where they are drawn one by one
TANH = 200
RIDGES = (1.0, 30.0, 1000.0)


def informed(program: Program, rng: torch.Generator) -> dict[str, float]:
    """Of each latent site the mean over its entries of the ratio of sds, at most."""
    latents, data = program.joint(rng, DRAWS if program.vectorised else SLOW)
    named = coordinates(program, latents)
    u = torch.stack([normal_scores(x) for x in named.values()], 1)
    found = 1 - shares(u, regressors(rng, data)).clamp(0, 1)
    sites: dict[str, list[float]] = {}
    one = stems(tuple(program.sites))
    for (_, name), ratio in zip(named, found.sqrt().tolist(), strict=True):
        sites.setdefault(one[name.partition("[")[0]], []).append(ratio)
    return {site: sum(ratios) / len(ratios) for site, ratios in sites.items()}


def regressors(rng: torch.Generator, data: Data) -> Tensor:
    """(n, P) functions of the data."""
    parts = [x.double().reshape(len(x), -1) for x in data.values()]
    y = torch.cat(parts, 1).nan_to_num()
    y = torch.stack([normal_scores(column) for column in y.mT], 1)
    size = [part.abs().mean(1).log1p() for part in parts] + [part.std(1).log1p() for part in parts if part.shape[1] > 1]
    mean = [part.mean(1) for part in parts]
    total = torch.stack([normal_scores(x) for x in (*size, *mean)], 1)
    y = torch.cat([y, total], 1)
    W = torch.randn(y.shape[1], TANH, generator=rng, dtype=y.dtype) / y.shape[1] ** 0.5
    shift = torch.randn(TANH, generator=rng, dtype=y.dtype)
    return torch.cat([torch.ones_like(y[:, :1]), y, y**2, y[:, 1:] * y[:, :-1], torch.tanh(2 * y @ W + shift)], 1)


def shares(u: Tensor, X: Tensor) -> Tensor:
    """The share of the variance of every column of u that X explains on the half that was not fitted, (D,)."""
    half = len(u) // 2
    scale = X[:half].std(0).clamp_min(1e-9)
    X = X / scale
    A, b = X[:half].mT @ X[:half], X[:half].mT @ u[:half]
    found = []
    for ridge in RIDGES:
        w = torch.linalg.solve(A + ridge * torch.eye(len(A), dtype=A.dtype), b)
        found.append(1 - (u[half:] - X[half:] @ w).var(0) / u[half:].var(0))
    return torch.stack(found).amax(0)


def normal_scores(x: Tensor) -> Tensor:
    """Phi^-1 of the mid-rank; equal values have one."""
    values, at, count = x.double().round(decimals=9).unique(return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - count / 2) / len(x)
    return torch.special.ndtri(rank)[at]
