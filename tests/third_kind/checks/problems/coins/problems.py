"""Three coins: P(p <= its value | heads) is uniform, by the incomplete beta function."""

from __future__ import annotations

import torch
from models.coins import Coins, beta
from scipy.special import betainc
from torch import Tensor
from torch.special import ndtri

from checks.problems.problem import Features, Problem, ProblemSet
from inference.method import Latents


def joint(rng: torch.Generator, n: int) -> tuple[Latents, Tensor]:
    model = Coins()
    latents = {"p": beta(rng, torch.full((n, model.count), model.a), torch.full((n, model.count), model.b))}
    return latents, model.simulate(rng, latents)


def free(model: Coins, latents: Latents, heads: Tensor) -> Features:
    p = latents["p"]
    return {("log joint", "everything"): model.log_joint(latents, heads),
            ("heads times p", "everything"): (p * heads).sum(-1)} | {
            ("p", f"coin {k}"): p[:, k] for k in range(model.count)}


def normal(model: Coins, latents: Latents, heads: Tensor) -> Features:
    u = torch.from_numpy(betainc(*(x.numpy() for x in (model.a + heads, model.b + model.tosses - heads, latents["p"]))))
    return {("residual", f"coin {k}"): ndtri(u.clamp(1e-12, 1 - 1e-12))[:, k] for k in range(model.count)}


def coordinates(model: Coins, latents: Latents) -> Features:
    return {("value", f"p[{k}]"): latents["p"][:, k] for k in range(model.count)}


def problems() -> list[Problem]:
    return [Problem("3 coins, 5 tosses", Coins(), joint, lambda data, r: data[r], free, normal, {}, coordinates,
                    uses="the heads are data")]


SET = ProblemSet("coins", "coins", "Problem 4", "--problem 4 (coins)", problems, lambda: problems()[0])
