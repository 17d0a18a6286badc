"""Guides written in Pyro: those of several families pass, planted mistakes are found."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from checks.guides import pyro as pyro_guide
from checks.guides.guide import noise
from checks.guides.judge import judge_guide
from checks.problems.factorization.problems import fitting
from checks.verdict import Outcome
from errors import InputError
from inference import load
from inference.engine import one_thread
from inference.user_file import import_file
from tests.support import ROOT

CHECKS = ROOT / "checks"
NEEDS_FIT = {"scale_not_learned"}
LONG = {"one_number_for_all_entries", "scale_half_detached"}
OF_FORM = {"items_not_drawn"}
FEW = (150, 40)


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def guide(path: Path, samples=FEW):
    return replace(pyro_guide.of(load.method("factorization", str(path)), {}), samples=samples)


def files(folder: str) -> list[Path]:
    return sorted((CHECKS / folder / "pyro").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", ["normals", "together"])
def test_right_guides_pass(name):
    verdict = judge_guide(guide(CHECKS / "right" / "pyro" / f"{name}.py"), "factorization", seed=1, fits=0)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


@pytest.mark.slow
@pytest.mark.parametrize("path", files("right"), ids=lambda p: p.stem)
def test_right_guides_pass_at_full_size_and_are_fitted(path):
    verdict = judge_guide(pyro_guide.of(load.method("factorization", str(path)), {}), "factorization", seed=1)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem in LONG))
                                  for p in files("zoo") if p.stem not in NEEDS_FIT])
def test_planted_mistakes_are_found(path):
    assert judge_guide(guide(path), "factorization", seed=2, fits=0).outcome is (
        Outcome.UNFIT if path.stem in OF_FORM else Outcome.WRONG)
    assert "\n\nSymptom: " in (import_file(path).__doc__ or "")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NEEDS_FIT))
def test_mistakes_of_the_fit(name):
    verdict = judge_guide(guide(CHECKS / "zoo" / "pyro" / f"{name}.py"), "factorization", seed=3)
    assert verdict.outcome is Outcome.WRONG and "UNDER-FITTED" in verdict.headline


def test_the_same_noise_gives_the_same_numbers_and_slopes_are_those_of_the_density():
    """A normal guide by hand: log q, its slope in the means and in the draws."""
    asked, where = guide(CHECKS / "right" / "pyro" / "normals.py"), fitting()
    rng = torch.Generator().manual_seed(4)
    ratings = where.one(where.joint(rng, 1)[1], 0)
    params = {name: x.requires_grad_() for name, x in asked.start(rng, where.model, ratings).items()}
    z = noise(rng, where.model, 3)
    latents = asked.sample(params, z)
    assert all(torch.equal(x, asked.sample(params, z)[site]) for site, x in latents.items())
    latents = {site: x.requires_grad_() for site, x in latents.items()}
    by_hand = sum(torch.distributions.Normal(params[f"{s}_mean"], params[f"{s}_sd"].exp()).log_prob(latents[s])
                  .sum((-2, -1)) for s in "UV")
    value = asked.log_density(params, latents)
    inputs = [params["U_mean"], params["V_sd"], latents["V"]]
    for a, b in zip((value, *torch.autograd.grad(value.sum(), inputs)),
                    (by_hand, *torch.autograd.grad(by_hand.sum(), inputs)), strict=True):
        torch.testing.assert_close(a.detach(), b.detach())


def test_a_point_is_refused(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("from pyro.infer.autoguide import AutoDelta\n\n\ndef guide(model):\n"
                    "    return AutoDelta(model.program)\n")
    with pytest.raises(InputError, match="nothing but points"):
        judge_guide(guide(mine), "factorization")
