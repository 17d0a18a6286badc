"""The scorer of a model of levels: how well its draws predict which level a rating is.

    P(r = k) ~ 1/T sum_t P(k | draw t)                           the predictive distribution of T draws
    NLL  = - mean over pairs of log P(r)                         nats per rating, of probabilities: not a density's
    RMSE = root mean square of r - sum_k k P(r = k)              rating units
    PIT  = P(a level below r) + v_n P(r)                         v_n = frac(0.618... n), evenly spread over (0, 1)

so that PIT is uniform where the distribution is right. `noise_variance` is the mean variance of a rating given a draw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inference.factorization.predictive import Predictive
from inference.method import Latents
from models.ordinal import Ordinal, log_probability
from models.ratings import Ratings

GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Memory:
    """What one chain's scores so far amount to; the tensors are sums over the draws, updated in place."""

    draws: int
    warm: bool
    total: dict[str, Tensor]  # of P(r_n), (N,), its logarithm
    level: dict[str, Tensor]  # of P(k), (N, L)
    square: dict[str, Tensor]  # of the squared mean of a rating, (N,)


class PredictiveLevels(Predictive):
    """As `Predictive`, of a model of levels. Errors: InputError for a rating that is no level."""

    memories = (Memory,)
    constant = 0.0
    model: Ordinal

    def __init__(self, model: Ordinal, *args: Any, **more: Any) -> None:
        super().__init__(model, *args, **more)
        self.code = {name: model.codes(ratings) for name, ratings in self.sets.items()}

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"nll": "discrete"}

    def start(self) -> Memory:  # type: ignore[override]
        L = len(self.model.levels)
        return Memory(0, False, {name: torch.full_like(r.rating, -torch.inf) for name, r in self.sets.items()},
                      {name: r.rating.new_zeros(len(r), L) for name, r in self.detailed.items()},
                      {name: torch.zeros_like(r.rating) for name, r in self.detailed.items()})

    def finish(self, memories: Sequence[Memory]) -> dict[str, np.ndarray]:  # type: ignore[override]
        """As of `Predictive`; and `<set>_probability` of every level, (pairs, L), of those that are asked for."""
        draws = sum(m.draws for m in memories)
        if not draws:
            return {}
        logs = {name: torch.stack([m.total[name] for m in memories]).logsumexp(0) - math.log(draws)
                for name in self.sets}
        found: dict[str, Tensor | float] = {f"{name}_nll": -float(log.mean()) for name, log in logs.items()}
        found |= self._rmse(memories)  # type: ignore[arg-type]
        levels, noise = self.model.levels_at, []
        for name in self.detailed:
            p = torch.stack([m.level[name] for m in memories]).sum(0) / draws
            square = torch.stack([m.square[name] for m in memories]).sum(0) / draws
            mean = p @ levels
            noise.append(p @ levels**2 - square)
            found |= {f"{name}_mean": mean, f"{name}_spread": (square - mean**2).clamp(min=0).sqrt()}
            if name != "ask":
                found |= {f"{name}_log_density": logs[name], f"{name}_pit": _pit(p, self.code[name])}
        found["noise_variance"] = float(torch.cat(noise).mean()) if noise else float("nan")
        return {name: value.cpu().numpy() if isinstance(value, Tensor) else np.array(value)
                for name, value in found.items()}

    def _add(self, memory: Memory, stack: list[Latents]  # type: ignore[override]
             ) -> tuple[Memory, dict[str, tuple[float, float]]]:
        found, levels = {}, self.model.levels_at
        for latents in stack:
            for name, ratings in self.detailed.items():
                p = self.model.probabilities(latents, ratings)
                memory.level[name].add_(p)
                memory.square[name].add_((p @ levels) ** 2)
            for name, ratings in self.sets.items():
                log = self._log(latents, ratings, self.code[name])
                torch.logaddexp(memory.total[name], log, out=memory.total[name])
                found[name] = -float(log.sum()), float(memory.total[name].sum())
        return replace(memory, draws=memory.draws + len(stack)), found

    def _log(self, latents: Latents, ratings: Ratings, code: Tensor) -> Tensor:
        eta, variance = self.model.latent_mean(latents, ratings), self.model.noise_of(latents, ratings)
        return log_probability(eta, latents["cutpoints"], code, variance)

    def _rmse(self, memories: Sequence[Memory]) -> dict[str, float]:  # type: ignore[override]
        draws, found = sum(m.draws for m in memories), {}
        for name in self.detailed:
            if name != "ask":
                mean = torch.stack([m.level[name] for m in memories]).sum(0) @ self.model.levels_at / draws
                found[f"{name}_rmse"] = float((self.sets[name].rating - mean).square().mean().sqrt())
        return found


def _pit(p: Tensor, code: Tensor) -> Tensor:
    """P(below) + v P(at) of each rating's level."""
    v = (GOLDEN * torch.arange(1, len(code) + 1, dtype=p.dtype, device=p.device)) % 1
    at = p.gather(1, code[:, None])[:, 0]
    return p.cumsum(1).gather(1, code[:, None])[:, 0] - at + v * at
