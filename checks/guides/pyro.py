"""A Pyro guide as the functions that `guide` asks for: one sample at a time, with a seed for its noise.

    sample        what a trace of the guide draws: U, V and, where these follow from another site, that site
    log_density   the log probability of the trace replayed at these values; its slopes by autograd
    elbo          minus the loss that its fit uses, at the same seed
    gradient      minus what `loss_and_grads` leaves in the parameters, which are unconstrained
    fit           Adam on that gradient, all ratings at once: the method's own fit is made for thousands of ratings
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import pyro.distributions as dist
import pyro.poutine as poutine
import torch
from torch import Tensor

from checks.budget import tick
from checks.guides.guide import Guide, Params, adam
from checks.kernels.kernel import Broken, Unfit
from errors import InputError
from inference import generators
from inference.factorization.guides import guide as guide_pyro
from inference.factorization.guides.guide import base, in_pyro, latent
from inference.factorization.guides.preflight import Astray
from inference.method import Latents, Method
from models.factorization import Factorization
from models.ratings import Ratings

STEPS, GRADIENTS = 1500, 2  # of the fit, and samples in each
Found = TypeVar("Found")
SAMPLES = (800, 60)  # a trace takes about a millisecond


def of(method: Method, options: Mapping[str, object]) -> Guide:
    """The guide behind a method that `inference.factorization.guides.from_guide` made."""
    asked = Asked(method, dict(options))
    steps = partial(adam, gradient=asked.gradient, steps=STEPS, samples=GRADIENTS)
    return Guide(method.name, asked.start, asked.sample, asked.log_density, asked.elbo, asked.gradient,
                 steps(asked.start), lambda params: steps(lambda *_: params), samples=SAMPLES, drawn=asked.drawn,
                 noisy=lambda: asked.noisy)


class Asked:
    """The guide, made for the model and the data that it was last asked about."""

    made: guide_pyro.Guide
    names: list[str]  # of the sites that are drawn by themselves
    noisy: bool  # some of them have no reparameterised draw

    def __init__(self, method: Method, options: dict[str, object]) -> None:
        self.method, self.options = method, options
        assert method.guide, f"{method.name} fits no guide"
        self.what = method.guide

    def make(self, model: Factorization, data: Ratings) -> None:
        its_own = {p.name: self.options.get(p.name, p.default) for p in guide_pyro.option_parameters(self.what)}
        with in_pyro(generator(model), model):
            self.made = guide_pyro.make(self.what, model, data, its_own)
        with self.made.held(generator(model), self.made.store["params"]):
            sites = latent(self.made.trace())
        self.names = [name for name, site in sites.items() if own(site)]
        self.noisy = not all(sites[name]["fn"].has_rsample for name in self.names)

    def start(self, rng: torch.Generator, model: Factorization, data: Ratings) -> Params:
        """Where the method starts. Errors: Broken for what the pre-flight finds, InputError for a point."""
        state = self.method.init(rng, model, data, **self.options)
        try:
            if self.method.preflight:
                self.method.preflight(rng, state, model, data)
        except InputError as error:
            raise (Broken if isinstance(error, Astray) else Unfit)(str(error)) from error
        self.make(model, data)
        if besides := self.besides(model):
            raise Broken(f"it draws {', '.join(besides)} beside {', '.join(model.sites)}: the ELBO counts the entropy "
                         f"of a site that the model has not, and is no bound; draw no more than the model's sites")
        if not self.names:
            raise InputError(f"{self.method.name} draws nothing but points (Delta): there is no distribution to judge")
        return {name: value.double() for name, value in state.params.items()}

    def besides(self, model: Any) -> list[str]:
        """The sites that it draws beside the model's."""
        others = [name for name in self.names if name not in model.sites]
        return others if len(others) < len(self.names) else []

    def each(self, params: Params, seeds: Sequence[int | None], find: Callable[[int], Found]) -> list[Found]:
        """What is found of every replicate r, its parameters in their place and its seed set, if it has one."""
        leaves, found = self.made.store["params"], []
        many = [name for name, value in params.items() if value.ndim > leaves[name].ndim]
        first = {name: self.of_replicate(params, name, 0).detach() for name in params}
        with self.made.held(generator(self.made.model), first):
            for r, seed in enumerate(seeds):
                tick()
                with torch.no_grad():
                    for name in many:
                        leaves[name].copy_(params[name][r])
                if seed is not None:
                    generators.seed(seed)
                found.append(find(r))
        return found

    def of_replicate(self, params: Params, name: str, r: int) -> Tensor:
        """Its own where there is a leading axis of replicates."""
        value = params[name]
        return value[r] if value.ndim > self.made.store["params"][name].ndim else value

    def sample(self, params: Params, noise: Latents) -> Latents:
        def draw(r: int) -> Latents:
            sites = latent(self.made.trace())
            whole = {name: sites[name]["value"].expand(shape) for name, shape in self.made.model.sites.items()}
            return {name: site["value"] for name, site in sites.items() if own(site)} | whole

        return stacked(self.each(params, seeds(noise), draw))

    def drawn(self, latents: Latents) -> Latents:
        """What is drawn by itself, and does not follow from the rest."""
        return {name: latents[name] for name in self.names}

    def log_density(self, params: Params, latents: Latents) -> Tensor:
        """With the slopes in whichever of params and latents ask for them."""
        leaves = self.made.store["params"]

        def density(r: int) -> Tensor:
            at = {name: x[r].detach().requires_grad_(x.requires_grad) for name, x in latents.items()}
            inputs = {**{name: leaves[name] for name in params if params[name].requires_grad},
                      **{name: x for name, x in at.items() if x.requires_grad}}
            with torch.set_grad_enabled(bool(inputs)):
                value = self.replayed(at)
                total = value.detach()
                slopes = torch.autograd.grad(value, list(inputs.values()), allow_unused=True) if inputs else ()
                for name, slope in zip(inputs, slopes, strict=True):
                    x = latents[name][r] if name in latents else self.of_replicate(params, name, r)
                    if slope is not None:
                        total = total + (slope * (x - x.detach())).sum()
            return total

        return torch.stack(self.each(params, [None] * len(next(iter(latents.values()))), density))

    def replayed(self, values: Latents) -> Tensor:
        """log q of a trace that draws these values."""
        trace = poutine.Trace()
        for name, value in values.items():
            trace.add_node(name, name=name, type="sample", value=value, is_observed=False, infer={})
        with poutine.replay(trace=trace):
            again = poutine.trace(self.made.call).get_trace(self.made.data)
        return torch.as_tensor(again.log_prob_sum())

    def elbo(self, model: Factorization, data: Ratings, params: Params, noise: Latents, batch: Tensor | None = None,
             ) -> Tensor:
        @torch.no_grad()
        def value(r: int) -> float:
            return -self.made.loss.loss(model.program, self.made.call, data, batch=batch)

        return torch.tensor(self.each(params, seeds(noise), value), dtype=torch.float64)

    def gradient(self, model: Factorization, data: Ratings, params: Params, noise: Latents) -> Params:
        def slopes(r: int) -> Params:
            self.backward(model, data)
            found = {}
            for name, x in self.made.store["params"].items():
                found[name] = torch.zeros_like(x) if x.grad is None else -x.grad
                x.grad = None
            return found

        return {name: x.detach() for name, x in stacked(self.each(params, seeds(noise), slopes)).items()}

    def backward(self, model: Any, data: Any) -> None:
        """Leave the loss's slopes in the parameters."""
        self.made.loss.loss_and_grads(model.program, self.made.call, data)


def own(site: Any) -> bool:
    """Whether a site is drawn, and not a function of others."""
    return not isinstance(base(site["fn"]), dist.Delta)


def stacked(replicates: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([values[name] for values in replicates]) for name in replicates[0]}


def seeds(noise: Latents) -> list[int]:
    """A seed for every replicate, from the bits of its first number."""
    numbers = next(iter(noise.values()))
    first = numbers.reshape(len(numbers), -1)[:, 0].contiguous()
    return (first.view(torch.int64) & (2**40 - 1)).tolist()


def generator(model: Factorization) -> torch.Generator:
    return torch.Generator(device=model.device).manual_seed(0)
