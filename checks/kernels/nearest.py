"""Which known mistake does a wrong kernel look like? Its z's beside those of the zoo.

A signature s is 100 z / sqrt(n) of every score on a test problem, which does not depend on n but for noise.
The nearest are those of the least |s - t|; likeness is 1 - |s - t|^2 / (|s|^2 + |t|^2), 1 for the same.
`python bench/check.py --signatures` writes them anew; mistakes that leave the scores alone have none.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from checks.kernels.statistic import Compared
from checks.kernels.trial import Trial
from checks.planted import symptom

FILE = Path(__file__).parent / "signatures.json"
LEAST = 0.3  # a likeness worth naming
FAINT = 10  # a signature without a larger number says nothing


def signature(compared: Compared) -> list[int]:
    """100 z / sqrt(n), whole; 0 where there was nothing to compare."""
    return (100 * compared.z.nan_to_num(0) / compared.n**0.5).round().int().clamp(-999, 999).flatten().tolist()


def nearest(trial: Trial, compared: Compared, count: int = 3) -> list[tuple[str, float, str]]:
    """The most alike mistakes: name, likeness, the first line of the symptom."""
    known = json.loads(FILE.read_text()).get(trial.problem.name, {}) if FILE.exists() else {}
    mine = torch.tensor(signature(compared), dtype=torch.float64)
    found = []
    for name, numbers in known.items():
        theirs = torch.tensor(numbers, dtype=torch.float64)
        if len(theirs) == len(mine):
            apart = float((mine - theirs).square().sum())
            found.append((apart, name, 1 - apart / float((mine.square() + theirs.square()).sum())))
    return [(name, round(likeness, 3), symptom(name)) for _, name, likeness in sorted(found)[:count]
            if likeness > LEAST]
