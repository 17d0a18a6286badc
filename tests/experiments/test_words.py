"""What a run says of its results, on results made by hand."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from experiments.problem1 import captions
from experiments.problem1 import cases as cases1
from experiments.problem1 import report as report1
from experiments.problem1 import study as study1
from experiments.problem1 import words as words1
from experiments.problem1.study import GridEntry, Study
from experiments.problem3 import words as words3
from experiments.problem3.entries import ChainEntry
from experiments.ratings import calibration
from experiments.ratings.entries import RatingsEntry, errors
from experiments.ratings.words import doubts
from inference.grid.parts.constraints import least_possible
from inference.result import Result
from models.grid import GridMRF
from tests.support.mixed_grids import mixed


def result(name="mean_field", family="variational", trace=None, expected=None, **more) -> Result:
    trace = {key: np.array([value], dtype=float) for key, value in (trace or {}).items()}
    steps = max((x.shape[1] for x in trace.values()), default=1)
    return Result(name, family, "hand", draws={}, expected=expected or {}, trace=trace, seconds=np.ones((1, steps)),
                  log_evidence=None, log_evidence_kind=None, converged=None, seed=0,
                  **{"options": {}, "facts": {}} | more)


FALLING = [1.0, 0.5, 0.25, 0.1, 0.01, 1e-4]
STUCK = [1.0] * 6


@pytest.mark.parametrize(("trace", "more", "shape", "says"), [
    ({"residual": FALLING}, {}, (3, 3), "it is still falling: give more --sweeps"),
    ({"residual": STUCK}, {"facts": {"oscillating": True}}, (3, 60), "it flips"),
    ({"residual": STUCK, "elbo": [-9, -5, -6, -5, -6, -5]}, {}, (3, 60), "it flips"),
    ({"residual": STUCK, "elbo": [-9, -5, -4, -3, -2, -1]}, {}, (3, 60),
     "what one pixel knows travels about a pixel a sweep, and the farthest are 61 apart: give --sweeps 122, or "
     "--schedule sequential"),
    ({"residual": STUCK}, {"options": {"schedule": "sequential"}}, (3, 60), "it does not fall"),
    ({"residual": STUCK}, {}, (2, 2), "it does not fall: give more --sweeps, or try another --schedule"),
])
def test_advice_is_of_what_happened(trace, more, shape, says):
    """A residual that stands still may be a message that travels, or neighbours that flip."""
    said = words1.unsettled([result(trace=trace, **more)], shape)
    assert len(said) == 1 and said[0].startswith("mean_field has not settled after 6 sweeps") and says in said[0]
    assert "flip" not in said[0] or "flips" in says


def test_what_has_settled_is_not_spoken_of():
    assert words1.unsettled([result(trace={"residual": [1.0, 1e-9]})], (3, 60)) == []


def chain(name, rhat, joint, ess=19.0):
    fields: dict[str, Any] = dict.fromkeys(ChainEntry.__dataclass_fields__)
    return ChainEntry(**fields | {"name": name, "family": "mcmc", "by": "hand", "steps": 100, "seconds": 1.0, "rank": 2,
                                  "share": 1.0, "rhat": rhat, "rhat_log_joint": joint, "ess_log_joint": ess})


def test_chains_that_have_not_met_are_said():
    said = words3.unmixed([chain("first", 1.06, 2.92), chain("second", 1.01, 1.2, 40.0), chain("third", 1.01, 1.05)])
    assert said == [
        "first's chains have not met: R-hat 2.92 of the log joint and 1.06 of the worst prediction (above 1.05), 19 "
        "effective draws of the log joint; the others are held against it all the same, which means little; give more "
        "--sweeps (now 100), or a longer --burn-in.",
        "second's chains have not met: R-hat 1.2 of the log joint (above 1.05), 40 effective draws of the log joint; "
        "give more --sweeps (now 100), or a longer --burn-in."]
    assert words3.unmixed([chain("alone", None, None)]) == []
    assert "held against it" not in words3.unmixed([chain("alone", 1.0, 2.0)])[0]


def predicted(n, pit, error=1.0, noise=1.0):
    """n ratings of 0, predicted with a squared error of `error`."""
    return result("row_gibbs", "mcmc", expected={
        "test_pit": np.array(pit, dtype=float), "test_mean": np.full(n, error**0.5), "test_spread": np.zeros(n),
        "noise_variance": np.array(noise)}), np.zeros(n)


def test_predictions_that_a_person_should_doubt():
    uniform = (np.arange(1000) + 0.5) / 1000
    assert doubts(*predicted(1000, uniform)) == []
    assert doubts(*predicted(1000, 0.5 + (uniform - 0.5) * 0.1)) == [
        "row_gibbs's 90% intervals hold 100% of the test ratings: it is too unsure of them."]
    sure = np.where(uniform < 0.47, 0.0, np.where(uniform > 0.53, 1.0, 0.5))
    assert doubts(*predicted(1000, sure)) == [
        "row_gibbs's 90% intervals hold 6% of the test ratings: it is too sure of them."]
    assert doubts(*predicted(1000, uniform, error=83.0))[0].startswith(
        "The noise variance, 1 in squared rating units, does not fit: the mean squared error of the test ratings is "
        "83, where row_gibbs expects 1; learn it")
    fit, test = predicted(1000, uniform, error=83.0)
    assert doubts(replace(fit, draws={"sigma2": np.ones((1, 1))}), test)[0].endswith(
        "it is learned from the training ratings: give more --sweeps, or look whether the test ratings are like them.")
    assert doubts(*predicted(12, uniform[::84])) == [
        "The test set has 12 ratings: whatever is scored on it is known no better than its standard error says; give "
        "--split a larger share for it."]
    assert doubts(result(), np.zeros(0)) == []


def test_standard_errors_of_scores():
    """Of the NLL sd / sqrt(n); of the RMSE that of the squared errors over twice the RMSE: 1, 1, 9, 9, RMSE sqrt(5)."""
    found = errors(result(expected={"test_log_density": np.array([1.0, 2.0, 3.0, 6.0]),
                                    "test_mean": np.array([1.0, -1.0, 3.0, -3.0])}), np.zeros(4))
    assert found["test_nll_error"] == pytest.approx((14 / 3) ** 0.5 / 2)
    assert found["test_rmse_error"] == pytest.approx((64 / 3) ** 0.5 / 2 / (2 * 5**0.5))
    assert set(errors(result(), None).values()) == {None}


def test_an_exact_judge_is_run_where_that_is_cheap(monkeypatch):
    import torch

    from experiments.problem1.study import Study, exact
    from models.grid import GridMRF

    def case(H, W):
        return SimpleNamespace(model=GridMRF.potts(torch.zeros(H, W, 2), 1.0, (1.0, 0.0)))

    found = exact(case(3, 3), [result()])
    assert found is not None and found.name == "strip" and found.log_evidence_kind == "exact"
    assert exact(case(3, 3), [result("brute_force", "exact")]) is None and exact(case(40, 40), [result()]) is None
    study = Study(case(3, 3), [result()], {}, found)
    assert study.judge is found
    assert Study(case(40, 40), [result()], {}).unjudged == "too large for one"
    assert Study(case(16, 2000), [result()], {}).unjudged == "--method strip would take a while"


def grids(name, marginals, **more):
    return result(name, expected={"labels": np.array(marginals)}, **more)


def test_no_schedule_is_advised_where_there_is_none():
    trw = result("tree_reweighted_bp", trace={"residual": STUCK})
    assert words1.advice(trw, (3, 60)) == "it does not fall: give more --sweeps, or try --damping 0.5"


def test_a_caption_names_the_methods_that_differ_from_most():
    a, b = np.eye(2)[[[0, 1], [1, 1]]], np.eye(2)[[[1, 0], [1, 1]]]
    found = [result(name, expected={"labels": x}) for name, x in (("strip", a), ("gibbs", b), ("loopy_bp", a))]
    said = "The most probable label of every pixel: {} methods agree on all 4 pixels{}."
    assert captions.denoised([], found) == said.format("2 of 3", "; gibbs differs on 2")
    assert captions.denoised([], found[::2]) == said.format("2 of 2", "")


def test_no_ratio_is_said_where_an_error_is_rounding():
    judge, near, far = (grids(name, [[[p, 1 - p]]]) for name, p in (("strip", 0.5), ("loopy_bp", 0.5 + 1e-14),
                                                                    ("mean_field", 0.6)))
    assert "times" not in words1.comparison(judge, [near, far])[0]


def test_which_way_mean_field_is_wrong():
    """One pixel of probability 0.9: 0.99 is too sure, 0.6 too unsure; the bound is below, and 0.09 / 0.3 of 0.3 off."""
    judge = grids("strip", [[[0.1, 0.9]]])
    sure, unsure = grids("mean_field", [[[0.01, 0.99]]]), grids("loopy_bp", [[[0.4, 0.6]]])
    said = words1.comparison(judge, [sure, unsure])
    assert said == [
        "Against strip, the worst marginal of mean_field is off by 0.09, that of loopy_bp by 0.3, 3.33 times as much.",
        "mean_field is too sure: the mean entropy of its pixels is 0.056 nats, where 0.325 is right.",
        "loopy_bp is too unsure: the mean entropy of its pixels is 0.673 nats, where 0.325 is right."]
    exact = replace(judge, log_evidence=10.0, log_evidence_kind="exact")
    below = replace(grids("mean_field", [[[0.1, 0.9]]]), log_evidence=9.5, log_evidence_kind="lower bound")
    assert words1.comparison(exact, [below]) == ["mean_field's bound of log Z is -0.5 nats from exact."]


def test_wrong_pixels_are_those_that_are_wrong():
    """Two of nine labels differ from the clean image, and the worst marginal is off by 0.25 from the judge's."""
    clean = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1]])
    found = np.zeros((3, 3, 2))
    found[..., 0] = 1.0
    for i, j in ((1, 1), (2, 0), (0, 0)):
        found[i, j] = (0.25, 0.75)
    judge = grids("strip", np.where(found == 0.75, 1.0, np.where(found == 0.25, 0.0, found)))
    case = cases1.Case("small", mixed(3, 3, 2), None, clean, Path())
    study = Study(case, [grids("mean_field", found), judge], {})
    line = GridEntry.on(study, study.results[0])
    assert line.share_wrong == pytest.approx(3 / 9) and line.max_error == pytest.approx(0.25)


