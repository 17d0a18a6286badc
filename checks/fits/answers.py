"""What is known about a q of independent parts: its ELBO exactly, and the best it can be made from there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from checks.problems.problem import Problem
from inference.factorization import coordinate_ascent
from inference.factorization.parts import mean_field_elbo
from inference.method import Latents, Quantities
from models.grid import GridMRF

SWEEPS = 300


def moments(problem: Problem, claimed: Quantities) -> dict[str, tuple[Tensor, Tensor]]:
    """(mean, variance) of everything that `values` measures, as `expect` has it."""
    if problem.kind == "grid":
        p = claimed["labels"]
        return {"labels": (p, p * (1 - p))}
    return {site: (claimed[f"{site}_mean"], claimed[f"{site}_var"]) for site in problem.model.sites}


def values(problem: Problem, draws: Latents) -> dict[str, Tensor]:
    return problem.model.quantities(draws) if problem.kind == "grid" else draws


def independent(problem: Problem, claimed: Quantities, draws: Latents) -> bool:
    """Whether the variance of random signed sums of draws is the sum of the variances, within 5 standard errors."""
    if problem.kind == "grid":
        return True
    mean, variance = (torch.cat([m[k].flatten() for m in moments(problem, claimed).values()]) for k in (0, 1))
    off = (torch.cat([x.flatten(1) for x in draws.values()], 1) - mean) / variance.sqrt()
    rng = torch.Generator().manual_seed(0)
    for _ in range(8):
        signs = torch.randint(2, off.shape[1:], generator=rng) * 2.0 - 1.0
        share = (off @ signs.double()).square() / off.shape[1]
        if abs(float(share.mean()) - 1) > 5 * float(share.std()) / len(share) ** 0.5:
            return False
    return True


def elbo(problem: Problem, data: Any, q: Quantities) -> float:
    """E_q[log p~ - log q] in nats: closed form, or by enumeration of a grid's labellings."""
    if problem.kind != "grid":
        return float(mean_field_elbo.elbo(problem.model, data, moments(problem, q)))
    model, p = problem.model, q["labels"].clamp(min=1e-300)
    y = model.configurations
    log_q = p.log().expand(len(y), *p.shape).gather(-1, y[..., None])[..., 0].sum((-2, -1))
    return float((log_q.exp() * (model.log_joint({"labels": y}, data) - log_q)).sum())


def polished(problem: Problem, data: Any, q: Quantities) -> float:
    """The ELBO after coordinate ascent from q, to a local optimum."""
    if problem.kind == "grid":
        return elbo(problem, data, {"labels": _ascended(problem.model, data, q["labels"].clone())})
    found = moments(problem, q)
    state = coordinate_ascent.State(*found["U"], *found["V"], None, "torch")
    best = -torch.inf
    for _ in range(SWEEPS):
        state, info = coordinate_ascent.step(torch.Generator(), state, problem.model, data)
        assert info.elbo is not None
        if info.elbo - best < 1e-6:
            break
        best = info.elbo
    return best


def _ascended(model: GridMRF, data: Any, p: Tensor) -> Tensor:
    """q_ij = softmax(field + sum over the neighbours of E_q[pair]), pixel after pixel."""
    H, W, _ = model.shape
    field = model.field(data)
    for _ in range(SWEEPS):
        for i in range(H):
            for j in range(W):
                score = field[i, j].clone()
                score += model.right[i, j] @ p[i, j + 1] if j + 1 < W else 0.0
                score += p[i, j - 1] @ model.right[i, j - 1] if j else 0.0
                score += model.down[i, j] @ p[i + 1, j] if i + 1 < H else 0.0
                score += p[i - 1, j] @ model.down[i - 1, j] if i else 0.0
                p[i, j] = torch.softmax(score, 0)
    return p
