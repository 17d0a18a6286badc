"""The checker's own kernel for any program: right by construction, if the program's draws and densities agree.

Metropolis moves of all numbers at once, of one in turn, and of entries of discrete sites; proposals are symmetric
without constraints, and accepted by the log density there. A kernel is called wrong only where this one is not: else
the program's sample() and log_prob() disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from inference.method import Family, Info, Latents, Method
from models.model import Data
from models.program import Program

SWEEPS = 5  # of all moves, a step
SCALES = (-2.5, 0.5)  # powers of ten of a move, in standard deviations of the prior


@dataclass(frozen=True)
class State:
    latents: dict[str, Tensor]  # a leading axis of replicates


def method(program: Program, spread: Tensor) -> Method:
    """For this program; `spread` are standard deviations of the numbers without constraints under the prior, (D,)."""
    module = ModuleType("control")
    module.__dict__["BATCHED"] = True
    coordinates = program.coordinates

    def init(rng: torch.Generator, model: Program, data: Data) -> State:
        return State({name: x[None] for name, x in model.prior(rng).items()})

    def start(rng: torch.Generator, model: Program, data: Data, latents: Latents) -> State:
        return State(latents)

    def log_p(model: Program, u: Tensor, labels: Latents, data: Data) -> Tensor:
        def one(theta: Latents, y: Data) -> Tensor:
            latents, log_det = coordinates.latents(theta["u"])
            rest = {name: x for name, x in theta.items() if name != "u"}
            return torch.stack(list(model.terms({**latents, **rest}, y).values())).sum() + log_det

        return model.each(one, {"u": u, **labels}, data).nan_to_num(nan=-torch.inf)

    def step(rng: torch.Generator, state: State, model: Program, data: Data) -> tuple[State, Info]:
        n = len(next(iter(state.latents.values())))
        labels = {name: state.latents[name] for name in model.known.discrete}
        u = torch.func.vmap(coordinates.free)({name: state.latents[name] for name in model.known.continuous}) \
            if len(spread) else torch.zeros(n, 0, dtype=torch.float64)
        now = log_p(model, u, labels, data)
        for _ in range(SWEEPS):
            for mask in [torch.ones(len(spread)), *torch.eye(len(spread))] if len(spread) else []:
                low, high = SCALES
                scale = 10 ** (low + (high - low) * torch.rand(n, 1, generator=rng, dtype=torch.float64))
                move = torch.randn(n, len(spread), generator=rng, dtype=torch.float64) * spread * scale * mask
                u, labels, now = _accepted(rng, u, labels, now, u + move, labels, log_p(model, u + move, labels, data))
            for name, site in model.known.discrete.items():
                for k in range(site.size):
                    new = dict(labels) | {name: _other(rng, labels[name], k, site.choices)}
                    u, labels, now = _accepted(rng, u, labels, now, u, new, log_p(model, u, new, data))
        moved = torch.func.vmap(lambda x: coordinates.latents(x)[0])(u) if len(spread) else {}
        return State({name: {**moved, **labels}[name] for name in state.latents}), Info()

    def draw(rng: torch.Generator, state: State, model: Program) -> Latents:
        return state.latents

    return Method("the checker's own Metropolis", Family.MCMC, "hand", module, init, step, draw, start=start,
                  states=(State,))


def _accepted(rng: torch.Generator, u: Tensor, labels: Latents, now: Tensor, new_u: Tensor, new_labels: Latents,
              new: Tensor) -> tuple[Tensor, Latents, Tensor]:
    """Each replicate where it was, or where it was proposed."""
    yes = torch.rand(len(now), generator=rng, dtype=torch.float64).log() < new - now

    def chosen(old: Tensor, other: Tensor) -> Tensor:
        return torch.where(yes.reshape(-1, *[1] * (old.ndim - 1)), other, old)

    return chosen(u, new_u), {name: chosen(x, new_labels[name]) for name, x in labels.items()}, chosen(now, new)


def _other(rng: torch.Generator, z: Tensor, k: int, choices: Tensor | None) -> Tensor:
    """Entry k of every replicate is another value, each as likely; one up or down where they have no end."""
    flat = z.reshape(len(z), -1).clone()
    if choices is None:
        flat[:, k] += (2 * torch.randint(2, (len(z),), generator=rng) - 1).to(z.dtype)
    else:
        K = len(choices)
        at = (flat[:, k, None] == choices.to(z.dtype)).int().argmax(1)
        flat[:, k] = choices.to(z.dtype)[(at + torch.randint(1, K, (len(z),), generator=rng)) % K]
    return flat.reshape(z.shape)
