"""HMC within Gibbs: all users exactly given the items, then every item by a Hamiltonian trajectory given the users.

    u_i | V, r ~ N(mu_i, Sigma_i)        for all i, as in `row_gibbs`
    H(v_j, p_j) = -log p(v_j | U, r) + |p_j|^2 / 2,        p_j ~ N(0, I) afresh,
    leapfrog    p += e/2 grad,  v += e p,  p += e/2 grad,  `leaps` times;      grad = Lambda_j (mu_j - v_j)
    accepted with probability min(1, exp(H before - H after)), every item by itself

Given U the items do not touch each other, so each has its own trajectory, step and verdict. With Lambda_j the
precision of v_j | U, r, e_j = step_size / sqrt(its largest eigenvalue) times a fresh number in (0.8, 1.2), against
periods; leapfrog is stable below step_size = 1.66. Here the conditional is Gaussian and could be drawn exactly: the
kernel shows what HMC in a block costs and loses. It needs no more than the gradient, so it would also do where prior or
likelihood are not Gaussian. Cost of a step: N K^2 + (users + items) K^3, and items K^2 for each leap.

The same in Pyro, the gradients by autograd through all ratings, and one verdict for all items together:
`Gibbs(model.program, [(rows, ["U"]), (partial(HMC, num_steps=5), ["V"])])` of `inference/pyro/gibbs.py`.
Source: Neal, MCMC using Hamiltonian dynamics (2011).

Options:

    step_size   leapfrog step e, in units of an item's narrowest direction; stable below 1.66
    leaps       leapfrog steps of a trajectory
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose, one_thread
from inference.factorization.compiled.normals import normals
from inference.factorization.parts.by_row import check_plain, sides
from inference.factorization.parts.row_conditional import Prior, posterior
from inference.factorization.parts.row_conditional import draw as draw_rows
from inference.footprint import latents, tensors
from inference.method import Family, Info, Latents
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.MCMC
AT_WORK = 4  # times what latents and data take, in memory, beside the items' tables
JITTER = 0.2  # of the step size, to either side


@dataclass(frozen=True)
class State:
    """The chain's position, and how its items move."""

    U: Float64[Tensor, "users K"]
    V: Float64[Tensor, "items K"]
    step_size: float
    leaps: int
    engine: str


def footprint(model: Factorization, data: Ratings, **_: object) -> int:
    """A chain at work, bytes: of every item a covariance, a precision and what its eigenvalues are found in."""
    return AT_WORK * (latents(model) + tensors(data)) + 3 * 8 * model.num_items * model.rank**2


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, step_size: float = 0.7, leaps: int = 5,
         engine: Engine = "auto") -> State:
    """A draw from the prior. step_size in units of an item's narrowest direction."""
    if not 0 < step_size < math.inf:
        raise InputError(f"step_size of hmc_within_gibbs must be a positive finite number, not {step_size}")
    if leaps < 1:
        raise InputError(f"leaps of hmc_within_gibbs must be at least 1, not {leaps}")
    check_plain("hmc_within_gibbs", model)
    sides(model, data)
    engine_ = choose("hmc_within_gibbs", engine, torch.device(model.device))
    return State(**model.prior(rng), step_size=step_size, leaps=leaps, engine=engine_)


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    users, items = sides(model, data)
    prior, noise = Prior.of(model), model.noise_variance
    U = draw_rows(users, state.V, prior, noise, normals(rng, *state.U.shape), engine=state.engine)
    given = posterior(items, U, prior, noise, engine=state.engine)
    with one_thread():
        precision = torch.linalg.inv(given.spread)
        V, accepted = trajectories(rng, state.V, given.mean, precision, state.step_size, state.leaps)
    return replace(state, U=U, V=V), Info(accept=accepted)


def draw(rng: torch.Generator, state: State, model: Factorization) -> Latents:
    return {"U": state.U, "V": state.V}


def trajectories(rng: torch.Generator, v: Tensor, mean: Tensor, precision: Tensor, step_size: float,
                 leaps: int) -> tuple[Tensor, float]:
    """Every row moved by HMC on N(mean, precision^-1), and the share of rows that was accepted.

    v, mean (rows, K);    precision (rows, K, K)
    """
    def gradient(x: Tensor) -> Tensor:
        return (precision @ (mean - x)[..., None])[..., 0]

    def energy(x: Tensor, p: Tensor) -> Tensor:
        return 0.5 * ((x - mean) * -gradient(x)).sum(-1) + 0.5 * p.square().sum(-1)

    def uniform() -> Tensor:
        return torch.rand(len(v), generator=rng, dtype=v.dtype, device=v.device)

    e = step_size * (1 + JITTER * (2 * uniform() - 1)) / torch.linalg.eigvalsh(precision)[:, -1].sqrt()
    p = torch.randn(v.shape, generator=rng, dtype=v.dtype, device=v.device)
    before, x = energy(v, p), v
    p = p + e[:, None] / 2 * gradient(x)
    for leap in range(leaps):
        x = x + e[:, None] * p
        p = p + (e[:, None] if leap < leaps - 1 else e[:, None] / 2) * gradient(x)
    yes = uniform().log() < before - energy(x, p)
    return torch.where(yes[:, None], x, v), float(yes.double().mean())
