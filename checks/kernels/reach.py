"""Can the kernel reach everything? Invariance alone passes a kernel that does nothing.

Frozen: a coordinate, a linear combination of coordinates, or a function that never changed in any
replicate; an entry that never changed its sign though it moved far enough to. On a problem whose states can
be listed, as a 2 x 2 grid, the graph of the moves seen must lead from every state to every other.

A batched kernel may share a choice among its replicates (which pixel comes next), and then one call may leave
out a coordinate in all of them. So what looks frozen is tried again in calls of their own.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from checks.kernels.kernel import Broken, Kernel
from checks.kernels.trial import STEPS, Trial
from checks.problems.problem import Features, Listed, join, take
from inference.method import Latents

TINY = 1e-300
LIVELY = 0.2  # of the replicates: what moves this often shows early what never moves
PATIENCE = 8000  # replicates without a move before a sluggish kernel counts as frozen
CROSSINGS = 50  # expected, before none at all means that signs are kept
STARTS = 40  # replicates from every state of a tiny problem
CALLS = 20  # separate ones, before a verdict


def frozen(trial: Trial) -> list[str]:
    """What never moved, by name, in the trial's replicates and in as many moved by separate calls."""
    if not still(trial, trial.before, trial.after, *trial.scores):
        return []
    parts = [trial.problem.joint(trial.rng, -(-trial.n // CALLS)) for _ in range(CALLS)]
    before, data = join([part[0] for part in parts]), join([part[1] for part in parts])
    after = join([trial.kernel.move(trial.rng, trial.problem, *part, STEPS, trial.model) for part in parts])
    assert trial.scale is not None
    scores = [torch.cat([x, trial.scale(y, data)], -1) for x, y in zip(trial.scores, (before, after), strict=True)]
    return still(trial, join([trial.before, before]), join([trial.after, after]), *scores)


def still(trial: Trial, start: Latents, end: Latents, score: Tensor, last: Tensor) -> list[str]:
    """What is the same at the start and at the end of every replicate: coordinates, or scores (2, F, n)."""
    before, after = (trial.problem.coordinates(trial.problem.model, x) for x in (start, end))
    n = len(next(iter(start.values())))
    moved = {name: float((after[name] != before[name]).double().mean()) for name in before}
    if n < PATIENCE and max(moved.values()) < LIVELY:
        return []
    steps = f"in {n:,} replicates of {STEPS} steps"
    stuck = [name for name, share in moved.items() if not share]
    if stuck:
        return [f"FROZEN: {listed(stuck)} never moved {steps}"]
    found = combination(before, after, steps) + signs(before, after, steps)
    return found or functions(trial, score, last, steps)


def listed(names: list[tuple[str, str]]) -> str:
    """'entry U[4, 0], U[4, 1]', shortened."""
    what, where = names[0][0], [name[1] for name in names]
    return f"{what} {', '.join(where[:6])}" + (f" and {len(where) - 6} more" if len(where) > 6 else "")


def combination(before: Features, after: Features, steps: str) -> list[str]:
    """A linear combination that all replicates keep."""
    change = torch.stack([after[name] - before[name] for name in before]).nan_to_num()
    change = change / change.abs().amax(-1, keepdim=True).clamp_min(TINY)  # whose squares may be too large a number
    change = change / change.square().mean(-1, keepdim=True).sqrt().clamp_min(TINY)
    values, vectors = torch.linalg.eigh(change @ change.mT / change.shape[1])
    if values[0] > 1e-9 * len(values):
        return []
    weight = vectors[:, 0]
    part = [name for name, w in zip(before, weight.tolist(), strict=True) if abs(w) > 0.1 * float(weight.abs().max())]
    return [f"FROZEN: a combination of {listed(part)} never changed {steps}"]


def signs(before: Features, after: Features, steps: str) -> list[str]:
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


def functions(trial: Trial, x: Tensor, y: Tensor, steps: str) -> list[str]:
    """Functions of many values whose score is the same after the steps in every replicate."""
    assert trial.scale is not None
    same = (x[0] == y[0]).all(-1) & (trial.scale.rarest > 0.9)
    names = [name for name, s in zip(trial.scale.names, same.tolist(), strict=True) if s]
    if not names:
        return []
    told = ", ".join(f"{what} of {where}" for what, where in names[:4])
    return [f"FROZEN: {told}{' and more' if len(names) > 4 else ''} never changed {steps}, though the latents moved"]


def moves(tiny: Listed) -> int:
    """Replicates that `disconnected` takes, at most and about."""
    return 3 * count(tiny.states) * STARTS


def count(states: Latents) -> int:
    return len(next(iter(states.values())))


def disconnected(rng: torch.Generator, kernel: Kernel, tiny: Listed) -> list[str]:
    """States of a tiny problem, where all are likely, between which there is no way."""
    problem, n = tiny.problem, count(tiny.states)
    number = {state: k for k, state in enumerate(flat(tiny.states))}
    links = np.zeros((n, n))
    for starts in (STARTS, *[STARTS // 8] * CALLS):  # the later ones only where the first leaves a gap
        start = {site: x.repeat_interleave(starts, 0) for site, x in tiny.states.items()}
        data = take(problem.joint(rng, 1)[1], torch.zeros(n * starts, dtype=torch.int64))
        end = kernel.move(rng, problem, start, data, STEPS)
        if sum(float((end[site] != x).double().mean()) for site, x in start.items()) < LIVELY / 4 * len(start):
            return []  # too sluggish to tell so soon; `frozen` is asked later
        try:
            np.add.at(links, tuple([number[state] for state in flat(x)] for x in (start, end)), 1)
        except KeyError as error:
            raise Broken(f"it returns {list(error.args[0])}, which is none of the {n} {problem.name}") from None
        parts, member = connected_components(links, connection="strong")
        if parts == 1:
            return []
    cut = int(np.flatnonzero(member != np.bincount(member).argmax())[0])
    alone = ", ".join(str(x[cut].tolist()) for x in tiny.states.values())
    return [f"NOT ERGODIC: the {n} {problem.name} fall into {parts} parts without a way between them "
            f"both ways ({int(links.sum()):,} replicates of {STEPS} steps); {alone} is cut off from the largest"]


def flat(states: Latents) -> list[tuple[int, ...]]:
    """Every state as a tuple of its values."""
    return list(map(tuple, torch.cat([x.flatten(1) for x in states.values()], 1).tolist()))


def forgetting(trial: Trial, steps: int = 20, replicates: int = 100) -> list[str]:
    """A warning where chains from the prior are still far from where they belong."""
    assert trial.scale is not None
    problem, rng = trial.problem, trial.rng
    latents, data = problem.joint(rng, replicates)
    scattered = problem.joint(rng, replicates)[0]
    try:
        end = replace(trial.kernel, rare=[], moved=[]).move(rng, problem, scattered, data, steps, trial.model)
    except Broken as error:
        return [f"from a start from the prior, where no data lead to, {error}: that is not a fault here"]
    name = trial.scale.names[0]
    g = trial.scale(end, data)[0, 0]
    off = float(g.mean() - trial.scale.mean[0, 0]) / float(trial.scale.variance[0, 0]) ** 0.5
    if abs(off) * math.sqrt(replicates) < 6 or abs(off) < 0.3:
        return []
    return [f"slow: {steps} steps after a start from the prior, the {name[0]} is still {abs(off):.1f} sd too "
            f"{'high' if off > 0 else 'low'} on the {problem.name}; that is not a fault, but warm-up must be long"]
