"""What a pass on a user's model excludes, against kernels that have such a weight; what data tell, in closed form."""

import math

import pytest
import torch

from checks.asked import found
from checks.kernels.judge import KEPT, judge
from checks.kernels.kernel import Kernel
from checks.kernels.trial import Trial
from checks.kernels.weights import found_from, weak, z_per_weight
from checks.own_model import problems_in
from checks.problems.program.informed import informed
from checks.verdict import Outcome
from inference.method import Method
from tests.support.programs import HEAD, NORMAL

pytestmark = pytest.mark.usefixtures("one_thread")
CONJUGATE = '''
def transition(latents, y):
    prior, data = 1 / 4 * {prior}, len(y) / 0.25 * {data}
    mean = (prior + data * y.mean()) / (prior + data)
    fresh = mean + torch.randn(()) / (prior + data) ** 0.5
    return {{"mu": {mixed}}}
'''
WEAK = HEAD + '''
def model(y):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(0 * a + b, 0.5), obs=y)

def data():
    return torch.tensor(1.0)

def transition(latents, y):
    return {"a": torch.randn(()), "b": 0.8 * y + 0.2 ** 0.5 * torch.randn(())}
'''
FRESH, SLOW = "fresh", "torch.where(torch.rand(()) < 0.5, fresh, latents['mu'])"


def kernel(tmp_path, body):
    (tmp_path / "mine.py").write_text(body)
    asked = found(str(tmp_path / "mine.py"))
    assert isinstance(asked.what, Method)
    return Kernel(asked.what), asked.problems


def trial(tmp_path, body, n, seed):
    judged, problems = kernel(tmp_path, body)
    made = Trial(torch.Generator().manual_seed(seed), judged, problems.problems()[0])
    return made, made.upto(n)


@pytest.mark.parametrize(("site", "mixed"), [
    ("y", FRESH), *(pytest.param(*case, marks=pytest.mark.slow) for case in (("y", SLOW), ("mu", FRESH)))],
    ids=["y", "slow", "mu"])
def test_what_a_weight_would_do_is_what_it_does(tmp_path, mixed, site, n=2000, h=0.3):
    """Kernels with the weights 1 + h and 1 - h are the judge: their z differ by 2 h times the slope, the second order
    cancelled. The largest of 2 F such differences goes 5.5 sds of their noise off in 2e-6 of runs."""
    right, compared = trial(tmp_path, NORMAL + CONJUGATE.format(prior=1, data=1, mixed=mixed), n, 1)
    z = []
    for w in (1 + h, 1 - h):
        weights = {"prior": w, "data": 1} if site == "mu" else {"prior": 1, "data": w}
        z.append(trial(tmp_path, NORMAL + CONJUGATE.format(**weights, mixed=mixed), n, 2)[1].z)
    terms = [right.problem.terms(right.problem.model, x, right.data)[f"log p({site})"]
             for x in (right.before, right.after)]
    g, moved = right.scores
    sd = compared.d * right.scale.variance.sqrt() / compared.z
    foretold = 2 * h * z_per_weight(terms[0] - terms[1], g - moved, sd)
    off = (z[0] - z[1] - foretold).nan_to_num(0).abs().max()
    most = foretold.nan_to_num(0).abs().max()
    assert most > 12 if site == "y" else most < 3
    assert off < 5.5 * 2**0.5 + 0.1 * most


def test_a_prior_that_data_outweigh_is_not_excluded(tmp_path):
    made, _ = trial(tmp_path, NORMAL + CONJUGATE.format(prior=1, data=1, mixed=FRESH), 2000, 1)
    sizes = found_from(made, 1e-3)
    assert sizes["log p(y)"] < 0.25 < 0.9 < sizes["log p(mu)"]
    said = weak(sizes, {"mu": 0.12})[0]
    assert "changes log p(mu) by half would not have been found, for the data outweigh it: fewer rows" in said
    assert weak({"log p(y)": 0.1}, {"mu": 0.5}) == []


def test_what_data_tell_of_a_normal_mean(tmp_path):
    """Posterior variance 1 / (1/4 + 16), prior variance 4."""
    (tmp_path / "mine.py").write_text(NORMAL)
    model = problems_in(str(tmp_path / "mine.py")).problems()[0].model
    ratio = informed(model, torch.Generator().manual_seed(0))["mu"]
    assert ratio == pytest.approx(0.5 / math.sqrt(16.25), rel=0.15)


def test_a_site_that_no_data_tell_of_is_warned_of(tmp_path):
    """b's ratio is sqrt(1 - 4/5)."""
    judged, problems = kernel(tmp_path, WEAK)
    said = judge(judged, problems, looks=(500,), budget=60.0)
    assert said.outcome is Outcome.RIGHT
    assert said.informed["a"] > 0.97 and said.informed["b"] == pytest.approx(0.2**0.5, rel=0.1)
    assert any("its data tell next to nothing about a:" in line for line in said.warnings)


def test_a_slow_kernels_pass_keeps_a_share_of_its_budget_for_what_it_excludes(tmp_path):
    """One that is moved one by one, and whose budget ends before the last look."""
    body = NORMAL + CONJUGATE.format(prior=1, data=1, mixed="fresh if y.sum() < 1e9 else latents['mu']")
    judged, problems = kernel(tmp_path, body)
    said = judge(judged, problems, budget=3.0, looks=(500, 100_000))
    assert not judged.batched and said.outcome is Outcome.RIGHT and 0 < KEPT < 0.5
    assert any("the budget of 3 processor seconds ends before 100,000" in line for line in said.warnings), said.warnings
    assert "log p(y)" in said.exclusion and said.information and said.seconds < 3.5
