"""Gibbs sampling: every label in turn from its conditional given its neighbours'; marginals by Rao-Blackwell.

    p(y_ij = k | rest) = softmax_k ( field_ij(k) + right_i(j-1)(y_i(j-1), k) + right_ij(k, y_i(j+1))
                                                 + down_(i-1)j(y_(i-1)j, k) + down_ij(k, y_(i+1)j) )

The marginals are averages of these probabilities at the moments of the updates, not of the labels drawn:
same mean, less variance. Schedules of one sweep: `checkerboard` all pixels of one colour, which are independent
given the other, then the other colour; `raster` pixel by pixel. Both leave p(y) as it is.

A chain starts from one of K + 1 images at random: all pixels one label, or each its own. In the ordered phase
(the reference's weights) such chains do not meet in any time one can wait: then R-hat says so.

One 64-bit key per sweep comes from `rng`; pixel n in raster order then uses number n + 1 of the SplitMix64
stream of that seed (Steele, Lea, Flood 2014), 53 bits of it, whichever engine, schedule or device.

Cost of a sweep: 4 H W K additions and H W K exp, or H W K look-ups where the grid is homogeneous with few
distinct fields (`compiled.gibbs`). The torch engine's `raster` is a Python loop over pixels, there to be read.

Options:

    schedule   how a sweep visits the pixels, see above
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from errors import InputError, unknown
from inference.engine import Engine, choose
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.single_site import batches, conditional, given_labels, pick, random_labels
from inference.method import Family, Info, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.MCMC
Schedule = Literal["checkerboard", "raster"]
GOLDEN, MIX1, MIX2 = (n - 2**64 for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True)
class State:
    """The chain's labels, and the running sum of p(y_ij = k | rest) over `count` sweeps, for k = 1 .. K-1."""

    labels: UInt8[Tensor, "H W"]
    sums: Float64[Tensor, "others H W"]
    count: int
    schedule: str
    engine: str


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *,
         schedule: Schedule = "checkerboard", engine: Engine = "auto") -> State:
    refuse_pairs("gibbs", model)
    if schedule not in get_args(Schedule):
        raise unknown("schedule of gibbs", schedule, get_args(Schedule))
    engine_ = choose("gibbs", engine, model.device)
    if schedule == "raster" and model.device.type != "cpu":
        raise InputError(f"gibbs' raster schedule visits one pixel at a time, which is of no use on {model.device}: "
                         f"use the schedule 'checkerboard'")
    H, W, K = model.shape
    return State(random_labels(rng, model), model.unary.new_zeros(K - 1, H, W), 0, schedule, engine_)


def start(rng: torch.Generator, model: GridMRF, data: Tensor | None, latents: Latents, *,
          schedule: Schedule = "checkerboard", engine: Engine = "auto") -> State:
    """A chain at given labels."""
    return replace(init(rng, model, data, schedule=schedule, engine=engine), labels=given_labels(model, latents))


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    model = softened(model)
    key = int(torch.randint(-(2**63), 2**63 - 1, (1,), generator=rng, device=rng.device))
    if state.engine == "compiled":
        from inference.grid.compiled import gibbs as gibbs_numba

        labels, sums = gibbs_numba.sweep(model, data, state.labels, state.sums, key, state.schedule)
    else:
        labels, sums = sweep(model, data, state.labels, state.sums, key, state.schedule)
    return replace(state, labels=labels, sums=sums, count=state.count + 1), Info()


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    return {"labels": state.labels.clone(memory_format=torch.contiguous_format)}


def expect(state: State, model: GridMRF) -> Quantities:
    """The mean of the conditional probabilities, label 0 as what remains (right to 1e-16, not relatively)."""
    if state.count == 0:
        return model.quantities({"labels": state.labels})
    others = state.sums / state.count
    first = (1 - others.sum(0, keepdim=True)).clamp(min=0)
    return {"labels": torch.cat([first, others]).permute(1, 2, 0).contiguous()}


def warm(state: State) -> State:
    """Warm-up ends: forget its averages, keep the labels."""
    return replace(state, sums=torch.zeros_like(state.sums), count=0)


def sweep(model: GridMRF, data: Tensor | None, labels: Tensor, sums: Tensor, key: int,
          schedule: str) -> tuple[Tensor, Tensor]:
    """New labels and sums, as one reads them in the docstring: the twin of `compiled.gibbs.sweep`."""
    field = model.field(data)
    u = uniforms(key, field.shape[0], field.shape[1], field.device)
    y = labels.to(torch.int64)
    for pixels in batches(schedule, field):
        probability = torch.softmax(conditional(y, field, model.right, model.down), -1)
        y = torch.where(pixels, pick(probability, u), y)
        sums = sums + torch.where(pixels, probability[..., 1:].permute(2, 0, 1), 0.0)
    return y.to(torch.uint8), sums


def uniforms(key: int, H: int, W: int, device: torch.device) -> Float64[Tensor, "H W"]:
    """SplitMix64's numbers 1 .. HW from seed `key`, their upper 53 bits as fractions (int64 arithmetic wraps)."""
    z = key + torch.arange(1, H * W + 1, device=device) * GOLDEN
    z = (z ^ _shift(z, 30)) * MIX1
    z = (z ^ _shift(z, 27)) * MIX2
    return (_shift(z ^ _shift(z, 31), 11).to(torch.float64) * 2.0**-53).reshape(H, W)


def _shift(z: Tensor, bits: int) -> Tensor:
    """Shift right as unsigned."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
