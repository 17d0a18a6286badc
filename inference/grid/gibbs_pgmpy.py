"""Gibbs sampling by pgmpy's own sampler, on tiny grids.

One step is one raster sweep of `pgmpy.sampling.GibbsSampling`: every pixel in turn is drawn from

    p(y_t | all other pixels),   proportional to the product of the factors that hold y_t

The sampler tabulates that distribution for every configuration of *all* the other pixels, not of the four
neighbours: H W K^(H W - 1) of them, which is why it ends at a dozen pixels (3 x 4 at K=2), where `gibbs` goes on.
It draws from numpy's global generator, and `sample(seed=...)` does not reproduce a run, because the start is drawn
before the seed is set. Here the start comes from `rng`, and so does a seed for each sweep; numpy's generator is
handed back as it was.

Cost of a step: a millisecond at 3 x 3, after 40 for the tables; they are made again when the data change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from errors import InputError
from inference.grid.parts.clique_tables import pgmpy_at_work
from inference.grid.parts.constraints import refuse_pairs
from inference.method import Family, Info, Latents
from models.grid import GridMRF

FAMILY = Family.MCMC
MAX_TABLES = 2**16


@dataclass(frozen=True)
class State:
    """The labels, and p(y_t | others) for each pixel t and each configuration of the others, first pixel slowest."""

    labels: Int64[Tensor, "H W"]
    conditionals: Float64[Tensor, "H*W others K"]
    field: Float64[Tensor, "H W K"]  # that the conditionals were made for


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> State:
    """Labels drawn uniformly."""
    refuse_pairs("gibbs_pgmpy", model)
    H, W, K = model.shape
    if math.log(H * W) + (H * W - 1) * math.log(K) > math.log(MAX_TABLES):
        raise InputError(f"pgmpy's Gibbs sampler tabulates a distribution for every pixel and every configuration of "
                         f"the others: {H * W} x {K}^{H * W - 1} on this {H} x {W} grid with {K} labels, and more than "
                         f"{MAX_TABLES} take it too long; use the method 'gibbs'")
    labels = torch.randint(K, (H, W), device=model.device, generator=rng)
    return State(labels, _conditionals(model, data), model.field(data))


def start(rng: torch.Generator, model: GridMRF, data: Tensor | None, latents: Latents) -> State:
    """A chain at these labels."""
    return replace(init(rng, model, data), labels=latents["labels"])


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep."""
    if not torch.equal(state.field, model.field(data)):
        state = replace(state, conditionals=_conditionals(model, data), field=model.field(data))
    H, W, K = model.shape
    names = _names(H, W)
    seed = int(torch.randint(2**32, (), device=rng.device, generator=rng))
    tables = state.conditionals.cpu().numpy().copy()  # pgmpy rounds them in place
    with pgmpy_at_work():
        from pgmpy.factors.discrete import State as Assignment
        from pgmpy.sampling import GibbsSampling

        sampler = GibbsSampling()
        sampler.variables, sampler.latents = names, []
        sampler.cardinalities = dict.fromkeys(names, K)
        sampler.transition_models = {
            name: table.reshape((K,) * (H * W)) for name, table in zip(names, tables, strict=True)}
        start = [Assignment(name, label) for name, label in zip(names, state.labels.flatten().tolist(), strict=True)]
        (after,) = sampler.generate_sample(start, size=1, seed=seed)
    labels = torch.tensor([int(pixel.state) for pixel in after], device=model.device)
    return replace(state, labels=labels.reshape(H, W)), Info()


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """The chain's position."""
    return {"labels": state.labels}


def _names(H: int, W: int) -> list[str]:
    """pgmpy's sampler puts the nodes into a numpy array, which tears tuples apart; words stay whole."""
    return [f"{i},{j}" for i in range(H) for j in range(W)]


def _conditionals(model: GridMRF, data: Tensor | None) -> Float64[Tensor, "H*W others K"]:
    """The tables that pgmpy's sampler makes of the network."""
    with pgmpy_at_work():
        from pgmpy.factors.discrete import DiscreteFactor
        from pgmpy.models import DiscreteMarkovNetwork
        from pgmpy.sampling import GibbsSampling

        network, _ = model.to_pgmpy(data)
    H, W, _ = model.shape
    name = dict(zip(sorted(network.nodes()), _names(H, W), strict=True))
    renamed = DiscreteMarkovNetwork()
    renamed.add_nodes_from(name.values())
    renamed.add_edges_from([(name[a], name[b]) for a, b in network.edges()])
    renamed.add_factors(*(DiscreteFactor([name[pixel] for pixel in factor.variables], factor.cardinality, factor.values)
                          for factor in network.factors))
    with pgmpy_at_work():
        tables = GibbsSampling(renamed).transition_models
    stacked = np.stack([np.stack(list(tables[variable].values())) for variable in name.values()])
    if not np.isfinite(stacked).all():
        raise InputError("pgmpy's Gibbs sampler multiplies probabilities as plain doubles, and this grid's potentials "
                         "are too strong for their range (0/0); use the method 'gibbs'")
    return torch.from_numpy(stacked).to(model.device)
