"""Guides and variational fits: the right ones pass, every planted mistake is found."""

import re
from pathlib import Path

import pytest
import torch

from checks.fits import judge as judge_fits
from checks.fits.judge import judge_fit
from checks.guides.guide import Guide
from checks.guides.judge import judge_guide, quality
from checks.guides.questions import stein
from checks.problems.factorization.problems import fitting
from checks.verdict import Outcome
from inference import load
from inference.engine import one_thread
from inference.user_file import import_file
from tests.support import ROOT

CHECKS = ROOT / "checks"
NEEDS_FIT = {"stops_too_early", "step_too_large", "variances_never_fitted"}


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def guide(path: Path) -> Guide:
    return Guide.of(import_file(path), path.stem)


def files(folder: str) -> list[Path]:
    return sorted((CHECKS / folder / "guides").glob("[a-z]*.py"))


@pytest.mark.parametrize("path", files("right"), ids=lambda p: p.stem)
def test_right_guides_pass(path):
    verdict = judge_guide(guide(path), "factorization", seed=1, fits=0)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


@pytest.mark.slow
@pytest.mark.parametrize("path", files("right"), ids=lambda p: p.stem)
def test_right_guides_are_fitted(path):
    verdict = judge_guide(guide(path), "factorization", seed=1)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


@pytest.mark.parametrize("path", [p for p in files("zoo") if p.stem not in NEEDS_FIT], ids=lambda p: p.stem)
def test_planted_mistakes_are_found(path):
    assert judge_guide(guide(path), "factorization", seed=2, fits=0).outcome is Outcome.WRONG
    assert "\n\nSymptom: " in (import_file(path).__doc__ or "")


@pytest.mark.slow
def test_under_fitting_is_found():
    verdict = judge_guide(guide(CHECKS / "zoo" / "guides" / "stops_too_early.py"), "factorization", seed=3, fits=1)
    assert verdict.outcome is Outcome.WRONG and "UNDER-FITTED" in verdict.headline


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NEEDS_FIT))
def test_mistakes_of_the_fit(name):
    path = CHECKS / "zoo" / "guides" / f"{name}.py"
    assert judge_guide(guide(path), "factorization", seed=3).outcome is Outcome.WRONG


def test_how_good_a_fit_is():
    """q the prior's own normal: k-hat of equal weights is low, the truth is covered; a narrower q, not."""
    rng = torch.Generator().manual_seed(6)
    model = fitting().model
    truth = model.prior(rng)
    draws = {s: 2**0.5 * torch.randn(4000, *x.shape, generator=rng, dtype=x.dtype) for s, x in truth.items()}
    shape, covered = quality(model, 0.1 * torch.randn(4000, generator=rng, dtype=torch.float64), draws, truth)
    assert shape < 0.5 and covered > 0.6
    narrow = {s: 0.01 * x for s, x in draws.items()}
    ratio = 0.495 * torch.cat([x.flatten(1) for x in draws.values()], 1).square().sum(1)  # of sds 1 and 10
    shape, covered = quality(model, ratio, narrow, truth)
    assert shape > 0.7 and covered < 0.3


def test_steins_identity_by_hand():
    """For N(0, s^2) samples under a density N(0, 1): E[-(a.x)^2] + |a|^2 = |a|^2 (1 - s^2)."""
    rng = torch.Generator().manual_seed(0)
    right = guide(CHECKS / "right" / "guides" / "mean_field.py")
    params = {f"{s}_{part}": torch.zeros(2, 1, dtype=torch.float64) for s in "UV" for part in ("mean", "log_variance")}
    latents = {s: 2 * torch.randn(40_000, 2, 1, generator=rng, dtype=torch.float64) for s in "UV"}
    centre = {s: torch.zeros(2, 1, dtype=torch.float64) for s in "UV"}
    for mean in stein(rng, right, params, latents, centre):
        assert float(mean.difference.mean()) == pytest.approx(4 * (1 - 4), rel=0.1)  # sd 0.9% of it


