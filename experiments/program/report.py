"""What is printed, drawn and written of a run on a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.program import captions, measures, words
from experiments.program.study import Study
from inference.result import Result
from models.program import Program
from models.sites import Site, families
from runs.records import Entry
from runs.run import Run
from views import program as views
from views.figures import begin
from views.numbers import decimals, rhat, three

SHOWN = 12  # numbers in the table
COLUMNS = ("method", "by", "steps", "log evidence", "of a kind", "k-hat", "R-hat", "least ESS", "ESS/s", "elpd (LOO)",
           "worst error (MCSE)", "worst error (sd)", "worst at", "seconds")
SPARE = ("by", "worst at", "steps", "of a kind", "ESS/s", "elpd (LOO)", "log evidence", "k-hat",
         "seconds", "least ESS", "worst error (MCSE)")


@dataclass(frozen=True)
class BareEntry(Entry):
    """A method's line; R-hat the worst of its numbers, ESS the least."""

    khat: float | None
    rhat: float | None
    ess: float | None


@dataclass(frozen=True)
class ProgramEntry(BareEntry):
    """Numbers by name hold mean, sd, error in Monte Carlo standard errors and in posterior sds."""

    elpd_loo: float | None
    elpd_loo_error: float | None
    reference: bool
    numbers: dict[str, Any]


def about(program: Program, folder: str) -> list[str]:
    """What was understood of the file."""
    known = program.known
    return [f"{program.name}: latent {listed(known.latent)}; observed {listed(known.observed) or 'a factor'} -> "
            f"{folder}"]


def listed(sites: Mapping[str, Site]) -> str:
    """Their names and shapes; of a loop's the first, the last, and how many."""
    words = {name: f"{name}{list(site.shape) if site.shape else ''}" for name, site in sites.items()}
    for names in families(list(sites)).values():
        words[names[0]] += f" to {words[names[-1]]} ({len(names)})"
        for name in names[1:]:
            del words[name]
    return ", ".join(words.values())


def show(this: Run, study: Study) -> list[ProgramEntry]:
    """Tables, figures and sentences; the lines of summary.json."""
    begin(result.name for result in study.results)
    this.table("Methods", COLUMNS, [row(study, k) for k in range(len(study.results))], SPARE)
    this.table(title(study), ("number", "method", "mean", "sd", "error (MCSE)", "error (sd)"),
                [line for k in study.shown(SHOWN) for line in lines(study, k)])
    figures(this, study)
    this.say(words.judged(study))
    this.story.doubt(*words.said(study)[1:])
    return [entry(study, k) for k in range(len(study.results))]


def title(study: Study) -> str:
    n, left_out = len(study.order), int(study.constant.sum())
    first = "the first number" if study.judge is None else "the number on which they differ most"
    which = f": of every site {first}, {SHOWN} of {n} in all" if n > SHOWN else ""
    return "The posterior" + which + (f" ({left_out} that never vary left out)" if left_out else "")


def row(study: Study, k: int) -> Sequence[object]:
    result, whole, errors = study.results[k], study.wholes[k], study.errors[k]
    seconds, evidence = float(result.seconds.sum()), result.log_evidence
    elpd = None if whole.elpd is None else f"{whole.elpd:.2f} ± {whole.elpd_error:.2f}"
    return (result.name, result.by, result.steps, None if evidence is None else f"{evidence:.3f}",
            result.log_evidence_kind, decimals(whole.khat, 2), rhat(whole.rhat), decimals(whole.ess, 0),
            None if whole.ess is None else f"{whole.ess / seconds:.3g}", elpd,
            None if errors is None else decimals(worst(errors.z), 1),
            None if errors is None else decimals(worst(errors.sds), 2),
            None if errors is None else study.numbers[k].names[int(np.abs(np.nan_to_num(errors.sds)).argmax())],
            three(seconds))


def worst(errors: np.ndarray) -> float | None:
    finite = np.abs(errors[np.isfinite(errors)])
    return float(finite.max()) if len(finite) else None


def lines(study: Study, at: int) -> list[Sequence[object]]:
    """One number, by every method; the reference is marked."""
    found: list[Sequence[object]] = []
    for k, (result, numbers, errors) in enumerate(zip(study.results, study.numbers, study.errors, strict=True)):
        name = result.name + (" (reference)" if k == study.reference else "")
        point = result.family == "point"
        found.append((numbers.names[at] if k == 0 else "", name, float(numbers.mean[at]),
                      None if point else float(numbers.sd[at]),
                      None if errors is None or point else decimals(shown(errors.z[at]), 1),
                      None if errors is None else decimals(shown(errors.sds[at]), 2)))
    return found


def shown(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def figures(this: Run, study: Study) -> None:
    judge = study.judge
    draws = {r.name: measures.flat(q) for r, q in zip(study.results, study.quantities, strict=True)}
    names = study.numbers[0].names
    reference = judge.name if judge else None
    story, far = this.story, captions.errors(study)
    story.figure(views.marginals(this.folder, draws, names, study.order, reference, study.prior), far)
    story.figure(views.forest(this.folder, draws, names, study.order, reference), captions.spreads(study))
    if len(study.order) > 1:
        story.figure(views.pairs(this.folder, draws, names, study.order[:2], reference), captions.pair(study))
    chains = {r.name: draws[r.name] for r in study.results if r.family == "mcmc" and len(r.seconds) > 1}
    if chains:
        story.figure(views.chains(this.folder, chains, names, study.order), captions.chains(study))
    if len(study.observed) > 1:
        story.figure(views.predictive(this.folder, study.observed, study.replicated, (judge or study.results[0]).name),
                     captions.predictive(study))


def bare(result: Result, program: Program) -> BareEntry:
    """What a result alone tells, without the time that the rest takes."""
    worst, ess = measures.mixing(result, measures.quantities(result, program) if result.family == "mcmc" else {})
    return BareEntry.of(result, khat=measures.khat(result), rhat=worst, ess=ess)


def entry(study: Study, k: int) -> ProgramEntry:
    result, whole, numbers, errors = study.results[k], study.wholes[k], study.numbers[k], study.errors[k]
    by_name = {name: {"mean": float(numbers.mean[n]), "sd": float(numbers.sd[n]),
                      "error_mcse": None if errors is None else shown(errors.z[n]),
                      "error_sd": None if errors is None else shown(errors.sds[n])}
               for n, name in enumerate(numbers.names)}
    return ProgramEntry.of(result, khat=whole.khat, rhat=whole.rhat, ess=whole.ess, elpd_loo=whole.elpd,
                           elpd_loo_error=whole.elpd_error, reference=k == study.reference, numbers=by_name)
