"""What a comparison says, in words with the numbers in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.measures import DISAGREES

MIXED = 1.05  # R-hat of a reference that can be relied on
WITHIN = 2.0  # standard errors that do not tell two results apart
SHOWN = 4  # names in a sentence


def sentences(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Of results of one set of data, in order of rank."""
    return [s for s in (_best(rows), _evidence(rows), *_agreement(rows)) if s]


def _best(rows: Sequence[dict[str, Any]]) -> str | None:
    scored = sorted((r for r in rows if r["test_nll"] is not None), key=lambda r: r["test_nll"])
    if len(scored) < 2:
        return None
    said = f"{scored[0]['label']} predicts the {scored[0]['num_test']:,} test ratings best ({scored[0]['test_nll']:.4f}"
    tied = [r["label"] for r in scored[1:] if r["gap"] is not None and r["gap"] <= WITHIN * r["gap_error"]]
    return said + (f"); {names(tied)} cannot be told from it: less than {WITHIN:g} standard errors of the difference "
                   f"over these ratings." if tied else " nats per rating).")


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
    said = []
    for label in dict.fromkeys(r["reference"] for r in rows if r["reference"]):
        judge = next(r for r in rows if r["label"] == label)
        beside = [r for r in rows if r["reference"] == label and r["z"] is not None]
        chains = [r for r in beside if r["family"] == "mcmc"]
        what = "the exact answer" if judge["exact"] else label
        if judge["rhat"] is not None and judge["rhat"] > MIXED and beside:
            said.append(f"{label} is the reference and its chains disagree (R-hat {judge['rhat']:.3f}): agreement with "
                        f"it means little until it has run longer.")
        off = [r for r in chains if r["z"] > DISAGREES]
        if off:
            said.append(f"{names([r['label'] for r in off])}: {off[0]['z']:.3g} Monte Carlo standard errors from "
                        f"{what} (1 is what chance gives): not the same distribution, or chains that have not mixed.")
        biased = [r for r in beside if r["family"] != "mcmc" and r["sds"] is not None and r["z"] > DISAGREES]
        if biased:
            far = max(biased, key=lambda r: r["sds"])
            said.append(f"{names([r['label'] for r in biased])}: not the same posterior as {what}, by at most "
                        f"{far['sds']:.2g} posterior sds (root mean square).")
    return said


def names(labels: Sequence[str]) -> str:
    """At most a few of them."""
    rest = len(labels) - SHOWN
    return ", ".join(labels[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
