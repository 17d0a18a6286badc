"""Hints that a kernel's moves give, each on a kernel with that mistake and on others, where they are silent.

Seeds are fixed; a kernel that is right in the respect asked about sets a hint off with probability below 1e-6.
"""

import pytest
import torch

from checks.kernels.hints import acceptance, left_alone, rows, second_step
from checks.kernels.hints.hinted import hints
from checks.kernels.kernel import Kernel
from checks.kernels.trial import Trial, suspects
from checks.problems.factorization import implied as module
from checks.problems.load import problem_set
from inference import load
from inference.engine import one_thread
from tests.support import ROOT

CHECKS = ROOT / "checks"
ALLOWED = 0.01
pytestmark = pytest.mark.usefixtures("one_reference")

GIBBS = '''"""Row Gibbs with something added: {what}."""
import torch
from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True


def transition(rng, latents, model, data):
    U = rows(rng, users(data), latents["V"], latents["U"], model, data)
    return {{"U": U, "V": rows(rng, items(data), U, latents["V"], model, data)}}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    count, z = torch.bincount(side.row, minlength=side.rows)[:, None], noise(rng, own)
    return {new}
'''
SORTED = {
    "by state": "normal(*natural, z).where(own.square().sum(-1, keepdim=True) < 4, own)",
    "by chance": "normal(*natural, 0.9 * z).where(torch.rand(own.shape[:-1], generator=rng)[..., None] < 0.6, own)",
    "by data": "normal(*natural, 0.9 * z).where((data.rating[..., :1] > 0)[..., None], own)",
    "one rating": "normal(*natural, z * torch.where(count == 1, 0.6, 1.0))",
    "two ratings, users": "normal(*natural, z * torch.where((count == 2) & (side.site == 'U'), 0.6, 1.0))",
    "one or two": "normal(*natural, z * torch.where((count == 1) | (count == 2), 0.6, 1.0))",
    "all rows": "normal(*natural, 0.8 * z)",
}
CACHED = '''"""V is drawn given the U that the State carries, from the second step on an old one."""
from dataclasses import dataclass, replace
import torch
from checks.right.factorization.pieces import conditional, items, noise, normal, users

BATCHED = True
FAMILY = "mcmc"


@dataclass(frozen=True)
class State:
    U: torch.Tensor
    V: torch.Tensor
    given: torch.Tensor | None = None


def init(rng, model, data):
    return State(**model.prior(rng))


def start(rng, model, data, latents):
    return State(**latents)


def step(rng, state, model, data):
    U = rows(rng, users(data), state.V, state.U, model, data)
    given = U if state.given is None else {carried}
    return State(U, rows(rng, items(data), given, state.V, model, data), U), None


def draw(rng, state, model):
    return {{"U": state.U, "V": state.V}}


def rows(rng, side, other, own, model, data):
    natural = conditional(side, other, data.rating, model.prior_variance, model.noise_variance)
    return normal(*natural, {scale} * noise(rng, own))
'''


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def trial(path, n=500, seed=1, problem=0):
    made = Trial(torch.Generator().manual_seed(seed), Kernel(load.method("factorization", str(path))),
                 problem_set("factorization").problems()[problem])
    made.upto(n)
    return made


def written(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


def gibbs(tmp_path, what, **more):
    return trial(written(tmp_path, GIBBS.format(what=what, new=SORTED[what])), **more)


@pytest.mark.parametrize("name", ["zoo/factorization/walk_greedy", "zoo/factorization/walk_halved_ratio",
                                  "zoo/factorization/langevin_without_proposal_ratio"])
def test_an_acceptance_step_that_is_off(name):
    said = acceptance.off(trial(CHECKS / f"{name}.py"))
    assert said and said[0].startswith("the acceptance step is off: it refuses")


@pytest.mark.parametrize("name", ["right/factorization/random_walk", "right/factorization/mala",
                                  "right/factorization/hamiltonian", "right/factorization/over_relaxation",
                                  "zoo/factorization/walk_without_accept", "zoo/factorization/stale_u"])
def test_an_acceptance_step_that_is_not(name):
    assert not acceptance.off(trial(CHECKS / f"{name}.py", n=2000))


def test_slopes_by_hand():
    """At rises of +-1 only: score (n+ - n-) / 2 over sqrt(n) / 2."""
    assert acceptance.slope(torch.tensor([1.0] * 70 + [-1.0] * 30)) == pytest.approx(40 / 10)
    assert acceptance.slope(torch.tensor([2.0, -2.0])) == 0


def test_what_is_left_alone_depends_on_the_state(tmp_path):
    said = left_alone.by_state(gibbs(tmp_path, "by state"))
    assert said and said[0].startswith("what it leaves alone depends on the latents: U[0], U[1]")


@pytest.mark.parametrize("what", ["by chance", "by data", "all rows"])
def test_what_is_left_alone_does_not(tmp_path, what):
    assert not left_alone.by_state(gibbs(tmp_path, what))


@pytest.mark.parametrize("name", ["zoo/factorization/walk_greedy", "right/factorization/random_walk",
                                  "zoo/factorization/unrated_rows_skipped"])
def test_a_refused_move_is_not_left_alone(name):
    assert not left_alone.by_state(trial(CHECKS / f"{name}.py"))


def many(tmp_path, what):
    return [gibbs(tmp_path, what, n=1000, problem=k) for k in range(4)]


def test_only_rows_with_so_many_ratings(tmp_path):
    assert rows.only(many(tmp_path, "one rating"))[0].startswith(("only users with 1 rating are off by themselves",
                                                                  "only items with 1 rating are off by themselves"))
    assert rows.only(many(tmp_path, "two ratings, users"))[0].startswith("only users with 2 ratings are off")
    assert not rows.only(many(tmp_path, "one or two")) and not rows.only(many(tmp_path, "all rows"))


def test_only_from_the_second_step_on(tmp_path):
    stale = trial(written(tmp_path, CACHED.format(carried="state.given", scale=1)))
    assert suspects(stale.upto(500), ALLOWED)
    assert second_step.only(stale, ALLOWED)[0].startswith("only from the second step on")
    always = trial(written(tmp_path, CACHED.format(carried="U", scale=0.8)))
    assert suspects(always.upto(500), ALLOWED) and not second_step.only(always, ALLOWED)


@pytest.mark.parametrize("name", ["stale_u", "noise_sd_as_variance", "last_rating_lost", "walk_averages",
                                  "same_noise_for_every_row"])
def test_other_mistakes_are_given_no_hint(name):
    made = trial(CHECKS / "zoo" / "factorization" / f"{name}.py")
    assert not hints([made], made, ALLOWED)


def test_a_variance_beside_means_that_are_off_is_not_explained(monkeypatch):
    """Of V given an old U the noise variance and the means are off: neither is what it stands for."""
    monkeypatch.setattr(module, "relation", lambda *_: ", a relation")
    off, on = (trial(CHECKS / "zoo" / "factorization" / f"{name}.py") for name in ("stale_u", "noise_taken_as_one"))
    said = [module.implied(t.problem.model, t.after, t.data) for t in (off, on)]
    assert any("times as long" in line for line in said[0]) and not any("a relation" in line for line in said[0])
    assert said[1] and all("a relation" in line for line in said[1])
