"""What scores a model's draws: by densities of ratings, or of a model of levels by their probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.factorization.parts.predictive_levels import PredictiveLevels
from inference.factorization.predictive import Predictive
from inference.method import Family
from models.factorization import Factorization
from models.ordinal import Ordinal
from models.ratings import Ratings


def scorer(model: Factorization, sets: Mapping[str, Ratings], family: Family, **more: Any) -> Predictive:
    """The one for this model; arguments as of `Predictive`."""
    if isinstance(model, Ordinal):
        return PredictiveLevels(model, sets, family, **more)
    return Predictive(model, sets, family, **more)
