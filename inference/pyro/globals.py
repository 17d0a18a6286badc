"""Pyro's global randomness and parameter store: borrowed for a moment, and handed back as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyro
import torch
from pyro.util import get_rng_state, set_rng_state


@contextmanager
def borrowed(rng: torch.Generator) -> Iterator[None]:
    """Inside, torch, numpy and random are seeded from `rng`, and the store is empty.

    Arguments of distributions go unvalidated, as under `pyro.infer.MCMC`: a proposal may well be impossible.
    """
    before = get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    seed = int(torch.randint(2**32, (), generator=rng, device=rng.device))
    try:
        pyro.set_rng_seed(seed)
        with pyro.get_param_store().scope(), pyro.validation_enabled(False):
            yield
    finally:
        set_rng_state(before)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
