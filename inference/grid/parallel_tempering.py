"""Parallel tempering: copies of the chain at rising temperatures, which trade places; the hot ones cross barriers.

Copy r aims at p(y)^beta_r / Z(beta_r), with beta_0 = 1 and the rest falling geometrically to `hottest`. A step is

1. a checkerboard Gibbs sweep of every copy:  p(y_ij = k | the rest) = softmax_k(beta_r lambda_ij(k));
2. offers to swap neighbours on the ladder, pairs (0, 1), (2, 3), .. then (1, 2), (3, 4), ..: accepted with chance

       min(1, exp((beta_r - beta_s) (L_s - L_r))),    L_r = log p~(y^r)

   which is the ratio p^beta_r(y^s) p^beta_s(y^r) / (p^beta_r(y^r) p^beta_s(y^s)): the Z(beta) cancel.

Copy 0 is the draw. `accept` is the share of swaps accepted: near 0 the ladder is too coarse for the grid (the
number of copies needed grows as the root of the number of pixels), near 1 it is finer than need be. `hottest`
should lie where Gibbs mixes: two labels order at beta (a - b) = log(1 + sqrt 2) = 0.88 for the coupling (a, b)
and no evidence, 0.11 for the reference's. Cost of a step: that of Gibbs times the number of copies.
Sources: Swendsen and Wang 1986; Geyer 1991; docs/problem1.md.

Options:

    copies    chains on the ladder of temperatures, at least 2
    hottest   least inverse temperature on the ladder, between 0 and 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.footprint import latents, tensors
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.single_site import Chain, colours, conditional, given_labels, pick, random_labels, warm
from inference.method import Family, Info, Latents, Quantities
from models.grid import GridMRF

STARTS_IN_EQUILIBRIUM = True  # the hot copies too
FAMILY = Family.MCMC

__all__ = ["FAMILY", "State", "draw", "expect", "init", "start", "step", "warm"]


@dataclass(frozen=True)
class State(Chain):
    """All copies, (copies, H, W), the coldest first; `sums` is of copy 0's p(y_ij = k | the rest)."""

    betas: Float64[Tensor, "copies"]
    engine: str  # compiled | torch


def footprint(model: GridMRF, data: Tensor | None, *, copies: int = 8, engine: Engine = "auto", **_: object) -> int:
    """A chain at work, bytes: every copy has labels and uniform numbers of its own, and in torch weights of labels."""
    each = 32 * model.shape[-1] if engine == "torch" else 16
    return 3 * (latents(model) + tensors(model)) + copies * each * model.unary[..., 0].numel()


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, copies: int = 8, hottest: float = 0.1,
         engine: Engine = "auto") -> State:
    """Labels at random in every copy."""
    refuse_pairs("parallel_tempering", model)
    if copies < 2:
        raise InputError(f"copies of parallel_tempering must be at least 2, not {copies}: one alone is 'gibbs'")
    if not 0 < hottest < 1:
        raise InputError(f"hottest of parallel_tempering is the least inverse temperature, "
                         f"between 0 and 1 and neither of them, not {hottest}")
    power = torch.linspace(0, 1, copies, dtype=torch.float64, device=model.device)
    return State(random_labels(rng, model, copies), torch.zeros_like(model.unary), 0, hottest**power,
                 choose("parallel_tempering", engine, model.device))


def start(rng: torch.Generator, model: GridMRF, data: Tensor | None, latents: Latents, *,
          copies: int = 8, hottest: float = 0.1, engine: Engine = "auto") -> State:
    """Given labels in copy 0; the others are drawn exactly, by enumeration (small grids).

    Then labels drawn from p(y) make the whole state a draw from what the kernel leaves invariant.
    """
    state = init(rng, model, data, copies=copies, hottest=hottest, engine=engine)
    log_joint = _listed(model).clone()
    for pixel, seen in enumerate((model.field(data) - model.unary).flatten(0, 1)):
        K = len(seen)
        log_joint.view(K**pixel, K, -1).add_(seen[:, None])
    weight = torch.exp(state.betas[1:, None] * (log_joint - log_joint.max())).cumsum(1)
    uniform = torch.rand(len(weight), 1, dtype=torch.float64, device=model.device, generator=rng)
    others = torch.searchsorted(weight, uniform * weight[:, -1:], right=True).clamp(max=len(log_joint) - 1)
    labels = [given_labels(model, latents)[None], model.configurations[others[:, 0]].to(torch.uint8)]
    return replace(state, labels=torch.cat(labels))


