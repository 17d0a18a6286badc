"""Does what it leaves alone depend on the state? A row that stays as it is by chance moves with other random numbers;
one that stays whenever the latents are such, never. To choose by the state what is moved leaves no distribution as it
is; to choose by chance, or by the data, does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from checks.kernels.trial import Trial
from checks.problems.problem import take
from inference.method import Latents

REPLICATES = 300
CALLS = 5  # with other random numbers, from the same latents
SOME = (0.02, 0.98)  # the share of replicates in which a row stays
DECIDED = 0.99  # of the replicates in which it stayed once


def by_state(trial: Trial) -> list[str]:
    """The rows that the latents keep, in a sentence."""
    problem = trial.problem
    if problem.model.labels:
        return []
    latents, data = problem.joint(trial.rng, REPLICATES)

    def still(start: Latents) -> dict[str, Tensor]:
        end = trial.kernel.move(trial.rng, problem, start, data, 1, trial.model)
        return {f"{site}{list(at)}" if at else site: same for site, x in start.items()
                for at, same in rows(end[site] == x)}

    calls = [still(latents) for _ in range(CALLS)]
    others = still(take(latents, torch.arange(REPLICATES).roll(1)))
    kept = [name for name, first in calls[0].items() if SOME[0] < float(first.double().mean()) < SOME[1]
            and _decided(first, [call[name] for call in calls[1:]]) and not torch.equal(first, others[name])]
    if not kept:
        return []
    share = float(torch.stack([calls[0][name] for name in kept]).double().mean())
    return [f"what it leaves alone depends on the latents: {', '.join(kept[:6])}{' and more' if len(kept) > 6 else ''} "
            f"stay as they are in {share:.0%} of the replicates, in the same ones whatever the random numbers; choose "
            f"what is moved by chance or by the data, not by where the chain is"]


def rows(same: Tensor) -> list[tuple[tuple[int, ...], Tensor]]:
    """Of (n, ...) entries, whether all of a row are the same; of a site without rows, all of it."""
    if same.ndim < 2:
        return [((), same)]
    return [((i,), same[:, i].flatten(1).all(1) if same.ndim > 2 else same[:, i]) for i in range(same.shape[1])]


def _decided(first: Tensor, later: list[Tensor]) -> bool:
    """Whether what stayed in the first call stays in all, and what moved moves."""
    again = torch.stack(later)
    return bool(again[:, first].double().mean() > DECIDED) and bool(again[:, ~first].double().mean() < 1 - DECIDED)
