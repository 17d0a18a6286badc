"""What is said of a verdict, on verdicts made by hand."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from checks.verdict import Finding, Outcome, Verdict
from commands.check import show
from runs.story import Story

FINDING = Finding("the density [p0 / q]", "everything", "too large", 0.5, 8.0, 1.0, 0.0, "a problem")
RATE = "a right method is called wrong with probability at most 0.001"


def told(verdict: Verdict) -> str:
    console = Console(file=io.StringIO(), width=300)
    show(Story(console, Path(), "check"), verdict)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("verdict", "status", "headline", "rate"), [
    (Verdict("mine", Outcome.WRONG, 1e-3, findings=[FINDING]), 1,
     "mine is WRONG: the density [p0 / q] of everything is too large by 0.5 sd (mean 1 instead of 0)", True),
    (Verdict("mine", Outcome.WRONG, 1e-3, faults=["FROZEN: entry U[0, 0] never moved"]), 1,
     "mine is WRONG: FROZEN: entry U[0, 0] never moved", True),
    (Verdict("mine", Outcome.WRONG, 1e-3, faults=["it raised in 3 of 500 replicates"]), 1,
     "mine is WRONG: it raised in 3 of 500 replicates", False),
    (Verdict("mine", Outcome.UNFIT, 1e-3, faults=["it writes into U"]), 2, "mine cannot be judged: it writes into U",
     False),
    (Verdict("mine", Outcome.UNKNOWN, 1e-3, why="too slow"), 3, "cannot tell whether mine is right: too slow", False),
    (Verdict("mine", Outcome.RIGHT, 1e-3, tested=[{"problem": "a", "replicates": 500, "functions": 9}]), 0,
     "mine is right, as far as 500 replicates of one problem can tell", True),
])
def test_a_rate_of_error_stands_under_verdicts_that_have_one(verdict, status, headline, rate):
    said = told(verdict)
    assert verdict.outcome.status == status and verdict.headline == headline
    assert said.startswith(headline) and (RATE in said) is rate
    assert verdict.to_json()["assurance"] == "" or rate


def test_square_brackets_are_square_brackets():
    verdict = Verdict("mine [bold]", Outcome.WRONG, 1e-3, faults=["first [p0 / q]", "second [red]"], findings=[FINDING],
                      implied=["implied [x]"], warnings=["found [y]"], nearest=[("stale_u", 0.9, "symptom [z]")],
                      excluded={"a [b]": 0.2})
    said = told(verdict)
    for words in ("mine [bold]", "first [p0 / q]", "second [red]", "density [p0 / q]", "implied [x]", "found [y]",
                  "symptom [z]", "a [b] off by 20%"):
        assert words in said


@pytest.mark.parametrize(("excluded", "words"), [
    ({"noise": 0.05, "prior": 0.2},
     "would have been found (9 times in 10): noise off by 5.0%, prior off by 20% or more"),
    ({"coupling": float("inf")}, "a change of 50% in coupling was not seen in a short run"),
    ({"noise": 0.05, "coupling": float("inf")},
     "would have been found (9 times in 10): noise off by 5.0% or more; a change of 50% in coupling was not seen in a "
     "short run"),
    ({}, ""),
])
def test_what_a_pass_excludes(excluded, words):
    assert Verdict("mine", Outcome.RIGHT, 1e-3, excluded=excluded).exclusion == words


@pytest.mark.parametrize(("weights", "words"), [
    ({"log p(y)": 0.04, "log p(mu)": 0.3},
     "weights of 0.9 and 1.1 of log p(y) would have been found (9 times in 10); of others only weights that are off "
     "by: log p(mu) 30%"),
    ({"log p(y)": 0.04}, "weights of 0.9 and 1.1 of log p(y) would have been found (9 times in 10)"),
    ({"log p(y)": 0.2, "log p(mu)": float("inf")},
     "no weight of 0.9 or 1.1 would have been found (9 times in 10), only weights that are off by: log p(y) 20%, "
     "log p(mu) more than 100%"),
])
def test_which_weights_a_pass_excludes(weights, words):
    assert Verdict("mine", Outcome.RIGHT, 1e-3, weights=weights).exclusion == words


def test_what_the_example_tells_is_said_the_least_first():
    said = Verdict("mine", Outcome.RIGHT, 1e-3, informed={"mu": 0.456, "tau": 0.9}).information
    assert said == "sd of the posterior over that of the prior, on the example, at most: tau 0.90, mu 0.46"
