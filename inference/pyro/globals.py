"""Pyro's global randomness and parameter store: borrowed for a moment, and handed back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyro
import torch

from inference.generators import handed_back, seed


@contextmanager
def borrowed(rng: torch.Generator) -> Iterator[None]:
    """Inside, torch, numpy and random are seeded from `rng`, and the store is empty.

    Arguments of distributions go unvalidated, as under `pyro.infer.MCMC`: a proposal may well be impossible.
    """
    with handed_back():
        seed(int(torch.randint(2**32, (), generator=rng, device=rng.device)))
        with pyro.get_param_store().scope(), pyro.validation_enabled(False):
            yield