@lru_cache(maxsize=4)
def _listed(model: GridMRF) -> Float64[Tensor, "n"]:
    """log p~ of every labelling with no image seen: what thousands of starts on one grid have in common."""
    return model.log_joint({"labels": model.configurations})


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """A sweep of every copy, then the swaps; `accept` is the share of swaps accepted."""
    model = softened(model)
    uniform = torch.rand(state.labels.shape, dtype=torch.float64, device=model.device, generator=rng)
    tables = model.field(data).contiguous(), model.right, model.down
    if state.engine == "compiled":
        from inference.grid.compiled import single_site as single_site_numba

        labels, p = state.labels.clone(), torch.empty_like(tables[0])
        log_joint = torch.empty_like(state.betas)
        arrays = (labels, p, log_joint, *tables, state.betas, uniform)
        single_site_numba.tempered_sweep(*(t.numpy() for t in arrays))
    else:
        labels, p = sweep(state.labels.long(), *tables, state.betas, uniform)
        log_joint = model.log_joint({"labels": labels}, data)
    offers = torch.rand(len(labels) - 1, dtype=torch.float64, device=model.device, generator=rng)
    order, accepted = swaps(state.betas, log_joint, offers)
    labels = labels[order].to(torch.uint8)
    return replace(state, labels=labels, sums=state.sums + p, count=state.count + 1), Info(accept=accepted)


def sweep(labels: Int64[Tensor, "copies H W"], field: Tensor, right: Tensor, down: Tensor,
          betas: Float64[Tensor, "copies"], uniform: Tensor) -> tuple[Tensor, Tensor]:
    """Checkerboard Gibbs of every copy; and p(y_ij = k | the rest) at every pixel of copy 0 when it was visited."""
    p = torch.empty_like(field)
    for pixels in colours(field):
        now = torch.softmax(betas[:, None, None, None] * conditional(labels, field, right, down), -1)
        labels = torch.where(pixels, pick(now, uniform), labels)
        p = torch.where(pixels[..., None], now[0], p)
    return labels, p


def swaps(betas: Tensor, log_joint: Tensor, uniform: Float64[Tensor, "copies-1"]) -> tuple[list[int], float]:
    """Which copy's labels every copy has in the end, and the share of offers accepted."""
    order = list(range(len(betas)))
    beta, L, u = betas.tolist(), log_joint.tolist(), uniform.log().tolist()
    accepted = 0
    for r in [*range(0, len(u), 2), *range(1, len(u), 2)]:
        if u[r] < log_swap_ratio(beta[r], beta[r + 1], L[order[r]], L[order[r + 1]]):
            order[r], order[r + 1] = order[r + 1], order[r]
            accepted += 1
    return order, accepted / len(u)


def log_swap_ratio(beta_r: float, beta_s: float, L_r: float, L_s: float) -> float:
    """Log of what a swap is accepted with, before the min with 0.

    >>> log_swap_ratio(1.0, 0.5, L_r=-3.0, L_s=-1.0)
    1.0
    """
    return (beta_r - beta_s) * (L_s - L_r)


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    return {"labels": state.labels[0]}


def expect(state: State, model: GridMRF) -> Quantities:
    """Marginals: copy 0's average over the sweeps; its labels themselves before the first."""
    return {"labels": state.sums / state.count} if state.count else model.quantities({"labels": state.labels[0]})
