"""A Pyro program of one's own as a model, and the numbers that its figures show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.result import Result
from models.model import Model


def program(model: Callable[..., Any], data: tuple[Any, ...] | Mapping[str, Any], name: str = "the program") -> Model:
    """As `python run.py --problem mine.py` takes it from a file.

    model  Pyro's; what is observed is written obs=
    data   its arguments
    Errors: InputError for what is no such model.
    """
    from models.arguments import Arguments  # imports Pyro
    from models.batched import double
    from models.program import Program

    with double():
        return Program(name, model, Arguments.of(data).double())


def numbers(results: Sequence[Result]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Every number of the posterior draws, by method (chain, draw, number), and the numbers' names."""
    drawn = {r.name: {site: np.asarray(x) for site, x in r.draws.items()} for r in results if r.draws}
    sites = next(iter(drawn.values()), {})
    names = [f"{site}{list(at) if at else ''}" for site, x in sites.items() for at in np.ndindex(x.shape[2:])]
    return {name: np.concatenate([draws[site].reshape(*draws[site].shape[:2], -1) for site in sites], -1)
            for name, draws in drawn.items()}, names
