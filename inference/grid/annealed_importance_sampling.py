"""Annealed importance sampling: log Z with a standard error, from runs that turn the coupling on step by step.

Between independent pixels, whose Z is known, and the model lie

    log p~_t(y) = sum_s field_s(y_s) + beta_t sum over edges of theta_st(y_s, y_t),     0 = beta_0 < .. < beta_T = 1

A run draws y from p_0, then for t = 1 .. T multiplies its weight by p~_t(y) / p~_(t-1)(y) and takes a checkerboard
Gibbs sweep that leaves p_t alone (Neal 2001). Weights of R runs are unbiased, E[w] = Z:

    log w = log Z_0 + sum_t (beta_t - beta_(t-1)) sum over edges of theta_st(y_s, y_t)
    log Z ~ log mean w,      standard error ~ sd(w) / (mean(w) sqrt R)                (nats, by the delta method)

The marginals are those of the runs' last labels, weighted; a draw is one run's labels, by weight. Where few runs hold
all the weight the standard error, an estimate too, is too small, and log Z errs low: by Markov's inequality log mean w
is above log Z + c with probability at most e^-c, however few the runs. More temperatures help more than more runs. A
step is one run. Cost of a step: `temperatures` Gibbs sweeps and as many sums over the edges.

Options:

    temperatures   how many steps T the coupling is turned on in
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.single_site import colours, conditional, pick, random_labels
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.VARIATIONAL  # draws are made at the end, by weight; a step is not one
AT_WORK = 12  # times what latents and model take, in memory
ALIKE = 1e-9  # what weights differ by from rounding
KEPT = 2**25  # labels that are kept to draw from, of the heaviest runs: 81 of 640 x 640


@dataclass(frozen=True)
class State:
    """Log weights of all runs; of the heaviest so far the labels; and the weighted sum of all labels' indicators."""

    log_w: Float64[Tensor, "runs"]
    labels: UInt8[Tensor, "kept H W"]
    kept: Float64[Tensor, "kept"]  # their log weights
    sums: Float64[Tensor, "H W K"]  # of w / exp(largest log w) times the indicators
    temperatures: int
    engine: str


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, temperatures: int = 300,
         engine: Engine = "auto") -> State:
    """No runs yet."""
    refuse_pairs("annealed_importance_sampling", model, "a coupling turned on bit by bit forbids nothing until the end")
    if temperatures < 1:
        raise InputError(f"temperatures of annealed_importance_sampling must be at least 1, not {temperatures}")
    none = model.unary.new_empty(0)
    labels = random_labels(rng, model)[None][:0]
    return State(none, labels, none, torch.zeros_like(model.unary), temperatures,
                 choose("annealed_importance_sampling", engine, model.device))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One run, and log Z by all so far; its standard error from the second on."""
    model = softened(model)
    field = model.field(data).contiguous()
    labels, log_w = run(rng, field, model, state.temperatures, state.engine)
    log_w = torch.cat([state.log_w, log_w[None]])
    top, before = log_w.max(), log_w[:-1].max() if len(state.log_w) else log_w.max()
    own = torch.nn.functional.one_hot(labels.long(), model.shape[2]).double()
    sums = state.sums * torch.exp(before - top) + own * torch.exp(log_w[-1] - top)
    kept = torch.cat([state.kept, log_w[-1:]])
    heaviest = kept.argsort(descending=True, stable=True)[: max(KEPT // labels.numel(), 2)]
    state = replace(state, log_w=log_w, labels=torch.cat([state.labels, labels[None]])[heaviest], kept=kept[heaviest],
                    sums=sums)
    return state, Info(log_mean(log_w), Kind.ESTIMATE, log_evidence_se=standard_error(log_w))


def run(rng: torch.Generator, field: Tensor, model: GridMRF, temperatures: int, engine: str
        ) -> tuple[UInt8[Tensor, "H W"], Tensor]:
    """The last labels and the log weight of one run."""
    def uniform() -> Tensor:
        return torch.rand(field.shape[:2], dtype=torch.float64, device=field.device, generator=rng)

    labels = pick(torch.softmax(field, -1), uniform()).to(torch.uint8)
    log_w = torch.logsumexp(field, -1).sum()
    pairs = replace(model, unary=torch.zeros_like(field))
    for t in range(1, temperatures + 1):
        log_w = log_w + pairs.log_joint({"labels": labels}) / temperatures
        labels = sweep(labels, field, model, t / temperatures, uniform(), engine)
    return labels, log_w


def sweep(labels: Tensor, field: Tensor, model: GridMRF, beta: float, uniform: Tensor, engine: str
          ) -> UInt8[Tensor, "H W"]:
    """A checkerboard Gibbs sweep of p_t: softmax_k(beta lambda(k)) with the field divided by beta."""
    if engine == "compiled":
        from inference.grid.compiled import single_site as single_site_numba

        new = labels[None].clone(memory_format=torch.contiguous_format)
        arrays = (new, torch.empty_like(field), field.new_empty(1), (field / beta).contiguous(), model.right,
                  model.down, field.new_tensor([beta]), uniform[None])
        single_site_numba.tempered_sweep(*(t.numpy() for t in arrays))
        return new[0]
    y = labels.to(torch.int64)
    for pixels in colours(field):
        p = torch.softmax(beta * conditional(y, field / beta, model.right, model.down), -1)
        y = torch.where(pixels, pick(p, uniform), y)
    return y.to(torch.uint8)


def log_mean(log_w: Float64[Tensor, "runs"]) -> float:
    """log of the mean weight, nats.

    >>> log_mean(torch.tensor([1.0, 3.0]).log())
    0.693147...
    """
    return float(torch.logsumexp(log_w, 0)) - math.log(len(log_w))


def standard_error(log_w: Float64[Tensor, "runs"]) -> float | None:
    """Of `log_mean`, nats: sd(w) / (mean(w) sqrt R); None of one run, and of runs that are all alike, which do not show
    what they missed."""
    w = torch.exp(log_w - log_w.max())
    alike = len(w) < 2 or float(1 - w.min()) < ALIKE
    return None if alike else float(w.std() / w.mean() / math.sqrt(len(w)))


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """The last labels of one of the runs, by weight; of those whose labels are kept, the heaviest."""
    if not len(state.kept):
        return {"labels": random_labels(rng, model)}
    chosen = torch.multinomial(torch.softmax(state.kept, 0), 1, generator=rng)[0]
    return {"labels": state.labels[chosen]}


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": state.sums / state.sums.sum(-1, keepdim=True) if len(state.log_w) else state.sums}
