"""`--check` on verdicts made by hand: every cell of its tables, and its exit status."""

from argparse import Namespace
from types import SimpleNamespace
from typing import Any

import pytest

from checks.verdict import Finding, Outcome, Verdict
from commands import check
from runs.story import Story
from views import tables

FINDING = Finding("the energy", "pixel (0, 1)", "too large", -0.5, 8.04, 1.5, 1.25, "a problem")


@pytest.fixture
def shown(monkeypatch):
    """Titles and rows by the names of their columns."""
    found: dict[str, list[dict[str, object]]] = {}
    monkeypatch.setattr(Story, "table", lambda self, title, columns, rows, spare=(): found.update(
        {title: [dict(zip(columns, row, strict=True)) for row in rows]}))
    return found


@pytest.fixture
def story(tmp_path):
    return Story(tables.console(), tmp_path, "check")


def test_every_cell_of_a_verdict(shown, story):
    """Of kernels place and spread are scored, of guides the place of their samples alone."""
    tested: Any = [{"problem": "3 x 3", "replicates": 500, "functions": 9}]
    check.show(story, Verdict("gibbs", Outcome.WRONG, 1e-3, findings=[FINDING], tested=tested))
    assert shown["What is off, worst first"] == [{
        "quantity": "the energy", "where": "pixel (0, 1)", "is": "too large", "sd": 0.5, "z": "+8.0", "mean": 1.5,
        "should be": 1.25}]
    assert shown["Tested"] == [{"problem": "3 x 3", "replicates": 500, "functions": 9, "scores": 18}]
    check.show(story, Verdict("svi", Outcome.RIGHT, 1e-3, tested=[tested[0] | {"unit": "samples"}]))
    assert shown["Tested"] == [{"problem": "3 x 3", "samples": 500, "functions": 9, "scores": 9}]


def test_every_cell_of_the_summary(shown, story):
    tested: Any = [{"problem": name, "replicates": n, "functions": 9} for name, n in (("a", 500), ("b", 2000))]
    right = Verdict("gibbs", Outcome.RIGHT, 1e-3, tested=tested, seconds=2.5)
    biased = Verdict("sgld", Outcome.WRONG, 1e-3, faults=["off"], by_design=True)
    check.summary(story, [right, biased])
    assert shown["Everything that samples"] == [
        {"method": "gibbs", "verdict": "right", "replicates": 2500, "seconds": "2.5", "because": None},
        {"method": "sgld", "verdict": "wrong, by design", "replicates": 0, "seconds": "0",
         "because": "sgld is approximate, as its file says (EXACT = False): off"}]


RIGHT, WRONG, UNKNOWN, UNFIT = (Verdict("m", outcome, 1e-3, faults=["off"]) for outcome in (
    Outcome.RIGHT, Outcome.WRONG, Outcome.UNKNOWN, Outcome.UNFIT))
BIASED = Verdict("m", Outcome.WRONG, 1e-3, faults=["off"], by_design=True)


@pytest.mark.parametrize(("verdicts", "status"), [
    ([RIGHT, RIGHT], 0), ([RIGHT, BIASED], 0), ([RIGHT, UNKNOWN], 3), ([UNKNOWN, UNFIT, RIGHT], 2),
    ([RIGHT, UNKNOWN, WRONG, UNFIT], 1)])
def test_the_exit_status_is_the_worst_verdicts(shown, monkeypatch, tmp_path, verdicts, status):
    queue = list(verdicts)
    monkeypatch.setattr(check, "everything", lambda: [SimpleNamespace(name=f"m{k}") for k in range(len(verdicts))])
    monkeypatch.setattr(check, "chosen_options", lambda asked, given: {})
    monkeypatch.setattr(check, "judged", lambda *_, **__: queue.pop(0))
    args = Namespace(check="all", set=[], out=tmp_path / "out", problem=None, model=None, seed=0, budget=9.0,
                     level=1e-3)
    assert check.run(args, ["--check", "all"]) == status and not queue
