"""Is it right for one step, and wrong from the second on? It is started anew before every step, at the same latents:
if nothing is off then, the mistake is in what its State carries from one step to the next."""

from __future__ import annotations

import torch

from checks.kernels.kernel import Kernel
from checks.kernels.trial import Trial, suspects
from checks.problems.problem import Problem
from inference.method import Family, Latents
from models.model import Data, Model


class Anew(Kernel):
    """The same kernel, which forgets its State after every step."""

    def move(self, rng: torch.Generator, problem: Problem, latents: Latents, data: Data, steps: int,
             model: Model | None = None) -> Latents:
        for _ in range(steps):
            latents = super().move(rng, problem, latents, data, 1, model)
        return latents


def only(trial: Trial, allowed: float) -> list[str]:
    """A sentence where as many replicates started anew show nothing."""
    kernel = trial.kernel
    module = kernel.method.module
    if kernel.method.family is not Family.MCMC or (hasattr(module, "transition") and not hasattr(module, "step")):
        return []  # a transition has no State of its own
    again = Trial(trial.rng, Anew(kernel.method, kernel.options), trial.problem, trial.model)
    again.scale = trial.scale
    if suspects(again.upto(trial.n), allowed):
        return []
    return [f"only from the second step on: started anew before every step, {trial.n:,} replicates show nothing; look "
            f"at what its State carries from one step to the next, and whether step brings it up to date"]
