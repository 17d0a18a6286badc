"""Exact marginals, log Z and draws by variable elimination, in pgmpy.

To eliminate a pixel is to multiply the tables that hold it and to sum it out of the product,

    tau(neighbours of t) = sum over y_t of phi_t,    phi_t = prod of the tables that hold t

until only the pixels asked for are left. One query returns the joint table of a whole line of pixels (a row, or
a column where those are shorter), from which the line's marginals and Z are read: as many queries as lines,
where pixel by pixel it would take as many as pixels. On a Markov network pgmpy's answer is not normalised:
its sum is Z, over the scale of the factors. Each query eliminates line after line towards the one it asks for,
so that no table goes beyond n + 1 pixels, n the shorter side (pgmpy's own order, "greedy", met one of 29 at n = 18).

For draws all pixels are eliminated once more, first to last, and every phi_t is kept, over t and at most n pixels
after it: p(y_t | pixels after t) is proportional to phi_t, so labels are drawn from the last pixel to the first.

Cost: H W queries' eliminations of K^(n+1) a line; 16 x 16 at K=2 takes half a minute and a quarter of a GiB.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
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
    from pgmpy.inference import VariableElimination
    from pgmpy.models import DiscreteMarkovNetwork

Pixel = tuple[int, int]
FAMILY = Family.EXACT
MAX_ENTRIES = 2**17  # of one table, 1 MiB


@dataclass(frozen=True)
class State:
    """The label marginals, and for draws phi_t of every pixel, last pixel first, over its scope of pixels i W + j."""

    marginals: Float64[Tensor, "H W K"]
    scopes: tuple[tuple[int, ...], ...]
    products: tuple[Tensor, ...]


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None) -> State:
    """Uniform marginals, until the one step."""
    clique_tables.refuse_large("variable_elimination_pgmpy", model, MAX_ENTRIES)
    H, W, K = model.shape
    return State(torch.full((H, W, K), 1 / K, dtype=torch.float64, device=model.device), (), ())


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One query a line, and one elimination of everything for the draws."""
    H, W, K = model.shape
    with clique_tables.pgmpy_at_work():
        network, log_scale = model.to_pgmpy(data)
        joints = {line: _query(network, _lines(H, W), line) for line in _lines(H, W)}
    log_totals = [clique_tables.log_total("variable_elimination_pgmpy", float(joint.sum()), model)
                  for joint in joints.values()]
    spread = max(log_totals) - min(log_totals)
    if spread > 1e-9:
        raise InputError(f"pgmpy's queries disagree on log Z by {spread:.1e} nats; use the method 'strip'")
    marginals = torch.zeros(H, W, K, dtype=torch.float64)
    for line, joint in joints.items():
        for axis, pixel in enumerate(line):
            others = tuple(a for a in range(len(line)) if a != axis)
            marginals[pixel] = torch.from_numpy(joint.sum(others) / joint.sum())
    scopes, products = _products(network, [pixel for line in _lines(H, W) for pixel in line], W)
    info = Info(log_evidence=log_totals[0] + log_scale, kind=Kind.EXACT, converged=True)
    return State(marginals.to(model.device), scopes, products), info


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """An independent draw of all labels together, from the last pixel eliminated to the first."""
    return clique_tables.draw(rng, state.scopes, state.products, model)


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": state.marginals}


def _lines(H: int, W: int) -> list[tuple[Pixel, ...]]:
    """The rows, or the columns where those are shorter."""
    if W <= H:
        return [tuple((i, j) for j in range(W)) for i in range(H)]
    return [tuple((i, j) for i in range(H)) for j in range(W)]


def _query(network: DiscreteMarkovNetwork, lines: list[tuple[Pixel, ...]], line: tuple[Pixel, ...]) -> np.ndarray:
    """The unnormalised joint table of a line, an axis for each of its pixels.

    The factors are first multiplied into one for each pixel to be eliminated, so that pgmpy only ever multiplies
    two tables, in the order in which they arise (see `_in_order`): the last digit depends on it.
    """
    from pgmpy.factors import factor_product
    from pgmpy.models import DiscreteMarkovNetwork

    at = lines.index(line)
    order = [pixel for before in lines[:at] for pixel in before]
    order += [pixel for after in reversed(lines[at + 1:]) for pixel in reversed(after)]
    turn = {pixel: k for k, pixel in enumerate(order)}
    bucket = defaultdict(list)
    for factor in network.factors:
        bucket[min(turn.get(pixel, len(order) - 1) for pixel in factor.variables)].append(factor)
    grouped = DiscreteMarkovNetwork()
    grouped.add_nodes_from(network.nodes())
    grouped.add_factors(*(factor_product(*factors) for factors in bucket.values()))
    for factor in grouped.get_factors():
        grouped.add_edges_from(itertools.combinations(factor.variables, 2))
    elimination = _in_order()(grouped)
    elimination._initialize_structures()
    joint = elimination._variable_elimination(list(line), "marginalize", elimination_order=order, show_progress=False)
    return np.ascontiguousarray(joint.values.transpose([joint.variables.index(pixel) for pixel in line]))


@cache
def _in_order() -> type[VariableElimination]:
    """pgmpy's variable elimination with its tables in lists: the order of its sets differs from process to process,
    with the hashes of bytes; with it the axes of a product, and with them how numpy adds up. `query` makes a plain
    one of it, so what `query` calls is called instead."""
    from pgmpy.inference import VariableElimination

    class Tables(list[object]):
        add = list.append

    class InOrder(VariableElimination):
        def _get_working_factors(self, evidence: object) -> dict[Pixel, Tables]:
            return {pixel: Tables((factor, None) for factor in factors) for pixel, factors in self.factors.items()}

    return InOrder


def _products(network: DiscreteMarkovNetwork, order: list[Pixel],
              W: int) -> tuple[tuple[tuple[int, ...], ...], tuple[Tensor, ...]]:
    """Eliminate every pixel in turn; the scopes and values of the products, the last one first."""
    from pgmpy.factors import factor_product

    factors = list(network.factors)
    scopes, products = [], []
    for pixel in order:
        phi = factor_product(*[factor for factor in factors if pixel in factor.variables])
        factors = [factor for factor in factors if pixel not in factor.variables]
        if len(phi.variables) > 1:
            factors.append(phi.marginalize([pixel], inplace=False))
        scopes.append(tuple(i * W + j for i, j in phi.variables))
        products.append(torch.from_numpy(phi.values / phi.values.max()))
    return tuple(reversed(scopes)), tuple(reversed(products))
