"""Before anything long runs: does a user's file keep the contract? One run of two steps on a small problem, twice.

    preflight(method, options, model)      # InputError, one sentence, or nothing

The sentences about samples are those of `contract`, which `--check` uses. Whether the kernel samples the right
distribution is another question, and `--check` answers it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from checks.contract.faults import OTHER_DRAWS, borrowed, contents, disturbed, equal, global_state, written
from checks.contract.watched import SEED, Refused, unfit, watch
from checks.kernels.kernel import Broken
from errors import InputError
from inference.engine import one_thread
from inference.job import generator
from inference.method import Family, Method
from models.model import Data, Model


def preflight(method: Method, options: Mapping[str, object], model: Model) -> None:
    """Errors: InputError for the first fault of a user's file, unless it has a pre-flight of its own.

    model    the real one
    A file that refuses this small problem with an InputError of its own is left to the real one.
    """
    if method.by != "user" or method.preflight:
        return
    with one_thread():
        try:
            faults = _faults(method, options, *model.small(generator(SEED, "preflight")))
        except Broken as error:
            told = f"; it was given {model.given()}" if error.__cause__ else ""  # should it be for another model
            faults = [str(error).removeprefix(f"{method.name} ") + told]
        except Refused:
            return
    if faults:
        raise InputError(f"{method.name}: {faults[0]}")


def at_size(method: Method, state: object, model: Model) -> None:
    """The shapes of a sampler's first position at the real size. Errors: InputError for another than the model's."""
    if method.family is not Family.MCMC:
        return
    faults = unfit(method.draw(torch.Generator(model.device), state, model), model)
    if faults:
        raise InputError(f"{method.name} does not fit this model: {faults[0]}")


def _faults(method: Method, options: Mapping[str, object], model: Model, data: Data) -> list[str]:
    held, given = global_state(), contents(data)
    found: list[str] = []
    first = watch(method, options, model, data, found)
    found += written(given, data) + borrowed(held)
    if not found:
        with disturbed(SEED):
            again = watch(method, options, model, data, [])
        found += [] if equal(first, again) else [OTHER_DRAWS]
    return found
