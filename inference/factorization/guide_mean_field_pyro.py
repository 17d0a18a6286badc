"""Mean-field variational inference in Pyro: a hand-specified guide, SVI with closed-form KL.

    q(U, V) = prod_ik N(u_ik | U_mean_ik, exp U_log_variance_ik)  prod_jk N(v_jk | V_mean_jk, exp V_log_variance_jk)

The guide has a mean and a log-variance for every entry. Its steps are natural gradients on all ratings
(`parts.natural`), or Adam on minibatches: then `TraceMeanField_ELBO` takes KL(q || p) in closed form and one sample
of U and V for the likelihood, the estimator of 2.4, written out in `elbo_by_hand`.
Cost of an epoch: N K, and for Adam users x K a minibatch.

Options:

    steps        natural, or adam; auto: natural unless one of Adam's options, below, is given
    recipe       where a fit starts and how Adam learns: ours, or the assignment's
    lr           learning rate of Adam; by default the recipe's, 0.1 or 0.001
    batch_size   ratings in a minibatch; by default the recipe's, a 32nd or a 352nd of them
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor

from inference.engine import one_thread
from inference.factorization.parts import natural, stochastic
from inference.factorization.parts.stochastic import ITEMS, State, draw, expect, moments, report
from inference.factorization.parts.stochastic_pyro import epoch, fitting
from inference.method import Family, Info
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.VARIATIONAL

__all__ = ["FAMILY", "State", "draw", "expect", "guide", "init", "step"]


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, steps: natural.Steps = "auto",
         recipe: Literal["default", "reference"] = "default", lr: float | None = None,
         batch_size: int | None = None) -> State:
    """As `stochastic.init` has it."""
    state = stochastic.init(rng, model, data, recipe=recipe, lr=lr, batch_size=batch_size)
    if not natural.wanted(steps, recipe=None if recipe == "default" else recipe, lr=lr, batch_size=batch_size):
        return state
    return replace(state, first={}, second={}, natural=True)


def guide(data: Ratings, batch_size: int | None = None, batch: Tensor | None = None) -> None:
    """q as a Pyro program, with the plates of `Factorization.program`; parameters are in Pyro's store.

    Only observed sites are subsampled, so q needs no plate over ratings.
    """
    for plate, rows, sites in (("users", data.num_users, ("U", "user_bias")), ("items", data.num_items, ITEMS)):
        with pyro.plate(plate, rows):
            for site in sites:
                if f"{site}_mean" in pyro.get_param_store():  # biases where the model has them
                    mean, log_variance = pyro.param(f"{site}_mean"), pyro.param(f"{site}_log_variance")
                    pyro.sample(site, dist.Normal(mean, torch.exp(0.5 * log_variance)).to_event(mean.ndim - 1))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    if state.natural:
        return naturally(state, model, data)
    with fitting(rng):
        for name, value in state.params.items():
            pyro.param(name, value.clone())
        state = epoch(rng, state, model, data, guide, TraceMeanField_ELBO())
    return state, report(model, data, state)


def naturally(state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    """The users' step and the items': what the guide draws from has the parameters' moments."""
    with one_thread():
        q = natural.sweep(model, data, moments(state.params))
    params = {name: value for site, (mean, variance) in q.items()
              for name, value in ((f"{site}_mean", mean), (f"{site}_log_variance", variance.log()))}
    state = replace(state, params=params, epochs=state.epochs + 1, steps=state.steps + 2)
    return state, report(model, data, state)
