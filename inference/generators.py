"""The global random generators of torch, numpy and Python, which libraries draw from: handed back as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def global_one(device: torch.device | str) -> torch.Generator:
    """torch's own generator on a device, which every Pyro kernel draws from."""
    device = torch.device(device)
    return torch.default_generator if device.type == "cpu" else torch.cuda.default_generators[device.index or 0]


def seed(number: int) -> None:
    """All of them, from any number of up to 64 bits, of which numpy takes the last 32; `torch.manual_seed` is 30 times
    slower, as it keeps a traceback for each device that nobody uses."""
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)


@contextmanager
def handed_back() -> Iterator[None]:
    """Whatever happens inside, the generators are afterwards where they were before."""
    cpu, numpy, python = torch.get_rng_state(), np.random.get_state(), random.getstate()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        np.random.set_state(numpy)
        random.setstate(python)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
