"""What a comparison says and shows of rows made by hand: every cell, the sentence, the order."""

from types import SimpleNamespace
from typing import Any

from comparison import report, words
from comparison.compare import Comparison
from comparison.row import Agreement, Row, Scores, Standing
from views.style import OWN, colour

NONE = dict.fromkeys(Scores.__dataclass_fields__)


def row(label, nll=None, *, family="mcmc", gap=None, error=None, place=None, seconds=1.0, **more) -> Row:
    """A row by its own numbers; `more` are of its agreement and scores."""
    saved: Any = SimpleNamespace(
        label=label, series=label, settings={}, samples=None, discrete=False, timed=False, problem="factorization",
        model={"class": "Factorization"},
        sets={"train": {"ratings": 1000}, "test": {"ratings": 200}}, draws=None,
        result=SimpleNamespace(name=label, by="hand", family=family, seconds=SimpleNamespace(sum=lambda: seconds)))
    scores = Scores(**NONE | {"test_nll": nll} | {k: v for k, v in more.items() if k in NONE})
    agreement = Agreement(**{k: v for k, v in more.items() if k not in NONE})
    return Row(saved, None, scores, agreement, Standing(1.313, None, "test_nll", place=place, gap=gap, gap_error=error))


def test_the_best_is_named_and_what_cannot_be_told_from_it():
    best = row("best", 1.30, gap=0.0, error=0.0)
    near, far = row("near", 1.31, gap=0.01, error=0.006), row("far", 1.33, gap=0.03, error=0.006)
    assert words.sentences([best, near, far])[0] == (
        "best predicts the 200 test ratings best (1.3000); near cannot be told from it: less than 2 standard errors of "
        "the difference over these ratings.")
    assert words.sentences([best, far])[0] == "best predicts the 200 test ratings best (1.3000 nats per rating)."


def test_results_that_knew_the_times_of_the_test_ratings_are_ranked_apart():
    timed, other = row("timed", 1.2), row("other", 1.3)
    timed.saved.timed = True  # type: ignore[misc]
    assert words.apart([timed, other]) == [
        "timed knew when the test ratings were given (--use-times), the others did not: these are two tasks, ranked "
        "apart."]
    assert "200 to test at their own times" in report.heading([timed]) and not words.apart([other, other])


def test_a_reference_whose_chains_disagree_is_said():
    judge = row("judge", rhat=1.2, reference="judge")
    other = row("other", rhat=1.01, reference="judge", z=1.0)
    assert words.sentences([judge, other]) == [
        "judge: chains that are a reference and disagree among themselves (R-hat up to 1.200); agreement with them "
        "means little until they have run longer."]
    assert words.sentences([row("judge", rhat=1.04, reference="judge"), other]) == []


def test_chains_and_fits_that_are_elsewhere_are_told_apart():
    said = words.sentences([row("walk", reference="judge", z=60.0), row("fit", family="variational", reference="judge",
                                                                        z=60.0, sds=0.5)])
    assert said[0].startswith("walk: up to 60 Monte Carlo standard errors from the reference, where chance gives 1")
    assert said[1].startswith("fit: not the posterior of the reference, by up to 0.5 of its standard deviations")


def test_every_cell_of_the_table():
    full = row("best", 1.3, gap=0.0, error=0.0, place=1, seconds=2.5, train_nll=1.1, test_rmse=0.9, max_error=0.01,
               mean_error=0.002, evidence=-1500.0, evidence_kind="lower bound")
    second = row("second", 1.31, gap=0.0123, error=0.0045, place=2, seconds=0.25)
    table = report.worth([full, second])
    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "place": 1, "result": "best", "by": "hand", "test NLL": "1.3000", "above the best": None, "train NLL": "1.1000",
        "RMSE": "0.9000", "max error": 0.01, "mean error": 0.002, "evidence": ">= -1.5000", "seconds": "2.5",
        "to quality": None}
    assert table.rows[1][3:5] == ("1.3100", "+0.0123 (0.0045)")
    assert table.title == ("1,000 ratings to train on, 200 to test; NLL and evidence in nats per rating; ranked by "
                           "test_nll; seconds in all"), "nobody's seconds to a quality are known"


def test_means_over_seeds_have_the_best_first():
    rows = [row("worse", 1.5), row("better", 1.3), row("worse", 1.7), row("better", 1.2)]
    assert [line[:3] for line in report.averages(rows).rows] == [("better", 2, "1.2500"), ("worse", 2, "1.6000")]


def test_results_of_one_name_are_no_seeds_of_a_sweep():
    """Two runs that share a series, from two folders, are ranked one by one; by means where their seeds were swept."""
    rows = [row("fit", 1.2, place=1), row("fit", 1.25, place=2, gap=0.05, error=0.01), row("far", 1.5, place=3)]
    assert words.take_away(rows).startswith("By test_nll fit is best here (1.2); fit is next (1.25), 0.05 worse")
    for each, seed in zip(rows, "010", strict=True):
        saved: Any = each.saved
        saved.settings["seed"] = seed
    assert words.take_away(rows).startswith("By the mean test_nll over seeds fit is best here (1.225); far is next")


def test_a_result_has_the_colour_of_its_method_whatever_its_label():
    one = row("a run, K=2", 1.2, place=1)
    result: Any = one.result
    result.name = "row_gibbs"
    Comparison((one,), ()).coloured()
    assert colour("a run, K=2") == OWN["row_gibbs"]
