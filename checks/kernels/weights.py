"""What a pass on a user's model excludes, without another run of the kernel: terms of the log joint that count w times.

A kernel that is right but for the weight w of one term l = log p(site | those before it) leaves pi_w alone, in
proportion to p(theta | y) exp((w - 1) l). Started from p(theta | y) it has after its steps, to first order in w - 1,

    E g(theta') - E g(theta) = (w - 1) E [l(theta) (g(theta) - g(theta'))] = (w - 1) / 2 E [(l - l') (g - g')]

the last of a kernel that is reversible, or nearly: of scan Gibbs it is the mean of the two directions. The replicates
that it passed on hold theta and theta', so that the weight that would be found nine times in ten follows from them.
"""

from __future__ import annotations

import torch
from scipy import stats
from torch import Tensor

from checks.kernels.trial import Trial
from checks.problems.problem import take

MOST = 2000  # replicates whose terms are worked out
NOISE = 4.0
SURE = 0.1  # of the other side
HALF, STILL = 0.5, 0.97  # a weight that is off, and a ratio of sds, from which on a warning is due


def found_from(trial: Trial, allowed: float) -> dict[str, float]:
    """For each term the |w - 1| from which on it would be found, with probability 0.9; infinite where nothing moves."""
    if not trial.problem.terms or trial.scale is None or not trial.n:
        return {}
    some = slice(min(MOST, trial.n))
    terms = [trial.problem.terms(trial.problem.model, take(latents, some), take(trial.data, some))
             for latents in (trial.before, trial.after)]
    compared, (g, moved) = trial.upto(trial.n), trial.scores
    sd = compared.d * trial.scale.variance.sqrt() / compared.z
    tests = int((~compared.z.isnan()).sum())
    needed = stats.norm.isf(allowed / max(tests, 1) / 2) + stats.norm.isf(SURE)
    step = (g - moved)[..., some]
    found = {name: z_per_weight(terms[0][name] - terms[1][name], step, sd).abs().nan_to_num(0).max()
             for name in terms[0]}
    return {name: needed / max(float(z), 1e-9) for name, z in found.items()}


def z_per_weight(fall: Tensor, step: Tensor, sd: Tensor) -> Tensor:
    """d E z / d w of every score, (2, F), from l - l' (n,), g - g' (2, F, n) and the sd of each mean, (2, F); 0 where
    it is within `NOISE` standard errors of that."""
    good = fall.isfinite()
    each = fall[good] * step[..., good]
    noise = NOISE * each.std(-1) / max(int(good.sum()), 1) ** 0.5
    return torch.where(each.mean(-1).abs() > noise, each.mean(-1) / 2 / sd, 0.0)


def weak(sizes: dict[str, float], informed: dict[str, float]) -> list[str]:
    """Warnings where the example is too weak, or too strong, to show a mistake."""
    blind = [name for name, x in sizes.items() if x > HALF]
    drowned = [name for name in blind if informed.get(name[len("log p("):-1], 1.0) < HALF]
    still = [site for site, ratio in informed.items() if ratio > STILL]
    said = [f"its data tell next to nothing about {', '.join(still)}: more rows would, or less noise"] if still else []
    if drowned:
        said.append(f"a mistake that changes {', '.join(drowned)} by half would not have been found, for the data "
                    f"outweigh it: fewer rows would show it")
    if rest := [name for name in blind if name not in drowned]:
        said.append(f"a mistake that changes {', '.join(rest)} by half would not have been found")
    return [f"the example is weak: {'; '.join(said)}; give the file a function example() with such arguments (the "
            f"values of the data in them do not matter)"] if said else []
