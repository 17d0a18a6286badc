"""A guide of a user's own program, fitted to many data sets drawn from it: all at once by vmap over its parameters.

    ELBO(params, y) = E_q [log p(latents, y) - log q(latents)]

by Adam, in rounds in each of which the rate falls to nothing, until a round raises the ELBO of nine data sets in ten by
less than `ARRIVED` nats, or the time is up; those that have not arrived are left out, a choice by the data alone. Where
vmap does not take the guide, or its draws have no slopes, a few data sets one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from pyro import poutine
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import transform_to
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as trees

from checks.budget import Budget, tick
from checks.guides.guide import Guide, Params, noise
from checks.guides.questions import log_ratio
from checks.journal import kept
from checks.problems.problem import Problem, join
from inference.method import Latents
from models import batched
from models.batched import seeded
from models.held import Observed
from models.model import Data
from models.program import Program
from models.sites import Message, kind, log_prob

SETS, FEW = 64, 6  # data sets: at once, and one by one
STEPS, ROUNDS = 300, 6  # gradient steps of a round
SAMPLES = 4  # of q in a gradient
RATE = 0.05
DRAWS = 400  # of every fitted q, an even number
ARRIVED = 0.1  # nats
ENOUGH = 0.9  # of the data sets


@dataclass(frozen=True)
class Fits:
    """Of R data sets: numbers without constraints of N draws of each q, and of the latents behind the data.

    u (R, N, D); slope (R, N, D) = d log p(u, y) / du; log_w (R, N) = log p - log q in nats; true (R, D)
    away: data sets whose ELBO the last steps still raised, which are left out
    """

    names: list[str]
    u: Tensor
    slope: Tensor
    log_w: Tensor
    true: Tensor
    away: int = 0


class Filled(Messenger):  # type: ignore[misc]
    """Pyro's parameters at these values, which are without constraints."""

    def __init__(self, values: Params, constraints: Mapping[str, Any]) -> None:
        super().__init__()
        self.values, self.constraints = values, constraints

    def _pyro_param(self, msg: Message) -> None:
        if msg["name"] in self.values:
            to = transform_to(self.constraints[msg["name"]])
            msg.update(value=to(self.values[msg["name"]]), done=True, stop=True)


class Replaced(TorchFunctionMode):
    """Other tensors in the place of these, wherever they are used: a module hands out its own parameters."""

    def __init__(self, leaves: Params, values: Params) -> None:
        super().__init__()
        self.values = {id(leaf): values[name] for name, leaf in leaves.items()}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = trees.tree_map(lambda x: self.values.get(id(x), x), (args, kwargs or {}))
        return function(*args, **kwargs)


def refitted(rng: torch.Generator, guide: Guide, made: Any, problem: Problem[Program], clock: Budget) -> Fits:
    """The guide's fits, within half of what is left of the budget. `made` is an inference.program.parts.guided.Guide of
    its own, which is not used after this."""
    until = (clock.spent + clock.seconds) / 2
    if problem.model.vectorised and not guide.noisy():
        latents, data = problem.joint(rng, SETS)
        try:
            return _together(rng, made, problem.model, latents, data, lambda: clock.spent > until)
        except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError):
            pass  # something that vmap cannot do
    return _one_by_one(rng, guide, problem, lambda: clock.spent > until)


