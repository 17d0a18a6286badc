"""Ordered levels in a Gibbs sampler: the thresholds, then a number between two of them in the place of every rating.

    t_k | eta, r    Metropolis, every other one at once, the latent ratings integrated out: t_k + N(0, s_k^2), with
                    chance p(t') prod_n P(r_n | eta_n, t') / p(t) prod_n P(r_n | eta_n, t)
    y_n | t, eta    N(eta_n, 1) between t_{k-1} and t_k, k the level of rating n

s_k = 2.4 sd of t_k if every eta were alike: of the counts of the levels alone. Integrating y out is what lets the
thresholds move at all: between the nearest y they have no room with many ratings.

Sources: Albert and Chib (1993); Cowles (1996), Accelerating Monte Carlo Markov chain convergence for cumulative-link
generalized linear models. Cost: 3 N log probabilities and N Phi^-1.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.special import log_ndtr, ndtr, ndtri

from inference.engine import choose
from inference.factorization.compiled import ordinal as compiled
from inference.method import Latents
from inference.threads import over_rows
from models.ordinal import FAR, FIRST_SD, Ordinal, log_between
from models.ratings import Ratings

TAIL = -5.0  # below it Phi^-1 is found by Newton's method on log Phi
NEWTON = 6
NEAR = 0.1
STEP = 2.4  # standard deviations: the best random walk in one dimension


def near(model: Ordinal, latents: Latents, data: Ratings) -> Latents:
    """Rows and their means NEAR times as large, thresholds t_k = Phi^-1(share of ratings at most k): from a start far
    out, with thresholds far apart, it would take hundreds of sweeps to come in."""
    counts = torch.bincount(model.codes(data), minlength=len(model.levels)).double() + 0.5
    small = {site: NEAR * x for site, x in latents.items() if not site.startswith(("precision", "ridge"))}
    return latents | small | {"cutpoints": ndtri(counts.cumsum(0)[:-1] / counts.sum())}


def cutpoints(rng: torch.Generator, model: Ordinal, old: Tensor, eta: Tensor, code: Tensor, engine: str) -> Tensor:
    """New thresholds, (L - 1,): every other one at once, as no two of these touch the same level; then the others."""
    L = len(model.levels)
    edges = [-FAR, *old.tolist(), FAR]
    steps = scales(torch.bincount(code, minlength=L).double())
    z = torch.randn(len(old), generator=rng, dtype=torch.float64, device=rng.device).tolist()
    u = torch.rand(len(old), generator=rng, dtype=torch.float64, device=rng.device).tolist()
    now = _by_level(eta, code, edges, engine)
    for which in (range(1, L, 2), range(2, L, 2)):
        moved = [*edges]
        for k in which:
            moved[k] += steps[k - 1] * z[k - 1]
        inside = [k for k in which if edges[k - 1] < moved[k] < edges[k + 1]]
        if not inside:
            continue
        for k in set(which) - set(inside):
            moved[k] = edges[k]
        then = _by_level(eta, code, moved, engine)
        for k in inside:
            one = [*edges[:k], moved[k], *edges[k + 1:]]
            gain = then[k - 1] + then[k] - now[k - 1] - now[k] + _log_prior(model, one) - _log_prior(model, edges)
            if math.log(u[k - 1] or 1e-300) < gain:
                edges, now[k - 1], now[k] = one, then[k - 1], then[k]
    return old.new_tensor(edges[1:-1])


def _by_level(eta: Tensor, code: Tensor, edges: list[float], engine: str) -> list[float]:
    """log P of the ratings of each level together, (L,)."""
    known = eta.new_tensor(edges)
    if choose("ordinal", engine, eta.device) == "torch":
        log = log_between(known[code] - eta, known[code + 1] - eta)
    else:
        log = torch.empty_like(eta)
        over_rows(compiled.likelihood, len(eta), eta.numpy(), code.numpy(), known.numpy(), log.numpy())
    return torch.bincount(code, log, minlength=len(edges) - 1).tolist()


def _log_prior(model: Ordinal, edges: list[float]) -> float:
    """Of the thresholds, without constants: the first is normal, the gaps log-normal."""
    inner = edges[1:-1]
    gaps = [math.log(b - a) for a, b in pairwise(inner)]
    return -0.5 * ((inner[0] - model.first_mean) / FIRST_SD) ** 2 - sum(0.5 * g**2 + g for g in gaps)


def scales(counts: Tensor) -> list[float]:
    """s_k, from N phi(t_k)^2 (1 / p_k + 1 / p_{k+1}), what ratings say of t_k given its neighbours, and a prior's 1."""
    total = counts.sum().clamp(min=1)
    share = (counts / total).clamp(min=0.5 / float(total))
    density = torch.exp(-0.5 * ndtri(share.cumsum(0)[:-1].clamp(0.001, 0.999)) ** 2) / math.sqrt(2 * math.pi)
    known = counts.sum() * density**2 * (1 / share[:-1] + 1 / share[1:])
    return (STEP / (1 + known).sqrt()).tolist()


def latent_ratings(rng: torch.Generator, cut: Tensor, eta: Tensor, code: Tensor, engine: str, sd: Tensor | None = None
                   ) -> Tensor:
    """y given everything, (N,); `sd` is that of each about its eta, where it is not 1."""
    far = cut.new_tensor([FAR])
    edges = torch.cat([-far, cut, far])
    u = torch.rand(eta.shape, generator=rng, dtype=torch.float64, device=eta.device)
    if sd is not None:
        return eta + sd * between((edges[code] - eta) / sd, (edges[code + 1] - eta) / sd, u)
    if choose("ordinal", engine, eta.device) == "torch":
        return eta + between(edges[code] - eta, edges[code + 1] - eta, u)
    out = torch.empty_like(eta)
    over_rows(compiled.between, len(eta), eta.numpy(), code.numpy(), edges.numpy(), u.numpy(), out.numpy())
    return out


def between(low: Tensor, high: Tensor, u: Tensor) -> Tensor:
    """N(0, 1) between low and high, from u uniform on (0, 1): Phi^-1(Phi(low) + u (Phi(high) - Phi(low))).

    >>> between(torch.tensor([-1e8]).double(), torch.tensor([1e8]).double(), torch.tensor([0.5]).double())
    tensor([0.], dtype=torch.float64)
    """
    flip, u = low > 0, u.clamp(min=2**-54)
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    a = ndtr(low)
    found = ndtri(a + u * (ndtr(high) - a))
    if bool((deep := high < TAIL).any()):
        found[deep] = _deep(low[deep], high[deep], u[deep])
    found = torch.minimum(torch.maximum(found, low), high)
    return torch.where(flip, -found, found)


def _deep(low: Tensor, high: Tensor, u: Tensor) -> Tensor:
    """The same far down the tail, where log Phi is nearly a parabola: Newton's method on it."""
    top = log_ndtr(high)
    aim = top + torch.log(u + (1 - u) * torch.exp(log_ndtr(low) - top))
    z = -torch.sqrt(high**2 - 2 * (aim - top))
    for _ in range(NEWTON):
        log = log_ndtr(z)
        z = z - (log - aim) * torch.exp(log + 0.5 * z**2) * math.sqrt(2 * math.pi)
    return z
