"""Do a guide's density, samples, objective and gradients belong together, and is it fitted?

Every question is a mean that must be zero, over noise drawn afresh and shared by what is compared:

    density and samples    p0 / q - 1 under q, p0 a normal fitted to other samples and shrunk;
                           grad log q under q, in the parameters; and in x, along random directions a,
                           (a . grad log q) (a . (x - c)) + |a|^2, which is Stein's identity
    objective              the ELBO - (log p - log q), on the same noise
    gradient               the gradient - finite differences of the same objective, on the same noise
    minibatches            the mean over all batches - the ELBO of all ratings, on the same noise
    fit                    the fitted ELBO against what coordinate ascent makes of the same means and variances

An unpaired comparison would drown a prior sd read as a variance in the noise of the ELBO. A gradient may be noisier
or quieter than the finite differences (sticking the landing, score functions): only its mean counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from checks.guides.guide import Guide, Params, noise, repeated
from checks.problems.problem import Answers
from inference.method import Latents
from models.model import Data, Model

SHRUNK = 0.9  # p0's standard deviations, as a share of the samples'
ENOUGH = 0.3  # of the samples, as an effective number, must carry the mean of p0 / q, or it is let be
SIZES = (0.4, 1.2)  # of the parameters asked about, as a share of the guide's own start
PIECE = 1e-4  # of the finite differences
EXACT = 1e-6  # relative: a difference this small is rounding
ALIKE = 1e-3  # relative: a gradient that is the finite differences' seed by seed
NATS = 1.0  # that a fit may lack


@dataclass(frozen=True)
class Mean:
    """Differences, one a sample, whose mean must be zero; `size` is what they are differences of."""

    question: str
    where: str
    difference: Tensor
    size: float

    @property
    def z(self) -> float:
        """0 where the mean is rounding; infinite where the difference is a constant."""
        mean, n = float(self.difference.mean()), len(self.difference)
        if not math.isfinite(mean):
            return math.inf
        if abs(mean) <= EXACT * max(self.size, 1e-3):
            return 0.0
        return mean / (float(self.difference.std()) / math.sqrt(n) + 1e-12 * abs(mean))

    @property
    def p_value(self) -> float:
        return float(2 * stats.t.sf(abs(self.z), len(self.difference) - 1))


def questions(rng: torch.Generator, guide: Guide, model: Model, data: Data) -> list[Mean]:
    """Everything that is asked of a guide but its fit, at random parameters of several sizes."""
    found = []
    for size in SIZES:
        params = {name: size * x + 0.3 * torch.randn(x.shape, generator=rng, dtype=x.dtype)
                  for name, x in guide.start(rng, model, data).items()}
        found += [*density(rng, guide, model, params), objective(rng, guide, model, data, params),
                  *gradients(rng, guide, model, data, params)]
        if guide.batches:
            found.append(batches(rng, guide, model, data, params))
    return found


def density(rng: torch.Generator, guide: Guide, model: Model, params: Params) -> list[Mean]:
    """E[p0 / q] = 1, and E[grad log q] = 0 for every parameter tensor."""
    n = guide.samples[0]
    pilot, latents = (guide.drawn(guide.sample(params, noise(rng, model, n))) for _ in range(2))
    flat = [torch.cat([x.detach().reshape(n, -1) for x in draws.values()], 1) for draws in (pilot, latents)]
    found = [against_normal(flat[0], flat[1], guide.log_density(params, latents).detach(), "everything")]
    if guide.numbers and guide.log_q:
        draws = [guide.sample(params, noise(rng, model, n)) for _ in range(2)]
        (before, _), (u, log_det) = map(guide.numbers, draws)
        found.append(against_normal(before, u, guide.log_q(params, draws[1]) + log_det, "the model's sites"))
    found += stein(rng, guide, params, latents, {site: x.detach().mean(0) for site, x in pilot.items()})
    leaves = {name: x.requires_grad_() for name, x in repeated(params, n).items()}
    fixed = {site: x.detach() for site, x in latents.items()}
    slopes = torch.autograd.grad(guide.log_density(leaves, fixed).sum(), list(leaves.values()), allow_unused=True)
    for name, slope in zip(leaves, slopes, strict=True):
        if slope is not None:
            along = slope.reshape(n, -1).sum(1)
            found.append(Mean("the score of q under its samples", name, along, float(slope.abs().mean())))
    return found


def against_normal(pilot: Tensor, at: Tensor, log_q: Tensor, where: str) -> Mean:
    """p0 / q - 1 at samples (n, D) of q, p0 the normal of the pilot's."""
    weight = (normal_density(pilot, at) - log_q).clamp(max=50).exp()
    if weight.mean() < 1 and weight.sum() ** 2 < ENOUGH * len(at) * weight.square().sum():
        weight = torch.ones_like(weight)  # few samples carry the mean: it is too small more often than not
    return Mean("the density q against its samples, E[p0 / q] - 1", where, weight - 1, 1.0)


