"""The parameters a wrong kernel samples as if it had: pseudo-likelihood on (theta', data).

Every conditional p(theta_i | rest) has the model's parameters in it; their values that make the moved
latents likeliest say what the kernel used instead of what it was given. What is fitted is a set's own.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

ENOUGH = 4.0  # standard errors from what was passed, to be worth a sentence
WORTH = 0.04  # relative
REPLICATES = 2000


def fitted(loss: Callable[[Tensor], Tensor], start: Tensor) -> tuple[Tensor, Tensor]:
    """The minimum of a sum of negative log-likelihoods by Newton's method, and standard errors."""
    at = start.clone()
    for _ in range(30):
        x = at.detach().requires_grad_()
        slope = torch.autograd.grad(loss(x), x)[0]
        curve = torch.autograd.functional.hessian(loss, at)
        values, vectors = torch.linalg.eigh(curve)
        move = vectors @ ((vectors.mT @ slope) / values.abs().clamp(min=1e-3))
        at = at - move.clamp(-0.5, 0.5)
        if float(move.abs().max()) < 1e-6:
            break
    curve = torch.autograd.functional.hessian(loss, at)
    return at, torch.linalg.pinv(curve).diagonal().clamp(min=0).sqrt()


def off(value: Tensor, error: Tensor) -> bool:
    return bool(value.abs() > max(WORTH, ENOUGH * float(error))) and bool(torch.isfinite(value))
