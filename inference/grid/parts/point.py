"""What the methods that look for the most probable labelling share: the best one so far, and its log joint."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor

from errors import InputError
from inference.method import Latents, Quantities
from models.grid import GridMRF


@dataclass(frozen=True)
class Point:
    """The best labelling so far and log p~ of it, in nats (the energy of others, but for its sign)."""

    labels: UInt8[Tensor, "H W"]
    objective: float


P = TypeVar("P", bound=Point)


def most_likely_alone(model: GridMRF, data: Tensor | None) -> UInt8[Tensor, "H W"]:
    """Each pixel's best label by its field; the lowest of equals."""
    if model.shape[2] > 256:
        raise InputError(f"a label is kept in a byte, so there may be at most 256 labels, not {model.shape[2]}")
    return model.field(data).argmax(-1).to(torch.uint8)


def objective(labels: Tensor, model: GridMRF, data: Tensor | None) -> float:
    """log p~ of a labelling, nats; -inf of one that is impossible."""
    return float(model.log_joint({"labels": labels}, data))


def said(objective: float) -> float | None:
    """As `Info` has it: None while no labelling that is possible has been found."""
    return None if objective == -math.inf else objective


def better(state: P, labels: Tensor, model: GridMRF, data: Tensor | None) -> P:
    """The state with these labels, if they are more probable than its own."""
    labels = labels.to(torch.uint8)
    if torch.equal(labels, state.labels):
        return state
    found = objective(labels, model, data)
    return replace(state, labels=labels, objective=found) if found > state.objective else state


def draw(rng: torch.Generator, state: Point, model: GridMRF) -> Latents:
    """The point."""
    return {"labels": state.labels}


def expect(state: Point, model: GridMRF) -> Quantities:
    """Indicators of the point's labels."""
    return model.quantities({"labels": state.labels})