def test_every_cell_of_problem_2s_table():
    from experiments.problem2 import report

    tables: list = []
    fields: dict[str, Any] = dict.fromkeys(RatingsEntry.__dataclass_fields__)
    entry = RatingsEntry(**fields | {
        "name": "coordinate_ascent", "by": "hand", "elbo_per_rating": -1.5, "train_nll": 1.1, "validation_nll": 1.2,
        "test_nll": 1.3, "test_nll_error": 0.01, "test_rmse": 0.9, "test_rmse_error": 0.02, "steps": 12, "seconds": 2.0,
        "seconds_to_1_percent": 0.5})
    run: Any = SimpleNamespace(table=lambda title, columns, rows, spare: tables.append((columns, rows)))
    report.comparison(run, [entry], 2)
    assert dict(zip(*(tables[0][0], tables[0][1][0]), strict=True)) == {
        "method": "coordinate_ascent", "by": "hand", "ELBO": "-1.5000", "train NLL": "1.1000", "valid.": "1.2000",
        "test": "1.3000 (0.0100)", "test RMSE": "0.9000 (0.0200)", "epochs": 12, "seconds": "2", "to 1%": "0.5"}


def test_coverage_of_a_uniform_pit_is_its_level():
    """Central 90% intervals: of 1,000 values evenly spread 900 lie inside, in each bin of users too."""
    pit = np.tile((np.arange(1000) + 0.5) / 1000, 2)
    found = result(expected={"test_pit": pit})
    shares, sizes = calibration.coverage(found, np.repeat([3, 30], 1000), np.array([0, 10, 99]))
    assert shares == pytest.approx([0.9, 0.9]) and list(sizes) == [1000, 1000]


