"""A method to start from, with all of the contract: the mode of U and V, by gradient steps that cannot go downhill.

    python run.py --problem 2 --method examples/method.py --method maximum_likelihood:map=true

    U_ik += d log p(U, V, r) / d U_ik / (K c_ik),   c_ik = 1 / prior_variance + sum_j V_jk^2 / noise_variance;   V alike
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inference.method import Family, Info
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.POINT  # or VARIATIONAL (draw is from q), MCMC (a step is a draw), EXACT (one step)


@dataclass(frozen=True)
class State:  # all that is remembered: tensors, numbers, words, so that Ctrl-C and --resume work
    U: Tensor
    V: Tensor
    objective: float


def init(rng: torch.Generator, model: Factorization, data: Ratings, *,
         size: float = 0.5) -> State:  # options stand after *: --set size=0.1, shown by --list
    latents = model.prior(rng)  # rng: the only source of chance
    return State(size * latents["U"], size * latents["V"], float("-inf"))


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    """One pass over the data; what was given stays as it is."""
    for site, other, row, column in (("U", "V", data.user, data.item), ("V", "U", data.item, data.user)):
        x, v = getattr(state, site), getattr(state, other)[column]
        error = data.rating - (x[row] * v).sum(1)
        gradient = -x / model.prior_variance + torch.zeros_like(x).index_add_(0, row, error[:, None] * v) \
            / model.noise_variance
        curvature = 1 / model.prior_variance + torch.zeros_like(x).index_add_(0, row, v**2) / model.noise_variance
        state = replace(state, **{site: x + gradient / (model.rank * curvature)})
    new = replace(state, objective=float(model.log_joint(draw(rng, state, model), data)))
    return new, Info(objective=new.objective, residual=(new.objective - state.objective) / len(data))


def draw(rng: torch.Generator, state: State, model: Factorization) -> dict[str, Tensor]:  # site -> tensor
    return {"U": state.U, "V": state.V}
