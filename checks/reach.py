"""Can the kernel reach everything? Invariance alone passes a kernel that does nothing.

Frozen: a coordinate, a linear combination of coordinates, or a function that never changed in any
replicate; an entry that never changed its sign though it moved far enough to. On a 2 x 2 grid the graph
of the moves seen must lead from every labelling to every other.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from checks.grid_problems import problem as grid_problem
from checks.grid_problems import tiny
from checks.kernel import Kernel
from checks.trial import STEPS, Trial

LIVELY = 0.2  # of the replicates: what moves this often shows early what never moves
PATIENCE = 8000  # replicates without a move before a sluggish kernel counts as frozen
CROSSINGS = 50  # expected, before none at all means that signs are kept
STARTS = 40  # replicates from every labelling of the 2 x 2 grid


def frozen(trial: Trial) -> list[str]:
    """What never moved, by name."""
    before, after = (trial.problem.coordinates(trial.problem.model, x) for x in (trial.before, trial.after))
    moved = {name: float((after[name] != before[name]).double().mean()) for name in before}
    if trial.n < PATIENCE and max(moved.values()) < LIVELY:
        return []
    steps = f"in {trial.n:,} replicates of {STEPS} steps"
    still = [name for name, share in moved.items() if not share]
    if still:
        return [f"FROZEN: {listed(still)} never moved {steps}"]
    found = combination(before, after, steps) + signs(before, after, steps)
    return found + ([] if found else functions(trial, steps))


def listed(names: list[tuple[str, str]]) -> str:
    """'entry U[4, 0], U[4, 1]', shortened."""
    what, where = names[0][0], [name[1] for name in names]
    return f"{what} {', '.join(where[:6])}" + (f" and {len(where) - 6} more" if len(where) > 6 else "")


def combination(before: dict, after: dict, steps: str) -> list[str]:
    """A linear combination that all replicates keep."""
    change = torch.stack([after[name] - before[name] for name in before])
    change = change / change.square().mean(-1, keepdim=True).sqrt()
    values, vectors = torch.linalg.eigh(change @ change.mT / change.shape[1])
    if values[0] > 1e-9 * len(values):
        return []
    weight = vectors[:, 0]
    part = [name for name, w in zip(before, weight.tolist(), strict=True) if abs(w) > 0.1 * float(weight.abs().max())]
    return [f"FROZEN: a combination of {listed(part)} never changed {steps}"]


def signs(before: dict, after: dict, steps: str) -> list[str]:
    """Entries symmetric about zero that never cross it, though their moves are long enough to."""
    kept = []
    for name in before:
        x, y = before[name], after[name]
        if name[0] != "entry":
            continue
        expected = float((y - x).abs().mean()) / (float(x.std()) * math.sqrt(2 * math.pi)) * len(x)
        if expected > CROSSINGS and not bool((x * y < 0).any()):
            kept.append(name)
    return [f"FROZEN: the sign of {listed(kept)} never changed {steps}"] if kept else []


def functions(trial: Trial, steps: str) -> list[str]:
    """Functions of many values whose score is the same after the steps in every replicate."""
    assert trial.scale is not None
    x, y = (torch.cat(part, -1) for part in zip(*trial.scored, strict=True))
    same = (x[0] == y[0]).all(-1) & (trial.scale.rarest > 0.9)
    names = [name for name, s in zip(trial.scale.names, same.tolist(), strict=True) if s]
    if not names:
        return []
    told = ", ".join(f"{what} of {where}" for what, where in names[:4])
    return [f"FROZEN: {told}{' and more' if len(names) > 4 else ''} never changed {steps}, though the latents moved"]


def disconnected(rng: torch.Generator, kernel: Kernel, labels: int = 3) -> list[str]:
    """Labellings of a 2 x 2 grid, nearly without potentials, between which there is no way."""
    model = tiny(labels)
    problem = grid_problem("2 x 2", model)
    start = model.configurations.repeat_interleave(STARTS, 0)
    image = problem.joint(rng, 1)[1].expand(len(start), *model.shape)
    end = kernel.move(rng, problem, {"labels": start}, image, STEPS)["labels"]
    n = len(model.configurations)
    number = labels ** torch.arange(3, -1, -1)
    a, b = ((y.flatten(1) * number).sum(1).numpy() for y in (start, end))
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
    parts, member = connected_components(graph, connection="strong")
    if parts == 1:
        return []
    alone = model.configurations[int(np.flatnonzero(member != np.bincount(member).argmax())[0])].tolist()
    return [f"NOT ERGODIC: the {n} labellings of a 2 x 2 grid fall into {parts} parts without a way between them "
            f"both ways ({len(start):,} replicates of {STEPS} steps); {alone} is cut off from the largest"]


def forgetting(trial: Trial, steps: int = 20, replicates: int = 100) -> list[str]:
    """A warning where chains from the prior are still far from where they belong."""
    assert trial.scale is not None
    problem, rng = trial.problem, trial.rng
    latents, data = problem.joint(rng, replicates)
    scattered = problem.joint(rng, replicates)[0]
    end = trial.kernel.move(rng, problem, scattered, data, steps, trial.model)
    name = trial.scale.names[0]
    g = trial.scale(end, data)[0, 0]
    off = float(g.mean() - trial.scale.mean[0, 0]) / float(trial.scale.variance[0, 0]) ** 0.5
    if abs(off) * math.sqrt(replicates) < 6 or abs(off) < 0.3:
        return []
    return [f"slow: {steps} steps after a start from the prior, the {name[0]} is still {abs(off):.1f} sd too "
            f"{'high' if off > 0 else 'low'} on the {problem.name}; that is not a fault, but warm-up must be long"]

