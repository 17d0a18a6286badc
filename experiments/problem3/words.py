"""What the comparison of Problem 3 says, in words with the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from comparison.takeaway import listed
from experiments.problem3.entries import ChainEntry
from experiments.problem3.study import Study
from inference.diagnostics import MIXED
from runs.records import Entry
from views.numbers import decimals

nats = partial(decimals, digits=3, below=1e4, figures=2)


def unmixed(entries: Sequence[ChainEntry]) -> list[str]:
    """A sentence for every kernel whose chains have not met; the first is what the others are held against."""
    said = []
    for k, e in enumerate(entries):
        found = {what: value for what, value in (("the log joint", e.rhat_log_joint), ("the worst prediction", e.rhat))
                 if value is not None and value > MIXED}
        if found:
            worst = " and ".join(f"{value:.4g} of {what}" for what, value in found.items())
            joint = "" if e.ess_log_joint is None else f", {e.ess_log_joint:,.0f} effective draws of the log joint"
            held = "the others are held against it all the same, which means little; " if k == 0 and entries[1:] else ""
            said.append(f"{e.name}'s chains have not met: R-hat {worst} (above {MIXED}){joint}; {held}give more "
                        f"--sweeps (now {e.steps}), or a longer --burn-in.")
    return said


def doubtful(entries: Sequence[Entry]) -> str:
    """Whose chains have not met, in a few words; "" of nobody."""
    names = dict.fromkeys(e.name for e in entries if isinstance(e, ChainEntry) and max(
        (value for value in (e.rhat, e.rhat_log_joint) if value is not None), default=0.0) > MIXED)
    return f"Beware: the chains of {listed(list(names))} have not met." if names else ""


def overfitting(study: Study) -> list[str]:
    """Where maximum likelihood overfits and Gibbs does not, and why (3.7)."""
    said, small, overfits = [], study.small, False
    for share in dict.fromkeys(share for share, _ in study.gibbs):
        ranks = sorted(K for s, K in study.gibbs if s == share)
        if len(ranks) < 2 or "test_nll" not in study.gibbs[share, ranks[0]].expected:
            return []
        gibbs, point = ({K: float(by[share, K].expected["test_nll"]) for K in ranks}
                        for by in (study.gibbs, study.point))
        best, last = min(point, key=lambda K: point[K]), ranks[-1]
        train = [float(study.point[share, K].expected["train_nll"]) for K in (ranks[0], last)]
        where = (f"is lowest at K = {best} ({nats(point[best])}) and {nats(point[last])} at K = {last}" if best < last
                 else f"is lowest at K = {last} ({nats(point[last])}), the largest here")
        overfits |= best < last
        said.append(f"On {100 * share:.0f}% of the training set maximum likelihood's test NLL {where}, while its "
                    f"training NLL goes from "
                    f"{nats(train[0])} to {nats(train[1])}; Gibbs goes from {nats(gibbs[ranks[0]])} at "
                    f"K = {ranks[0]} to {nats(gibbs[last])} at K = {last}.")
    if not overfits:
        return said
    last = ranks[-1]
    counts = torch.bincount(small.user, minlength=small.num_users)
    rated = counts[counts > 0]
    few = float((rated <= last).double().mean())
    said.append(f"Why: maximum likelihood takes one point, and a user with at most K ratings can be met exactly by K "
                f"factors, whatever they mean for the next item. At K = {last} and {len(small):,} ratings that is "
                f"{100 * few:.0f}% of the users who rated anything. Gibbs averages over all factors that fit, with the "
                f"prior's weight: where the ratings do not decide, the draws disagree, and their average stays near "
                f"what is known.")
    return said
