"""The noise and prior variances that a kernel's conditionals of U and of V seem to have."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from checks.problems.factorization.replicates import Replicates
from checks.problems.pseudo_likelihood import REPLICATES, fitted, off
from checks.right.factorization.pieces import Side, add, items, users
from inference.method import Latents
from models.factorization import Factorization, gather

RELATIONS: dict[str, Callable[[float], float]] = {
    "whose square root is": lambda x: x**0.5, "whose square is": lambda x: x**2, "whose inverse is": lambda x: 1 / x,
    "twice which is": lambda x: 2 * x, "half of which is": lambda x: x / 2,
}


def implied(model: Factorization, after: Latents, data: Replicates) -> list[str]:
    """By side: noise variance, prior variance, and the length of the conditional mean against what it should be."""
    some = data.replicates(slice(REPLICATES))
    latents = {site: x[:REPLICATES] for site, x in after.items()}
    said = []
    for side in (users(some), items(some)):
        at, error = fitted(loss(model, side, latents, some), torch.zeros(3, dtype=torch.float64))
        passed_by_name = {"noise variance": model.noise_variance, "prior variance": model.prior_variance}
        alone = not off(at[2], error[2])  # where the means are off too, a variance stands in for something else
        for k, (name, passed) in enumerate(passed_by_name.items()):
            if off(at[k], error[k]):
                value = passed * math.exp(float(at[k]))
                said.append(f"{side.site} is sampled as if the {name} were {value:.2g}; you passed {passed:g}"
                            + (relation(float(at[k]), float(error[k]), passed, model) if alone else ""))
        if off(at[2], error[2]):
            said.append(f"{side.site} is sampled as if its conditional means were {1 + float(at[2]):.2g} times as long")
    return said


def loss(model: Factorization, side: Side, latents: Latents, data: Replicates) -> Callable[[Tensor], Tensor]:
    """Of log factors of both variances and a relative change of the means: - sum_i log p(u_i | V, r)."""
    given = gather(latents[side.other], side.column)
    gram = add(side, given[..., :, None] * given[..., None, :], 2)
    pull = add(side, given * data.rating[..., None], 1)
    own, eye = latents[side.site], torch.eye(model.rank, dtype=torch.float64)

    def of(log_scale: Tensor) -> Tensor:
        noise, prior = model.noise_variance * log_scale[0].exp(), model.prior_variance * log_scale[1].exp()
        precision = eye / prior + gram / noise
        L = torch.linalg.cholesky(precision)
        mean = torch.cholesky_solve(pull[..., None] / noise, L)[..., 0] * (1 + log_scale[2])
        white = (L.mT @ (own - mean)[..., None])[..., 0]
        return 0.5 * (white**2).sum() - L.diagonal(dim1=-2, dim2=-1).log().sum()

    return of


def relation(off: float, error: float, passed: float, model: Factorization) -> str:
    """', whose square root is 0.63', if what was passed, times e^off, is that within its standard error, and no other
    explanation is."""
    near = {f"{words} {f(passed):.2g}": f(passed) for words, f in RELATIONS.items()}
    near |= {f"and the {name} is {other:g}": other
             for name, other in (("prior variance", model.prior_variance), ("noise variance", model.noise_variance))
             if other != passed}
    fits = [words for words, value in near.items() if abs(math.log(value / passed) - off) <= error]
    return f", {fits[0]}" if len(fits) == 1 else ""
