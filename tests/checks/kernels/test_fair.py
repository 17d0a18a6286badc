"""What must not be said of a right kernel: faults of ours, starts that no data lead to, states that are not given.

Every seed is fixed; a right kernel would be called wrong with probability 1e-3 at the default level.
"""

import math

import pytest
import torch

from checks.budget import Budget, Spent, limited, tick
from checks.guides.guide import Guide
from checks.guides.judge import judge_guide
from checks.kernels.judge import judge
from checks.kernels.kernel import Broken, Kernel, blaming, owner
from checks.kernels.sensitivity import excluded
from checks.kernels.trial import Trial
from checks.problems.factorization.implied import relation
from checks.problems.load import problem_set
from checks.verdict import Outcome
from inference import load
from inference.user_file import import_file
from models.factorization import Factorization
from tests.support import ROOT

pytestmark = pytest.mark.usefixtures("one_reference", "one_thread")

CHECKS = ROOT / "checks"
GIBBS = """
import torch
from checks.right.factorization import row_gibbs

BATCHED = {batched}

def transition(rng, latents, model, data):
    {first}
    return row_gibbs.transition(rng, latents, model, data)
"""
# A random walk whose likelihood is an estimate kept in the State, exp(extra) times it, of mean 1.
PSEUDO_MARGINAL = """
from dataclasses import dataclass
import torch
from torch import Tensor
from inference.method import Family, Info

FAMILY, BATCHED, SD = Family.MCMC, True, 0.7
{promise}

@dataclass(frozen=True)
class State:
    U: Tensor
    V: Tensor
    extra: Tensor

def init(rng, model, data):
    return start(rng, model, data, model.prior(rng))

def start(rng, model, data, latents):
    return State(latents["U"], latents["V"], estimate(rng, latents["U"]))

def estimate(rng, like):
    return SD * torch.randn(like.shape[:-2], generator=rng, dtype=torch.float64) - SD**2 / 2

def step(rng, state, model, data):
    here = dict(U=state.U, V=state.V)
    new = {{s: x + 0.2 * torch.randn(x.shape, generator=rng, dtype=torch.float64) for s, x in here.items()}}
    extra = estimate(rng, state.U)
    log_ratio = model.log_joint(new, data) + extra - model.log_joint(here, data) - state.extra
    yes = torch.rand(log_ratio.shape, generator=rng, dtype=torch.float64).log() < log_ratio
    U, V = (torch.where(yes[..., None, None], new[s], here[s]) for s in "UV")
    return State(U, V, torch.where(yes, extra, state.extra)), Info()

def draw(rng, state, model):
    return dict(U=state.U, V=state.V)
"""


def mine(tmp_path, body: str) -> Kernel:
    (tmp_path / "mine.py").write_text(f'"""Mine."""\n{body}')
    return Kernel(load.method("factorization", str(tmp_path / "mine.py")))


def zoo(path: str) -> Kernel:
    return Kernel(load.method("factorization", str(CHECKS / f"{path}.py")))


