"""Geweke's test and simulation-based calibration, as they are usually run, at the budget of one look of `--check`.

Both get as many sweeps as 500 replicates of 3 steps, are run on the same first test problem, and reject at 0.001
after Bonferroni. Geweke (2004): the successive-conditional chain, theta by the kernel, data by the model, its
moments of the parameters against independent draws, standard errors by batch means. SBC (Talts et al. 2018):
the rank of theta among 15 thinned draws of a chain started from the prior, chi-square for every parameter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import stats

from checks.kernels.kernel import Broken, Kernel
from checks.problems.load import problem_set
from checks.problems.problem import Problem
from inference.method import Latents
from models.grid import GridMRF
from models.model import Data

SWEEPS = 1500
LEVEL = 1e-3
RANKS = 15


def parameters(problem: Problem, latents: Latents) -> np.ndarray:
    """(n, parameters): what a user of either test would look at."""
    return torch.stack(list(problem.coordinates(problem.model, latents).values()), -1).numpy()


def geweke(rng: torch.Generator, kernel: Kernel, problem: Problem) -> bool:
    """Whether first or second moments of the parameters differ, the chain's errors by 30 batch means."""
    latents, data = problem.joint(rng, 1)
    chain = []
    for _ in range(SWEEPS):
        latents = kernel.move(rng, problem, latents, data, 1)
        data = simulated(rng, problem, latents)
        chain.append(parameters(problem, latents)[0])
    x, y = np.array(chain), parameters(problem, problem.joint(rng, SWEEPS)[0])
    p = []
    for a, b in ((x, y), (x**2, y**2)):
        batches = a.reshape(30, -1, a.shape[1]).mean(1)
        error = np.sqrt(batches.var(0, ddof=1) / 30 + b.var(0, ddof=1) / len(b))
        p.append(2 * stats.t.sf(np.abs(a.mean(0) - b.mean(0)) / np.maximum(error, 1e-12), 29))
    return bool(np.min(p) * np.size(p) < LEVEL)


def simulated(rng: torch.Generator, problem: Problem, latents: Latents) -> Data:
    """Data for the latents of one replicate."""
    if isinstance(problem.model, GridMRF):
        return problem.model.simulate(rng, latents)
    mean = problem.model.quantities(latents)["prediction"]
    _, data = problem.joint(rng, 1)
    noise = torch.randn(mean.shape, generator=rng, dtype=mean.dtype)
    data.rating.copy_(mean + problem.model.noise_variance**0.5 * noise)
    return data


def sbc(rng: torch.Generator, kernel: Kernel, problem: Problem) -> bool:
    """Whether any parameter's ranks are not uniform. 50 chains of 30 sweeps, every second one kept."""
    chains = SWEEPS // (2 * RANKS)
    truth, data = problem.joint(rng, chains)
    latents = problem.joint(rng, chains)[0]
    kept = []
    for _ in range(RANKS):
        latents = kernel.move(rng, problem, latents, data, 2)
        kept.append(parameters(problem, latents))
    draws, theta = np.array(kept), parameters(problem, truth)
    less, ties = (draws < theta).sum(0), (draws == theta).sum(0)
    u = torch.rand(less.shape, generator=rng, dtype=torch.float64).numpy()
    rank = less + (u * (ties + 1)).astype(int)  # 0 .. RANKS, any place among equals as likely as another
    observed = np.stack([np.histogram(rank[:, k], bins=4, range=(-0.5, RANKS + 0.5))[0] for k in range(rank.shape[1])])
    p = stats.chisquare(observed, axis=1).pvalue
    return bool(p.min() * len(p) < LEVEL)


def table(wrong: list[tuple[str, Kernel]], right: list[tuple[str, Kernel]], repeats: int = 3) -> None:
    """Share of the zoo found and of right kernels rejected, by either test."""
    for name, test in (("Geweke", geweke), ("SBC", sbc)):
        caught = sum(_rejects(test, kind, kernel, 1) for kind, kernel in wrong)
        rejected = {kernel.method.name: n for kind, kernel in right
                    if (n := sum(_rejects(test, kind, kernel, seed) for seed in range(repeats)))}
        print(f"{name}: found {caught} of {len(wrong)} mistakes; rejected right kernels: "
              f"{', '.join(f'{k} {n} of {repeats}' for k, n in rejected.items()) or 'none'}", flush=True)


def _rejects(test: Callable[[torch.Generator, Kernel, Problem], bool], kind: str, kernel: Kernel, seed: int) -> bool:
    rng = torch.Generator().manual_seed(seed)
    try:
        return test(rng, kernel, problem_set(kind).problems()[0])
    except Broken:
        return True