def test_sweeps_are_drawn_the_right_way_up(monkeypatch, tmp_path):
    """Predictive NLLs, as everywhere else; lower is better."""
    from views import sampling

    drawn: list = []
    monkeypatch.setattr(sampling, "save", lambda figure, path: drawn.append(figure))
    nll = {f"{name}_nll{last}": [2.0, 1.5, 1.4] for name in ("train", "test") for last in ("", "_last")}
    sampling.sweeps(tmp_path, [result("row_gibbs", "mcmc", trace=nll, facts={"warmup": 0})], 2)
    assert drawn[0].axes[0].get_lines()[0].get_ydata() == pytest.approx([2.0, 1.5, 1.4])


def test_what_a_labelling_lacks_of_the_best():
    """By the strip recursion where it is cheap, else at most, by the lowest bound that a method proved."""
    trace = {"objective": [1.0, 5.0], "dual_bound": [9.0, 7.0]}
    point = result("trw_s", family="point", trace=trace, expected={"labels": np.array([[[0.0, 1.0]]])})
    other = result("max_product", family="point", trace={"objective": [4.0, 4.0]})
    judge = grids("strip", [[[0.1, 0.9]]])
    unknown: Any = SimpleNamespace(name="small", share_wrong=lambda *_, **__: None)
    known, bounded = (Study(unknown, [point, other, judge], {}, best=best) for best in (6.0, None))
    lines = [GridEntry.on(known, point), GridEntry.on(known, other), GridEntry.on(bounded, other)]
    assert [line.below_best for line in lines] == [1.0, 2.0, 3.0] and lines[0].dual_bound == 7.0
    assert lines[0].max_error is None, "a labelling is no marginal"
    assert report1.point_row(lines[1])[:5] == ("max_product", "hand", "4", 2.0, None)


