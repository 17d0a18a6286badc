"""Perfect sampling: exact, independent draws by coupling from the past, for two labels that attract.

Run Gibbs sweeps from time -T to 0 with the same random numbers from two starts, all labels 0 and all labels 1. With

    theta(0, 0) + theta(1, 1) >= theta(0, 1) + theta(1, 0)      on every edge (attractive)

a pixel's p(y = 1 | its neighbours) rises with its neighbours, so one copy stays below the other, and every other start
between them. If they have met at time 0 all starts have: what they agree on is a draw from p(y), exactly, for a
chain that began at -infinity would be there too (Propp and Wilson 1996). If not, T is doubled and the random numbers of
the last sweeps are used *again*: new ones would bias the draw to what meets soon. A sweep is a checkerboard,

    y_ij = 1  where  u >= p(y_ij = 0 | the rest),      u of sweep -t from a generator of its own

A step is one draw, and nothing is to be warmed up. It takes as long as it takes: about as many sweeps as Gibbs needs to
mix, so without end in the ordered phase. Where the first, which is tried before a run, has not met after `longest`
sweeps, it is refused.

Cost of a draw: 4 T Gibbs sweeps, T what it took.

Options:

    longest   how many sweeps into the past the draw that is tried first goes at most; later ones, 64 times as many
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from errors import InputError
from inference.engine import Engine, choose
from inference.grid.parts.constraints import refuse_pairs, softened
from inference.grid.parts.graph_cut import first_frustrated
from inference.grid.parts.single_site import Chain, colours, conditional, draw, expect, given_labels, warm
from inference.method import Family, Info, Latents
from models.grid import GridMRF

FAMILY = Family.MCMC
PATIENCE = 64  # how much longer than the first draw a later one may take

__all__ = ["FAMILY", "State", "draw", "expect", "init", "start", "step", "warm"]


@dataclass(frozen=True)
class State(Chain):
    """The last draw; `sums` is of the draws' label indicators, over `count` of them."""

    longest: int
    engine: str  # compiled | torch


def init(rng: torch.Generator, model: GridMRF, data: Tensor | None, *, longest: int = 256, engine: Engine = "auto"
         ) -> State:
    """All labels 0, until the first draw."""
    H, W, K = model.shape
    refuse_pairs("perfect_sampling", model)
    if K != 2:
        raise InputError(f"perfect_sampling is for two labels, and this grid has {K}: use the method 'gibbs'")
    if longest < 1:
        raise InputError(f"longest of perfect_sampling must be at least 1 sweep, not {longest}")
    found = first_frustrated(model.right, model.down)
    if found:
        name, i, j, short = found
        raise InputError(f"perfect_sampling needs edges that favour equal labels, and the edge '{name}' of row {i}, "
                         f"column {j} favours unequal ones by {short:.3g} nats: use the method 'strip' or 'gibbs'")
    labels = torch.zeros(H, W, dtype=torch.uint8, device=model.device)
    return State(labels, torch.zeros_like(model.unary), 0, longest, choose("perfect_sampling", engine, model.device))


def start(rng: torch.Generator, model: GridMRF, data: Tensor | None, latents: Latents, *, longest: int = 256,
          engine: Engine = "auto") -> State:
    """At given labels, which the next draw does not depend on."""
    return replace(init(rng, model, data, longest=longest, engine=engine), labels=given_labels(model, latents))


def preflight(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> None:
    """One draw. Errors: InputError where the copies have not met after `longest` sweeps."""
    drawn(rng, state, model, data, state.longest)


def step(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None) -> tuple[State, Info]:
    """One exact draw."""
    labels = drawn(rng, state, model, data, PATIENCE * state.longest)
    sums = state.sums + model.quantities({"labels": labels})["labels"]
    return replace(state, labels=labels, sums=sums, count=state.count + 1), Info()


def drawn(rng: torch.Generator, state: State, model: GridMRF, data: Tensor | None, longest: int
          ) -> UInt8[Tensor, "H W"]:
    """What all starts come to, from noise that hangs on one number of `rng`."""
    seed = int(torch.randint(2**62, (), generator=rng, device=rng.device))
    soft = softened(model)
    return coupled(seed, soft.field(data).contiguous(), soft, longest, state.engine)


def coupled(seed: int, field: Tensor, model: GridMRF, longest: int, engine: str) -> UInt8[Tensor, "H W"]:
    """What all starts come to at time 0."""
    H, W, _ = field.shape
    past = 1
    while past <= longest:
        both = torch.zeros(2, H, W, dtype=torch.uint8, device=field.device)
        both[1] = 1
        for t in range(past, 0, -1):
            both = sweep(both, field, model, noise(seed, t, H, W).to(field.device), engine)
        if torch.equal(both[0], both[1]):
            return both[0].clone()
        past *= 2
    raise InputError(f"copies of perfect_sampling that start from all labels 0 and all labels 1 have not met after "
                     f"{past // 2} sweeps, and {int((both[0] != both[1]).sum())} of {H * W} pixels differ: at this "
                     f"coupling they may never; use the method 'strip', a smaller beta, or more than longest={longest}")


def noise(seed: int, t: int, H: int, W: int) -> Float64[Tensor, "H W"]:
    """The uniform numbers of sweep -t, the same whenever it is run again."""
    return torch.rand(H, W, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + t))


def sweep(both: UInt8[Tensor, "2 H W"], field: Tensor, model: GridMRF, uniform: Tensor, engine: str
          ) -> UInt8[Tensor, "2 H W"]:
    """Checkerboard Gibbs of both copies, from the same noise."""
    if engine == "compiled":
        from inference.grid.compiled import single_site as single_site_numba

        new = both.clone()
        arrays = (new, torch.empty_like(field), field.new_empty(2), field, model.right, model.down, field.new_ones(2),
                  uniform.expand(2, -1, -1).contiguous())
        single_site_numba.tempered_sweep(*(a.numpy() for a in arrays))
        return new
    y = both.to(torch.int64)
    for pixels in colours(field):
        p = torch.softmax(conditional(y, field, model.right, model.down), -1)
        y = torch.where(pixels, (uniform >= p[..., 0]).long(), y)
    return y.to(torch.uint8)
