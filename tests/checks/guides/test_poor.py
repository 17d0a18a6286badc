"""How good the fits of a guide are: against closed forms, and nothing is said of the posterior itself."""

import math

import pytest
import torch

from checks import door
from checks.asked import found
from checks.budget import Budget
from checks.guides import program, refitted
from checks.guides.poor import kl_bound, poor
from checks.guides.refitted import Fits
from checks.verdict import Outcome
from inference.method import Method
from tests.support.programs import HEAD, NORMAL

LEVEL = 1e-6
POSTERIOR = '''
def guide(y):
    m = pyro.param("m", torch.tensor(0.5))
    s = {sd}
    pyro.sample("mu", dist.Normal(m, s))
'''
EXACT_SD = 0.25 / math.sqrt(1 + 1 / 64)  # 1/4 and 4 observations of sd 1/2
PAIR = HEAD + '''
def model(y):
    a = pyro.sample("a", dist.Normal(0.0, 1.0))
    b = pyro.sample("b", dist.Normal(0.0, 1.0))
    pyro.sample("y", dist.Normal(a + b, 0.5), obs=y)

def data():
    return torch.tensor(1.0)

def guide(model):
    return pyro.infer.autoguide.{name}(model)
'''
PAIR_KL = -0.5 * math.log(1 - (4 / 5) ** 2)  # of the best q of two parts: precision 5 on the diagonal, 4 beside it


def quality(tmp_path, body):
    path = tmp_path / "mine.py"
    path.write_text(body)
    asked = found(f"{path}:guide")
    assert isinstance(asked.what, Method)
    guide = program.of(asked.what, {})
    assert guide.quality
    return guide.quality(torch.Generator().manual_seed(3), asked.problems.problems()[0], Budget(200), LEVEL)


def bound(said):
    return float(said[-1].partition("KL to the posterior ")[2].partition(" nats")[0])


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("share", "kl"), [
    pytest.param(*case, marks=pytest.mark.slow) for case in (
        (0.3, math.log(1 / 0.3) + 0.3**2 / 2 - 0.5), (1.0, 0.0), (3.0, math.log(1 / 3) + 9 / 2 - 0.5))])
def test_an_sd_that_is_fixed(tmp_path, share, kl):
    """The posterior is normal: KL(N(m, c^2 s^2) | N(m, s^2)) = -log c + c^2 / 2 - 1/2. Of the posterior itself nothing
    is said, but with probability 3e-6; the bound is none with probability 1e-6."""
    said = quality(tmp_path, NORMAL + POSTERIOR.format(sd=f"torch.tensor({share * EXACT_SD})"))
    assert bound(said) <= kl + 0.005
    if share == 1:
        assert len(said) == 1, said
    else:
        sd = next(float(line.partition("q's sd were ")[2].split()[0]) for line in said if "q's sd were" in line)
        assert share / 1.6 < sd < 1.6 * share, said  # log sd has an sd of 0.09: 5.3 of these
        assert all("mu" in line for line in said if "intervals hold what" in line or "q's sd:" in line)
        assert ("small" if share < 1 else "large") in " ".join(said)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.slow
@pytest.mark.parametrize("name", ["AutoNormal", "AutoMultivariateNormal"])
def test_a_dependence_that_is_lacking(tmp_path, name):
    said = quality(tmp_path, PAIR.format(name=name))
    if name == "AutoNormal":
        assert any("lacks a dependence: that of a and b" in line for line in said), said
        assert 0.1 < bound(said) < PAIR_KL
    else:
        assert len(said) == 1 and bound(said) < 0.02, said


@pytest.mark.usefixtures("one_thread")
def test_a_guide_that_vmap_does_not_take_is_fitted_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(refitted, "FEW", 4)
    monkeypatch.setattr(program, "STEPS", 100)
    body = NORMAL + POSTERIOR.format(sd=f"torch.tensor({EXACT_SD}) if y.sum() < 99 else 1.0")
    said = quality(tmp_path, body)
    assert "its fits to 4 data sets" in said[-1], said


@pytest.mark.usefixtures("one_thread")
def test_poor_is_right(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "SAMPLES", (300, 40))
    (tmp_path / "mine.py").write_text(NORMAL + POSTERIOR.format(sd="torch.tensor(0.05)"))
    said = door.judged(found(f"{tmp_path / 'mine.py'}:guide"), {}, seed=0, level=LEVEL, budget=100)
    assert said.outcome is Outcome.RIGHT and any(line.startswith("poor: ") for line in said.warnings), said


def test_the_bound_is_below_the_kl_of_two_normals():
    """q = N(0, 1), p = N(0, 4): log w = log p - log q at draws of q; exact KL log 2 + 1/8 - 1/2."""
    x = torch.randn(64, 400, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    log_w = -0.5 * (x / 2) ** 2 - math.log(2) + 0.5 * x**2
    assert 0 < kl_bound(log_w, 1e-3) < math.log(2) + 1 / 8 - 1 / 2
    assert kl_bound(torch.zeros(64, 400), 1e-3) == pytest.approx(-math.log(2000) / 64)


@pytest.mark.parametrize(("share", "word"), [(0.3, "small"), (3.0, "large")])
def test_what_is_said_of_draws_of_another_width(share, word):
    """q = N(0, c^2), p = N(0, 1), whose KL is -log c + c^2 / 2 - 1/2."""
    rng = torch.Generator().manual_seed(4)
    u = share * torch.randn(64, 400, 1, generator=rng, dtype=torch.float64)
    true = torch.randn(64, 1, generator=rng, dtype=torch.float64)
    log_w = (-0.5 * u**2 + 0.5 * (u / share) ** 2)[..., 0] + math.log(share)
    said = poor(Fits(["mu"], u, -u, log_w, true), LEVEL)
    assert word in " ".join(said) and bound(said) <= -math.log(share) + share**2 / 2 - 0.5
    sd = next(float(line.partition("q's sd were ")[2].split()[0]) for line in said if "q's sd were" in line)
    assert share / 1.6 < sd < 1.6 * share, said  # as above


def test_nothing_is_said_of_draws_of_the_posterior_itself():
    """u and the true latents from one N(0, I) of three numbers, in 40 repetitions: a false word with probability
    1.2e-4 in all at level 1e-6."""
    rng = torch.Generator().manual_seed(2)
    for _ in range(40):
        u = torch.randn(64, 400, 3, generator=rng, dtype=torch.float64)
        true = torch.randn(64, 3, generator=rng, dtype=torch.float64)
        said = poor(Fits(["a", "b[0]", "b[1]"], u, -u, torch.zeros(64, 400), true), LEVEL)
        assert len(said) == 1, said
