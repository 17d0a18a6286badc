"""How a run ends: what is said, written and returned; and which options a method has."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from runs.options import given, parse
from runs.records import Checkpoint, Entry
from runs.run import Run
from runs.story import Story
from tests.support.results import made


@pytest.fixture
def this(tmp_path):
    console = Console(width=500)
    return Run("1", tmp_path, 7, ("--problem", "1"), console, Story(console, tmp_path, "grid"))


def test_checkpoints_are_counted_and_one_that_failed_is_exit_status_1(this, capsys):
    passed, failed = (Checkpoint.below("x", "what", ours, 1.0, 2.0) for ours in (1.5, 2.5))
    assert this.conclude([passed, failed, passed], [Entry.of(made("gibbs", "mcmc"))]) == 1
    assert f"2 of 3 checkpoints passed; figures and results are in {this.folder}" in capsys.readouterr().out
    summary = json.loads((this.folder / "summary.json").read_text())
    assert [c["passed"] for c in summary["checkpoints"]] == [True, False, True] and summary["seed"] == 7
    assert [m["name"] for m in summary["methods"]] == ["gibbs"]
    assert this.conclude([passed], []) == 0 and this.conclude([], []) == 0
    assert "0 of 0" not in capsys.readouterr().out


@pytest.mark.parametrize(("made_by_hand", "error", "passed"), [
    (Checkpoint.close("x", "w", 1.5, 1.0, 0.5, 0.5), 0.5, True),
    (Checkpoint.close("x", "w", 1.5, 1.0, 0.5, 0.4), 0.5, False),
    (Checkpoint.below("x", "w", 2.0, 0.0, 2.0), 0.0, True), (Checkpoint.below("x", "w", 2.5, 0.0, 2.0), 0.5, False),
    (Checkpoint.above("x", "w", 1.0, 1.0), 0.0, True), (Checkpoint.above("x", "w", 0.75, 1.0), 0.25, False),
    (Checkpoint.close("x", "w", 1.5, 1.0, float("nan"), 0.5), None, False),
    (Checkpoint.below("x", "w", float("nan"), 0.0, 2.0), None, False),
])
def test_when_a_checkpoint_passes(made_by_hand, error, passed):
    assert made_by_hand.passed is passed and (error is None or made_by_hand.error == error)


def test_a_methods_own_options_go_before_what_is_given_to_all():
    own, plain = parse("grid", "gibbs:schedule=raster"), parse("grid", "gibbs")
    first: Any = {"gibbs_raster": {"schedule": "checkerboard"}, "gibbs": {"schedule": "checkerboard"}}
    later: Any = {"gibbs": {"schedule": "raster", "engine": "torch"}}
    assert [dict(fit.options) for fit in given([own, plain], first, later)] == [
        {"schedule": "raster"}, {"schedule": "raster", "engine": "torch"}]


def test_the_last_of_a_trace_is_the_mean_over_chains():
    result = made("gibbs", "mcmc", trace={"elbo": [[1.0, 2.0], [3.0, 6.0]], "nan": [[1.0, float("nan")], [1.0, 5.0]],
                                          "lost": [[1.0, float("nan")], [1.0, float("inf")]]})
    assert [result.final(name) for name in ("elbo", "nan", "lost", "absent")] == [4.0, 5.0, None, None]


def test_the_line_of_a_result():
    result = made("gibbs", "mcmc", trace={"residual": [[0.5, 0.25]]}, seconds=[[1.0, 2.0]], log_evidence=3.0,
                  log_evidence_kind="estimate", converged=True)
    assert vars(Entry.of(result)) == vars(SimpleNamespace(
        name="gibbs", family="mcmc", by="hand", log_evidence=3.0, log_evidence_kind="estimate", residual=0.25,
        converged=True, steps=2, seconds=3.0))
