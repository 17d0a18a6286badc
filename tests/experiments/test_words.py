"""What a run says of its results, on results made by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiments.problem1 import words as words1
from experiments.problem3 import words as words3
from experiments.problem3.entries import ChainEntry
from experiments.ratings.entries import errors
from experiments.ratings.words import doubts
from inference.result import Result


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
