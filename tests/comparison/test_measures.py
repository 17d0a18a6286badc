"""Effective samples, distances, times and references of a comparison, on results made by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from comparison import ranking, report
from comparison.measures import Distance, Estimate, distance, estimate, paired, seconds_to_error, seconds_to_nll
from tests.comparison.test_words import row
from tests.support.results import made


def test_a_distance_is_in_standard_errors_and_in_posterior_sds():
    """Variances of 4 and 1 behind 100 and 25 draws: standard errors 0.2 and 0.2, and of the exact reference none."""
    reference = Estimate(np.array([1.0, 2.0, 5.0]), np.array([4.0, 1.0, 0.0]), np.inf)
    one = Estimate(np.array([1.6, 2.8, 9.0]), None, np.array([100.0, 25.0, 9.0]), sampled=True)
    found = distance(one, reference)
    assert found.z == pytest.approx((((0.6 / 0.2) ** 2 + (0.8 / 0.2) ** 2) / 2) ** 0.5)
    assert found.worst == pytest.approx(4.0) and found.sds == pytest.approx(((0.3**2 + 0.8**2) / 2) ** 0.5)
    chains = Estimate(reference.mean, reference.variance, np.full(3, 100.0))
    assert distance(one, chains).worst == pytest.approx(0.8 / (1 / 25 + 1 / 100) ** 0.5)
    assert distance(one, Estimate(reference.mean, None, np.inf)) == Distance()


def test_indicators_that_too_few_draws_decide_are_left_out():
    """Of p = 0.5 and p = 0.01 with 100 draws the effective counts are 25 and 1."""
    p = np.array([0.5, 0.01])
    one = Estimate(p + 0.1, p * (1 - p), np.full(2, 100.0), counts=True)
    assert distance(one, Estimate(p, p * (1 - p), np.inf, counts=True)).sds == pytest.approx(0.1 / 0.5)


def test_seconds_of_chains_fall_with_the_square_of_the_error():
    """The worst of two has a variance of 0.25 behind 50 draws of 8 s; an error of 0.01 takes 0.25 / 0.01^2 = 2,500
    draws: 400 s."""
    chains = made("gibbs", "mcmc", seconds=[[4.0], [4.0]])
    known = Estimate(np.array([0.5, 0.9]), np.array([0.25, 0.09]), np.array([50.0, 60.0]), sampled=True)
    assert seconds_to_error(chains, known, 0.3, 0.01) == pytest.approx(400.0)
    closed = Estimate(np.array([0.5]), np.array([0.25]), np.inf)
    assert [seconds_to_error(chains, closed, error, 0.01) for error in (0.01, 0.011, None)] == [8.0, None, None]


def test_seconds_to_an_nll_are_those_after_which_it_stays_there():
    result = made("gibbs", "mcmc", trace={"test_nll": [[1.0, 2.0, 1.3, 1.1], [1.0, 2.0, 1.5, 1.1]]},
                  seconds=[[1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 3.0, 4.0]])
    assert [seconds_to_nll(result, quality) for quality in (2.0, 1.4, 1.2, 1.0)] == [2.0, 7.0, 11.0, None]
    assert seconds_to_nll(made("gibbs"), 1.0) is None


def test_a_gap_is_above_the_best_with_its_paired_error():
    """Log densities of -1, -2, -3 and of -1, -2.5, -4: 0.5 more nats lost, in differences of 0, 0.5 and 1."""
    best, other = (made("x", expected={"test_log_density": d}) for d in ([-1.0, -2.0, -3.0], [-1.0, -2.5, -4.0]))
    assert paired(best, other) == pytest.approx((0.5, 0.5 / 3**0.5))
    assert paired(best, made("y")) is None


@pytest.mark.parametrize(("result", "mean", "variance", "ess"), [
    (made("strip", "exact", expected={"labels": [[[0.2, 0.8]]]}, dims={"expected/labels": ("row", "column", "label")}),
     [0.8], [0.16], np.inf),
    (made("svi", expected={"prediction": [3.0], "prediction_var": [0.5]}), [3.0], [0.5], np.inf),
    (made("svi", expected={"test_mean": [3.0], "test_spread": [0.5]}, facts={"samples": 40}), [3.0], [0.25], 40),
    (made("ml", "point", expected={"test_mean": [3.0], "test_spread": [0.0]}), [3.0], [0.0], np.inf),
])
def test_what_closed_forms_rest_on(result, mean, variance, ess):
    found = estimate(result, None)
    assert found is not None and found.variance is not None
    assert found.mean == pytest.approx(mean) and found.variance == pytest.approx(variance) and found.ess == ess


def test_draws_of_chains_count_by_their_effective_number_others_each():
    """A column that never moves counts every draw."""
    draws = np.random.default_rng(0).normal(size=(1, 40, 1)).cumsum(1)
    chains, fit = (estimate(made("x", family), draws) for family in ("mcmc", "variational"))
    assert chains and fit and chains.sampled and not fit.sampled
    assert float(np.max(chains.ess)) < 20 and float(np.max(fit.ess)) == 40
    still = estimate(made("x", "mcmc"), np.ones((2, 9, 1)))
    assert still and float(np.max(still.ess)) == 18


def chains(label, ess, steps=10, warmup=0, family="mcmc") -> Any:
    made_by_hand: Any = row(label, family=family, ess=ess)
    made_by_hand.saved.draws = np.zeros((1, 1, 1))
    made_by_hand.saved.result.__dict__.update(steps=steps, seconds=np.ones((2, 1)), facts={"warmup": warmup})
    return made_by_hand


def judge(*rows) -> str | None:
    found = ranking.reference(rows)
    return found.label if found else None


def test_the_reference_is_exact_or_has_the_most_effective_draws():
    """Of as many, those of more sweeps; strip goes before brute force, and both before what is no judge of grids."""
    few, many, same = chains("few", 10.0), chains("many", 90.0), chains("same", 90.0, steps=12, warmup=1)
    assert ranking.kept(same) == 22 and ranking.kept(many) == 20
    assert judge(few, many) == "many" and judge(many, same, few) == "same"
    exact = [chains(name, None, family="exact") for name in ("enumeration", "brute_force", "strip")]
    for one in exact:
        object.__setattr__(one, "estimate", SimpleNamespace())
    assert judge(few, *exact) == "strip" and judge(few, exact[0]) == "enumeration"
    assert judge(row("fit", family="variational")) is None


def test_every_cell_of_the_table_of_agreement():
    one = row("gibbs", reference="strip", z=1.25, worst=3.0, sds=0.0625, rhat=1.0123, ess=99.6, ess_per_second=12345.0)
    table = report.agreement([one, row("strip", reference="strip")])
    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "result": "gibbs", "reference": "strip", "z": "1.25", "worst z": "3", "sds": "0.0625", "R-hat": "1.012",
        "ESS": 100, "ESS/s": "12,300"}
    assert table.rows[1][1] == "itself"


def test_every_cell_of_the_means_over_seeds():
    both = [row("gibbs", nll, test_rmse=nll - 0.5, max_error=nll / 10, evidence=-1000 * nll, seconds=nll,
                evidence_kind="upper bound", ess_per_second=10 * nll) for nll in (1.2, 1.4)]
    table = report.averages(both)
    found = dict(zip(table.columns, table.rows[0], strict=True))
    assert found.pop("max error") == pytest.approx(0.13)
    assert found == {"result": "gibbs", "runs": 2, "test NLL": "1.3000", "lowest, highest": "1.2000 to 1.4000",
                     "RMSE": "0.8000", "evidence": "<= -1.3000", "ESS/s": "13", "seconds": "1.3", "to quality": None}