def _together(rng: torch.Generator, made: Any, model: Program, latents: Latents, data: Data, late: Any) -> Fits:
    leaves = made.store["params"]
    params = {name: x.detach().expand(SETS, *x.shape).clone() for name, x in leaves.items()}

    def weighed(p: Params, y: Data) -> tuple[Tensor, Latents]:
        with poutine.block(), poutine.trace() as drawn, Filled(p, made.store["constraints"]), Replaced(leaves, p):
            made.call(Observed(y))
        sites = {name: site for name, site in drawn.trace.nodes.items() if site["type"] == "sample"}
        log_q = [log_prob(site).sum() for site in sites.values() if kind(site) != "plate"]
        at = {name: torch.as_tensor(sites[name]["value"]) for name in model.sites}
        return torch.stack(list(model.terms(at, y).values())).sum() - torch.stack(log_q).sum(), at

    def many(p: Params, y: Data, count: int) -> tuple[Tensor, Latents]:
        found: tuple[Tensor, Latents] = torch.func.vmap(lambda _: weighed(p, y), randomness="different")(
            torch.zeros(count))
        return found

    def elbo(p: Params, y: Data) -> Tensor:
        return many(p, y, SAMPLES)[0].mean()

    def value() -> Tensor:
        with seeded(torch.Generator().manual_seed(0)), torch.no_grad():
            found: Tensor = batched.over(lambda p, y: many(p, y, DRAWS)[0].mean(), [params, data], True)
            return found

    def climbed(params: Params) -> Params:
        with seeded(rng):
            return _climbed(params, lambda p: batched.over(torch.func.grad(elbo), [p, data], True))

    best = value()
    for _ in range(ROUNDS):
        params = kept("a round of fits", partial(climbed, params), rng)
        before, best = best, value()
        there = best - before < ARRIVED
        if there.double().mean() >= ENOUGH or late():
            break
    if not bool(there.any()):
        nothing = torch.zeros(0, DRAWS, len(model.coordinates.names))
        return Fits(model.coordinates.names, nothing, nothing, nothing[..., 0], nothing[:, 0], SETS)
    with seeded(rng), torch.no_grad():
        log_w, at = batched.over(lambda p, y: many(p, y, DRAWS), [params, data], True)
    at, latents, data = ({name: x[there] for name, x in group.items()} for group in (at, latents, data))
    return _looked_at(model, at, log_w[there], latents, data, int((~there).sum()))


def _climbed(params: Params, gradient: Any) -> Params:
    """A round of Adam (Kingma and Ba 2015) from here."""
    first, second = ({name: torch.zeros_like(x) for name, x in params.items()} for _ in range(2))
    for t in range(1, STEPS + 1):
        tick()
        slope, rate = gradient(params), RATE * min(1.0, 2 * (1 - t / STEPS) + 0.02)
        for name, g in slope.items():
            first[name].lerp_(g, 0.1)
            second[name].lerp_(g * g, 0.02)
            scale = (second[name] / (1 - 0.98**t)).sqrt() + 1e-8
            params = {**params, name: params[name] + rate * first[name] / (1 - 0.9**t) / scale}
    return params


def _one_by_one(rng: torch.Generator, guide: Guide, problem: Problem[Program], late: Any) -> Fits:
    found: list[tuple[Latents, Tensor, Latents, Data]] = []
    while len(found) < FEW and not (late() and len(found) > 1):
        truth, data = problem.joint(rng, 1)
        y = problem.one(data, 0)
        params = {name: x.detach() for name, x in guide.fit(rng, problem.model, y).items()}
        draws = {site: x.detach() for site, x in guide.sample(params, noise(rng, problem.model, DRAWS)).items()}
        found.append((draws, log_ratio(guide, problem.model, y, params, draws), truth, data))
    at, log_w, truths, seen = zip(*found, strict=True)
    return _looked_at(problem.model, {name: torch.stack([x[name] for x in at]) for name in at[0]},
                      torch.stack(log_w), join(list(truths)), join(list(seen)), 0)


def _looked_at(model: Program, at: Latents, log_w: Tensor, latents: Latents, data: Data, away: int) -> Fits:
    coordinates = model.coordinates
    R, N = log_w.shape
    flat = {name: at[name].reshape(R * N, *at[name].shape[2:]) for name in model.sites}
    u = torch.func.vmap(coordinates.free)({name: flat[name] for name in model.known.continuous})

    def log_p(x: Tensor, labels: Latents, y: Data) -> Tensor:
        here, log_det = coordinates.latents(x)
        return torch.stack(list(model.terms({**here, **labels}, y).values())).sum() + log_det

    many = {name: x.repeat_interleave(N, 0) for name, x in data.items()}
    slope = model.each(lambda given, y: torch.func.grad(log_p)(given["u"], given["labels"], y),
                       {"u": u, "labels": {name: flat[name] for name in model.known.discrete}}, many)
    true = torch.func.vmap(coordinates.free)({name: latents[name] for name in model.known.continuous})
    return Fits(coordinates.names, u.reshape(R, N, -1).detach(), slope.reshape(R, N, -1).detach(), log_w.detach(), true,
                away)
