"""What a run about an image says last, on lines made by hand."""

from typing import Any

from experiments.problem1.study import GridEntry
from experiments.problem1.takeaway import take_away

FIELDS: dict[str, Any] = dict.fromkeys(GridEntry.__dataclass_fields__)


def entry(name: str, family: str = "variational", **more) -> GridEntry:
    return GridEntry(**FIELDS | {"name": name, "family": family, "oscillating": False} | more)


def test_the_nearest_to_exact_the_next_and_the_farthest():
    said = take_away("a", [entry("exact", "exact", max_error=0.0), entry("far", max_error=0.5),
                           entry("near", max_error=0.01), entry("next", max_error=0.02)])
    assert said.startswith("On a, near is nearest to exact of those that are not (worst marginal off by 0.01); next is "
                           "off by 0.02, far, the farthest, by 0.5.")


def test_what_is_next_to_exact_is_not_ranked_nor_left_to_chance():
    said = take_away("a", [entry("one", max_error=1e-15), entry("far", max_error=0.5),
                           entry("chain", "mcmc", max_error=1e-12, ess=400.0, rhat=1.0)])
    assert said.startswith("On a, every marginal of one and chain is within 1e-09 of exact; far is off by 0.5. Another")


def test_chains_that_are_off_by_chance_alone_are_said_to_be():
    """Two standard errors of a marginal are at most 1 / sqrt(400) = 0.05."""
    chains: dict[str, Any] = {"family": "mcmc", "ess": 400.0}
    said = take_away("a", [entry("bp", max_error=0.01), entry("gibbs", max_error=0.04, rhat=1.0, **chains),
                           entry("stuck", max_error=0.04, rhat=1.5, **chains),
                           entry("wrong", max_error=0.06, rhat=1.0, **chains)])
    assert "Chance alone explains the error of gibbs, which more sweeps" in said


def test_without_an_exact_answer_pixels_then_bounds_decide_and_the_doubt_is_said():
    said = take_away("a", [entry("one", share_wrong=0.01), entry("two", share_wrong=0.02, oscillating=True)])
    assert said == ("On a, one leaves the fewest pixels wrong, 1.00%; two leaves 2.00%. No exact answer judges the "
                    "probabilities here. Do not rely on two, which did not converge.")
    still = take_away("a", [entry("one", share_wrong=0.01), entry("stuck", "mcmc", share_wrong=1.0)])
    assert still.endswith("Do not rely on stuck, which did not converge.")  # neither R-hat nor ESS: it never moved
    bounds = [entry("low", log_evidence=-12.0, log_evidence_kind="lower bound"),
              entry("high", log_evidence=-10.0, log_evidence_kind="lower bound"),
              entry("bethe", log_evidence=-1.0, log_evidence_kind="Bethe")]
    assert "high has the highest lower bound of log Z (-10 nats, 2 above low)" in take_away("a", bounds)
    assert take_away("a", [entry("nothing")]) == "" == take_away("a", [])
