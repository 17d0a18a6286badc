"""Is the acceptance step off? Of moves from the joint as many raise log p by delta as lower it by delta, if the kernel
is reversible; with a symmetric proposal accepted at rate a(delta)

    P(+delta | |delta|) / P(-delta | |delta|) = exp(-delta) a(delta) / a(-delta) = 1,

so the slope of that log ratio in delta is 0. It is asked of kernels that refuse moves, and of numbers without steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from checks.kernels.trial import Trial

REFUSED = (0.02, 0.98)  # the share of moves, for there to be an acceptance step and something to compare
SURE = 6.0  # standard errors
LARGE = 20.0  # nats, beyond which a move says no more


def off(trial: Trial) -> list[str]:
    """The two counts in a sentence, where they differ."""
    problem = trial.problem
    if problem.model.labels:
        return []
    before, data = problem.joint(trial.rng, trial.n)
    after = trial.kernel.move(trial.rng, problem, before, data, 1, trial.model)
    stays = torch.stack([(after[site] == x).reshape(len(x), -1).all(1) for site, x in before.items()]).all(0)
    rise = (problem.model.log_joint(after, data) - problem.model.log_joint(before, data))[~stays]
    if not REFUSED[0] < float(stays.double().mean()) < REFUSED[1] or abs(slope(rise)) < SURE:
        return []
    up, down = int((rise > 0).sum()), int((rise < 0).sum())
    return [f"the acceptance step is off: it refuses {int(stays.sum()):,} of {trial.n:,} steps from the joint, and of "
            f"those that it accepts {up:,} raise the log joint and {down:,} lower it, by {float(rise.mean()):+.2g} "
            f"nats on average; were it right, and the proposal the one that it reckons with, these would be as many"]


def slope(rise: Tensor) -> float:
    """The score test of b = 0 in the logistic regression P(up) = 1 / (1 + exp(-b |rise|)), in standard errors."""
    size, up = rise.abs().clamp(max=LARGE), (rise > 0).double()
    return float((size * (up - 0.5)).sum()) / math.sqrt(float((size**2).sum()) / 4 + 1e-12)
