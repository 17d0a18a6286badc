"""Hard constraints, log-potentials of -inf, for arithmetic that wants finite numbers.

Each is replaced by -(R + HARD), R the sum of the ranges of all tables (largest less least finite entry). A labelling
that breaks one then has a probability below exp(-HARD) of any that breaks none, which is 0 in double precision; so are
all marginals of what is impossible, and log Z is what it was. If nothing is possible there is no answer: a search for a
possible labelling says so first (`compiled.possible`). Of three labels or more it may give up; an exact log Z, or a
bound, that is below what any possible labelling has then says so.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from errors import InputError
from inference.grid.compiled import possible
from models.grid import GridMRF, distinct

HARD = 1500.0  # nats; squared, and times as many labellings as are ever summed over, still below the least double
CONFLICTS = 10_000  # after which the search for a possible labelling gives up
CONTRADICTION = "no labelling is possible (Z = 0): the potentials of 0 contradict each other"


@lru_cache(maxsize=4)
def softened(model: GridMRF) -> GridMRF:
    """The model with finite numbers for -inf; itself where there are none.

    Errors: InputError where no labelling is possible.
    """
    if not any(model.forbids.values()):
        return model
    refuse_impossible(model)
    least = -penalty(model)
    return model._map(lambda table: table.clamp(min=least))


def contradicts_itself(model: GridMRF) -> bool:
    """Whether it is certain that every labelling breaks a hard constraint."""
    if not (model.forbids["right"] or model.forbids["down"]):
        return False  # a pixel has a label, as `GridMRF` asks
    left, right, down = ((table > -torch.inf).contiguous().cpu().numpy()
                         for table in (model.unary, distinct(model.right), distinct(model.down)))
    return possible.search(left, right, down, CONFLICTS) == possible.IMPOSSIBLE


def refuse_impossible(model: GridMRF) -> None:
    """Errors: InputError where it is certain that no labelling is possible."""
    if contradicts_itself(model):
        raise InputError(CONTRADICTION)


def penalty(model: GridMRF) -> float:
    """R + HARD, nats, and what the evidence of an image could add."""
    H, W, K = model.shape
    total = HARD + H * W * (math.log(K) + abs(model.evidence))
    for name in ("unary", "right", "down"):
        table = getattr(model, name)
        possible = table > -torch.inf
        top, low = (table.where(possible, side).flatten(2) for side in (-torch.inf, torch.inf))
        if table.numel():
            total += float((top.amax(-1) - low.amin(-1)).sum()) + float(table.where(possible, 0.0).abs().max())
    return total


def refuse_contradiction(log_z: float, model: GridMRF, data: Tensor | None = None) -> None:
    """Errors: InputError where log Z, of the softened model, says that no labelling is possible."""
    if not any(model.forbids.values()):
        return
    if log_z < least_possible(model, data) - 1.0:
        raise InputError(CONTRADICTION)


def least_possible(model: GridMRF, data: Tensor | None = None) -> float:
    """Nats that log p~ of a possible labelling, and so log Z where there is one, has at the least."""
    return sum(float(table.where(table > -torch.inf, torch.inf).flatten(2).amin(-1).sum())
               for table in (model.field(data), model.right, model.down))


STUCK = "a chain that moves few labels at a time may not reach all that is possible"


def refuse_pairs(name: str, model: GridMRF, why: str = STUCK, sides: tuple[str, ...] = ("right", "down")) -> None:
    """Errors: InputError for potentials of 0 between neighbours, which not every method can have."""
    for side in sides:
        if model.forbids[side]:
            i, j = (int(x[0]) for x in (distinct(getattr(model, side)) == -torch.inf).any(-1).any(-1).nonzero(
                as_tuple=True))
            raise InputError(f"{name} cannot have potentials of 0 between neighbours, as that of '{side}' at row {i}, "
                             f"column {j}: {why}: use the method 'strip', or 'loopy_bp'")
