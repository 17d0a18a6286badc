"""What a fit has learned besides the factors: the noise, and the priors of the rows.

U and V are known up to rotation, and biases up to what the other side's mean takes of them. What the learned priors
say whatever these are: of a user x = (u, b) ~ N(a, A) and an item y = (v, c) ~ N(d, D), both new,

    mean of a rating     a_u . d_v + a_b + d_c
    sd between users     of its mean over items: variance  (d_v, 1)' A (d_v, 1)
    sd between items     of its mean over users: variance  (a_u, 1)' D (a_u, 1)
    sd of a pair         of what is left, user by item: variance  tr(A_uu D_vv)

without the bias terms where there are no biases; all in standard units, which centre and unit of the model turn into
the ratings' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from experiments.ratings import captions
from inference.result import Result
from runs.run import Run
from views import ratings as views

OVERALL = "mean of a rating"
Draws = Mapping[str, np.ndarray]  # (chain, draw)


def learned(result: Result) -> dict[str, np.ndarray]:
    """Draws of what was learned, (chain, draw), rating units; nothing where nothing was."""
    draws, model, found = result.draws, result.facts["model"], {}
    centre, unit = model.get("centre", 0.0), model.get("unit", 1.0)
    if "sigma2" in draws:
        found["sd of the noise"] = unit * np.sqrt(draws["sigma2"])
    for of, name in (("day", "sd between a user's days"), ("period", "sd between an item's periods")):
        if f"precision_{of}" in draws:
            found[name] = unit / np.sqrt(draws[f"precision_{of}"])
    levels = model.get("levels", ())
    for k, (low, high) in enumerate(pairwise(levels)):
        found[f"{low:g} from {high:g}"] = draws["cutpoints"][..., k]
    if "precision_U" in draws:
        priors = _priors(draws, int(model["rank"]))
        found |= {name: unit * x for name, x in priors.items()}
        found[OVERALL] = centre + found[OVERALL]
    return found


def heading(found: Mapping[str, np.ndarray]) -> str:
    """What there is among it, in words.

    >>> heading({"sd of the noise": np.zeros(1)}), heading({"0 from 1": np.zeros(1), OVERALL: np.zeros(1)})
    ('learned noise', 'learned thresholds and priors, of a new user and item')
    """
    parts = ["noise"] * ("sd of the noise" in found) + ["thresholds"] * any(" from " in name for name in found)
    return " and ".join([f"learned {', '.join(parts)}"] * bool(parts)
                        + [f"{'' if parts else 'learned '}priors, of a new user and item"] * (OVERALL in found))


def _priors(draws: Draws, K: int) -> dict[str, np.ndarray]:
    A, D = (np.linalg.inv(draws[f"precision_{side}"]) for side in "UV")
    a, d = (draws[f"mean_{side}"] for side in "UV")
    biased = a.shape[-1] > K
    overall = (a[..., :K] * d[..., :K]).sum(-1) + (a[..., K] + d[..., K] if biased else 0.0)
    against = [np.concatenate([other[..., :K], np.ones_like(other[..., K:])], -1) for other in (d, a)]
    return {OVERALL: overall, "sd between users": np.sqrt(_form(against[0], A)),
            "sd between items": np.sqrt(_form(against[1], D)),
            "sd of a pair": np.sqrt((A[..., :K, :K] * D[..., :K, :K]).sum((-2, -1)))}


def _form(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """x' M x of each."""
    found: np.ndarray = np.einsum("...k,...kl,...l->...", x, matrix, x)
    return found


def show(this: Run, result: Result, pictures: bool = True) -> None:
    """The table, and the figure; nothing where nothing was learned."""
    found = learned(result)
    if not found or not next(iter(found.values())).size:
        return
    ends = {name: np.quantile(x, (0.05, 0.95)) for name, x in found.items()}
    units = "units of the noise" if "cutpoints" in result.draws else "rating units"
    this.table(f"{result.name}: {heading(found)}; in {units}",
                ("what", "mean", "sd", "5%", "95%"),
                [(name, f"{x.mean():.4f}", f"{x.std():.4f}", *(f"{end:.4f}" for end in ends[name]))
                 for name, x in found.items()])
    if pictures:
        this.story.figure(views.learned(this.folder, result, found, units), captions.learned(found))
