"""The model of a saved fit, from what its header says and what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from errors import InputError, short
from inference.factorization.fitted import sound
from inference.factorization.fitted.calendar import calendar_of
from models.factorization import Factorization
from models.features import KNOWN, Featured, informed
from models.ladder import Ladder
from models.ordinal import Ordinal, OrdinalFeatured, OrdinalTimed, OrdinalTimedFeatured
from models.side_information import Encoding, Known
from models.timed import Timed, TimedFeatured

KINDS: Mapping[str, type[Factorization]] = {k.__name__: k for k in (
    Factorization, Ladder, Featured, Timed, TimedFeatured, Ordinal, OrdinalFeatured, OrdinalTimed,
    OrdinalTimedFeatured)}


def saved_model(said: Mapping[str, Any], training: Mapping[str, np.ndarray], where: str) -> Factorization:
    """The model that a result's facts tell of, whose training ratings are those of `training`."""
    kind, given = KINDS.get(str(said.get("class"))), dict(said)
    features, days = [given.pop(name, None) for name in ("class", "features", "calendar")][1:]
    if kind is None or not {f.name for f in fields(kind)} >= given.keys():
        raise InputError(f"{where} is of a model that this version does not know: fit again with it")
    held: dict[str, Any] = {
        name: _known(name, given.pop(name), training, where) for name in KNOWN if given.get(name)}
    refuse(sound.fault_of_model(kind, given), where)
    refuse(sound.fault_of_training(training, given["num_users"], given["num_items"]), where)
    model = kind(**given, **held)
    if isinstance(model, Featured):
        user = np.repeat(np.arange(model.num_users), training["user_count"])
        model = informed(model, (torch.from_numpy(user), torch.from_numpy(training["rated_item"].astype(np.int64))))
        if model.fingerprint != features:
            raise InputError(f"{where} holds other features than it was fitted with: fit again")
    return _dated(model, days, training, where) if isinstance(model, Timed) else model


def _dated(model: Timed, fingerprint: Any, training: Mapping[str, np.ndarray], where: str) -> Timed:
    """With the days and periods of the training ratings."""
    try:
        calendar = calendar_of(training, model.num_users, model.num_items)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where} is no fit that a run wrote: its days and periods do not go with the rest; fit again"
                         ) from None
    if calendar.fingerprint != fingerprint:
        raise InputError(f"{where} holds other days and periods than it was fitted with: fit again")
    return replace(model, calendar=calendar)


def _known(name: str, said: Any, training: Mapping[str, np.ndarray], where: str) -> Known:
    """What a file said of one side, and how it became numbers."""
    try:
        found = Known(torch.from_numpy(training[name].astype(np.float64)), Encoding.of(said))
        rows = len(training[f"{name.partition('_')[0]}_count"])
        whole = found.values.shape == (rows, found.encoding.width) and bool(torch.isfinite(found.values).all())
    except (AttributeError, KeyError, TypeError, ValueError):
        whole = False
    refuse("" if whole else name, where)
    return found


def refuse(fault: str, where: str) -> None:
    """Errors: InputError where there is one."""
    if fault:
        raise InputError(f"{where} is no fit that a run wrote: its '{short(fault)}' does not go with the rest; fit "
                         f"again")
