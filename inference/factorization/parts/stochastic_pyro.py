"""Stochastic variational inference in Pyro, an epoch at a time: what the Pyro methods share.

Pyro keeps parameters, optimisers and random numbers in globals. Here they are borrowed for an epoch: filled
from the state, emptied into the next one and handed back as they were found.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pyro
import torch
from pyro.infer import ELBO, SVI
from pyro.optim import Adam  # type: ignore[attr-defined]  # Pyro makes its optimisers when imported
from pyro.params.param_store import normalize_param_name

from inference.engine import one_thread
from inference.factorization.parts.stochastic import BETA1, BETA2, EPSILON, State, batches, refuse_divergence
from inference.pyro.globals import borrowed
from models.factorization import Factorization
from models.ratings import Ratings

S = TypeVar("S", bound=State)


@contextmanager
def fitting(rng: torch.Generator) -> Iterator[None]:
    """Pyro borrowed to fit a guide: on one thread, and without its warnings."""
    with one_thread(), borrowed(rng), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Encountered NaN")  # `refuse_divergence` says it better
        yield


def epoch(rng: torch.Generator, state: S, model: Factorization, data: Ratings, guide: Callable[..., Any],
          loss: ELBO) -> S:
    """One pass over the data by Pyro's SVI and Adam. Within `fitting`, with the state's parameters in the store."""
    names = {normalize_param_name(name): name for name in state.params}  # as optimisers write those of modules
    optimiser = Adam(lambda name: adam_arguments(state, names[name]))
    if state.steps:
        optimiser.set_state({name: adam_state(state, name) for name in state.params})
    svi = SVI(model.program, guide, optimiser, loss=loss)
    steps = state.steps
    for batch in batches(rng, data, state.batch_size):
        refuse_divergence(svi.step(data, batch=batch), steps, state)
        steps += 1
    memory = {name: kept["state"][0] for name, kept in optimiser.get_state().items() if kept["state"]}
    unconstrained = dict(pyro.get_param_store().named_parameters())
    return replace(
        state,
        params={name: unconstrained[name].detach().clone() for name in state.params},
        first=state.first | {name: -kept["exp_avg"] for name, kept in memory.items()},
        second=state.second | {name: kept["exp_avg_sq"] for name, kept in memory.items()},
        epochs=state.epochs + 1, steps=steps)


def adam_arguments(state: State, name: str) -> dict[str, Any]:
    return {"lr": state.rate(name), "betas": (BETA1, BETA2), "eps": EPSILON}


def adam_state(state: State, name: str) -> dict[str, Any]:
    """What torch's Adam of one parameter would have saved; it goes down a loss, where the state goes up."""
    fresh = torch.optim.Adam([torch.zeros(())], **adam_arguments(state, name)).state_dict()
    moments = {"exp_avg": -state.first[name], "exp_avg_sq": state.second[name].clone()}
    return fresh | {"state": {0: {"step": torch.tensor(float(state.steps)), **moments}}}
