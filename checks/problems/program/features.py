"""Functions of (latents, data) for any program, by group, a replicate at a time and run for many by vmap.

    values        every number u without constraints, u^2; of discrete sites as they are
    log p         of every site given those before it, summed, and entry by entry where there are few; the log joint
    residuals     r = (v - E v) / sd v of every site given those before it, r^2, their neighbours' products;
                  of observed sites times u
    scores        s = d log p(u, data) / du; s_i u_i, s_i sum u, s_i s_{i+1}
    curvature     s_i^2 + d s_i / du_i, where there are few numbers
    conditionals  of every entry of a discrete site: 1[z = k] - p(z = k | everything else), log p(z | everything else)

Sites written in a loop, as x0, x1, ..., are one family: sums and neighbours over it double what is found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from checks.problems.problem import Features
from models import batched
from models.batched import seeded
from models.model import Data, Latents
from models.program import Program
from models.sites import Message, families, log_prob

FEW = 40  # entries of a site that are looked at one by one, and numbers whose curvature is
STATES = 64  # values of an entry times entries, of which all conditionals are worked out
LARGE = 1e30

Named = Iterator[tuple[tuple[str, str], Tensor]]


@dataclass
class Functions:
    """Those of one program; `names` are known once they have been worked out."""

    program: Program
    names: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, latents: Latents, data: Data) -> Features:
        """Of many replicates, (n,) each."""
        rows = self.program.over(self._of_one, latents, data).nan_to_num(nan=LARGE, posinf=LARGE, neginf=-LARGE)
        return dict(zip(self.names, rows.mT, strict=True))

    def _of_one(self, latents: Latents, data: Data) -> Tensor:
        found = [*self._all(latents, data)]
        self.names = [name for name, _ in found]
        return torch.stack([x.double() for _, x in found]).detach()

    def _all(self, latents: Latents, data: Data) -> Named:
        program, nodes = self.program, self.program.nodes(latents, data)
        u = self.coordinates.free(latents)
        yield from self._values(u, latents)
        yield from self._densities(nodes)
        yield from self._residuals(nodes, u)
        if len(u):
            yield from self._scores(u, latents, data)
        if program.known.discrete:
            yield from self._conditionals(latents, data)

    @cached_property
    def coordinates(self) -> Any:
        return self.program.coordinates

    def _values(self, u: Tensor, latents: Latents) -> Named:
        for name, x in zip(self.coordinates.names, u, strict=True):
            yield ("value", name), x
            yield ("squared value", name), x**2
        for name in self.program.known.discrete:
            z = latents[name].double().reshape(-1)
            for k, x in enumerate(z):
                yield ("value", entry(name, k, len(z))), x
            if len(z) > 1:
                yield ("sum", name), z.sum()
                yield ("product of neighbours", name), (z[1:] * z[:-1]).sum()

    def _densities(self, nodes: dict[str, Message]) -> Named:
        known, total = self.program.known, torch.zeros(())
        terms = {name: log_prob(nodes[name]) for name in (*known.latent, *known.observed, *known.factors)
                 if name in nodes}
        for name, found in terms.items():
            total = total + found.sum()
            yield ("log p", name), found.sum()
            if 1 < found.numel() <= FEW:
                for k, x in enumerate(found.reshape(-1)):
                    yield ("log p", entry(name, k, found.numel())), x
        for stem, names in self.families.items():
            yield ("log p", f"all {stem}"), torch.stack([terms[name].sum() for name in names]).sum()
        yield ("log joint", "everything"), total

    @cached_property
    def families(self) -> dict[str, list[str]]:
        known = self.program.known
        return families(list(known.latent)) | families([n for n in known.observed if n not in self.program.extra])

    def _residuals(self, nodes: dict[str, Message], u: Tensor) -> Named:
        found = {}
        for name in (*self.program.known.latent, *self.program.known.observed):
            r = residual(nodes[name]) if name in nodes else None
            if r is None:
                continue
            found[name] = r
            yield ("residual", name), r.sum()
            yield ("squared residual", name), (r * r).sum()
            if 1 < len(r) <= FEW:
                for k, x in enumerate(r):
                    yield ("residual", entry(name, k, len(r))), x
                    yield ("squared residual", entry(name, k, len(r))), x * x
            if len(r) > 1:
                yield ("residuals of neighbours", name), (r[1:] * r[:-1]).sum()
            if name in self.program.known.observed and len(u) <= FEW:
                for other, x in zip(self.coordinates.names, u, strict=True):
                    yield (f"residual times {other}", name), r.sum() * x
        for stem, names in self.families.items():
            if all(name in found for name in names):
                r = torch.cat([found[name].reshape(-1)[:1] for name in names])
                v = torch.stack([nodes[name]["value"].double().reshape(-1)[0] for name in names])
                yield ("residual", f"all {stem}"), r.sum()
                yield ("squared residual", f"all {stem}"), (r * r).sum()
                yield ("residuals of neighbours", f"all {stem}"), (r[1:] * r[:-1]).sum()
                if set(names) <= self.program.known.latent.keys():  # those of the data alone never change
                    yield ("squared steps", f"all {stem}"), ((v[1:] - v[:-1]) ** 2).sum()

    def _scores(self, u: Tensor, latents: Latents, data: Data) -> Named:
        labels = {name: latents[name] for name in self.program.known.discrete}

        def log_p(x: Tensor) -> Tensor:
            return self.log_density(x, labels, data)

        s = torch.func.grad(log_p)(u)
        names = self.coordinates.names
        for k, name in enumerate(names):
            yield ("score", name), s[k]
            yield ("score times value", name), s[k] * u[k]
            if len(u) > 1:
                yield ("score times sum of values", name), s[k] * u.sum()
                yield (f"score times that of {names[k - 1]}", name), s[k] * s[k - 1]
        if len(u) <= FEW:
            H = torch.diagonal(torch.func.jacrev(torch.func.grad(log_p))(u))
            for k, name in enumerate(names):
                yield ("squared score plus curvature", name), s[k] ** 2 + H[k]

    def log_density(self, u: Tensor, labels: Latents, data: Data) -> Tensor:
        """log p(u, data) of one replicate, in nats."""
        latents, log_det = self.coordinates.latents(u)
        return torch.stack(list(self.program.terms({**latents, **labels}, data).values())).sum() + log_det

    def _conditionals(self, latents: Latents, data: Data) -> Named:
        for name, site in self.program.known.discrete.items():
            if site.choices is None or site.choices.ndim > 1 or site.size * len(site.choices) > STATES:
                continue
            z, K = latents[name], site.choices.to(latents[name].dtype)
            lag: list[Tensor] = []
            for k in range(site.size):
                here = (torch.arange(site.size) == k).reshape(z.shape)
                log_p = torch.stack([self._log_p({**latents, name: torch.where(here, value, z)}, data) for value in K])
                log_p = log_p.log_softmax(0)
                is_it = (z.reshape(-1)[k] == K).double()
                for j in range(1, len(K)):
                    yield (f"1[{int(K[j])}] - p(it | rest)", entry(name, k, site.size)), is_it[j] - log_p[j].exp()
                own = (is_it * log_p.nan_to_num(neginf=-LARGE)).sum()
                yield ("log p given the rest", entry(name, k, site.size)), own
                lag.append(is_it[-1] - log_p[-1].exp())
            if len(lag) > 1:
                r = torch.stack(lag)
                yield ("1 - p of neighbours", name), (r[1:] * r[:-1]).sum()
                yield ("sum of 1 - p", name), r.sum()

    def _log_p(self, latents: Latents, data: Data) -> Tensor:
        return torch.stack(list(self.program.terms(latents, data).values())).sum()


def residual(site: Message) -> Tensor | None:
    """(v - E v) / sd v of every entry; None where the distribution does not know."""
    try:
        mean, variance = site["fn"].mean, site["fn"].variance
        r = (site["value"] - mean) / variance.clamp_min(1e-12).sqrt()
    except (NotImplementedError, AttributeError, RuntimeError):
        return None
    found: Tensor = r.reshape(-1)
    return found.nan_to_num(nan=0.0, posinf=1e6, neginf=-1e6)


def entry(name: str, k: int, count: int) -> str:
    return f"{name}[{k}]" if count > 1 else name


def coordinates(program: Program, latents: Latents) -> Features:
    """What must move, by name: continuous sites without constraints, for those of a simplex always add up to 1, and a
    Cholesky factor is 0 above its diagonal."""
    continuous = {name: latents[name] for name in program.known.continuous}
    found = {("value", name): column for name, column in zip(
        program.coordinates.names, torch.func.vmap(program.coordinates.free)(continuous).mT if continuous else [],
        strict=True)}
    return found | {("value", entry(name, k, math.prod(latents[name].shape[1:]))): column.double()
                    for name in program.known.discrete
                    for k, column in enumerate(latents[name].reshape(len(latents[name]), -1).mT)}


def vectorised(program: Program) -> bool:
    """Whether these functions can be worked out for many replicates at once."""
    if not program.vectorised:
        return False
    try:
        with seeded(torch.Generator()):
            batched.over(Functions(program)._of_one, list(program.joint(torch.Generator(), 2)), True)
    except Exception:  # whatever it is that vmap cannot do
        return False
    return True
