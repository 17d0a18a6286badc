"""Exact marginals, log Z and draws by calibrating a junction tree, in pgmpy.

pgmpy calls this class BeliefPropagation; it is never loopy. Cliques C of the triangulated grid pass messages
over their sepsets S (Koller and Friedman, algorithm 10.3) until neighbours agree,

    sum over C1 - S of belief_C1  =  sum over C2 - S of belief_C2  =  belief_S,
    p~(y) = prod_C belief_C(y_C) / prod_S belief_S(y_S)

Two things are set right here. pgmpy's default triangulation makes large cliques: eliminating the grid in
row-major order along its shorter side n makes a chain of cliques of n + 1 pixels, the smallest possible.
And pgmpy 1.1.2 stops too early: its test of agreement, `DiscreteFactor.__eq__`, is numpy's allclose with
an absolute tolerance of 1e-8, which factors scaled below 1e-8 pass before their messages have arrived
(and a relative one of 1e-5, which no scaling helps). At the reference's coupling its marginals may be wrong by
almost 1 from 4 x 4 on. `_is_converged` below compares relatively, and `step` checks what comes out: that neighbours
agree, and that the tree gives labellings drawn from it the log-potential that they have.

Cost: H W tables of K^(n+1), in memory a few times over, and building the tree, which pairs all cliques:
8 x 8 at K=2 takes a fraction of a second, 16 x 16 some ten seconds and 1.5 GB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.grid.parts import clique_tables
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

if TYPE_CHECKING:
    from pgmpy.factors.discrete import DiscreteFactor
    from pgmpy.inference import BeliefPropagation
    from pgmpy.models import JunctionTree

Pixel = tuple[int, int]
FAMILY = Family.EXACT
MAX_ENTRIES = 2**17  # of one clique, 1 MiB; 16 x 16 pixels have 240 of them
AGREEMENT = 1e-10  # relative, of sepset marginals


@dataclass(frozen=True)
class State:
    """The label marginals, and the cliques' beliefs from the root outwards, each over its scope of pixels i W + j."""

    marginals: Float64[Tensor, "H W K"]
    scopes: tuple[tuple[int, ...], ...]
    beliefs: tuple[Tensor, ...]


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> State:
    """Uniform marginals, until the one step."""
    clique_tables.refuse_large("junction_tree_pgmpy", model, MAX_ENTRIES)
    H, W, K = model.shape
    return State(torch.full((H, W, K), 1 / K, dtype=torch.float64, device=model.device), (), ())


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """Calibrate, and check: neighbours agree, and the tree gives p~ of labellings drawn from it."""
    with clique_tables.pgmpy_at_work():
        calibrated, log_scale = _calibrated(model, data)
        disagreement = _disagreement(calibrated)
    beliefs = _from_one_end(calibrated)
    total = float(beliefs[0].values.sum())
    log_Z = clique_tables.log_total("junction_tree_pgmpy", total, model) + log_scale
    if not disagreement <= 1e-8:
        raise InputError(f"pgmpy's calibration left neighbouring cliques {disagreement:.1e} apart; "
                         f"use the method 'strip'")
    H, W, K = model.shape
    marginals = torch.zeros(H, W, K, dtype=torch.float64)
    for belief in beliefs:
        for pixel in belief.variables:
            marginals[pixel] = torch.from_numpy(_onto(belief, [pixel]) / belief.values.sum())
    new = State(
        marginals.to(model.device),
        tuple(tuple(i * W + j for i, j in belief.variables) for belief in beliefs),
        tuple(torch.from_numpy(belief.values / total) for belief in beliefs))
    for _ in range(3):
        _check_joint(draw(rng, new, model)["labels"].cpu(), calibrated, log_scale, model, data)
    return new, Info(log_evidence=log_Z, kind=Kind.EXACT, converged=True)


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """An independent draw of all labels together, clique by clique; as fast as reading the tables."""
    return clique_tables.draw(rng, state.scopes, state.beliefs, model)


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": state.marginals}


def _calibrated(model: GridMRF, data: Tensor | None) -> tuple[BeliefPropagation, float]:
    """pgmpy's calibrated tree, its cliques in order from the root, and the log of its scale."""
    from pgmpy.inference import BeliefPropagation

    class RelativelyConverged(BeliefPropagation):
        def _is_converged(self, operation: str) -> bool:
            return _disagreement(self) <= AGREEMENT

    network, log_scale = model.to_pgmpy(data)
    H, W, _ = model.shape
    network.triangulate(order=sorted(network.nodes(), key=lambda p: p if W <= H else p[::-1]), inplace=True)
    tree = RelativelyConverged(_leaves_first(network.to_junction_tree()))
    tree.calibrate()
    return tree, log_scale


def _leaves_first(tree: JunctionTree) -> JunctionTree:
    """The same chain of cliques, its two ends first.

    pgmpy takes the cliques in turn as roots, each sending to all the others, until they agree: the
    two ends of a chain suffice, where its own order takes as many roots as there are cliques.
    """
    from pgmpy.models import JunctionTree

    again = JunctionTree()
    again.add_nodes_from(sorted(tree.nodes(), key=tree.degree))
    again.add_edges_from(tree.edges())
    again.add_factors(*tree.get_factors())
    return again


def _from_one_end(tree: BeliefPropagation) -> list[DiscreteFactor]:
    """The clique beliefs in the order of the chain, so that each meets those before it in one sepset."""
    import networkx as nx

    first = next(iter(tree.junction_tree.nodes()))
    return [tree.clique_beliefs[clique] for clique in nx.bfs_tree(tree.junction_tree, first)]


def _onto(factor: DiscreteFactor, variables: Sequence[Pixel]) -> np.ndarray:
    """The factor summed over all but `variables`, its axes in their order."""
    kept = [variable for variable in factor.variables if variable in variables]
    summed = factor.values.sum(tuple(a for a, variable in enumerate(factor.variables) if variable not in variables))
    return summed.transpose([kept.index(variable) for variable in variables])


def _disagreement(tree: BeliefPropagation) -> float:
    """Largest relative difference of a sepset's belief from what either clique says; inf before it has one.

    Probabilities below 1e-200 are compared as if they were 1e-200.
    """
    found = [0.0]
    for edge in tree.junction_tree.edges():
        sepset = tree.sepset_beliefs.get(frozenset(edge))
        if sepset is None:
            return math.inf
        for clique in edge:
            marginal = _onto(tree.clique_beliefs[clique], sepset.variables)
            size = np.maximum(np.maximum(marginal, sepset.values), 1e-200 * sepset.values.sum())
            found.append(np.max(np.abs(marginal - sepset.values) / size))
    return float(np.max(found))


def _check_joint(y: Tensor, tree: BeliefPropagation, log_scale: float, model: GridMRF, data: Tensor | None) -> None:
    """Refuse unless prod_C belief_C / prod_S belief_S is p~ at this labelling: beliefs may agree and be wrong."""
    total = log_scale
    for beliefs, sign in ((tree.clique_beliefs, 1), (tree.sepset_beliefs, -1)):
        for belief in beliefs.values():
            total += sign * math.log(belief.values[tuple(int(y[pixel]) for pixel in belief.variables)])
    expected = float(model.log_joint({"labels": y.to(model.device)}, data))
    if not math.isclose(total, expected, rel_tol=1e-10, abs_tol=1e-8):
        raise InputError(f"pgmpy's calibrated tree gives a labelling the log-potential {total:.9g}, and it is "
                         f"{expected:.9g}; use the method 'strip'")
