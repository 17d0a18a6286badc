"""The parameters a wrong kernel samples as if it had: pseudo-likelihood on (theta', data).

Every conditional p(theta_i | rest) has the model's parameters in it; their values that make the moved
latents likeliest say what the kernel used instead of what it was given.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from checks.kernels.trial import Trial
from checks.problems.grid_features import neighbourhood
from checks.right.factorization.pieces import add, items, users
from models.factorization import gather

ENOUGH = 4.0  # standard errors from what was passed, to be worth a sentence
WORTH = 0.04  # relative
REPLICATES = 2000
RELATIONS: dict[str, Callable[[float], float]] = {
    "whose square root is": lambda x: x**0.5, "whose square is": lambda x: x**2, "whose inverse is": lambda x: 1 / x,
    "twice which is": lambda x: 2 * x, "half of which is": lambda x: x / 2,
}


def implied(trial: Trial) -> list[str]:
    """Sentences; none where the parameters as passed explain the moved latents."""
    if trial.problem.kind == "ladder":
        return []  # what was passed there is learned
    return _factorization(trial) if trial.problem.kind == "factorization" else _grid(trial)


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


def _factorization(trial: Trial) -> list[str]:
    """By side: noise variance, prior variance, and the length of the conditional mean against what it should be."""
    model, data = trial.problem.model, trial.data
    some = data.replicates(slice(REPLICATES))
    latents = {site: x[:REPLICATES] for site, x in trial.after.items()}
    said = []
    for side in (users(some), items(some)):
        given = gather(latents[side.other], side.column)
        gram = add(side, given[..., :, None] * given[..., None, :], 2)
        pull = add(side, given * some.rating[..., None], 1)
        own, eye = latents[side.site], torch.eye(model.rank, dtype=torch.float64)

        def loss(log_scale: Tensor, own=own, gram=gram, pull=pull, eye=eye) -> Tensor:
            noise, prior = model.noise_variance * log_scale[0].exp(), model.prior_variance * log_scale[1].exp()
            precision = eye / prior + gram / noise
            L = torch.linalg.cholesky(precision)
            mean = torch.cholesky_solve(pull[..., None] / noise, L)[..., 0] * (1 + log_scale[2])
            white = (L.mT @ (own - mean)[..., None])[..., 0]
            return 0.5 * (white**2).sum() - L.diagonal(dim1=-2, dim2=-1).log().sum()

        at, error = fitted(loss, torch.zeros(3, dtype=torch.float64))
        passed_by_name = {"noise variance": model.noise_variance, "prior variance": model.prior_variance}
        for k, (name, passed) in enumerate(passed_by_name.items()):
            if off(at[k], error[k]):
                value = passed * math.exp(float(at[k]))
                said.append(f"{side.site} is sampled as if the {name} were {value:.2g}; you passed {passed:g}"
                            + relation(value, passed, model))
        if off(at[2], error[2]):
            said.append(f"{side.site} is sampled as if its conditional means were {1 + float(at[2]):.2g} times as long")
    return said


def off(value: Tensor, error: Tensor) -> bool:
    return bool(value.abs() > max(WORTH, ENOUGH * float(error))) and bool(torch.isfinite(value))


def relation(value: float, passed: float, model) -> str:
    """', whose square root is 0.63', if that is near."""
    near = [(abs(math.log(f(passed) / value)), f"{words} {f(passed):.2g}") for words, f in RELATIONS.items()]
    near += [(abs(math.log(other / value)), f"and the {name} is {other:g}")
             for name, other in (("prior variance", model.prior_variance), ("noise variance", model.noise_variance))
             if other != passed]
    best = min(near)
    return f", {best[1]}" if best[0] < 0.1 else ""


def _grid(trial: Trial) -> list[str]:
    """Factors of the evidence and of each neighbour's potential."""
    model = trial.problem.model
    y, image = trial.after["labels"][:REPLICATES], trial.data[:REPLICATES]
    _, sides = neighbourhood(model, y, model.field(image))
    parts = {"the evidence": model.evidence * image, **{f"the potential of the {s}": m for s, (_, m) in sides.items()}}
    stacked = torch.stack(list(parts.values()))

    def loss(factor: Tensor) -> Tensor:
        scores = model.unary + torch.einsum("p,pnhwk->nhwk", factor, stacked)
        return -torch.log_softmax(scores, -1).gather(-1, y[..., None]).sum()

    at, error = fitted(loss, torch.ones(len(parts), dtype=torch.float64))
    return [f"it samples as if {name} were {float(a):.2f} times what you passed"
            for name, a, e in zip(parts, at, error, strict=True) if off(a - 1, e)]
