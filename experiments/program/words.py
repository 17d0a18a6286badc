"""Sentences about a run on a program, from its results alone."""

from __future__ import annotations

import numpy as np

from experiments.program.measures import Errors
from experiments.program.study import Study
from views.numbers import rhat

DISAGREES = 4.0  # Monte Carlo standard errors of the worst number that chance does not explain
FAR = 0.1  # posterior standard deviations: a bias that matters
FAR_SD = 0.2  # of the log of an sd over the reference's
UNTRUSTED = 0.7  # k-hat
MIXED = 1.01


def said(study: Study) -> list[str]:
    """What a person should take away: what the others are held against, how far off they are, what did not converge."""
    return [judged(study), *unmixed(study), *diverging(study), *untrusted(study), *off(study), *stray(study)]


def take_away(study: Study) -> str:
    """Which method is nearest to what the others are held against, in means and in spread, by how much, with what
    doubt; "" where no other has a spread."""
    if study.judge is None:
        return "Nothing here has been shown to be right, so that no method can be called best: give more --sweeps."
    far = sorted(((errors.distance, r.name, errors) for r, errors in zip(study.results, study.errors, strict=True)
                  if errors is not None and r.name != study.judge.name and r.family != "point"),
                 key=lambda known: known[:2])
    if not far:
        return ""
    _, name, errors = far[0]
    z = float(np.abs(np.nan_to_num(errors.z)).max())
    chance = "as chance explains" if z < DISAGREES else "more than chance explains"
    said = (f"{name} is nearest to {study.judge.name}: {_worst(errors)}; its means differ by up to {z:.1f} Monte Carlo "
            f"standard errors, {chance}")
    said += f". The farthest is {far[-1][1]}: {_worst(far[-1][2])}." if len(far) > 1 else "."
    return " ".join(filter(None, (said, guides(study))))


def guides(study: Study) -> str:
    """Which guide has the highest ELBO, and how far below it the user's own are; "" where there are not two."""
    bounds = sorted(((r.log_evidence, r.name, r.by) for r in study.results
                     if r.log_evidence_kind == "lower bound" and r.log_evidence is not None), reverse=True)
    if len(bounds) < 2:
        return ""
    (best, name, _), rest = bounds[0], bounds[1:]
    those = [b for b in rest if b[2] == "user"] or rest[:1]
    return (f"Of the guides {name} has the highest ELBO ({best:.4g} nats); "
            + ", ".join(f"{other} lies {best - bound:.2g} below" for bound, other, _ in those) + ".")


def _worst(errors: Errors) -> str:
    """The worst mean and the worst sd."""
    ratio = float(errors.ratio[np.abs(np.nan_to_num(np.log(errors.ratio))).argmax()])
    return (f"its worst mean is {np.abs(np.nan_to_num(errors.sds)).max():.2g} posterior sds away, its worst sd "
            f"{ratio:.2f} times what it should be")


def judged(study: Study) -> str:
    judge = study.judge
    if judge is None:
        return ("Nothing here can judge the others: no method is exact, and no chains have R-hat below 1.01; give more "
                "--sweeps.")
    if len(study.results) == 1:
        return f"There is nothing to hold {judge.name} against: give another --method."
    if judge.family == "exact":
        return f"The others are held against {judge.name}, which is exact."
    assert study.reference is not None
    whole = study.wholes[study.reference]
    return (f"The others are held against {judge.name}, chains with R-hat {rhat(whole.rhat)} and at least "
            f"{whole.ess:.0f} effective draws of every number.")


def unmixed(study: Study) -> list[str]:
    found = []
    for result, whole in zip(study.results, study.wholes, strict=True):
        if result.family == "mcmc" and (whole.rhat is None or whole.rhat >= MIXED):
            why = "one chain says nothing of its R-hat" if whole.rhat is None else f"R-hat is {rhat(whole.rhat)}"
            found.append(f"{result.name} has not been seen to converge ({why}, and should be below {MIXED}): give more "
                         f"--sweeps{' and --chains' * (whole.rhat is None)}.")
    return found


def diverging(study: Study) -> list[str]:
    """Chains whose paths left the energy behind: the posterior has corners that they do not get into."""
    found = []
    for result in study.results:
        count = int(np.nansum(result.trace.get("diverging", np.zeros(1))))
        if count:
            found.append(f"{result.name} diverged in {count} step{'s' * (count > 1)} after its warm-up: the posterior "
                         f"has a corner that it does not get into, and what it says of that may be wrong, whatever the "
                         f"R-hat; give a target_accept nearer to 1, and where a site's scale is another site, write it "
                         f"as mu + tau * z, z ~ N(0, 1), if it is not written so yet.")
    return found


def untrusted(study: Study) -> list[str]:
    return [f"{result.name} is far from the posterior (k-hat {whole.khat:.2f}, above {UNTRUSTED}): "
            + ("its ELBO holds as a bound, but " if result.log_evidence_kind == "lower bound" else "")
            + "neither its spread nor weights from it are to be relied on."
            for result, whole in zip(study.results, study.wholes, strict=True)
            if whole.khat is not None and whole.khat > UNTRUSTED]


def off(study: Study) -> list[str]:
    """The worst mean and the worst sd of every method that are off by more than chance, and by how much."""
    found = []
    for result, errors, numbers in zip(study.results, study.errors, study.numbers, strict=True):
        if errors is None:
            continue
        z, sds = np.abs(np.nan_to_num(errors.z)), np.abs(np.nan_to_num(errors.sds))
        k = int(sds.argmax())
        if z[k] >= DISAGREES and sds[k] >= FAR:
            found.append(f"{result.name} is off: its mean of {numbers.names[k]} is {sds[k]:.2g} posterior sds from "
                         f"the reference's ({z[k]:.1f} Monte Carlo standard errors).")
        logs = np.abs(np.nan_to_num(np.log(errors.ratio)))
        k = int(logs.argmax())
        if result.family != "point" and abs(errors.ratio_z[k]) >= DISAGREES and logs[k] >= FAR_SD:
            found.append(f"{result.name} is too {'narrow' if errors.ratio[k] < 1 else 'wide'}: its sd of "
                         f"{numbers.names[k]} is {errors.ratio[k]:.2f} times the reference's.")
    return found


def stray(study: Study) -> list[str]:
    """Chains that differ by more than chance from an exact answer or from better chains are suspect."""
    names = [result.name for result, errors in zip(study.results, study.errors, strict=True)
             if errors is not None and result.family == "mcmc" and result.by == "user"
             and float(np.abs(np.nan_to_num(errors.z)).max()) >= DISAGREES]
    return [f"{name} samples something else, or has not run long enough: `python run.py --check "
            f"{study.request.file}` says which." for name in names]
