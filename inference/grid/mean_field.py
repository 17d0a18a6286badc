"""Mean field: the best factorised q(y) = prod_ij q_ij(y_ij), one coordinate at a time.

The evidence lower bound, in nats (the reference's equation 3, summed over pixels):

    ELBO(q) = sum_ij sum_k q_ij(k) (field_ij(k) - log q_ij(k))
            + sum over edges (a, b), labels k, l of  q_a(k) q_b(l) theta_ab(k, l)       <=  log Z

is concave in one q_ij while the others stand still, and largest at (equation 4)

    q_ij(k) = softmax_k lambda_ij(k),
    lambda_ij(k) = field_ij(k) + sum over neighbours n, labels l of  q_n(l) theta(k, l)

Schedules of one sweep: `synchronous` updates every pixel from the last sweep's q (the reference's; the ELBO
may fall, and q may flip for ever between two states); `checkerboard` all pixels of one colour, then the other,
and `sequential` pixel by pixel in raster order: under these two the ELBO never falls, damped or not.
Damping d keeps log q = (1 - d) log q_new + d log q_old + const, a natural-gradient step of length 1 - d.
All is done on log q, so potentials of 1e4 nats do no harm. docs/problem1.md derives each line.

Cost of a sweep: 4 H W K^2 multiplications, ELBO included 6 H W K^2. The torch engine's `sequential` is a Python
loop over pixels, there to be read and to check the compiled one.

Options:

    schedule   the order in which a sweep updates the pixels, see above
    damping    share of the old log q in the new one, from 0 to below 1
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError, unknown
from inference.engine import Engine, choose
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.single_site import batches, pick
from inference.method import Family, Info, Kind, Latents, Quantities
from models.grid import GridMRF

FAMILY = Family.VARIATIONAL
AT_WORK = 4  # times what latents and model take, in memory
SCHEDULES = ("synchronous", "checkerboard", "sequential")


@dataclass(frozen=True)
class State:
    """log q_ij(k), normalised over k, and the options."""

    log_q: Float64[Tensor, "H W K"]
    schedule: str
    damping: float
    engine: str  # compiled | torch


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *,
         schedule: Literal["synchronous", "checkerboard", "sequential"] = "checkerboard", damping: float = 0.0,
         engine: Engine = "auto") -> State:
    """The uniform q."""
    refuse_pairs("mean_field", model, "independent pixels break them, so that its bound would be -inf")
    if schedule not in SCHEDULES:
        raise unknown("schedule of mean_field", schedule, SCHEDULES)
    if not 0 <= damping < 1:
        raise InputError(f"damping of mean_field must be at least 0 and below 1, not {damping}")
    if schedule == "sequential" and model.device.type != "cpu":
        raise InputError(f"mean_field's sequential schedule visits one pixel at a time, which is of no use on "
                         f"{model.device}: use the schedule 'checkerboard'")
    runs = choose("mean_field", engine, model.device)
    H, W, K = model.shape
    uniform = torch.full((H, W, K), 1 / K, dtype=torch.float64, device=model.device).log()
    return State(uniform, schedule, float(damping), runs)


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One sweep over all pixels, and the ELBO after it."""
    model = softened(model)
    field = model.field(data)
    if state.engine == "compiled":
        from inference.grid.compiled import mean_field as mean_field_numba

        log_q, change, bound = mean_field_numba.sweep(
            field, model.right, model.down, state.log_q, state.schedule, state.damping)
    else:
        log_q = state.log_q
        for pixels in batches(state.schedule, log_q):
            new = mean_field_update(log_q.exp(), field, model)
            if state.damping:
                new = torch.log_softmax((1 - state.damping) * new + state.damping * log_q, -1)
            log_q = torch.where(pixels[..., None], new, log_q)
        change = float((log_q.exp() - state.log_q.exp()).abs().max())
        bound = float(elbo(log_q, field, model))
    return replace(state, log_q=log_q), Info(log_evidence=bound, kind=Kind.LOWER, elbo=bound, residual=change)


def draw(rng: torch.Generator, state: State, model: GridMRF) -> Latents:
    """Labels from q: independent pixels."""
    uniform = torch.rand(model.shape[:2], dtype=torch.float64, device=model.device, generator=rng)
    return {"labels": pick(state.log_q.exp(), uniform)}


def expect(state: State, model: GridMRF) -> Quantities:
    return {"labels": state.log_q.exp()}


def mean_field_update(q: Float64[Tensor, "H W K"], field: Float64[Tensor, "H W K"],
                      model: GridMRF) -> Float64[Tensor, "H W K"]:
    """Equation 4 at every pixel: log softmax_k lambda_ij(k), of the field and what the four neighbours expect."""
    total = field.clone()
    total[:, :-1] += _expected(model.right, q[:, 1:])
    total[:, 1:] += _expected(model.right.mT, q[:, :-1])
    total[:-1] += _expected(model.down, q[1:])
    total[1:] += _expected(model.down.mT, q[:-1])
    return torch.log_softmax(total, -1)


def elbo(log_q: Float64[Tensor, "H W K"], field: Float64[Tensor, "H W K"], model: GridMRF) -> Tensor:
    """The ELBO of equation 3, in nats; torch differentiates it."""
    q = log_q.exp()
    return (
        (q * (field - log_q)).sum()
        + (q[:, :-1] * _expected(model.right, q[:, 1:])).sum()
        + (q[:-1] * _expected(model.down, q[1:])).sum())


def elbo_gradient(q: Float64[Tensor, "H W K"], field: Float64[Tensor, "H W K"],
                  model: GridMRF) -> Float64[Tensor, "H W K"]:
    """dELBO / d eta of q = softmax(eta), by torch: the slope of the free energy, but for its sign. 0 at a fixed point.

        q_ij(k) (r_ij(k) - sum_l q_ij(l) r_ij(l)),    r_ij(k) = lambda_ij(k) - log q_ij(k)
    """
    eta = q.log().requires_grad_(True)
    (slope,) = torch.autograd.grad(elbo(torch.log_softmax(eta, -1), field, model), eta)
    return slope


def _expected(table: Tensor, q: Tensor) -> Tensor:
    """sum_l table[..., k, l] q[..., l], label by label: K times less memory than all products at once."""
    total = torch.zeros_like(q)
    for label in range(q.shape[-1]):
        total += table[..., label] * q[..., label, None]
    return total
