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
FORM = {"items_not_drawn"}  # it cannot be judged
LONG = {"draws_detached", "one_number_for_all_entries", "scale_half_detached"}
FEW = (150, 40)


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def guide(path: Path, samples=FEW):
    return replace(pyro_guide.of(load.method("factorization", str(path)), {}), samples=samples)


def files(folder: str) -> list[Path]:
    return sorted((CHECKS / folder / "pyro").glob("[a-z]*.py"))


@pytest.mark.slow
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
                                  for p in files("zoo") if p.stem not in FORM])
def test_planted_mistakes_are_found(path):
    assert judge_guide(guide(path), "factorization", seed=2, fits=0).outcome is Outcome.WRONG
    assert "\n\nSymptom: " in (import_file(path).__doc__ or "")


@pytest.mark.parametrize("name", sorted(FORM))
def test_what_has_not_the_form_of_a_guide_cannot_be_judged(name):
    verdict = judge_guide(guide(CHECKS / "zoo" / "pyro" / f"{name}.py"), "factorization", seed=3)
    assert verdict.outcome is Outcome.UNFIT and verdict.outcome.status == 2 and not verdict.assurance


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


def test_parameters_and_sites_of_any_shape(tmp_path):
    """A scalar scale; and a site that the model has not, whose entropy the ELBO would count."""
    path = CHECKS / "right" / "pyro" / "tied_scale.py"
    verdict = judge_guide(guide(path), "factorization", seed=1, fits=0)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline
    head = "def guide(model, data):\n"
    more = "    pyro.sample('aux', dist.Normal(pyro.param('a', torch.tensor(0.)), 1.0), infer={'is_auxiliary': True})\n"
    (tmp_path / "mine.py").write_text(path.read_text().replace(head, head + more))
    verdict = judge_guide(guide(tmp_path / "mine.py"), "factorization", seed=1, fits=0)
    assert verdict.outcome is Outcome.WRONG and "draws aux beside U, V: the ELBO counts the entropy" in verdict.headline
