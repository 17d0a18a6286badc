"""What each figure of a fit to ratings shows, with its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from comparison.takeaway import goes, span
from experiments.problem3.entries import ChainEntry
from experiments.ratings.entries import score
from experiments.ratings.words import LEVEL
from inference.result import Result
from models.ratings import Ratings


def learning(results: Sequence[Result], num_ratings: int) -> str:
    """Where fits end."""
    bounds = {r.name: e / num_ratings for r in results if (e := r.final("elbo")) is not None}
    scores = {r.name: score(r, "test_nll") for r in results}
    said = [f"the ELBO per rating ends {span(bounds)}"] * bool(bounds)
    said += [f"the test NLL {span(scores)}"] * bool(span(scores))
    return f"How each method learns: {'; '.join(said) or 'nothing was scored'}."


def predictions(results: Sequence[Result]) -> str:
    """How many test ratings lie in their intervals."""
    inside = {r.name: 100 * float((np.abs(r.expected["test_pit"] - 0.5) <= LEVEL / 2).mean())
              for r in results if "test_pit" in r.expected}
    return f"Predicted and observed: {LEVEL:.0%} intervals hold {span(inside, '%') or 'what is drawn'} of the test set."


def uncertainty(results: Sequence[Result]) -> str:
    """How sure fits are."""
    spreads = {r.name: float(np.median(r.expected["test_spread"])) for r in results
               if "test_spread" in r.expected and r.expected["test_spread"].any()}
    return f"How sure: the median posterior sd of a test prediction {goes(spreads, ' rating units')}."


def sweeps(judge: Result) -> str:
    """What averaging over draws is worth."""
    whole, last = judge.final("test_nll"), judge.final("test_nll_last")
    if whole is None or last is None:
        return f"The NLL of {judge.name} by sweep."
    return (f"Averaged over all draws of a chain {judge.name} has a test NLL of {whole:.4f} nats a rating; the last "
            f"draw alone has {last:.4f}.")


def chains(entries: Sequence[ChainEntry]) -> str:
    """How far chains agree."""
    rhats = {e.name: e.rhat_log_joint for e in entries}
    return f"Chains, one colour each: R-hat of the log joint {goes(rhats)}."


def crosscheck(judge: Result, medians: Mapping[str, float]) -> str:
    """How far other methods predict from the judge."""
    return f"Against {judge.name}, the median difference of a test prediction {goes(medians, ' posterior sds')}."


def ranks(gibbs: Mapping[tuple[float, int], Result], name: str, what: str) -> str:
    """Where the chains end at each K."""
    ends = {f"K = {K}": score(r, f"{name}_nll") for (share, K), r in gibbs.items() if share == 1}
    return f"Gibbs on {what}, by number of factors: the NLL ends {span(ends)}."


def by_rank(ranked: Mapping[int, Result]) -> str:
    """Where the fits end at each K."""
    ends = {f"K = {K}": score(r, "test_nll") for K, r in ranked.items()}
    return f"What each further factor is worth: the test NLL {goes(ends)}."


def overview(train: Ratings) -> str:
    """What was given."""
    users = np.bincount(train.user.cpu().numpy(), minlength=train.num_users)
    items = np.bincount(train.item.cpu().numpy(), minlength=train.num_items)
    return (f"The training set: {len(train):,} ratings; half of the users have at most {np.median(users):g}, half of "
            f"the items at most {np.median(items):g}.")


def items(result: Result) -> str:
    """What is near what."""
    return (f"The items' map by {result.name}: posterior means of their two factors, turned onto each other, the most "
            f"rated by name. Items near each other are liked by the same users.")


def learned(found: Mapping[str, np.ndarray]) -> str:
    """What was learned besides the factors."""
    return "Learned: " + ", ".join(f"{name} {x.mean():.3g} (sd {x.std():.2g})" for name, x in found.items()) + "."