def stein(rng: torch.Generator, guide: Guide, params: Params, latents: Latents, centre: Latents) -> list[Mean]:
    """Stein's identity for linear functions: samples whose second moments are not the density's break it."""
    at = {site: x.detach().requires_grad_() for site, x in latents.items()}
    slopes = torch.autograd.grad(guide.log_density(params, at).sum(), list(at.values()), allow_unused=True)
    slope = torch.cat([(torch.zeros_like(x) if g is None else g).reshape(len(x), -1)
                       for x, g in zip(at.values(), slopes, strict=True)], 1)
    off = torch.cat([(x.detach() - centre[site]).reshape(len(x), -1) for site, x in latents.items()], 1)
    found = []
    for k in range(4):
        a = torch.randint(2, off.shape[1:], generator=rng) * 2.0 - 1.0 if k else torch.ones(off.shape[1:])
        found.append(Mean("the density q against its samples, Stein's identity", f"direction {k}",
                          (slope @ a.double()) * (off @ a.double()) + off.shape[1], float(off.shape[1])))
    return found


def normal_density(pilot: Tensor, at: Tensor) -> Tensor:
    """The log density at `at`, (n, D), of a normal with the pilot's mean and its covariance, shrunk."""
    D = pilot.shape[1]
    covariance = SHRUNK**2 * torch.cov(pilot.mT).reshape(D, D)
    L = torch.linalg.cholesky(covariance + 1e-9 * covariance.diagonal().mean() * torch.eye(D, dtype=pilot.dtype))
    z = torch.linalg.solve_triangular(L, (at - pilot.mean(0)).mT, upper=False)
    return -0.5 * (z**2).sum(0) - L.diagonal().log().sum() - 0.5 * D * math.log(2 * math.pi)


def objective(rng: torch.Generator, guide: Guide, model: Model, data: Data, params: Params) -> Mean:
    """The ELBO against log p - log q."""
    n = guide.samples[1]
    z = noise(rng, model, n)
    truth = log_ratio(guide, model, data, params, guide.sample(params, z))
    return Mean("the ELBO against log p - log q", "everything",
                _values(guide.elbo(model, data, params, z), n) - truth, float(truth.abs().mean()))


def log_ratio(guide: Guide, model: Model, data: Data, params: Params, latents: Latents) -> Tensor:
    """log p(latents, ratings) - log q(latents), in nats."""
    log_q = guide.log_q(params, latents) if guide.log_q else guide.log_density(params, guide.drawn(latents))
    return (model.log_joint({site: latents[site] for site in model.sites}, data) - log_q).detach()


def gradients(rng: torch.Generator, guide: Guide, model: Model, data: Data, params: Params) -> list[Mean]:
    """Along all ones and along random signs of every parameter tensor."""
    found = _gradients(rng, guide, model, data, params, guide.samples[1])
    if not guide.closer or all(bool((m.difference.abs() <= ALIKE * max(m.size, 1.0)).all()) for m in found):
        return found
    return _gradients(rng, guide, model, data, params, guide.closer)


def _gradients(rng: torch.Generator, guide: Guide, model: Model, data: Data, params: Params, n: int) -> list[Mean]:
    found = []
    z = noise(rng, model, n)
    slopes = guide.gradient(model, data, repeated(params, n), z)
    for name, x in params.items():
        signs = torch.randint(2, x.shape, generator=rng) * 2.0 - 1.0
        for kind, direction in (("sum of ", torch.ones_like(x)), ("signed sum of ", signs)):
            up, down = (_values(guide.elbo(model, data, {**params, name: x + side * PIECE * direction}, z), n)
                        for side in (1, -1))
            slope = (slopes[name].detach() * direction).reshape(n, -1).sum(1)
            numeric = (up - down).detach() / (2 * PIECE)
            found.append(Mean("the gradient against finite differences", kind + name, slope - numeric,
                              float(numeric.abs().mean())))
    return found


def batches(rng: torch.Generator, guide: Guide, model: Model, data: Data, params: Params) -> Mean:
    """Batches of a third of the ratings."""
    n = min(200, guide.samples[1])
    z = noise(rng, model, n)
    parts = torch.randperm(len(data), generator=rng).tensor_split(3)
    weights = [len(part) / len(data) for part in parts]
    values = [w * _values(guide.elbo(model, data, params, z, part), n) for w, part in zip(weights, parts, strict=True)]
    whole = _values(guide.elbo(model, data, params, z), n)
    return Mean("the ELBO over all minibatches against the whole one", "ratings",
                torch.stack(values).sum(0) - whole, float(whole.abs().mean()))


def lacking(answers: Answers, data: Data, latents: Latents, value: Tensor) -> tuple[float, float]:
    """Nats that a fit lacks, and their standard error: coordinate ascent goes on from the means and variances of the
    draws `latents`, whose log p - log q is `value`."""
    best = answers.polished(data, answers.summary(latents), 1e-4)
    return best - float(value.mean()), float(value.std()) / math.sqrt(len(value))


def _values(x: Tensor, n: int) -> Tensor:
    return x.detach() + torch.zeros(n if x.ndim == 0 else len(x), dtype=torch.float64)
