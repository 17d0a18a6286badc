"""A variational fit as what belongs together: samples, their density, an objective, its gradient, and how it is fitted.

A file holds them as functions; parameters and noise may have a leading axis of replicates:

    start(rng, model, data) -> params                       dict of float64 tensors
    sample(params, noise) -> latents                        noise: site -> N(0, 1) of its shape
    log_density(params, latents) -> log q
    elbo(model, data, params, noise, batch=None) -> nats    the objective, from one sample
    gradient(model, data, params, noise) -> params          optional: torch's, if absent
    fit(rng, model, data) -> params                         optional: Adam on the objective, if absent
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from checks.budget import tick
from checks.journal import kept
from inference.method import Latents
from models.model import Data, Model

Params = dict[str, Tensor]
NEEDED = ("start", "sample", "log_density", "elbo")
STEPS, RATE = 1500, 0.05  # of Adam; the rate falls to nothing over the steps


@dataclass(frozen=True)
class Guide:
    """The functions of a file, or stand-ins for those that it lacks."""

    name: str
    start: Callable[..., Params]
    sample: Callable[[Params, Latents], Latents]
    log_density: Callable[[Params, Latents], Tensor]
    elbo: Callable[..., Tensor]
    gradient: Callable[..., Params]
    fit: Callable[..., Params]
    further: Callable[[Params], Callable[..., Params]]  # a fit from given parameters on, by its own objective
    own: bool = False  # the fit is the author's
    samples: tuple[int, int] = (2000, 2000)  # behind a question of density, and of objective and gradient
    drawn: Callable[[Latents], Latents] = dict  # what the density is one of, where that is not the latents
    log_q: Callable[[Params, Latents], Tensor] | None = None  # of the latents, where log_density is of others
    numbers: Callable[[Latents], tuple[Tensor, Tensor]] | None = None  # these (n, D), without constraints; log |det|
    closer: int = 0  # samples behind a gradient that is not that of the objective seed by seed, if more
    batches: bool = True  # the objective takes a part of the data
    quality: Callable[..., list[str]] | None = None  # (rng, problem, budget, level) -> how good its fits are, in words
    noisy: Callable[[], bool] = bool  # once fitted: is its gradient the score function's, for want of a slope?

    @classmethod
    def of(cls, module: ModuleType, name: str) -> Guide:
        """The guide in a module that holds the functions above."""
        found = {part: getattr(module, part) for part in NEEDED}
        through = by_torch(module.elbo)
        slope = getattr(module, "gradient", None) or through

        def quieter(*given: Any) -> Params:
            """The slope of the objective on the same noise, where it has one: a gradient of the author's may be right
            and too noisy to fit by."""
            try:
                through_samples = through(*given)
            except RuntimeError:  # nothing to differentiate
                return slope(*given)
            return through_samples if all(bool(x.any()) for x in through_samples.values()) else slope(*given)

        own = getattr(module, "fit", None)
        fit = own and (lambda rng, model, data: kept("its own fit", lambda: own(rng, model, data), rng))
        return cls(name, **found, gradient=slope, fit=fit or adam(module.start, quieter),
                   further=lambda params: adam(lambda *_: params, quieter), own=own is not None)


def is_guide(module: ModuleType) -> bool:
    return all(hasattr(module, part) for part in NEEDED)


def misfits(rng: torch.Generator, guide: Guide, model: Model, data: Data) -> list[str]:
    """What a guide's functions return that is not what they should: sentences."""
    def unlike(what: str, found: object, like: Mapping[str, tuple[int, ...]]) -> list[str]:
        if not isinstance(found, dict) or not all(isinstance(x, Tensor) for x in found.values()):
            return [f"{what} returns {type(found).__name__}: return a dict of tensors, {', '.join(like)}"]
        if missing := [name for name in like if name not in found]:
            return [f"{what} returns no {', '.join(missing)}: return a dict with {', '.join(like)}"]
        return [f"{what} returns {name} of shape {tuple(found[name].shape)}, not {shape}"
                for name, shape in like.items() if found[name].shape != shape]

    params = guide.start(rng, model, data)
    if not isinstance(params, dict) or not params or not all(
            isinstance(x, Tensor) and x.dtype is torch.float64 for x in params.values()):
        return ["start returns no parameters: return a dict of float64 tensors"]
    n, z = 3, noise(rng, model, 3)
    latents = guide.sample(params, z)
    found = unlike("sample", latents, {site: (n, *shape) for site, shape in model.sites.items()})
    if found:
        return found
    density, value = guide.log_density(params, guide.drawn(latents)), guide.elbo(model, data, params, z)
    for what, x, shapes in (("log_density", density, [(n,)]), ("elbo", value, [(n,), ()])):
        if not isinstance(x, Tensor) or tuple(x.shape) not in shapes:
            got = f"a tensor of shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            found.append(f"{what} returns {got} for {n} samples: return a tensor of shape ({n},), one number each")
    return found or unlike("gradient", guide.gradient(model, data, repeated(params, n), z),
                           {name: (n, *x.shape) for name, x in params.items()})


def noise(rng: torch.Generator, model: Model, n: int) -> Latents:
    """N(0, 1) numbers for n samples of every site."""
    return {site: torch.randn(n, *shape, generator=rng, dtype=torch.float64) for site, shape in model.sites.items()}


def repeated(params: Params, n: int) -> Params:
    """The same parameters in every replicate, each with a gradient of its own."""
    return {name: value.expand(n, *value.shape).clone() for name, value in params.items()}


def by_torch(elbo: Callable[..., Tensor]) -> Callable[..., Params]:
    """The gradient of an objective for every replicate."""

    def gradient(model: Model, data: Data, params: Params, noise: Latents) -> Params:
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        total = elbo(model, data, leaves, noise).sum()
        found = torch.autograd.grad(total, list(leaves.values()), allow_unused=True)
        return {name: torch.zeros_like(leaves[name]) if g is None else g for name, g in zip(leaves, found, strict=True)}

    return gradient


def adam(start: Callable[..., Params], gradient: Callable[..., Params], steps: int = STEPS, rate: float = RATE,
         samples: int = 8) -> Callable[..., Params]:
    """Adam (Kingma and Ba 2015) on the mean gradient of a few samples."""

    def fit(rng: torch.Generator, model: Model, data: Data) -> Params:
        params = start(rng, model, data)
        return kept("a fit", lambda: climbed(rng, model, data, params), rng)

    def climbed(rng: torch.Generator, model: Model, data: Data, params: Params) -> Params:
        first, second = ({name: torch.zeros_like(x) for name, x in params.items()} for _ in range(2))
        for t in range(1, steps + 1):
            tick()
            slope = gradient(model, data, repeated(params, samples), noise(rng, model, samples))
            for name in params:
                g = slope[name].mean(0)
                first[name].lerp_(g, 0.1)
                second[name].lerp_(g * g, 0.01)
                scale = (second[name] / (1 - 0.99**t)).sqrt() + 1e-8
                params[name] = params[name] + rate * (1 - t / steps) * first[name] / (1 - 0.9**t) / scale
        return params

    return fit