def test_fits_of_the_contract():
    """Closed forms pass; the same method with its ELBO told wrong, or stopped early, does not."""
    assert judge_fit(load.method("factorization", "coordinate_ascent"), "factorization").outcome is Outcome.RIGHT
    assert judge_fit(load.method("grid", "mean_field"), "grid").outcome is Outcome.RIGHT
    verdict = judge_fit(load.method("grid", "loopy_bp"), "grid")
    assert verdict.outcome is Outcome.UNKNOWN and "no lower bound" in verdict.why


@pytest.mark.parametrize(("options", "natural"), [({}, True), ({"steps": "adam"}, False)])
def test_a_method_is_judged_by_the_steps_that_it_takes(monkeypatch, options, natural):
    monkeypatch.setattr(judge_fits, "STEPS", 1)
    monkeypatch.setattr(judge_fits, "GRADIENT_STEPS", 1)
    where = fitting()
    data = where.one(where.joint(torch.Generator().manual_seed(0), 1)[1], 0)
    state, _ = judge_fits.fit(torch.Generator().manual_seed(0), load.method("factorization", "guide_mean_field_pyro"),
                              where.model, data, options)
    assert state.natural == natural  # type: ignore[attr-defined]


@pytest.mark.parametrize(("change", "says"), [
    ("info = replace(info, elbo=info.elbo + 1)", "it reports an ELBO"),
    ("info = replace(info, elbo=float('nan'))", "it reports an ELBO"),
])
def test_a_wrong_report_is_found(tmp_path, change, says):
    path = tmp_path / "mine.py"
    path.write_text(f'''"""Mine."""
from dataclasses import replace
from inference.grid.mean_field import FAMILY, State, draw, expect, init
from inference.grid import mean_field

def step(rng, state, model, data):
    state, info = mean_field.step(rng, state, model, data)
    {change}
    return state, info
''')
    verdict = judge_fit(load.method("grid", str(path)), "grid")
    assert verdict.outcome is Outcome.WRONG and says in verdict.headline


def test_draws_that_are_not_those_of_expect_are_found(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('''"""Mine."""
from inference.grid.mean_field import FAMILY, State, expect, init, step

def draw(rng, state, model):
    return {"labels": expect(state, model)["labels"].argmax(-1)}
''')
    verdict = judge_fit(load.method("grid", str(path)), "grid")
    assert verdict.outcome is Outcome.WRONG and "is not what `expect` says" in verdict.headline


@pytest.mark.parametrize(("name", "poor"), [("one_scale", True), *(
    pytest.param(name, False, marks=pytest.mark.slow) for name in ("mean_field", "score_gradient"))])
def test_a_small_family_is_poor_and_right(name, poor):
    """A bound of its own is what a family is held to; a gradient may be right and too noisy to fit by."""
    verdict = judge_guide(guide(CHECKS / "right" / "guides" / f"{name}.py"), "factorization", seed=0)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline
    assert any(line.startswith("poor: ") for line in verdict.warnings) is poor


FUNCTIONS = """
import torch
from checks.right.guides.mean_field import elbo, log_density, sample, start
{instead}
"""


@pytest.mark.parametrize(("instead", "says"), [
    ("def log_density(params, latents):\n    return 0", "log_density returns int for 3 samples"),
    ("def elbo(model, data, params, noise, batch=None):\n    return torch.zeros(2)",
     r"elbo returns a tensor of shape \(2,\)"),
    ("def sample(params, noise):\n    return noise['U']", "sample returns Tensor: return a dict of tensors, U, V"),
    ("def sample(params, noise):\n    return {'U': noise['U']}", "sample returns no V"),
    ("def sample(params, noise):\n    return {s: x[:, :1] for s, x in noise.items()}",
     r"sample returns U of shape \(3, 1, 2\)"),
    ("def start(rng, model, data):\n    return {}", "start returns no parameters"),
    ("def gradient(model, data, params, noise):\n    return {}", "gradient returns no U_mean"),
])
def test_functions_of_another_form_cannot_be_judged(tmp_path, instead, says):
    (tmp_path / "mine.py").write_text(FUNCTIONS.format(instead=instead))
    verdict = judge_guide(Guide.of(import_file(tmp_path / "mine.py"), "mine"), "factorization")
    assert verdict.outcome is Outcome.UNFIT and re.search(says, verdict.headline), verdict.headline
