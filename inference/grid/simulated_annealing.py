"""Simulated annealing: Gibbs sweeps at falling temperature, which end in a labelling of high probability.

    y_ij ~ softmax_k(lambda_ij(k) / T_t),      T_t = start * cooling^t

with lambda_ij the log conditional of `gibbs`, one checkerboard sweep at every temperature (Geman and Geman 1984). At
T = 1 it is Gibbs sampling; as T falls to 0 it becomes iterated conditional modes. The answer is the best labelling met.
With T falling as slowly as 1 / log t it finds the most probable labelling with probability 1, in more time than one
has; at this geometric pace nothing is promised. By default T falls from 10 to 0.08 in 30 sweeps.

Cost of a sweep: that of Gibbs sampling, and one log p~.

Options:

    start     first temperature, in units of the model's potentials
    cooling   by what the temperature is multiplied after every sweep, between 0 and 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import UInt8
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.grid.parts.constraints import softened
from inference.grid.parts.point import Point, better, draw, expect, objective, said
from inference.grid.parts.single_site import colours, conditional, pick, random_labels
from inference.method import Family, Info
from models.grid import GridMRF

FAMILY = Family.POINT
AT_WORK = 3  # times what latents and model take, in memory
COLDEST = 1e-6  # then it is iterated conditional modes, but for ties

__all__ = ["FAMILY", "State", "draw", "expect", "init", "step"]


@dataclass(frozen=True)
class State(Point):
    """The best labelling so far, and where the chain is."""

    chain: UInt8[Tensor, "H W"]
    temperature: float
    cooling: float
    engine: str  # compiled | torch


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, start: float = 10.0, cooling: float = 0.85,
         engine: Engine = "auto") -> State:
    """Labels at random."""
    if not 0 < start < float("inf"):
        raise InputError(f"start of simulated_annealing is a temperature above 0, not {start}")
    if not 0 < cooling < 1:
        raise InputError(f"cooling of simulated_annealing must be between 0 and 1 and neither of them, not {cooling}")
    labels = random_labels(rng, model)
    return State(labels, objective(labels, model, data), labels, float(start), float(cooling),
                 choose("simulated_annealing", engine, model.device))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep, then cooler."""
    uniform = torch.rand(model.shape[:2], dtype=torch.float64, device=model.device, generator=rng)
    soft = softened(model)
    chain = sweep(state.chain, soft.field(data).contiguous(), soft, 1 / state.temperature, uniform, state.engine)
    state = replace(state, chain=chain, temperature=max(state.temperature * state.cooling, COLDEST))
    state = better(state, chain, model, data)
    return state, Info(objective=said(state.objective))


def sweep(labels: Tensor, field: Tensor, model: GridMRF, beta: float, uniform: Tensor, engine: str
          ) -> UInt8[Tensor, "H W"]:
    """A checkerboard Gibbs sweep of p^beta."""
    if engine == "compiled":
        from inference.grid.compiled import single_site as single_site_numba

        new = labels[None].clone(memory_format=torch.contiguous_format)
        arrays = (new, torch.empty_like(field), field.new_empty(1), field, model.right, model.down,
                  field.new_tensor([beta]), uniform[None])
        single_site_numba.tempered_sweep(*(t.numpy() for t in arrays))
        return new[0]
    y = labels.to(torch.int64)
    for pixels in colours(field):
        y = torch.where(pixels, pick(torch.softmax(beta * conditional(y, field, model.right, model.down), -1), uniform),
                        y)
    return y.to(torch.uint8)
