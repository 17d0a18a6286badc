"""At 60 and 80 columns every table has fewer columns and no wrapped line, and keeps what it is there for."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from checks.verdict import Finding, Outcome, Verdict
from commands import check, listing
from comparison import report as compared
from experiments.problem1 import report as report1
from experiments.problem1.cases import Case
from experiments.problem1.study import Study
from experiments.problem2 import report as report2
from experiments.problem3 import report as report3
from experiments.problem3.entries import ChainEntry
from experiments.program import report as of_program
from experiments.ratings.entries import RatingsEntry
from models.grid import GridMRF
from runs.story import Story
from tests.comparison.test_words import row
from tests.experiments.test_tables import filled
from tests.support.results import made
from views import tables

LONG = "variable_elimination_pgmpy"  # as names go
NUMBERS = {"train_nll": 1.1, "validation_nll": 1.2, "test_nll": 1.3, "test_nll_error": 0.01, "test_rmse": 0.9,
           "test_rmse_error": 0.02, "steps": 2000, "seconds": 123.0, "rank": 2}


def image(this):
    labels = {"labels": np.full((1, 3, 2), 0.4)}
    case = Case("three", GridMRF.potts(torch.zeros(1, 3, 2)), None, np.array([[1, 1, 1]]), Path())
    fits = [made(LONG, "exact", "pgmpy", expected=labels, log_evidence=-12097678.9, log_evidence_kind="lower bound"),
            made("iterated_conditional_modes", "point", expected=labels, trace={"objective": [[-12097678.9]]})]
    report1.show(this, Study(case, fits, {}))


def ratings(this):
    entry = filled(RatingsEntry, name=f"{LONG}_als", by="hand", elbo_per_rating=-1.5, seconds_to_1_percent=99.0,
                   **NUMBERS)
    report2.comparison(this, [entry], 2)
    report2.ranks(this, [entry], 100)


def chains(this):
    entry = filled(ChainEntry, name=LONG, rhat=1.0123, ess_bulk=9999.6, ess_tail=8888.4, ess_per_second=7.0,
                   rhat_log_joint=1.04, share=1.0, **NUMBERS)
    report3.methods(this, [entry], 2)


def side_by_side(this):
    fit: Any = made(LONG, "mcmc", expected={name: 1.25 for name in ("train_nll", "test_nll", "test_rmse")})
    study: Any = SimpleNamespace(gibbs={(1.0, 2): fit}, point={(1.0, 2): fit}, small=[0],
                                 parts=SimpleNamespace(train=[0] * 9))
    report3.ranks(this, study)
    judge = made("judge", "mcmc", expected={"test_mean": np.ones(9), "test_spread": np.ones(9)})
    report3.crosscheck(this, SimpleNamespace(main=[judge], compared=[made(LONG, expected={  # type: ignore[arg-type]
        "test_mean": np.zeros(9)})]))


def program(this):
    this.table("Methods", of_program.COLUMNS, [(LONG, "pyro", 2000, "-123.250", "lower bound", "0.42", "1.005", "4000",
                                                "1e+03", "-12.25 ± 1.50", "10.0", "0.50", "theta[10]", "123")],
               of_program.SPARE)


def comparison(this):
    rows = [row(f"problem2-20261124-120000/{LONG}", 1.3, gap=0.1, error=0.02, place=1, rhat=1.01, ess=400.0, z=1.2,
                sds=0.1, ess_per_second=9.0, test_rmse=0.9, train_nll=1.2, evidence=-1500.0)] * 2
    for table in compared.tables(rows):
        tables.put(this.console, table)
        this.story.keep(tables=[table.words()])


def verdict(this):
    found = Finding("squared residual", "row 3 of U", "too spread out", 2.5, 60.5, 22.4, 4.82, "6 x 4")
    judged = Verdict(LONG, Outcome.WRONG, 1e-3, findings=[found], tested=[
        {"problem": "6 users x 4 items, rank 2, 12 ratings", "replicates": 8000, "functions": 98}])
    check.show(this.story, judged)
    check.summary(this.story, [judged])


def checkpoints(this):
    this.story.keep(tables=[made_up := tables.checkpoints([{
        "id": "1.1", "what": f"4 exact methods and {LONG}, the largest", "ours": 1.51930154e-08, "passed": True,
        "reference": 1.51930154e-08, "passes": "relative difference 2.5e-09 <= 1e-08"}]).words()])
    tables.put(this.console, made_up)


WRITERS = {image: [{"method", "max error"}, {"method", "log joint"}],
           ratings: [{"method", "ELBO", "test"}, {"K", "ELBO"}],
           chains: [{"method", "test NLL", "R-hat"}], side_by_side: [{"K", "Gibbs test NLL", "ML test NLL"},
                                                                    {"method", "median (sds)"}],
           program: [{"method", "R-hat", "worst error (sd)"}], comparison: [{"result", "test NLL"}, {"result", "z"}],
           verdict: [{"quantity", "sd", "mean", "should be"}, {"problem", "replicates"}, {"method", "verdict"}],
           checkpoints: [{"id", "what", ""}]}


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_what_a_table_is_there_for_stays_and_no_line_is_wrapped(write, width, monkeypatch, tmp_path):
    monkeypatch.setattr(report1, "figures", lambda *_: None)
    monkeypatch.setattr(report1, "leave", lambda *_: [])
    for name in ("ranks", "overfitting", "crosscheck"):
        monkeypatch.setattr(report3.sampling, name, lambda *_: None)
    console = Console(file=io.StringIO(), width=width)
    story = Story(console, tmp_path, "grid")
    write(SimpleNamespace(console=console, story=story, folder=tmp_path, table=story.table, say=story.say))
    shown = [table for part in story.parts for table in part.tables]
    for table, wanted in zip(shown, WRITERS[write], strict=True):
        assert wanted <= {table.columns[k] for k in table.fitting(width)}, table.title
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    rules = [k for k, line in enumerate(lines) if line.strip("─ ") == "" and "─" in line]
    assert len(rules) == len(shown) and all(len(lines[k]) <= width for k in rules)
    for at, table in zip(rules, shown, strict=True):  # a line a row
        block = lines[at + 1:at + 1 + len(table.rows)]
        after = lines[at + 1 + len(table.rows)]
        assert all(line.strip() and len(line) <= width for line in block) and after.strip()[:8] in ("", "(no room")


@pytest.mark.parametrize("width", [60, 80])
def test_lists_of_methods_fit(width):
    console = Console(file=io.StringIO(), width=width)
    listing.everything(console)
    assert max(len(line) for line in console.file.getvalue().splitlines()) <= width  # type: ignore[attr-defined]
