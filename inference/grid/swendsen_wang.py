"""Swendsen-Wang for any pair table: equal neighbours are bound at random, then whole clusters are relabelled.

Every pair table splits into effects of either pixel, which join the field, and a distance that is 0 on the
diagonal, phi(k, l) = u(k) + v(l) - D(k, l). With delta = max(0, min over k != l of D(k, l)),

    exp(-D(k, l)) = (1 - e^-delta) [k = l]  +  exp(rest(k, l)),
    rest(k, k) = -delta,   rest(k, l) = -D(k, l).

1. An edge between equal labels is bound with chance 1 - e^-delta: both pixels must stay equal.
2. Bound pixels form clusters. Given the bonds and all other clusters, the label of a cluster C is drawn from

       softmax_k( sum over i in C of field_i(k)  +  sum over edges (i, n) that leave C of rest(k, y_n) ),

   cluster after cluster. Edges inside C count the same for every k.

A coupling a > b >= 0 at label distance 0, 1 has delta = a - b and, but for a constant, exp(rest) = 1 + (e^b - 1)
[|k - l| <= 1]: the partial bond that the distance-1 bonus needs. It is kept as a factor; drawn as 0 or 1 it would
be exact too, but would tie clusters to within one label of their neighbours. With two labels rest is constant where
delta > 0, the clusters are independent, and this is Swendsen and Wang (1987) with a field. Where delta = 0 (unequal
neighbours are preferred) nothing is bound, and single pixels take Gibbs steps: exact, but no faster than Gibbs.

Cost: 5 H W K additions and two passes of union-find a step. Sources: Edwards and Sokal 1988; Higdon 1998 (partial
decoupling). docs/problem1.md derives each line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.single_site import Chain, draw, expect, given_labels, pick, random_labels, warm
from inference.method import Family, Info, Latents
from models.grid import GridMRF

FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "expect", "init", "start", "step", "warm"]


@dataclass(frozen=True)
class State(Chain):
    """`sums` is of the probabilities each pixel's cluster was drawn from, over `count` sweeps."""

    engine: str  # compiled | torch


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, engine: Engine = "auto") -> State:
    """Labels at random."""
    if model.device.type != "cpu":
        raise InputError(f"swendsen_wang grows its clusters pixel by pixel and runs on the CPU, not on "
                         f"{model.device}: use 'gibbs' there")
    refuse_pairs("swendsen_wang", model)
    return State(random_labels(rng, model), torch.zeros_like(model.unary), 0,
                 choose("swendsen_wang", engine, model.device))


def start(rng: torch.Generator, model: GridMRF, data: Tensor | None, latents: Latents, *,
          engine: Engine = "auto") -> State:
    """At given labels."""
    return replace(init(rng, model, data, engine=engine), labels=given_labels(model, latents))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """Bonds, clusters, labels."""
    model = softened(model)
    uniform = torch.rand(3, *state.labels.shape, dtype=torch.float64, generator=rng)
    effects, right, down = split(model)
    tables = (model.field(data) + effects).contiguous(), right, down
    if state.engine == "compiled":
        from inference.grid.compiled import swendsen_wang as swendsen_wang_numba

        labels, sums = state.labels.clone(), state.sums.clone()
        swendsen_wang_numba.sweep(*(t.numpy() for t in (labels, sums, *tables, uniform)))
    else:
        labels, p = sweep(state.labels.long(), *tables, uniform)
        sums = state.sums + p
    return replace(state, labels=labels.to(torch.uint8), sums=sums, count=state.count + 1), Info()


@lru_cache(maxsize=4)
def split(model: GridMRF
          ) -> tuple[Float64[Tensor, "H W K"], Float64[Tensor, "H W-1 K K"], Float64[Tensor, "H-1 W K K"]]:
    """What the pair tables give to the field, and `rest` of both; views of one table stay views.

    u(k) = phi(k, k) / 2 + a(k), v(l) = phi(l, l) / 2 - a(l) with a(k) the mean over l of
    (phi(k, l) - phi(l, k)) / 2; then D is symmetric where there are two labels. Kept for the next step.
    """
    effects = torch.zeros_like(model.unary, memory_format=torch.contiguous_format)
    rests = []
    for phi, first, second in ((model.right, effects[:, :-1], effects[:, 1:]),
                               (model.down, effects[:-1], effects[1:])):
        one = phi[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in phi.stride()[:2])]
        diagonal, skew = one.diagonal(dim1=-2, dim2=-1) / 2, (one - one.mT).mean(-1) / 2
        u, v = diagonal + skew, diagonal - skew
        first += u
        second += v
        D = u[..., :, None] + v[..., None, :] - one
        same = torch.eye(D.shape[-1], dtype=torch.bool)
        delta = D.masked_fill(same, torch.inf).amin((-2, -1), keepdim=True).clamp(min=0)
        rests.append(torch.where(same, -delta, -D).expand(phi.shape))
    return effects, rests[0], rests[1]


def sweep(labels: Int64[Tensor, "H W"], field: Tensor, right: Tensor, down: Tensor, uniform: Float64[Tensor, "3 H W"]
          ) -> tuple[Tensor, Tensor]:
    """New labels, and the probabilities that each pixel's cluster was drawn from."""
    beside, below = bond_probability(labels, right, down)
    member = clusters(uniform[0, :, :-1] < beside, uniform[1, :-1] < below)
    p = torch.empty_like(field)
    for root in member.unique():
        inside = member == root
        p[inside] = torch.softmax(cluster_potentials(labels, inside, field, right, down), -1)
        labels = torch.where(inside, pick(p[inside][0], uniform[2].flatten()[root]), labels)
    return labels, p


def bond_probability(labels: Int64[Tensor, "*copies H W"], right: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """Chance of a bond on every edge: 1 - e^-delta between equal labels."""
    beside = (labels[..., 1:] == labels[..., :-1]) * -torch.expm1(right[..., 0, 0])
    return beside, (labels[..., 1:, :] == labels[..., :-1, :]) * -torch.expm1(down[..., 0, 0])


def clusters(beside: Bool[Tensor, "H W-1"], below: Bool[Tensor, "H-1 W"]) -> Int64[Tensor, "H W"]:
    """The first pixel, in raster order, of every pixel's cluster: minima spread along bonds until they rest."""
    H, W = len(beside), below.shape[1]
    member, before = torch.arange(H * W).reshape(H, W), None
    while before is None or not torch.equal(member, before):
        before = member.clone()
        for bound, a, b in ((beside, member[:, :-1], member[:, 1:]), (below, member[:-1], member[1:])):
            least = torch.where(bound, torch.minimum(a, b), a)
            b.copy_(torch.where(bound, least, b))
            a.copy_(torch.minimum(a, torch.where(bound, b, a)))
    return member


def cluster_potentials(labels: Int64[Tensor, "*copies H W"], inside: Bool[Tensor, "H W"],
                       field: Tensor, right: Tensor, down: Tensor) -> Float64[Tensor, "*copies K"]:
    """Log weight of every label of one cluster, given the labels of the others."""
    K = field.shape[2]
    total = field[inside].sum(0).expand(*labels.shape[:-2], K).clone()
    for table, a, b in ((right, (..., slice(-1)), (..., slice(1, None))),
                        (down, (..., slice(-1), slice(None)), (..., slice(1, None), slice(None)))):
        for i, j in (inside[a] & ~inside[b]).nonzero().tolist():
            total += table[i, j][:, labels[b][..., i, j]].movedim(0, -1)
        for i, j in (inside[b] & ~inside[a]).nonzero().tolist():
            total += table[i, j][labels[a][..., i, j]]
    return total