@pytest.mark.parametrize("batched", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_rare_raise_is_shown_and_is_no_verdict(tmp_path, batched):
    """Five sd of the prior away, where hardly one of 3,000 replicates of twelve entries is."""
    far = "(latents['U'].abs() > 5 * model.prior_variance**0.5).any()"
    kernel = mine(tmp_path, GIBBS.format(batched=batched, first=f"if {far}: torch.linalg.cholesky(-torch.eye(2))"))
    problem = problem_set("factorization").problems()[0]
    latents, data = problem.joint(torch.Generator().manual_seed(0), 1500)
    latents["U"][7, 0, 0] = 9.0
    moved = kernel.move(torch.Generator().manual_seed(1), problem, latents, data, 1)
    assert torch.equal(moved["U"][7], latents["U"][7]) and not torch.equal(moved["U"][8], latents["U"][8])
    assert len(kernel.rare) == 1 and "U = [[" in kernel.rare[0] and "9.0" in kernel.rare[0]
    said = judge(kernel, "factorization", seed=3, looks=(500 if batched else 100,), explain=False)
    assert not any(line.startswith("rare") for line in said.warnings)


def test_a_rare_raise_is_a_note_under_the_verdict(tmp_path):
    """Where the first entry of U is within 3e-4 sd of a number: once in some thousands."""
    near = "((latents['U'][..., 0, 0] / model.prior_variance**0.5 - 0.3).abs() < 3e-4).any()"
    kernel = mine(tmp_path, GIBBS.format(batched=True, first=f"if {near}: torch.linalg.cholesky(-torch.eye(2))"))
    verdict = judge(kernel, "factorization", seed=3, looks=(2000,))
    assert verdict.outcome is Outcome.RIGHT
    assert any(line.startswith("rare, and no verdict: in ") and "U = [[" in line for line in verdict.warnings)


def test_a_raise_in_one_of_a_hundred_is_a_verdict(tmp_path):
    kernel = mine(tmp_path, GIBBS.format(
        batched=True, first="if (latents['U'][..., 0, 0] > 3.3).any(): torch.linalg.cholesky(-torch.eye(2))"))
    verdict = judge(kernel, "factorization", seed=3, looks=(500,))
    assert verdict.outcome is Outcome.WRONG and "raised" in verdict.headline and not verdict.assurance


def test_a_file_beside_ours_is_the_authors():
    """A clone is where a newcomer writes; only our rooms are ours."""
    assert owner(str(ROOT / "mine.py")) == owner(str(ROOT / "examples" / "kernel.py")) == "author"
    assert owner(str(ROOT / "checks" / "zoo" / "grid" / "swaps_only.py")) == "author"
    assert owner(str(ROOT / "inference" / "drive.py")) == "house"
    assert owner(torch.__file__) == owner(pytest.__file__) == owner(math.__spec__.origin or "<frozen") == "library"

    def fails():
        return [][0]

    author = eval(compile("lambda f: f()", str(ROOT / "mine.py"), "eval"))
    with pytest.raises(Broken, match="mine raised IndexError"), blaming("mine"):
        author(fails)


def test_what_our_own_code_raises_is_no_finding(monkeypatch):
    """With nothing of the author's in between it stays what it is."""
    guide = Guide.of(import_file(CHECKS / "right" / "guides" / "mean_field.py"), "mean_field")
    monkeypatch.setattr("checks.guides.questions.normal_density", len)
    with pytest.raises(TypeError, match="takes exactly one argument"):
        judge_guide(guide, "factorization", fits=0)


@pytest.mark.parametrize(("promise", "outcome"), [
    pytest.param("", Outcome.UNKNOWN, marks=pytest.mark.slow), ("STARTS_IN_EQUILIBRIUM = True", Outcome.WRONG)])
def test_a_state_that_start_draws_must_be_given_the_latents(tmp_path, promise, outcome):
    verdict = judge(mine(tmp_path, PSEUDO_MARGINAL.format(promise=promise)), "factorization", seed=1)
    assert verdict.outcome is outcome
    assert promise or "its start draws extra beside the latents" in verdict.headline


@pytest.mark.slow
def test_a_walk_that_never_moves_cannot_be_told(tmp_path):
    body = """
import torch
BATCHED = True
def transition(rng, latents, model, data):
    new = {s: x + 1e6 * torch.randn(x.shape, generator=rng, dtype=x.dtype) for s, x in latents.items()}
    log_ratio = model.log_joint(new, data) - model.log_joint(latents, data)
    yes = torch.rand(log_ratio.shape, generator=rng, dtype=torch.float64).log() < log_ratio
    return {s: torch.where(yes[..., None, None], new[s], x) for s, x in latents.items()}
"""
    verdict = judge(mine(tmp_path, body), "factorization", seed=2)
    assert verdict.outcome is Outcome.UNKNOWN and "make its steps shorter" in verdict.headline
    still = judge(mine(tmp_path, "BATCHED = True\ndef transition(rng, latents, model, data):\n    return latents\n"),
                  "factorization", seed=2, looks=(8000,))
    assert still.outcome is Outcome.WRONG and "FROZEN" in still.headline and still.assurance


@pytest.mark.parametrize(("value", "error", "words"), [
    (0.4, 0.01, ""), (0.8, 0.01, ", twice which is 0.8"), (0.632, 0.01, ", whose square root is 0.63"),
    (2.0, 0.01, ", and the prior variance is 2"), (0.7, 0.01, ""), (0.7, 0.2, ""),
    (0.16, 0.05, ", whose square is 0.16")])
def test_an_implied_value_is_explained_where_one_explanation_fits(value, error, words):
    """Passed 0.4: its relations are 0.632, 0.16, 2.5, 0.8 and 0.2, and the prior variance, 2; 0.7 lies between two."""
    model = Factorization(3, 2, 2, prior_variance=2.0, noise_variance=0.4)
    assert relation(math.log(value / 0.4), error, 0.4, model) == words


def test_two_labels_are_told_what_their_pass_excludes():
    """A coupling that is varied stays one table, so that a kernel for one table takes it."""
    problem = problem_set("grid").problems()[0]
    assert problem.changed["coupling"](1.25).pair is not None
    assert torch.allclose(problem.changed["coupling"](1.25).pair, 1.25 * problem.model.pair)
    assert torch.equal(problem.changed["coupling"](1.25).unary, problem.model.unary)


def test_what_refuses_a_varied_model_is_told_nothing_of_it(tmp_path):
    body = GIBBS.format(batched=True, first="assert model.noise_variance == OWN, 'one noise'")
    problem = problem_set("factorization").problems()[0]
    kernel = mine(tmp_path, body.replace("OWN", str(problem.model.noise_variance)))
    trial = Trial(torch.Generator().manual_seed(0), kernel, problem)
    trial.upto(500)
    assert "noise variance" not in excluded(torch.Generator().manual_seed(0), kernel, [trial], 0.01)


def test_the_budget_is_looked_at_wherever_work_is_done(monkeypatch):
    """By a clock that moves a second with every look."""
    now = iter(range(10**6))
    monkeypatch.setattr("checks.budget.time.process_time", lambda: float(next(now)))
    said: list[str] = []
    with limited(Budget(5.0, said.append)), pytest.raises(Spent):
        for _ in range(10):
            tick("something")
    assert said[0].startswith("something (") and " of 5 s)" in said[0]
    tick()  # without a budget there is no end
    guide = Guide.of(import_file(CHECKS / "right" / "guides" / "mean_field.py"), "mean_field")
    verdict = judge_guide(guide, "factorization", budget=30.0)
    assert verdict.outcome is Outcome.UNKNOWN and "the budget of 30 processor seconds ends before" in verdict.headline


def test_a_budget_that_would_do_is_named(tmp_path):
    verdict = judge(mine(tmp_path, GIBBS.format(batched=False, first="pass")), "factorization", budget=1.0)
    assert verdict.outcome is Outcome.UNKNOWN
    assert "seconds would do, and BATCHED = True in its file" in verdict.headline
