"""What is measured of a result on a program: of every number of every site, and of the method as a whole.

    z    = (m - m*) / sqrt(s^2 / ESS + s*^2 / ESS*)     the error of a mean in Monte Carlo standard errors
    sds  = (m - m*) / s*                                 and in posterior standard deviations

m*, s*, ESS* are the reference's; ESS* is infinite where it is exact.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from inference.diagnostics import ess, least_ess, worst_rhat
from inference.job import generator
from inference.program.parts.moments import WEIGHTS, sd_of
from inference.result import Result, import_arviz
from models.program import Program
from models.sites import log_prob, unmasked

MIXED = 1.01  # R-hat of chains that may be a reference
LOO_DRAWS = 1000
LEAST = 25  # weights behind a k-hat
STILL = 1e-12  # of a mean: an sd that is rounding
MOST = 1e3  # of an sd over another, and 1 over it

Quantities = Mapping[str, np.ndarray]  # draws of every site, (chain, draw, *site)


@dataclass(frozen=True)
class Numbers:
    """Means and standard deviations of all numbers of all sites, with the effective draws behind each, (n,)."""

    names: Sequence[str]
    mean: np.ndarray
    sd: np.ndarray
    ess: np.ndarray

    @classmethod
    def of(cls, result: Result, quantities: Quantities) -> Numbers:
        draws, sites = flat(quantities), shapes(quantities)
        chains = result.family == "mcmc"
        count = float(draws.shape[0] * draws.shape[1])
        found = ess(draws, "mean", still=count) if chains else np.full(draws.shape[-1], count)
        mean, sd, first = draws.mean((0, 1)), draws.std((0, 1)), 0
        for site, shape in sites.items():
            here = slice(first, first := first + int(np.prod(shape)))
            if result.family == "exact" and sd_of(site) in result.expected:
                mean[here], sd[here] = result.expected[site].ravel(), result.expected[sd_of(site)].ravel()
                found[here] = np.inf
        return cls(names(sites), mean, sd, found)


@dataclass(frozen=True)
class Errors:
    """Of means and standard deviations from the reference's, (n,).

    z, sds            of a mean, in Monte Carlo standard errors and in posterior sds; NaN where the reference's draws
                      are all alike, and tell no sd
    ratio, ratio_z    an sd over the reference's, and the log of that in Monte Carlo standard errors, which are
                      sqrt(1 / (2 ESS)) of a normal's; 1 and 0 of what does not vary
    """

    z: np.ndarray
    sds: np.ndarray
    ratio: np.ndarray
    ratio_z: np.ndarray

    @classmethod
    def of(cls, one: Numbers, reference: Numbers) -> Errors:
        with np.errstate(divide="ignore", invalid="ignore"):
            still = reference.sd <= STILL * np.abs(reference.mean)
            spread = np.where(one.sd <= STILL * np.abs(one.mean), reference.sd, one.sd)  # all draws alike, by chance
            error = np.sqrt(spread**2 / one.ess + reference.sd**2 / reference.ess)
            unit = np.where(still, np.nan, reference.sd)
            ratio = np.where(still, 1.0, np.clip(one.sd / reference.sd, 1 / MOST, MOST))
            ratio_z = np.log(ratio) / np.sqrt(0.5 / one.ess + 0.5 / reference.ess)
            return cls((one.mean - reference.mean) / error, (one.mean - reference.mean) / unit, ratio, ratio_z)

    @property
    def distance(self) -> float:
        """How far the worst number is: its mean in posterior sds, or the log of its sd over the reference's."""
        return float(max(np.abs(np.nan_to_num(self.sds)).max(), np.abs(np.nan_to_num(np.log(self.ratio))).max()))


@dataclass(frozen=True)
class Whole:
    """Of a method; None where there is none. elpd in nats, of all observed numbers."""

    khat: float | None
    rhat: float | None
    ess: float | None
    elpd: float | None
    elpd_error: float | None

    @classmethod
    def of(cls, result: Result, quantities: Quantities, program: Program) -> Whole:
        elpd, error = loo(result, program) if result.family != "point" else (None, None)
        return cls(khat(result), *mixing(result, quantities), elpd, error)


def mixing(result: Result, quantities: Quantities) -> tuple[float | None, float | None]:
    """The worst R-hat and the least effective draws of its numbers; None where there are no chains."""
    if result.family != "mcmc":
        return None, None
    draws = flat(quantities)
    return worst_rhat(draws), least_ess(draws)


def names(sites: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Of every number, as theta[3]."""
    return [site + (str(list(at)) if shape else "") for site, shape in sites.items() for at in np.ndindex(*shape)]


def quantities(result: Result, program: Program) -> Quantities:
    """The draws of every latent and deterministic site, (chain, draw, *site)."""
    found = program.quantities({site: torch.from_numpy(x) for site, x in result.draws.items()})
    return {site: x.detach().numpy() for site, x in found.items()}


def shapes(found: Quantities) -> dict[str, tuple[int, ...]]:
    """Of every site."""
    return {site: x.shape[2:] for site, x in found.items()}


def flat(found: Quantities) -> np.ndarray:
    """The draws of every number, (chain, draw, n)."""
    return np.concatenate([x.reshape(*x.shape[:2], -1) for x in found.values()], -1).astype(float)


def khat(result: Result) -> float | None:
    """The shape of the tail of the importance weights p / q: above 0.7, q is not to be trusted even as a proposal."""
    weights = result.expected.get(WEIGHTS)
    if weights is None or len(weights) < LEAST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a large k-hat, which is said
        return float(import_arviz().psislw(weights)[1])


def loo(result: Result, program: Program) -> tuple[float | None, float | None]:
    """The expected log predictive density of a number left out, by PSIS-LOO, and its standard error, in nats."""
    count = int(np.prod(next(iter(result.draws.values())).shape[:2]))
    if count < LEAST or not program.known.observed:
        return None, None
    every = max(count // LOO_DRAWS, 1)
    latents = {site: torch.from_numpy(x.reshape(-1, *x.shape[2:])[::every]) for site, x in result.draws.items()}
    by_site = program.over(lambda theta, y: {n: log_prob(s) for n, s in program.nodes(theta, y).items()
                                             if n in program.known.observed}, latents, program.data)
    counts = torch.cat([x.reshape(-1) for x in seen(program).values()])
    likelihood = torch.cat([x.reshape(len(x), -1) for x in by_site.values()], 1)[:, counts].numpy()
    if likelihood.shape[1] < 2 or not np.isfinite(likelihood).all():
        return None, None
    az = import_arviz()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = az.from_dict(posterior={"x": np.zeros((1, len(likelihood)))},
                            log_likelihood={"y": likelihood[None]})
        found = az.loo(data)
    return float(found.elpd_loo), float(found.se)


def seen(program: Program) -> dict[str, torch.Tensor]:
    """Which entries of the observed sites' log p no mask hides."""
    latents = program.prior(generator(0, "seen"))
    with torch.no_grad():
        nodes = program.nodes(latents, program.data)
    return {name: unmasked(nodes[name]) for name in program.known.observed if name in nodes}


def reference(results: Sequence[Result], wholes: Sequence[Whole]) -> int | None:
    """Which result the others are held against: an exact one, else the chains with R-hat below 1.01 and the most
    effective draws, else none."""
    exact = next((k for k, r in enumerate(results) if r.family == "exact"), None)
    mixed = [k for k, w in enumerate(wholes) if w.rhat is not None and w.rhat < MIXED]
    return exact if exact is not None else max(mixed, key=lambda k: wholes[k].ess or 0.0, default=None)
