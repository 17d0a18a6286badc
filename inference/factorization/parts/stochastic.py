"""Stochastic gradient ascent of the mean-field ELBO: what the hand-written and the Pyro versions share.

    q(U, V) = prod_ik N(u_ik | U_mean_ik, exp U_log_variance_ik)  prod_jk N(v_jk | V_mean_jk, exp V_log_variance_jk)

An epoch goes once through the ratings in random minibatches, one step of Adam each (Kingma and Ba 2015).

Options:

    recipe       where a fit starts and how it learns: ours, or the assignment's
    lr           learning rate of Adam; by default the recipe's, 0.1 or 0.001
    batch_size   ratings in a minibatch; by default the recipe's, a 32nd or a 352nd of them
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Int64
from torch import Tensor

from errors import InputError, unknown
from inference.engine import one_thread
from inference.factorization.compiled.normals import normals
from inference.factorization.parts.by_row import sides
from inference.factorization.parts.gaussian import draw_normal, expected
from inference.factorization.parts.mean_field_elbo import Moments, check_gaussian, elbo
from inference.factorization.parts.spectral_start import spectral_start
from inference.method import Info, Kind, Latents, Quantities
from models.factorization import Factorization
from models.ratings import Ratings

Tensors = dict[str, Tensor]
# An estimate of the ELBO and its gradient by name, from (model, data, params, noise, batch).
Gradient = Callable[[Factorization, Ratings, Tensors, Tensors, Tensor], tuple[Tensor, Tensors]]

RECIPES = ("default", "reference")
ITEMS = ("V", "item_bias")  # sites with a row an item
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's


@dataclass(frozen=True)
class State:
    """Variational parameters and all that Adam remembers of them, by name."""

    params: Tensors
    first: Tensors  # running mean of the gradient
    second: Tensors  # running mean of its square
    rates: dict[str, float]  # learning rates of the first epoch
    decay: float  # of the learning rates, an epoch
    batch_size: int
    epochs: int = 0
    steps: int = 0
    natural: bool = False  # steps are natural gradients (`natural.sweep`), and Adam remembers nothing

    def rate(self, name: str) -> float:
        """The learning rate in this epoch."""
        return self.rates[name] * self.decay**self.epochs


def init(rng: torch.Generator, model: Factorization, data: Ratings, *,
         recipe: Literal["default", "reference"] = "default", lr: float | None = None,
         batch_size: int | None = None) -> State:
    """Where a fit starts; `lr` and `batch_size` in place of the recipe's. Two recipes:

    default     `spectral_start`, variances of 1/100 and (items) 1/2000 of the prior's; 32 minibatches an epoch,
                so that a user of Jester's 27 ratings has about one in each; learning rate 0.1, falling by 12% an
                epoch (less if it has fewer steps than 32), because Adam's steps do not shrink at the optimum:
                they dance around it; half of it for the means of items, which are smaller and far better
                determined than those of users
    reference   the assignment's: Adam 0.001 throughout, log-variance -10. It leaves open the means (here
                N(0, 0.1^2)) and the minibatches (here 352 an epoch, 5,000 ratings each at the reference's size)
    """
    if recipe not in RECIPES:
        raise unknown("recipe", recipe, RECIPES)
    reference = recipe == "reference"
    lr = check_rate((0.001 if reference else 0.1) if lr is None else lr)
    batch_size = check_batch(model, data, batch_size, 352 if reference else 32)
    check_gaussian(model)
    if reference:
        means = {site: 0.1 * normals(rng, *shape, part=model.part_of(site)).to(data.rating)
                 for site, shape in model.sites.items()}
        variances = dict.fromkeys(means, math.exp(-10))
    else:
        means = spectral_start(rng, model, data)
        variances = {site: model.prior_variance / (2000 if site in ITEMS else 100) for site in means}
    params: Tensors = {}
    for site, mean in means.items():
        params |= {f"{site}_mean": mean, f"{site}_log_variance": torch.full_like(mean, math.log(variances[site]))}
    slower = () if reference else [f"{site}_mean" for site in means if site in ITEMS]
    rates = dict.fromkeys(params, lr) | dict.fromkeys(slower, lr / 2)
    return with_adam(params, rates, 1.0 if reference else decay(data, batch_size), batch_size)


def with_adam(params: Tensors, rates: dict[str, float], decay: float, batch_size: int) -> State:
    """A state before its first step."""
    first, second = ({name: torch.zeros_like(value) for name, value in params.items()} for _ in range(2))
    return State(params, first, second, rates, decay, batch_size)


def decay(data: Ratings, batch_size: int) -> float:
    """By which learning rates fall in an epoch: 0.88 in one of 32 steps or more."""
    return 0.88 ** min(1.0, data.total / batch_size / 32)


def check_rate(lr: float) -> float:
    if not 0 < lr < math.inf:
        raise InputError(f"the learning rate must be a positive finite number, not {lr}")
    return lr


def check_batch(model: Factorization, data: Ratings, batch_size: int | None, parts: int) -> int:
    """The batch size asked for, or the one that cuts the data into `parts`, if there are data to fit this model."""
    if data.total == 0:
        raise InputError("there are no ratings to fit: the training set is empty")
    sides(model, data)
    return data.check_batch(-(-data.total // parts) if batch_size is None else batch_size)


def batches(rng: torch.Generator, data: Ratings, batch_size: int) -> tuple[Int64[Tensor, "n"], ...]:
    """Every rating once, in random order, in equal parts (within one) of at most `batch_size`.

    Equal, because a remainder of a few ratings would count N / n times each, and that gradient is all noise.
    Where users are divided, every rank has its part of each batch, of its own ratings.
    """
    if data.part.divided:
        key = int(torch.randint(2**62, (), generator=rng, device=rng.device)) + data.part.rank
        rng = torch.Generator(rng.device).manual_seed(key)
    order = torch.randperm(len(data), generator=rng, device=data.device)
    return order.tensor_split(-(-data.total // batch_size))


def scale(data: Ratings, batch: Tensor) -> float:
    """What a rating of a batch counts: N / n, on all ranks."""
    return data.total / data.part.count(len(batch))


def moments(params: Tensors) -> Moments:
    """Means and variances of q."""
    sites = [name.removesuffix("_mean") for name in params if name.endswith("_mean")]
    return {site: (params[f"{site}_mean"], params[f"{site}_log_variance"].exp()) for site in sites}


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    """U, V and biases from q."""
    return draw_normal(rng, moments(state.params), model.part_of)


def expect(state: State, model: Factorization) -> Quantities:
    """Means and variances, of every site and of the predictions at the model's pairs."""
    return expected(model, moments(state.params))


def epoch(rng: torch.Generator, state: State, model: Factorization, data: Ratings,
          gradient: Gradient) -> tuple[State, Info]:
    """One pass over the data: a step of Adam for every minibatch, then the exact ELBO."""
    params, first, second = ({name: value.clone() for name, value in group.items()}
                             for group in (state.params, state.first, state.second))
    steps = state.steps
    with one_thread():
        for batch in batches(rng, data, state.batch_size):
            noise = {site: normals(rng, *shape, part=model.part_of(site)) for site, shape in model.sites.items()}
            value, ascent = gradient(model, data, params, noise, batch)
            refuse_divergence(value, steps, state)
            steps += 1
            for name in params:
                adam(params[name], ascent[name], first[name], second[name], steps, state.rate(name))
    state = replace(state, params=params, first=first, second=second, steps=steps, epochs=state.epochs + 1)
    return state, report(model, data, state)


def adam(param: Tensor, ascent: Tensor, first: Tensor, second: Tensor, steps: int, rate: float) -> None:
    """One step of Adam uphill, in place: param += rate m^ / (sqrt v^ + epsilon)."""
    first.lerp_(ascent, 1 - BETA1)
    second.mul_(BETA2).addcmul_(ascent, ascent, value=1 - BETA2)
    scale = second.sqrt().div_(math.sqrt(1 - BETA2**steps)).add_(EPSILON)
    param.addcdiv_(first, scale, value=rate / (1 - BETA1**steps))


def report(model: Factorization, data: Ratings, state: State) -> Info:
    """The exact ELBO where an epoch ended."""
    with one_thread():
        bound = elbo(model, data, moments(state.params))
    refuse_divergence(bound, state.steps, state)
    return Info(elbo=float(bound), log_evidence=float(bound), kind=Kind.LOWER)


def refuse_divergence(value: Tensor | float, steps: int, state: State) -> None:
    """Stop at the first ELBO that is not finite, with what to try."""
    if not math.isfinite(value) and state.natural:
        raise InputError("the ELBO is not finite after a natural step: ratings, or the variances given, are too large "
                         "or too small for double precision; take other units")
    if not math.isfinite(value):
        lr = max(state.rates.values())
        raise InputError(f"the ELBO is not finite after {steps} gradient steps: with a learning rate of {lr:g} "
                         f"the fit diverges; try a smaller one, --lr {lr / 10:g}")
