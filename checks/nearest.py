"""Which known mistake does a wrong kernel look like? Its z's, as a direction, beside those of the zoo.

A signature is 100 z / sqrt(n) of every score on a test problem; likeness is the cosine.
`python bench/check.py --signatures` writes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from checks.compare import Compared
from checks.trial import Trial

FILE = Path(__file__).parent / "signatures.json"
ZOO = Path(__file__).parent / "zoo"
LEAST = 0.3  # a likeness worth naming


def signature(compared: Compared) -> list[int]:
    """100 z / sqrt(n), whole; 0 where there was nothing to compare."""
    return (100 * compared.z.nan_to_num(0) / compared.n**0.5).round().int().clamp(-999, 999).flatten().tolist()


def nearest(trial: Trial, compared: Compared, count: int = 3) -> list[tuple[str, float, str]]:
    """The most alike mistakes: name, likeness, the first line of the symptom."""
    known = json.loads(FILE.read_text()).get(trial.problem.name, {}) if FILE.exists() else {}
    mine = unit(torch.tensor(signature(compared), dtype=torch.float64))
    found = [(name, float(mine @ unit(torch.tensor(theirs, dtype=torch.float64)))) for name, theirs in known.items()
             if len(theirs) == len(mine)]
    best = sorted(found, key=lambda item: -item[1])[:count]
    return [(name, likeness, symptom(trial.problem.kind, name)) for name, likeness in best if likeness > LEAST]


def unit(x: Tensor) -> Tensor:
    x = x.sign() * x.abs().sqrt()  # so that one huge z does not decide alone
    return x / x.norm().clamp(min=1e-12)


def symptom(kind: str, name: str) -> str:
    """The first line of the mistake's own docstring."""
    import ast

    return (ast.get_docstring(ast.parse((ZOO / kind / f"{name}.py").read_text())) or "").partition("\n")[0]
