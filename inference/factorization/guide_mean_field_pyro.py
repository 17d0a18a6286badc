"""Mean-field variational inference in Pyro: a hand-specified guide, SVI with closed-form KL.

    q(U, V) = prod_ik N(u_ik | U_mean_ik, exp U_log_variance_ik)  prod_jk N(v_jk | V_mean_jk, exp V_log_variance_jk)

The guide has a mean and a log-variance for every entry. `TraceMeanField_ELBO` takes KL(q || p) in closed form
and one sample of U and V for the likelihood of a minibatch: the estimator of 2.4, written out in `elbo_by_hand`.
Cost of an epoch: N K, and users x K a minibatch.
"""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor

from inference.factorization.parts.stochastic import ITEMS, State, draw, expect, init, report
from inference.factorization.parts.stochastic_pyro import epoch, fitting
from inference.method import Family, Info
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.VARIATIONAL

__all__ = ["FAMILY", "State", "draw", "expect", "guide", "init", "step"]


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
    with fitting(rng):
        for name, value in state.params.items():
            pyro.param(name, value.clone())
        state = epoch(rng, state, model, data, guide, TraceMeanField_ELBO())
    return state, report(model, data, state)
