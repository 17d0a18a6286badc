"""Before anything long runs: does a user's file keep the contract? One run of two steps on a small problem, twice.

    preflight(method, options, model)      # InputError, one sentence, or nothing

The sentences about samples are those of `contract`, which `--check` uses. Whether the kernel samples the right
distribution is another question, and `--check` answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from checks.contract import (
    OTHER_DRAWS,
    borrowed,
    contents,
    disturbed,
    equal,
    global_state,
    written,
)
from checks.factorization_problems import SIX_BY_FOUR, pairs
from checks.grid_problems import MIXED
from checks.kernel import Broken
from checks.watched import SEED, Refused, unfit, watch
from errors import InputError
from inference.engine import one_thread
from inference.job import generator
from inference.method import Family, Method
from models.grid import GridMRF


def small(model: Any) -> tuple[Any, Any]:
    """The same model at a size where everything is fast, and data for it: a 3 x 3 image, which Problem 1 has in the
    model; or six users, one without ratings, and four items."""
    if isinstance(model, GridMRF):
        seen = torch.tensor([[0, 0, 1], [0, 1, 1], [0, 0, 0]])
        return GridMRF.potts(torch.nn.functional.one_hot(seen, min(model.shape[2], 3)), 1.0, MIXED), None
    model = replace(model, num_users=6, num_items=4, rank=min(model.rank, 4), pairs=pairs(SIX_BY_FOUR), device="cpu")
    rng = generator(SEED, "preflight")
    return model, model.simulate(rng, model.prior(rng))


def preflight(method: Method, options: Mapping[str, Any], model: Any) -> None:
    """Errors: InputError for the first fault of a user's file, unless it has a pre-flight of its own.

    model    the real one
    A file that refuses this small problem with an InputError of its own is left to the real one.
    """
    if method.by != "user" or method.preflight:
        return
    with one_thread():
        try:
            faults = _faults(method, options, *small(model))
        except Broken as error:
            faults = [str(error).removeprefix(f"{method.name} ") + (_given(model) if error.__cause__ else "")]
        except Refused:
            return
    if faults:
        raise InputError(f"{method.name}: {faults[0]}")


def _given(model: Any) -> str:
    """What a file that fell over was given, should it be for the other model."""
    if isinstance(model, GridMRF):
        return "; it was given a grid, latents labels (H, W), and data None, for the image is in the model"
    return f"; it was given a factorization, latents {', '.join(model.sites)}, and the ratings as data"


def at_size(method: Method, state: Any, model: Any) -> None:
    """The shapes of a sampler's first position at the real size. Errors: InputError for another than the model's."""
    if method.family is not Family.MCMC:
        return
    faults = unfit(method.draw(torch.Generator(model.device), state, model), model)
    if faults:
        raise InputError(f"{method.name} does not fit this model: {faults[0]}")


def _faults(method: Method, options: Mapping[str, Any], model: Any, data: Any) -> list[str]:
    held, given = global_state(), contents(data)
    found: list[str] = []
    first = watch(method, options, model, data, found)
    found += written(given, data) + borrowed(held)
    if not found:
        with disturbed(SEED):
            again = watch(method, options, model, data, [])
        found += [] if equal(first, again) else [OTHER_DRAWS]
    return found
