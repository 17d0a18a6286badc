"""What a comparison says, in words with the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from comparison.measures import DISAGREES

MIXED = 1.05  # R-hat of a reference that can be relied on
WITHIN = 2.0  # standard errors that do not tell two results apart
SHOWN = 4  # names in a sentence


def sentences(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Of results of one set of data, in order of rank."""
    return [s for s in (_best(rows), _scored(rows), _evidence(rows), *_agreement(rows)) if s]


def _best(rows: Sequence[dict[str, Any]]) -> str | None:
    scored = [r for r in rows if r["test_nll"] is not None and isfinite(r["test_nll"])]
    scored.sort(key=lambda r: r["test_nll"])
    if len(scored) < 2:
        return None
    said = f"{scored[0]['label']} predicts the {scored[0]['num_test']:,} test ratings best ({scored[0]['test_nll']:.4f}"
    tied = [r for r in scored[1:] if r["gap"] is not None and r["gap"] <= WITHIN * r["gap_error"]]
    return said + (f"); {names(tied, but=scored[0])} cannot be told from it: less than {WITHIN:g} standard errors of "
                   f"the difference over these ratings." if tied else " nats per rating).")


def _scored(rows: Sequence[dict[str, Any]]) -> str | None:
    """That scores do not rest on the same draws, or training scores not on the same ratings."""
    draws = sorted({r["samples"] for r in rows if r["samples"] is not None})
    parts = {str(r["data"].get("scored_train")) for r in rows if r["train_nll"] is not None}
    said = []
    if len(draws) > 1:
        said.append(f"the NLLs of variational fits rest on {draws[0]} to {draws[-1]} draws from q, and fewer "
                    f"draws raise them a little")
    if len(parts) > 1:
        said.append("the train NLLs are of different parts of the training set")
    return f"Beware: {'; '.join(said)}." if said else None


def _evidence(rows: Sequence[dict[str, Any]]) -> str | None:
    """That bounds of different models are shown and not ranked."""
    bounded = [r for r in rows if r["evidence"] is not None]
    models = list({str(r["model"]): r for r in bounded}.values())
    if len(models) < 2:
        return None
    what = [n for n in models[0]["model"] if len({str(r["model"].get(n)) for r in models}) > 1]
    values = "; ".join(f"{n} {', '.join(dict.fromkeys(str(r['model'].get(n)) for r in models))}" for n in what)
    return (f"The evidence is of {len(models)} models ({values or 'of different classes'}) and is not ranked: each "
            f"bounds that of its own model.")


def _agreement(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Which references cannot be relied on, which chains do not agree with theirs, and which fits are off."""
    said = []
    judges = [r for r in rows if any(r["label"] == other["reference"] != other["label"] for other in rows)]
    unmixed = [r for r in judges if r["rhat"] is not None and r["rhat"] > MIXED]
    if unmixed:
        said.append(f"{names(unmixed)}: chains that are a reference and disagree among themselves (R-hat up to "
                    f"{max(r['rhat'] for r in unmixed):.3f}); agreement with them means little until they have run "
                    f"longer.")
    off = [r for r in rows if r["z"] is not None and r["z"] > DISAGREES]
    chains = [r for r in off if r["family"] == "mcmc"]
    if chains:
        said.append(f"{names(chains)}: up to {max(r['z'] for r in chains):.3g} Monte Carlo "
                    f"standard errors from the reference, where chance gives 1: another distribution, or chains that "
                    f"have not mixed.")
    fits = [r for r in off if r["family"] != "mcmc"]
    if fits:
        said.append(f"{names(fits)}: not the posterior of the reference, by up to "
                    f"{max(r['sds'] for r in fits):.2g} of its standard deviations (root mean square).")
    return said


def names(rows: Sequence[dict[str, Any]], but: dict[str, Any] | None = None) -> str:
    """At most a few of them; of a sweep's runs that differ in their seeds once."""
    known = dict.fromkeys(r["series"] if "seed" in r["settings"] else r["label"] for r in rows)
    if but is not None and "seed" in but["settings"]:
        known.pop(but["series"], None)
    if not known:
        return "the same with another seed"
    rest = len(known) - SHOWN
    return "; ".join(list(known)[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
