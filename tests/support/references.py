"""What the functions of a test problem are compared with: most of a short check's time is making it."""

import functools

import torch

from checks.kernels.score import Scale, learn
from checks.problems.load import sets


@functools.cache
def learned(problem: str, draws: int) -> Scale:
    """One a problem, by its name, for all tests of a process."""
    found = next(p for s in sets().values() for p in s.problems() if p.name == problem)
    return learn(torch.Generator().manual_seed(0), found, draws)
