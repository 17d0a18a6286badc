"""Kernels that take some test problems only: judged on these, with what was never tried, and in whose words.

Right kernels are called wrong with probability 1e-3 at the default level; every seed here is fixed.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from checks.asked import found
from checks.kernels.accepted import accepted
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.kernels.where import told
from checks.problems.load import problem_set
from checks.verdict import Outcome, Verdict
from checks.verdict import Tested as Looked
from errors import InputError
from inference import load
from inference.engine import one_thread
from tests.support import ROOT

pytestmark = pytest.mark.usefixtures("one_reference")
ISING = '''"""Gibbs for two labels, by the log-odds."""
import torch
from checks.right.grid.pieces import logits, sites, uniforms
{helper}
BATCHED = True
def transition(rng, latents, model, data):
    y, field, K = latents["labels"].clone(), model.field(data), model.shape[2]
    {refuse}
    for i, j in sites(model):
        odds = logits(model, field, y, i, j) @ torch.tensor([-1.0, 1.0], dtype=torch.float64)
        y[..., i, j] = (uniforms(rng, odds) < odds.sigmoid()).long()
    return {{"labels": y}}
'''
PLAIN = '''"""Row Gibbs, for some ratings."""
import torch
from checks.right.factorization import row_gibbs
BATCHED = True
def transition(rng, latents, model, data):
    {refuse}
    return row_gibbs.transition(rng, latents, model, data)
'''


def verdict_of(tmp_path: Path, kind: str, body: str) -> Verdict:
    (tmp_path / "mine.py").write_text(body)
    with one_thread():
        return judge(Kernel(load.method(kind, str(tmp_path / "mine.py"))), kind, looks=(500,), explain=False)


@pytest.mark.parametrize("refuse", [
    'assert K == 2, "two labels only"',
    'if K != 2: raise ValueError("two labels only")',
    'if K != 2: raise NotImplementedError("two labels only")',
    'if K != 2: raise InputError("two labels only")',
    'helper.two_labels(K)',
])
def test_whatever_its_own_file_raises_is_a_refusal(tmp_path, refuse):
    (tmp_path / "helper.py").write_text("def two_labels(K):\n    if K != 2: raise RuntimeError('two labels only')\n")
    helper = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import helper" if "helper" in refuse else (
        "from errors import InputError")
    (tmp_path / "mine.py").write_text(ISING.format(refuse=refuse, helper=helper))
    verdict = Verdict("mine", Outcome.RIGHT, 1e-3)
    chosen = accepted(torch.Generator().manual_seed(0), Kernel(load.method("grid", str(tmp_path / "mine.py"))),
                      problem_set("grid"), verdict)
    assert [p.model.shape[2] for p in chosen] == [2, 2, 2, 2] and not verdict.faults
    assert "3 x 3 grid, 3 labels, mixed-sign" in verdict.warnings[1] and "two labels only" in verdict.warnings[1]


def test_a_pass_says_what_was_never_tried(tmp_path):
    verdict = verdict_of(tmp_path, "grid", ISING.format(refuse='assert K == 2, "two labels only"', helper=""))
    assert verdict.outcome is Outcome.RIGHT, verdict.headline
    assert verdict.refused == 4 and "it refuses 4 others" in verdict.headline
    untried = "three labels; one asymmetric table; a pixel seen with two labels of three"
    assert verdict.warnings[0] == f"never tried: {untried}"


def test_two_problems_at_least_are_taken_to_the_last_look(tmp_path):
    (tmp_path / "mine.py").write_text(ISING.format(refuse="assert K == 2 and model.pair is not None", helper=""))
    with one_thread():
        verdict = judge(Kernel(load.method("grid", str(tmp_path / "mine.py"))), "grid", looks=(300, 400, 500),
                        explain=False)
    assert [tested["replicates"] for tested in verdict.tested] == [500, 500]
    assert "assert K == 2 and model.pair is not None (AssertionError, mine.py, line 8)" in verdict.warnings[1]


def test_a_mistake_on_what_it_accepts_is_found(tmp_path):
    wrong = ISING.format(refuse="assert K == 2", helper="").replace("[-1.0, 1.0]", "[-0.5, 0.5]")
    assert verdict_of(tmp_path, "grid", wrong).outcome is Outcome.WRONG


@pytest.mark.parametrize(("fails", "says"), [
    ("[1, 2][K - 1]", "raised IndexError"),  # an index that is not there was not meant as a refusal
    ("torch.zeros(2) + torch.zeros(K)", "raised RuntimeError"),
    ("torch.distributions.Normal(0.0, 2.5 - K, validate_args=True)", "raised ValueError"),  # by a library's own `raise`
])
def test_what_fails_without_being_meant_to_is_a_fault(tmp_path, fails, says):
    verdict = verdict_of(tmp_path, "grid", ISING.format(refuse=fails, helper=""))
    assert verdict.outcome is not Outcome.RIGHT and says in verdict.faults[0]
    assert "this was on the 3 x 3 grid, 3 labels, mixed-sign coupling" in verdict.warnings[0]


def test_a_raise_that_depends_on_the_state_is_a_fault(tmp_path):
    for most in (9.0, 4.0):  # seen at a look, and on some of the first few replicates
        refuse = f'if float(data.rating.max()) > {most}: raise ValueError("too large")'
        verdict = verdict_of(tmp_path, "factorization", PLAIN.format(refuse=refuse))
        assert verdict.outcome is Outcome.WRONG and "too large" in verdict.faults[0]


@pytest.mark.parametrize(("refuse", "untried"), [
    ("assert bool((torch.bincount(data.user, minlength=data.num_users) > 0).all())", "a user in the middle unrated"),
    ('assert model.rank == 1, "one factor only"', "rank 2; rank 3"),
])
def test_kernels_for_some_ratings(tmp_path, refuse, untried):
    verdict = verdict_of(tmp_path, "factorization", PLAIN.format(refuse=refuse))
    assert verdict.outcome is Outcome.RIGHT and untried in verdict.warnings[0]


def test_one_that_refuses_everything_is_told_why(tmp_path):
    with pytest.raises(InputError, match=r'refuses every test problem: the 6 users .*; the 4 users .*: "never \(Value'):
        verdict_of(tmp_path, "factorization", PLAIN.format(refuse='if True: raise ValueError("never")'))


def test_a_kernel_for_two_labels_is_known_to_be_for_grids(tmp_path):
    (tmp_path / "mine.py").write_text(ISING.format(refuse='assert K == 2, "two labels only"', helper=""))
    assert found(tmp_path / "mine.py").problems.name == "grid"


def test_one_that_takes_everything_has_nothing_untried():
    verdict = Verdict("raster_gibbs", Outcome.RIGHT, 1e-3)
    chosen = accepted(torch.Generator().manual_seed(0),
                      Kernel(load.method("grid", str(ROOT / "checks/right/grid/raster_gibbs.py"))), problem_set("grid"),
                      verdict)
    assert len(chosen) == len(problem_set("grid").problems()) and not verdict.refused and not verdict.warnings


@pytest.mark.parametrize(("path", "says"), [
    ("grid/spins_for_two_labels", "found only with two labels: nothing is off"),
    ("grid/striped_checkerboard", "found only with an even width: nothing is off"),
    ("factorization/equal_ratings_once", "found only with two ratings that are equal: nothing is off"),
])
def test_where_a_mistake_shows_is_said(path, says):
    kind = path.partition("/")[0]
    with one_thread():
        verdict = judge(Kernel(load.method(kind, str(ROOT / f"checks/zoo/{path}.py"))), kind, seed=1, looks=(500,))
    assert verdict.outcome is Outcome.WRONG and any(line.startswith(says) for line in verdict.warnings)


@pytest.mark.parametrize(("clean", "common", "words"), [
    (1, ["an even width"], "found only with an even width: nothing is off in 500 replicates of the 1 problem without "
                           "it."),
    (3, ["rank 1", "rank 2"], "found only with rank 1 and rank 2: nothing is off in 500 replicates of the 3 problems "
                              "without any of these."),
    (2, [], "nothing is off in 500 replicates of the first; the second."),
])
def test_where_it_shows_is_said_in_a_sentence(clean, common, words):
    problems = [replace(problem_set("grid").problems()[0], name=name) for name in ("first", "second", "third")]
    assert told(problems[:clean], common, 500)[0].startswith(words + " A kernel")
    assert told([], common, 500) == []


@pytest.mark.parametrize(("refused", "end"), [
    (0, "can tell"), (1, "; it refuses 1 other"), (2, "; it refuses 2 others")])
def test_a_pass_counts_what_was_refused(refused, end):
    tested: list[Looked] = [{"problem": "one", "replicates": 8000, "functions": 9}]
    assert Verdict("mine", Outcome.RIGHT, 1e-3, tested=tested, refused=refused).headline.endswith(end)
