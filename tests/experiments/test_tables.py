"""Every cell of the tables that the problems print, of results made by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data.ratings import Ratings, Split
from experiments.problem1 import report as report1
from experiments.problem1.cases import Case
from experiments.problem1.study import Study as Study1
from experiments.problem2 import report as report2
from experiments.problem3 import report as report3
from experiments.problem3.entries import ChainEntry
from experiments.program import report as report_of_program
from experiments.program.measures import Whole
from experiments.program.study import Study as StudyOfProgram
from experiments.ratings import calibration
from experiments.ratings.entries import RatingsEntry
from inference.program.parts.moments import sd_of
from models.grid import GridMRF
from tests.support.results import made

QUIET: Any = lambda *_, **__: None  # noqa: E731
RUN: Any = SimpleNamespace(console=SimpleNamespace(print=QUIET), say=QUIET, folder=Path(),
                           story=SimpleNamespace(part=QUIET, doubt=QUIET, keep=QUIET, figure=QUIET))


@pytest.fixture
def shown(monkeypatch):
    """Tables as they would be printed: (title, a dict a row)."""
    found: list[tuple[str, list[dict[str, object]]]] = []

    def show(title, columns, rows, spare=()):
        assert set(spare) < set(columns)
        rows = list(rows)
        assert all(len(row) == len(columns) for row in rows)
        found.append((title, [dict(zip(reversed(columns), reversed(row), strict=True)) for row in rows]))

    monkeypatch.setattr(RUN, "table", show, raising=False)
    return found


@pytest.fixture
def no_figures(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the folder of RUN
    for report, views in ((report1, "views"), (report1, "pictures"), (report3, "sampling"),
                          (calibration, "sampling"), (report_of_program, "views")):
        own = getattr(report, views)
        names = [name for name in vars(own) if callable(getattr(own, name)) and name != "bin_name"]
        for name in names:
            monkeypatch.setattr(own, name, lambda *_, **__: None)


def filled(kind, **values) -> Any:
    return kind(**dict.fromkeys(kind.__dataclass_fields__) | values)


def test_marginals_of_an_image(shown, no_figures):
    """Three pixels, whose marginals are off by 0.2, 0.05 and nothing; the second is labelled wrongly by both."""
    case = Case("three", GridMRF.potts(torch.zeros(1, 3, 2)), None, np.array([[1, 1, 1]]), Path())
    judge = made("strip", "exact", expected={"labels": [[[0.1, 0.9], [0.6, 0.4], [0.1, 0.9]]]}, log_evidence=10.0,
                 log_evidence_kind="exact", seconds=[[0.5]])
    fit = made("mean_field", expected={"labels": [[[0.3, 0.7], [0.65, 0.35], [0.1, 0.9]]]}, log_evidence=9.5,
               log_evidence_kind="lower bound", seconds=[[1.0, 3.0]], trace={"residual": [[0.5, 0.25]]})
    report1.show(RUN, Study1(case, [judge, fit], {}))
    title, rows = shown[0]
    assert title == "three: 1 x 3, 2 labels; errors are against strip"
    assert rows[1] | {"max error": None, "mean error": None} == {
        "method": "mean_field", "by": "hand", "log Z": "9.5", "kind": "lower bound", "max error": None,
        "mean error": None, "wrong pixels": "33.33%", "residual": 0.25, "R-hat": None, "ESS": None, "sweeps": 2,
        "seconds": "4"}
    assert (rows[1]["max error"], rows[1]["mean error"]) == pytest.approx((0.2, 0.25 / 3))
    assert (rows[0]["log Z"], rows[0]["max error"]) == ("10", 0.0)
    entry = filled(report1.GridEntry, name="gibbs", rhat=1.02, ess=99.6, oscillating=False, log_evidence_se=0.125,
                   log_evidence=9.0, log_evidence_kind="estimate")
    assert report1.row(entry)[2:4] == ("9", "estimate ± 0.12") and report1.row(entry)[8:10] == ("1.020", 100)


def test_labellings_of_an_image_have_the_best_first(shown, no_figures):
    """Bounds of 9 and 7 nats: nothing is above 7, and what reaches 5 lacks 2 at most."""
    case = Case("two", GridMRF.potts(torch.zeros(1, 2, 2)), None, np.array([[1, 0]]), Path())
    labels = {"labels": [[[0.0, 1.0], [0.0, 1.0]]]}
    low = made("icm", "point", expected=labels, trace={"objective": [[1.0, 4.0]], "dual_bound": [[9.0, 9.0]]})
    high = made("trw_s", "point", expected=labels, trace={"objective": [[1.0, 5.0]], "dual_bound": [[8.0, 7.0]]})
    report1.show(RUN, Study1(case, [low, high], {}))
    (title, rows), = shown
    assert title == "two: 1 x 2, 2 labels; the most probable labelling"
    assert rows == [
        {"method": "trw_s", "by": "hand", "log joint": "5", "below the best, at most": 2.0, "none is above": "7",
         "proved": None,
         "wrong pixels": "50.00%", "sweeps": 2, "seconds": "2"},
        {"method": "icm", "by": "hand", "log joint": "4", "below the best, at most": 3.0, "none is above": "9",
         "proved": None,
         "wrong pixels": "50.00%", "sweeps": 2, "seconds": "2"}]


def test_ranks_and_epochs_of_problem_2(shown):
    entry = filled(RatingsEntry, name="svi", rank=3, elbo_per_rating=-1.5, train_nll=1.1, validation_nll=1.2,
                   test_nll=1.3, test_rmse=0.9, steps=12, seconds=2.0)
    report2.ranks(RUN, [entry], 100)
    assert shown[0][1] == [{"K": 3, "ELBO": "-1.5000", "train NLL": "1.1000", "test NLL": "1.3000",
                            "test RMSE": "0.9000", "epochs": 12, "seconds": "2"}]
    result = made("svi", trace={"elbo": [[-300.0, -200.0]], "train_nll": [[1.6, 1.1]], "validation_nll": [[1.7, 1.2]],
                                "test_nll": [[1.8, 1.3]]}, seconds=[[2.0, 3.0]])
    report2.epochs(RUN, result, 100, 10)
    assert shown[1][1] == [
        {"epoch": 1, "ELBO": "-3.0000", "seconds": "2", "train NLL": "1.6000", "validation NLL": "1.7000",
         "test NLL": "1.8000"},
        {"epoch": 2, "ELBO": "-2.0000", "seconds": "5", "train NLL": "1.1000", "validation NLL": "1.2000",
         "test NLL": "1.3000"}]


def test_kernels_of_problem_3(shown):
    entry = filled(ChainEntry, name="row_gibbs", train_nll=1.1, validation_nll=1.2, test_nll=1.3, test_nll_error=0.01,
                   test_rmse=0.9, test_rmse_error=0.02, rhat=1.0123, ess_bulk=99.6, ess_tail=88.4, ess_per_second=7.0,
                   rhat_log_joint=1.04, ess_log_joint=5.0, steps=20, seconds=3.0, rank=2, share=1.0)
    report3.methods(RUN, [entry], 2)
    assert shown[0][1] == [{
        "method": "row_gibbs", "train NLL": "1.1000", "validation": "1.2000", "test NLL": "1.3000 (0.0100)",
        "RMSE": "0.9000 (0.0200)", "R-hat": "1.012", "bulk ESS": 100, "tail ESS": 88, "ESS/s": "7",
        "R-hat, joint": "1.040", "steps": 20, "seconds": "3"}]


def ratings(user, item) -> Ratings:
    return Ratings(torch.tensor(user), torch.tensor(item), torch.ones(len(user)).double(), 3, 9)


@pytest.fixture
def parts() -> Split:
    """User 0 has 6 training ratings, user 1 has one; each has test ratings."""
    return Split(ratings([0] * 6 + [1], [*range(6), 0]), ratings([2], [0]),
                 ratings([0, 0, 1], [6, 7, 8]))


def test_coverage_and_agreement_of_problem_3(shown, no_figures, parts):
    """User 0's test ratings at PITs of 0.5 and 0.99, user 1's at 0.96; means off by 1 and 3 sds of 0.5."""
    judge = made("row_gibbs", "mcmc", expected={"test_pit": [0.5, 0.99, 0.96], "test_mean": [1.0, 2.0, 3.0],
                                                "test_spread": [0.5, 0.5, 0.5]})
    other = made("nuts_pyro", "mcmc", expected={"test_mean": [1.5, 2.5, 4.5]})
    study: Any = SimpleNamespace(main=[judge], compared=[other], parts=parts)
    report3.calibration(RUN, judge, parts)
    assert shown[0][1] == [{"ratings": "0 to 4", "pairs": 1, "inside": "0.0%", "mean PIT": "0.960"},
                           {"ratings": "5 to 9", "pairs": 2, "inside": "50.0%", "mean PIT": "0.745"}]
    report3.crosscheck(RUN, study)
    assert shown[1][1] == [{"method": "nuts_pyro", "median (sds)": "1.000",
                            "95% below (sds)": "2.800", "RMS (rating units)": "0.9574"}]


def test_gibbs_and_maximum_likelihood_side_by_side(shown, no_figures, parts):
    def ended(name, train, test, rmse, seconds):
        return made(name, "point", expected={"train_nll": train, "test_nll": test, "test_rmse": rmse},
                    seconds=[[seconds]])

    study: Any = SimpleNamespace(gibbs={(1.0, 2): ended("row_gibbs", 1.1, 1.2, 0.8, 3.0)}, parts=parts,
                                 point={(1.0, 2): ended("maximum_likelihood", 0.5, 1.9, 1.4, 0.25)}, small=parts.train)
    entries = report3.ranks(RUN, study)
    (_, rows), = shown
    assert list(rows[0].items())[::-1] == [
        ("share", "100%"), ("K", 2), ("Gibbs train NLL", "1.1000"), ("Gibbs test NLL", "1.2000"),
        ("Gibbs RMSE", "0.8000"), ("ML train NLL", "0.5000"), ("ML test NLL", "1.9000"), ("ML RMSE", "1.4000"),
        ("Gibbs s", "3"), ("ML s", "0.25")]
    assert [(e.name, e.rank, e.share, e.test_nll) for e in entries] == [("row_gibbs", 2, 1.0, 1.2),
                                                                       ("maximum_likelihood", 2, 1.0, 1.9)]


def test_the_ladder_of_models(shown):
    def rung(nll, noise):
        return made("ladder_gibbs", "mcmc", expected={"test_nll": nll, "test_rmse": nll / 2, "noise_variance": noise},
                    seconds=[[2.0]])

    plain = rung(1.4, 1.0)
    report3.ladder(RUN, SimpleNamespace(real={2: rung(9.0, 9.0), 3: plain},  # type: ignore[arg-type]
                                        ladder={"plain": plain, "noise": rung(1.2, 0.5)}))
    title, rows = shown[0]
    assert title == "jester-5k, K = 3: what each part of the model is worth"
    assert rows[1] == {"model": "noise", "test NLL": "1.2000", "test RMSE": "0.6000", "noise variance": 0.5,
                       "seconds": "2"}


@pytest.fixture
def study() -> StudyOfProgram:
    """x is 1 with sd 2 and y 0 with sd 1, exactly; 100 draws of means 2 and 0.5, and sds 1."""
    sites: Any = SimpleNamespace(sites={"x": (), "y": ()}, quantities=lambda latents: latents)
    draws = {"x": np.tile([1.0, 3.0], 50)[None], "y": np.tile([-0.5, 1.5], 50)[None]}
    fit = made("guide", by="pyro", draws=draws, seconds=[[2.0, 2.0]], log_evidence=-3.25,
               log_evidence_kind="lower bound")
    exact = made("quadrature", "exact", draws=draws, expected={"x": 1.0, "y": 0.0, sd_of("x"): 2.0, sd_of("y"): 1.0})
    made_by_hand: Any = StudyOfProgram(None, sites, [exact, fit])  # type: ignore[arg-type]
    made_by_hand.__dict__["wholes"] = [Whole(None, None, None, None, None), Whole(0.42, 1.005, 40.0, -12.25, 1.5)]
    return made_by_hand


def test_methods_on_a_program(study):
    """x is off by 1: by 10 standard errors of 0.1 and half an sd; y by 0.5: by 5, and half an sd."""
    assert dict(zip(report_of_program.COLUMNS, report_of_program.row(study, 1), strict=True)) == {
        "method": "guide", "by": "pyro", "steps": 2, "log evidence": "-3.250", "of a kind": "lower bound",
        "k-hat": "0.42", "R-hat": "1.005", "least ESS": "40", "ESS/s": "10", "elpd (LOO)": "-12.25 ± 1.50",
        "worst error (MCSE)": "10.0", "worst error (sd)": "0.50", "worst at": "x", "seconds": "4"}
    assert report_of_program.row(study, 0)[10:12] == (None, None)


def test_numbers_of_a_program(study, shown, no_figures):
    assert report_of_program.lines(study, 0) == [("x", "quadrature (reference)", 1.0, 2.0, None, None),
                                                 ("", "guide", 2.0, 1.0, "10.0", "0.50")]
    entry = report_of_program.entry(study, 1)
    assert entry.numbers["y"] == {"mean": 0.5, "sd": 1.0, "error_mcse": pytest.approx(5.0), "error_sd": 0.5}
    assert (entry.khat, entry.rhat, entry.ess, entry.elpd_loo, entry.elpd_loo_error, entry.reference) == (
        0.42, 1.005, 40.0, -12.25, 1.5, False)


def test_constant_numbers_are_left_out(study):
    """y is 1 in every draw of both; it is a number like others where one of them has it elsewhere."""
    for result in study.results:
        result.draws["y"] = np.ones_like(result.draws["y"])
    study.results[0].expected.update({"y": np.array(1.0), sd_of("y"): np.array(0.0)})
    assert study.order == [0] and study.shown(9) == [0] and report_of_program.title(study) == (
        "The posterior (1 that never vary left out)")
    other = StudyOfProgram(study.request, study.program, study.results)
    study.results[1].draws["y"] *= 2
    other.__dict__["wholes"] = study.wholes
    assert other.order in ([0, 1], [1, 0])


def test_the_numbers_that_differ_most_come_first(study):
    """y off by 2 of its sds, x by half of one."""
    study.results[1].draws["y"] += 1.5
    assert study.order == [1, 0]
    alone = StudyOfProgram(study.request, study.program, study.results[1:])
    alone.__dict__["wholes"] = study.wholes[1:]
    alone.__dict__["reference"] = None
    assert alone.order == [0, 1] and alone.errors == [None]