def test_answers_that_break_hard_constraints_are_said():
    """Two neighbours that must be equal: log p~ of what is possible is 0 or -3, so log Z is no less than -3 nats."""
    equal = torch.tensor([[0.0, -math.inf], [-math.inf, -3.0]]).double()
    model = GridMRF(torch.zeros(1, 2, 2).double(), equal[None, None], torch.zeros(0, 2, 2, 2).double())
    least = least_possible(model)
    assert least == -3.0
    case: Any = SimpleNamespace(name="", share_wrong=lambda *_, **__: None)
    broken, kept = (result(name, family="point", trace=trace) for name, trace in (
        ("max_product", {}), ("trw_s", {"objective": [-3.0]})))
    far, near = (replace(result(name), log_evidence=value, log_evidence_kind="Bethe")
                 for name, value in (("loopy_bp", -1500.0), ("generalised_bp", -3.5)))
    results = [broken, kept, far, near]
    entries = [GridEntry.on(Study(case, results, {}), r) for r in results]
    assert "the method 'strip'." in words1.impossible([replace(entries[0], name="integer_programming")], least)[0]
    first, second = words1.impossible(entries, least)
    assert first.startswith("max_product's labelling breaks a hard constraint")
    assert second.startswith("loopy_bp's log Z lies below that of any labelling")
    assert sorted(entries[:2], key=report1.most_probable_first)[0].name == "trw_s"


def test_the_best_is_the_strip_recursions():
    model = mixed(3, 3, 2)
    case: Any = SimpleNamespace(model=model)
    log_p = model.log_joint({"labels": model.configurations})
    assert study1.best(case, [result("trw_s", family="point")]) == pytest.approx(float(log_p.max()))
    assert study1.best(case, [result("mean_field")]) is None


def test_an_estimate_of_log_z_has_its_standard_error():
    exact = replace(grids("strip", [[[0.1, 0.9]]]), log_evidence=10.0, log_evidence_kind="exact")
    found = grids("annealed_importance_sampling", [[[0.1, 0.9]]], trace={"log_evidence_se": [0.25]})
    found = replace(found, log_evidence=9.5, log_evidence_kind="estimate")
    assert words1.comparison(exact, [found]) == [
        "annealed_importance_sampling's estimate of log Z is -0.5 nats from exact, with a standard error of 0.25."]
    case: Any = SimpleNamespace(name="", share_wrong=lambda *_, **__: None)
    entry = GridEntry.on(Study(case, [found, exact], {}), found)
    assert report1.row(entry)[2:4] == ("9.5", "estimate ± 0.25")
