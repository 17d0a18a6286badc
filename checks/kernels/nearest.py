"""Which known mistake does a wrong kernel look like? Its z's beside those of the zoo.

A signature s is z / sqrt(n) of every score on a test problem, which does not depend on n but for noise, and

    likeness = cos(tanh(s / 0.3), tanh(t / 0.3))        over the scores of the first test problems together

the sign of every score counts, and its size as long as it is small: mistakes of one sort differ in size. Only those of
its own kind are compared, which keep as much of where they were: Gibbs forgets at once, a random walk hardly does.
`python bench/check.py --signatures` writes them anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor

from checks.kernels.statistic import Compared
from checks.kernels.trial import Trial
from checks.planted import symptom

FILE = Path(__file__).parent / "signatures.json"
LEAST = 0.9  # a likeness worth naming: bench/outside.py says how often the first is right
LARGE = 30  # in hundredths: what is this far off is simply off
APART = 8  # hundredths of a kernel's memory, between kinds
PROBLEMS = 2


class Signature(TypedDict):
    """Of one mistake on one problem, in hundredths."""

    kept: int  # the median share of a score that is still there after the steps
    z: list[int]


def signature(compared: Compared) -> Signature:
    """Whole hundredths; 0 where there was nothing to compare."""
    z = (100 * compared.z.nan_to_num(0) / compared.n**0.5).round().int().clamp(-999, 999).flatten().tolist()
    return {"kept": round(100 * float(compared.kept[0].nan_to_num(0).median())), "z": z}


def nearest(trials: Sequence[Trial], count: int = 3) -> list[tuple[str, float, str]]:
    """The most alike mistakes: name, likeness, the first line of the symptom."""
    mine = {t.problem.name: signature(t.upto(t.n)) for t in [t for t in trials if t.n][:PROBLEMS]}
    names = dict.fromkeys(name for problem in mine for name in known().get(problem, {}))
    found = []
    for name in names:
        pairs = [(own, known()[problem][name]) for problem, own in mine.items() if name in known().get(problem, {})]
        if all(abs(own["kept"] - its["kept"]) <= APART and len(own["z"]) == len(its["z"]) for own, its in pairs):
            found.append((likeness(*(torch.cat([bent(s["z"]) for s in side]) for side in zip(*pairs, strict=True))),
                          name))
    return [(name, round(like, 3), symptom(name)) for like, name in sorted(found, reverse=True)[:count] if like > LEAST]


@cache
def known() -> dict[str, dict[str, Signature]]:
    """By test problem and mistake."""
    found: dict[str, dict[str, Signature]] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return found


def bent(hundredths: Sequence[int]) -> Tensor:
    return torch.tanh(torch.tensor(hundredths, dtype=torch.float64) / LARGE)


def likeness(mine: Tensor, theirs: Tensor) -> float:
    """The cosine of the angle between them; 0 beside nothing."""
    return float(mine @ theirs / (mine.norm() * theirs.norm()).clamp(min=1e-12))
