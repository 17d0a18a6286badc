"""What is measured of ordered levels: functions of everything, the thresholds, and how likely they make the ratings.

Given the ratings no conditional of rows or thresholds is known in closed form, the latent ratings integrated out; that
of the rows' learned mean is, as on the ladder, and that of the precision of effects of time.
"""

from __future__ import annotations

from checks.problems.factorization import features as plain
from checks.problems.factorization.replicates import Replicates
from checks.problems.ladder.features import of_mean
from checks.problems.problem import Features
from checks.problems.time.features import both, of_effects, of_precision
from inference.method import Latents
from models.ladder import SIDES
from models.ordinal import Ordinal, log_probability
from models.timed import Timed


def free(model: Ordinal, latents: Latents, data: Replicates) -> Features:
    """Data-dependent functions: those of the plain model, and of what is learned besides."""
    found = plain.free(model, latents, data)
    cut, eta, code = latents["cutpoints"], model.latent_mean(latents, data), model.codes(data)  # type: ignore[arg-type]
    for k in range(cut.shape[-1]):
        found["threshold", f"cutpoints[{k}]"] = cut[:, k]
        found["ratings above times threshold", f"cutpoints[{k}]"] = (code > k).sum(-1) * cut[:, k]
        if k:
            found["log gap", f"cutpoints[{k}]"] = (cut[:, k] - cut[:, k - 1]).log()
    found["log probability", "all ratings"] = log_probability(eta, cut, code).sum(-1)
    found["levels times latent means", "all ratings"] = (code * eta).sum(-1)
    for cells, place in both(model, data) if isinstance(model, Timed) else ():
        found |= of_effects(cells, latents)
        found["effects times levels", cells.sites[0]] = (latents[cells.sites[0]][:, place] * code).sum(-1)
    for side, bias in SIDES:
        if model.biases:
            found["sum of entries", bias] = latents[bias].sum(-1)
            found["squared norm", bias] = latents[bias].square().sum(-1)
        if model.hierarchical:
            found["squared norm", f"mean_{side}"] = latents[f"mean_{side}"].square().sum(-1)
            found["trace", f"precision_{side}"] = latents[f"precision_{side}"].diagonal(dim1=-2, dim2=-1).sum(-1)
    return found


def normal(model: Ordinal, latents: Latents, data: Replicates) -> Features:
    """What is N(0, 1) by algebra."""
    found: Features = {}
    for side, _ in SIDES:
        if model.hierarchical:
            found |= of_mean(model, side, latents)
    for cells in model.of_time.calendar.sides if isinstance(model, Timed) else ():
        found |= of_precision(cells, latents)
    return found
