"""What the ladder asks of a rung."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from models.model import Latents


class Rung(Protocol):
    @property
    def sites(self) -> dict[str, tuple[int, ...]]: ...

    def prior(self, rng: torch.Generator) -> Latents:
        """A draw, on the generator's device."""

    def log_prior(self, latents: Latents) -> Tensor:
        """In nats, every constant included; leading axes of the latents are batches."""

    def program(self, zero: Tensor) -> Latents:
        """The same as sites of a Pyro program; `zero` has the type and device of its numbers."""
