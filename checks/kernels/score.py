"""Normal scores of every measured function, and what their means must be.

    g(f) = Phi^-1(mid-rank of f among draws of the joint)      where it lies
    h(f) = Phi^-1(mid-rank of |g|)                             how far out it lies

Any fixed g would do. It is learned on a pilot sample, and its mean under the joint on a larger one, so
that the error of that mean is known and counted. Scores are bounded: there is no tail to be caught by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from checks.journal import kept
from checks.problems.problem import Features, Problem, take
from inference.method import Latents
from models.model import Data

LEVELS = 512  # distinct scores of a function
PILOT = 8192
CHUNK = 8192
BOUND = 5.0  # normal functions are cut there: it moves their mean by nothing and h by less than 1e-5


@dataclass(frozen=True)
class Scale:
    """The scores of a problem's functions: first the free ones, then the normal ones.

    mean, variance   (2, F) under the joint, of g and h
    draws            (F,) how many draws that mean was taken over; infinite where algebra says it
    rarest           (F,) the share of draws whose value is not the commonest one
    """

    problem: Problem
    names: list[tuple[str, str]]
    edges: Tensor  # (free, LEVELS - 1)
    table: Tensor  # (2, free, LEVELS)
    seen: Tensor  # (free, LEVELS): draws of the joint at each level

    @property
    def share(self) -> Tensor:
        return self.seen / self.seen[0].sum()

    def _with_normal(self, free: Tensor, known: float) -> Tensor:
        """What was found of the free functions, and what algebra says of the normal ones."""
        return torch.cat([free, free.new_full((*free.shape[:-1], len(self.names) - len(self.seen)), known)], -1)

    @property
    def mean(self) -> Tensor:
        return self._with_normal((self.share * self.table).sum(-1), 0.0)

    @property
    def variance(self) -> Tensor:
        mean = self.mean[:, : len(self.seen), None]
        return self._with_normal((self.share * (self.table - mean) ** 2).sum(-1), 1.0)

    @property
    def draws(self) -> Tensor:
        return self._with_normal(self.seen.sum(-1), math.inf)

    @property
    def rarest(self) -> Tensor:
        return self._with_normal(1 - self.share.amax(-1), 1.0)

    def forgotten(self) -> Scale:
        """The same scores, of whose means nothing is known yet: no draw behind them is used twice."""
        return replace(self, seen=torch.zeros_like(self.seen))

    def __call__(self, latents: Latents, data: Data) -> Tensor:
        """g and h of every function in every replicate, (2, F, n)."""
        n = len(next(iter(latents.values())))
        parts = []
        for first in range(0, n, CHUNK):
            here = slice(first, first + CHUNK)
            some, given = take(latents, here), take(data, here)
            level = levels(self.edges, stack(self.problem.free(self.problem.model, some, given)))
            scores = self.table.gather(2, level.expand(2, *level.shape))
            normal = self.problem.normal(self.problem.model, some, given)
            parts.append(torch.cat([scores, normal_scores(stack(normal))], 1) if normal else scores)
        return torch.cat(parts, 2)


def learn(rng: torch.Generator, problem: Problem, draws: int) -> Scale:
    """The scale from a pilot sample, its means from `draws` more draws of the joint."""
    names, edges, table = kept(f"the scale of the {problem.name}", lambda: _learn(rng, problem), rng)
    scale = Scale(problem, names, edges, table, torch.zeros(*table.shape[1:], dtype=torch.float64))
    return more(rng, scale, draws)


def _learn(rng: torch.Generator, problem: Problem) -> tuple[list[tuple[str, str]], Tensor, Tensor]:
    latents, data = problem.joint(rng, PILOT)
    free = problem.free(problem.model, latents, data)
    normal = problem.normal(problem.model, take(latents, slice(1)), take(data, slice(1)))
    edges = torch.stack([cuts(row) for row in stack(free)])
    return [*free, *normal], edges, scores(counts(levels(edges, stack(free))))


def more(rng: torch.Generator, scale: Scale, draws: int) -> Scale:
    """The same scores, their means from at least `draws` draws of the joint in all."""
    asked = f"the scale of the {scale.problem.name}, {draws} draws"
    return replace(scale, seen=kept(asked, lambda: _seen(rng, scale, draws), rng))


def _seen(rng: torch.Generator, scale: Scale, draws: int) -> Tensor:
    problem, seen = scale.problem, scale.seen.clone()
    while (lacking := draws - int(seen[0].sum())) > 0:
        latents, data = problem.joint(rng, min(CHUNK, lacking))
        seen += counts(levels(scale.edges, stack(problem.free(problem.model, latents, data))))
    return seen


def stack(features: Features) -> Tensor:
    """(F, n), rounded so that equal values stay equal whatever the order of a sum."""
    return torch.stack(list(features.values())).round(decimals=9)


def cuts(values: Tensor) -> Tensor:
    """LEVELS - 1 places to cut at: between distinct values if they are few, else at quantiles."""
    distinct = values.unique()
    if len(distinct) <= LEVELS:
        between = (distinct[1:] + distinct[:-1]) / 2
        return torch.cat([between, between.new_full((LEVELS - 1 - len(between),), math.inf)])
    at = torch.arange(1, LEVELS) * len(values) // LEVELS
    return values.sort().values[at]


def levels(edges: Tensor, values: Tensor) -> Tensor:
    return torch.searchsorted(edges, values.contiguous())


def counts(level: Tensor) -> Tensor:
    """How many replicates are at each level, (F, LEVELS)."""
    F = len(level)
    flat = level + LEVELS * torch.arange(F)[:, None]
    return torch.bincount(flat.flatten(), minlength=F * LEVELS).reshape(F, LEVELS).to(torch.float64)


def scores(count: Tensor) -> Tensor:
    """g and h of every level, (2, F, LEVELS)."""
    g = ranks(count)
    order = g.abs().argsort(dim=-1, stable=True)
    merged = torch.zeros_like(count)
    size = g.abs().round(decimals=6)
    # levels equally far out, on either side, are one: their mid-ranks must be equal
    same = (size.gather(-1, order).diff(dim=-1) > 0).cumsum(-1)
    group = torch.cat([torch.zeros_like(same[:, :1]), same], -1)
    merged.scatter_add_(-1, group, count.gather(-1, order))
    h = torch.zeros_like(g).scatter_(-1, order, ranks(merged).gather(-1, group))
    return torch.stack([g, h])


def ranks(count: Tensor) -> Tensor:
    """Phi^-1 of the mid-rank of each level."""
    total = count.sum(-1, keepdim=True)
    return ndtri(((count.cumsum(-1) - count / 2) / total).clamp(0.5 / PILOT, 1 - 0.5 / PILOT))


def normal_scores(values: Tensor) -> Tensor:
    """g and h of functions that are N(0, 1)."""
    g = values.clamp(-BOUND, BOUND)
    return torch.stack([g, ndtri((2 * ndtr(g.abs()) - 1).clamp(1e-9, 1 - 1e-9)).clamp(-BOUND, BOUND)])
