"""A Pyro guide of a user's own program as the functions that `guide` asks for.

    log_density   of what the guide draws by itself, as numbers without constraints: log q(x) + log |det dx / du|
    log_q         of the model's latents, with what a Delta says of its Jacobian
    elbo          minus the file's `loss`, a Pyro ELBO or a function loss(model, guide, *arguments); else Trace_ELBO's
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from pyro import poutine
from pyro.infer import ELBO, Trace_ELBO, TraceEnum_ELBO
from torch import Tensor
from torch.distributions import biject_to

from checks.budget import Budget
from checks.guides import support
from checks.guides.guide import Guide, Params, adam
from checks.guides.poor import poor
from checks.guides.pyro import Asked, own, seeds
from checks.guides.refitted import refitted
from checks.problems.problem import Problem
from checks.problems.program.marginal import Marginal
from errors import InputError
from inference.method import Latents, Method
from inference.program.parts import guided
from inference.program.parts.guided import in_pyro
from models.model import Data
from models.program import Program
from models.sites import kind

STEPS, GRADIENTS = 1000, 2
SAMPLES = (800, 60)
CLOSER = 600  # where the gradient is not the objective's seed by seed


def of(method: Method, options: Mapping[str, object]) -> Guide:
    """The guide behind a method that `inference.program.guides.from_guide` made."""
    asked = OfProgram(method, dict(options))
    steps = partial(adam, gradient=asked.gradient, steps=STEPS, samples=GRADIENTS)
    guide = Guide(method.name, asked.start, asked.sample, asked.log_density, asked.elbo, asked.gradient,
                  steps(asked.start), lambda params: steps(lambda *_: params), samples=SAMPLES, drawn=asked.drawn,
                  noisy=lambda: asked.noisy, log_q=asked.log_q, numbers=asked.numbers, batches=False, closer=CLOSER)

    def quality(rng: torch.Generator, problem: Problem[Program], clock: Budget, level: float) -> list[str]:
        asked.make(problem.model, problem.model.data)
        return asked.never(rng) + poor(refitted(rng, guide, asked.made, problem, clock), level)

    return replace(guide, quality=quality)


class OfProgram(Asked):
    """The guide, made for the program and the data that it was last asked about."""

    made: Any  # an inference.program.parts.guided.Guide
    to: dict[str, Any]  # T of what it draws by itself
    size: int  # how many numbers that is, without constraints
    drawn_from: dict[str, Any]  # the sites of it, traced

    def make(self, model: Any, data: Any) -> None:
        rng = torch.Generator().manual_seed(0)
        with in_pyro(rng):
            self.made = guided.make(self.what, model, data, self.method.name, {})
        with self.made.held(rng, self.made.store["params"]):
            sites = {name: site for name, site in self.made.trace().nodes.items() if site["type"] == "sample"}
        drawn = {name: site for name, site in sites.items() if kind(site) in ("latent", "observed") and own(site)}
        self.names, self.drawn_from = list(drawn), drawn
        self.noisy = not all(site["fn"].has_rsample for site in drawn.values())
        for name, site in drawn.items():
            if getattr(site["fn"].support, "is_discrete", False):
                raise InputError(f"{self.method.name} draws {name}, which is discrete: only guides of continuous "
                                 f"sites can be checked; `--problem` compares it with an exact answer, or with chains")
        self.to = {name: biject_to(site["fn"].support) for name, site in drawn.items()}
        self.size = sum(self.to[name].inv(site["value"]).numel() for name, site in drawn.items())

    def never(self, rng: torch.Generator) -> list[str]:
        """What no fit of it covers."""
        return support.never(rng, self.made.model, self.drawn_from)

    def start(self, rng: torch.Generator, model: Any, data: Any) -> Params:
        self.make(model, data)
        return super().start(rng, model, data)

    def besides(self, model: Any) -> list[str]:
        """None where what it draws are as many numbers as the model's latents, which then are a function of them."""
        return [] if self.size == model.coordinates.size else super().besides(model)

    def numbers(self, latents: Latents) -> tuple[Tensor, Tensor]:
        """The model's latents as numbers without constraints u, (n, D), and log |det dx / du|."""
        support.check(self.made.model, latents)
        coordinates = self.made.model.coordinates
        u = torch.func.vmap(coordinates.free)({name: latents[name].detach() for name in coordinates.sites})
        return u, torch.func.vmap(lambda x: coordinates.latents(x)[1])(u)

    def drawn(self, latents: Latents) -> Latents:
        return {name: self.to[name].inv(latents[name].detach()) for name in self.names}

    def log_density(self, params: Params, latents: Latents) -> Tensor:
        at = {name: self.to[name](u) for name, u in latents.items()}
        n = len(next(iter(latents.values())))
        log_det = [self.to[name].log_abs_det_jacobian(u, at[name]).reshape(n, -1).sum(1)
                   for name, u in latents.items()]
        return super().log_density(params, at) + torch.stack(log_det).sum(0)

    def replayed(self, values: Latents) -> Tensor:
        again = self._again(values)
        again.compute_log_prob()
        return torch.as_tensor(sum(again.nodes[name]["log_prob_sum"] for name in self.names))

    def log_q(self, params: Params, latents: Latents) -> Tensor:
        """Of the model's latents, every site counted."""
        def density(r: int) -> Tensor:
            with torch.no_grad():
                return torch.as_tensor(self._again({n: latents[n][r].detach() for n in self.names}).log_prob_sum())

        return torch.stack(self.each(params, [None] * len(next(iter(latents.values()))), density))

    def elbo(self, model: Any, data: Any, params: Params, noise: Latents, batch: Tensor | None = None) -> Tensor:
        def value(r: int) -> float:
            with torch.no_grad():
                return -float(self._loss(model, data))

        return torch.tensor(self.each(params, seeds(noise), value), dtype=torch.float64)

    @property
    def loss(self) -> Any:
        summed = isinstance(self.made.model, Marginal)
        return getattr(self.method.module, "loss", None) or (TraceEnum_ELBO if summed else Trace_ELBO)()

    def _loss(self, model: Program, data: Data) -> Any:
        loss: Any = self.loss
        if isinstance(loss, ELBO):
            return cast(Any, loss).loss(model.program, self.made.call, data)
        given = model.arguments_with(data)
        return loss(model.model, lambda *_, **__: self.made.call(data), *given.args, **given.kwargs)

    def backward(self, model: Any, data: Any) -> None:
        if isinstance(self.loss, ELBO):
            cast(Any, self.loss).loss_and_grads(model.program, self.made.call, data)
            return
        found = torch.as_tensor(self._loss(model, data))
        if found.requires_grad:
            found.backward()  # type: ignore[no-untyped-call]

    def _again(self, values: Latents) -> poutine.Trace:
        trace = poutine.Trace()
        for name, value in values.items():
            trace.add_node(name, name=name, type="sample", value=value, is_observed=False, infer={})
        with poutine.replay(trace=trace):
            return poutine.trace(self.made.call).get_trace(self.made.data)
