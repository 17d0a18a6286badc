"""Which known mistake does a wrong kernel look like? Its z's beside those of the zoo.

A signature s is 100 z / sqrt(n) of every score on a test problem, which does not depend on n but for noise.
The nearest are those of the least |s - t|; likeness is 1 - |s - t|^2 / (|s|^2 + |t|^2), 1 for the same.
`python bench/check.py --signatures` writes them anew; mistakes that leave the scores alone have none.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import torch

from checks.kernels.kernel import Kernel
from checks.kernels.statistic import Compared
from checks.kernels.trial import Trial
from checks.planted import file, symptom
from checks.problems.problem import Problem
from inference import load

FILE = Path(__file__).parent / "signatures.json"
LEAST = 0.85  # a likeness worth naming
STEPS_TRIED = 200  # each in a replicate of its own, for `stays`
FAINT = 10  # a signature without a larger number says nothing


def signature(compared: Compared) -> list[int]:
    """100 z / sqrt(n), whole; 0 where there was nothing to compare."""
    return (100 * compared.z.nan_to_num(0) / compared.n**0.5).round().int().clamp(-999, 999).flatten().tolist()


def nearest(trial: Trial, compared: Compared, count: int = 3) -> list[tuple[str, float, str]]:
    """The most alike mistakes: name, likeness, the first line of the symptom."""
    known = json.loads(FILE.read_text()).get(trial.problem.name, {}) if FILE.exists() else {}
    own = stays(trial.kernel, trial.problem)
    mine = torch.tensor(signature(compared), dtype=torch.float64)
    found = []
    for name, numbers in known.items():
        theirs = torch.tensor(numbers, dtype=torch.float64)
        if len(theirs) == len(mine):
            apart = float((mine - theirs).square().sum())
            found.append((apart, name, 1 - apart / float((mine.square() + theirs.square()).sum())))
    alike = ((name, round(likeness, 3)) for _, name, likeness in sorted(found) if likeness > LEAST)
    return [(name, likeness, symptom(name)) for name, likeness in islice(
        ((name, likeness) for name, likeness in alike if stays(planted(name, trial), trial.problem) == own), count)]


def planted(name: str, trial: Trial) -> Kernel:
    """The zoo's kernel of that name, for the problem of a trial."""
    return Kernel(load.method(trial.problem.model.kind, str(file(name))))


def stays(kernel: Kernel, problem: Problem) -> bool:
    """Whether a step may leave numbers where they are, as a kernel that accepts or refuses does and Gibbs does not."""
    rng = torch.Generator().manual_seed(0)
    latents, data = problem.joint(rng, STEPS_TRIED)
    moved = kernel.move(rng, problem, latents, data, 1)
    return any(bool((moved[site] == x).reshape(STEPS_TRIED, -1).all(1).any())
               for site, x in latents.items() if x.is_floating_point())
