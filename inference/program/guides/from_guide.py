"""Any guide of a Pyro program as a method of the contract: a step is ten gradient steps of Pyro's SVI.

    ELBO = E_q [log p(latents, data) - log q(latents)]

Discrete sites that the guide leaves out are summed out, and drawn given the others (`models/summed.py`). q is reported
at the average of the parameters on their way (Shamir and Zhang 2013), whose dance around the optimum is smaller than
their own. The ELBO is the mean of log p - log q over draws of q kept from the last steps; from the same draws comes
k-hat, which says how far q is from the posterior in its tails (Vehtari et al. 2024: above 0.7, too far). Our normal
guides begin where chains do (`parts/pathfinder.py`), others where they say.

Options:

    lr   learning rate of Adam, falling as 1 / sqrt(1 + t / 200) in gradient step t; by default 0.1, or the file's LR
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pyro
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.optim import Adam  # type: ignore[attr-defined]  # Pyro makes its optimisers when imported
from torch import Tensor

from errors import InputError
from inference.method import Family, Info, Kind, Latents, Method, Quantities
from inference.program.parts import guided
from inference.program.parts.guided import Guide, in_pyro
from inference.program.parts.moments import WEIGHTS
from models.model import Data
from models.program import Program
from models.summed import completed

LR = 0.1
GRADIENTS = 10  # a step
WEIGHED = 10  # draws of q whose weights are looked at, a step
KEPT = 1000  # of these
FALL = 200  # gradient steps
FORGET = 9.0  # eta of Shamir and Zhang's average
DRAWS = 1000  # of q, behind its means
BETAS = (0.9, 0.99)


@dataclass(frozen=True, eq=False)
class State:
    """Variational parameters, unconstrained; what Adam remembers of them; their average, which is q."""

    params: dict[str, Tensor]
    average: dict[str, Tensor]
    first: dict[str, Tensor]
    second: dict[str, Tensor]
    lr: float
    steps: int = 0  # of gradients
    weights: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))  # log p - log q, the latest


def as_method(module: ModuleType, what: Callable[..., Any], name: str, by: str) -> Method:
    """The method that fits the guide `what`, which `module` holds."""
    made: list[Guide] = []  # the last one: it is slower to make than to fill
    asked: list[Program] = []  # what it was made for

    def guide(model: Program, data: Data) -> Guide:
        if not (made and asked[0] is model and made[0].data is data):
            with in_pyro(torch.Generator().manual_seed(0)):
                made[:] = [guided.make(what, guided.fitted(what, model, name), data, name, {})]
            asked[:] = [model]
        return made[0]

    def init(rng: torch.Generator, model: Program, data: Data, *, lr: float | None = None) -> State:
        lr = getattr(module, "LR", LR) if lr is None else lr
        if not 0 < lr < math.inf:
            raise InputError(f"the learning rate must be a positive finite number, not {lr}")
        with in_pyro(rng):
            program = guided.fitted(what, model, name)
            fresh = guided.make(what, program, data, name, guided.begun(what, program))
        params = {n: x.detach().clone() for n, x in fresh.store["params"].items()}
        if not params:
            raise InputError(f"{name} has no parameters, so there is nothing to fit: make them with pyro.param, or "
                             f"PyroParam in a PyroModule")
        zeros = {n: torch.zeros_like(x) for n, x in params.items()}
        return State(params, params, zeros, zeros, lr)

    def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
        return climb(rng, state, guide(model, data))

    def of(model: Program) -> Guide:
        return guide(model, made[0].data if made and asked[0] is model else model.data)

    def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
        now = of(model)
        with now.held(rng, state.average):
            found = now.drawn()
        return completed(rng, now.model, found, now.data)

    def expect(state: State, model: Program) -> Quantities:
        rng, now = torch.Generator().manual_seed(0), of(model)
        with now.held(rng, state.average):
            each = [now.drawn() for _ in range(DRAWS)]
        drawn = {site: torch.stack([x[site] for x in each]) for site in each[0]}
        found = model.quantities(completed(rng, now.model, drawn, now.data))
        means = {n: x.mean(0) for n, x in found.items()}
        return means if made[0].point else means | {WEIGHTS: state.weights}

    family = getattr(module, "FAMILY", Family.VARIATIONAL)
    return Method(name, family, by, module, init, step, draw, expect, states=(State,), guide=what)


def climb(rng: torch.Generator, state: State, guide: Guide) -> tuple[State, Info]:
    """Gradient steps, and what q is then worth."""
    average, weights = state.average, state.weights
    with guide.held(rng, state.params):
        optimiser, svi = _resumed(state, guide)
        for k in range(GRADIENTS):
            loss = svi.step(guide.data)
            if not math.isfinite(loss):
                raise InputError(f"the ELBO is not finite after {state.steps + k} gradient steps: with a learning rate "
                                 f"of {state.lr:g} the fit diverges; try a smaller one, --set lr={state.lr / 10:g}")
            now, w = _params(state), (1 + FORGET) / (1 + FORGET + state.steps + k)
            average = {n: (1 - w) * average[n] + w * x for n, x in now.items()}
        params, memory = {n: x.clone() for n, x in _params(state).items()}, _memory(optimiser)
    with guide.held(rng, average):
        new = torch.tensor([guide.weighed()[1] for _ in range(WEIGHED)], dtype=torch.float64)
    weights = torch.cat([weights, new])[-KEPT:]
    late = weights[-max(WEIGHED, len(weights) // 2):]  # while there are few, the latest of them
    bound = float(late.mean())
    first, second = ({n: kept[key] for n, kept in memory.items()} for key in ("exp_avg", "exp_avg_sq"))
    after = State(params, average, state.first | first, state.second | second, state.lr, state.steps + GRADIENTS,
                  weights)
    return after, Info(objective=bound) if guide.point else Info(elbo=bound, log_evidence=bound, kind=Kind.LOWER)


def _resumed(state: State, guide: Guide) -> tuple[Any, SVI]:
    rate = state.lr / math.sqrt(1 + state.steps / FALL)
    optimiser = Adam({"lr": rate, "betas": BETAS})
    if state.steps:
        fresh = torch.optim.Adam([torch.zeros(())], lr=rate, betas=BETAS).state_dict()
        optimiser.set_state({n: fresh | {"state": {0: {
            "step": torch.tensor(float(state.steps)), "exp_avg": state.first[n].clone(),
            "exp_avg_sq": state.second[n].clone()}}} for n in state.params})
    return optimiser, SVI(guide.model.program, guide.call, optimiser, loss=Trace_ELBO())


def _params(state: State) -> dict[str, Tensor]:
    now = dict(pyro.get_param_store().named_parameters())
    return {n: now[n].detach() for n in state.params}


def _memory(optimiser: Any) -> Mapping[str, Any]:
    return {n: kept["state"][0] for n, kept in optimiser.get_state().items() if kept["state"]}
