"""What is said at the end of a run, on results made by hand."""

import numpy as np

from comparison import takeaway
from inference.result import Result


def fit(name: str, densities, elbo: float | None = None) -> Result:
    density = np.array(densities, float)
    trace = {} if elbo is None else {"elbo": np.array([[elbo]])}
    return Result(name, "variational", "hand", {}, {"test_nll": np.array(-density.mean()), "test_log_density": density},
                  trace, np.ones((1, 1)), None, None, None, 0, {})


def test_a_gap_beyond_two_standard_errors_is_said_with_its_doubt():
    """Densities differ by 0.2 or 0.4 by turns: gap 0.3, sd 0.1 sqrt(100 / 99), standard error 0.01."""
    good = fit("good", [-1.0] * 100)
    bad = fit("bad", [-1.2, -1.4] * 50)
    said = takeaway.predicts([bad, good])
    assert said.startswith("good predicts the test ratings best here (NLL 1.0000 nats a rating); bad is 0.3 nats a "
                           "rating worse, give or take 0.02.")


def test_results_within_two_standard_errors_are_not_told_apart():
    """Densities differ by +1 and -0.9 by turns: gap 0.05, standard error 0.095."""
    said = takeaway.predicts([fit("a", [-1.0] * 100), fit("b", [-2.0, -0.1] * 50)])
    assert "a predicts" in said and "which b cannot be told from: less than 2 standard errors away" in said
    assert "worse" not in said


def test_a_fit_that_diverged_is_never_best_and_one_alone_has_no_rival():
    alone = takeaway.predicts([fit("a", [-1.0, -2.0]), fit("nan", [np.nan, 1.0])])
    assert alone == "a predicts the test ratings with an NLL of 1.5000 nats; nothing here is beside it."
    assert takeaway.predicts([]) == ""


def test_the_guide_with_the_higher_bound_is_named():
    said = takeaway.bounds([fit("low", [-1.0], -30.0), fit("high", [-1.0], -20.0), fit("none", [-1.0])], 10)
    assert said == "By its ELBO high is nearest to the posterior (-2.0000 nats a rating), low next (1 lower)."
    assert takeaway.bounds([fit("low", [-1.0], -30.0)], 10) == ""
