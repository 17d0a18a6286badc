"""Tree-reweighted belief propagation: a provable upper bound on log Z, from spanning trees of the grid.

For spanning trees T with weights mu_T that sum to 1 and potentials theta^T of their edges alone, with
sum_T mu_T theta^T = theta, log Z is convex, so (Wainwright, Jaakkola and Willsky 2005)

    log Z(theta) <= sum_T mu_T log Z(theta^T)

With rho_st the weight of the trees that hold edge (s, t), messages lambda give such potentials (`parts.scans`):

    theta^T_s(k)     = b_s(k) = field_s(k) + sum over neighbours n of  rho_ns lambda_ns(k)
    theta^T_st(k, l) = theta_st(k, l) / rho_st - lambda_ts(k) - lambda_st(l)            (s, t) in T

These add up to theta whatever the messages are, and a tree's log Z is exact by one pass. So the number reported, the
lowest bound so far, is a bound whether they have converged or not. It takes longer than a sweep, and is worked out
after the first, after every fifth and where messages no longer change. A sweep sends

    lambda_st(l) = log sum_k exp(b_s(k) - lambda_ts(k) + theta_st(k, l) / rho_st)

right, left, down and up; at its fixed point the bound is the least for these rho, and softmax b_s are the marginals.

The trees: every row and one column (a comb), every column and one row, all W + H of them alike; rho is about 1/2.
`trees` of others follow one by one, five sweeps apart: the one of largest mutual information between its neighbours
under the current beliefs, which is where the bound falls fastest (conditional gradient; scipy finds the tree), and all
count alike: of n, the combs together weigh 1 / (n + 1), each other one 1 / (n + 1).

Exact on trees. Cost of a sweep: 4 H W K^2, of the bound 6 H W K^2 and H W K^2 a further tree.

Options:

    trees     how many spanning trees are added to the combs
    damping   share of the old message in a new one, from 0 to below 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from errors import InputError
from inference.grid.compiled import combs as combs_numba
from inference.grid.parts import spanning_trees
from inference.grid.parts.constraints import refuse_contradiction, softened
from inference.grid.parts.scans import Messages, Weighted, compiled, planes, prepared, sweep
from inference.grid.parts.single_site import pick
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.VARIATIONAL
AT_WORK = 28  # times what latents and model take, in memory
EVERY = 5  # sweeps between two bounds, and two trees
CONVERGED = 1e-8  # nats


@dataclass(frozen=True)
class State:
    """Messages, trees beside the combs (each pixel's parent, -1 at the root) and the lowest bound so far."""

    messages: Float64[Tensor, "4 H W K"]
    parents: Int64[Tensor, "n pixels"]
    field: Float64[Tensor, "H W K"]  # nats; an image's, if one was given
    bound: float
    trees: int
    damping: float
    sweeps: int


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, trees: int = 4, damping: float = 0.0) -> State:
    """No messages yet: 0 nats."""
    if trees < 0:
        raise InputError(f"trees of tree_reweighted_bp are added to those there are: 0 or more, not {trees}")
    if not 0 <= damping < 1:
        raise InputError(f"damping of tree_reweighted_bp must be at least 0 and below 1, not {damping}")
    H, W, _ = model.shape
    model = softened(model)
    messages = planes(model.unary.new_zeros(4, *model.shape))
    parents = torch.empty(0, H * W, dtype=torch.int64, device=model.device)
    return State(messages, parents, model.field(data), float("inf"), trees, float(damping), 0)


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep, and every so often the bound after it and one more tree; the residual is of the messages, in nats."""
    grid = weighted(softened(model), data, state.parents)
    messages, residual = sweep(state.messages, grid, state.damping, torch.logsumexp)
    bound, parents, sweeps = state.bound, state.parents, state.sweeps + 1
    if sweeps == 1 or sweeps % EVERY == 0 or residual <= CONVERGED:
        bound = min(bound, upper_bound(messages, grid, parents))
        refuse_contradiction(bound, model, data)
    waiting = len(parents) < state.trees
    if waiting and sweeps % EVERY == 0:
        parents = torch.cat([parents, spanning_trees.heaviest(*mutual_information(messages, grid))[None]])
    state = replace(state, messages=messages, parents=parents, field=grid.field, bound=bound, sweeps=sweeps)
    return state, Info(bound, Kind.UPPER, residual=residual, converged=residual <= CONVERGED and not waiting)


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """Every pixel from its own belief, independently."""
    uniform = torch.rand(model.shape[:2], dtype=torch.float64, device=model.device, generator=rng)
    return {"labels": pick(beliefs(state, model), uniform)}


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": beliefs(state, model)}


def beliefs(state: State, model: GridMRF) -> Float64[Tensor, "H W K"]:
    """softmax_k b_s(k) of every pixel."""
    grid = replace(weighted(softened(model), None, state.parents), field=state.field)
    return torch.softmax(grid.beliefs(state.messages), -1)


def weighted(model: GridMRF, data: Tensor | None, parents: Tensor) -> Weighted:
    """The model with rho of the combs and the other trees; made once for a model that holds its image itself."""
    return _weighted(model, parents) if data is None else _weighted.__wrapped__(model, parents, data)


@lru_cache(maxsize=4)
def _weighted(model: GridMRF, parents: Tensor, data: Tensor | None = None) -> Weighted:
    H, W, _ = model.shape
    right, down = spanning_trees.counts(parents, H, W)
    combs = 0.5 + 0.5 / H, 0.5 + 0.5 / W
    rho = ((total + comb) / (len(parents) + 1) for total, comb in zip((right, down), combs, strict=True))
    return Weighted.of(model, data, *rho)


def upper_bound(messages: Messages, grid: Weighted, parents: Tensor) -> float:
    """sum_T mu_T log Z(theta^T), in nats, exactly."""
    messages = messages - messages[..., :1]  # a constant moves between trees, and no more
    combs = _combs(messages, grid) if compiled(messages, grid.right) else mean_log_z_of_combs(messages, grid)
    if not len(parents):
        return combs
    b, (right, down) = grid.beliefs(messages), grid.edges(messages)
    others = sum(float(spanning_trees.log_z(parent, b, right, down)) for parent in parents)
    return (combs + others) / (len(parents) + 1)


def mean_log_z_of_combs(messages: Messages, grid: Weighted) -> float:
    """Over those with a column for a spine, and over those with a row, each a half."""
    b, (right, down) = grid.beliefs(messages), grid.edges(messages)
    columns = spanning_trees.log_z_of_combs(b, right, down)
    rows = spanning_trees.log_z_of_combs(b.transpose(0, 1), down.transpose(0, 1), right.transpose(0, 1))
    return float(columns.mean() + rows.mean()) / 2


def _combs(messages: Messages, grid: Weighted) -> float:
    planes = messages.movedim(-1, 1).contiguous().numpy()
    return float(grid.field[..., 0].sum()) + combs_numba.mean_log_z(planes, *prepared(grid, False))


def mutual_information(messages: Messages, grid: Weighted) -> tuple[Float64[Tensor, "H W-1"], Float64[Tensor, "H-1 W"]]:
    """sum_kl tau_st(k, l) log(tau_st(k, l) / (tau_s(k) tau_t(l))) of every edge, from the pair's own beliefs."""
    b, found = grid.beliefs(messages), []
    for psi, near, far in zip(grid.edges(messages), (b[:, :-1], b[:-1]), (b[:, 1:], b[1:]), strict=True):
        joint = psi + near[..., :, None] + far[..., None, :]
        tau = torch.softmax(joint.flatten(2), -1).reshape(joint.shape)
        entropies = [-torch.special.xlogy(p, p).flatten(2).sum(-1) for p in (tau.sum(-1), tau.sum(-2), tau)]
        found.append(entropies[0] + entropies[1] - entropies[2])
    return found[0], found[1]
