"""Whose guides take natural steps, and where these put the moments, judged by coordinate ascent."""

from textwrap import dedent

import pytest
import torch

from errors import InputError
from inference import load
from inference.factorization import coordinate_ascent
from inference.factorization.parts.by_row import sides
from tests.inference.factorization.guides.test_from_guide import EXAMPLE, HEAD
from tests.support.small_ratings import some_ratings

SD = "pyro.sample(site, dist.Normal(mean, x{}).to_event(1))"
GUIDES = {
    "variance": ("constraints.positive", SD.format(".sqrt()"), "variance"),
    "log variance": ("constraints.real", SD.format(".div(2).exp()"), "log variance"),
    "log standard deviation": ("constraints.real", SD.format(".exp()"), "log standard deviation"),
    "root": ("constraints.lower_cholesky", "pyro.sample(site, dist.MultivariateNormal(mean, scale_tril=x))", "root"),
    "another map": ("constraints.positive", SD.format(".log1p()"), None),
    "tied": ("constraints.positive", SD.format("[:1]"), None),
}


def made(tmp_path, constraint: str, sample: str):
    shape = "(rows, K, K)" if "cholesky" in constraint else "(rows, K)"
    value = "torch.eye(K).repeat(rows, 1, 1)" if "cholesky" in constraint else f"torch.full({shape}, 0.3)"
    path = tmp_path / "mine.py"
    path.write_text(HEAD + dedent(f"""
        def guide(model, data):
            for site, plate in (("U", "users"), ("V", "items")):
                rows, K = model.sites[site]
                mean = pyro.param(site + "_a", lambda: torch.randn(rows, K))
                x = pyro.param(site + "_b", lambda: {value}, constraint={constraint})
                with pyro.plate(plate, rows):
                    {sample}
        """))
    return load.method("factorization", str(path))


@pytest.mark.parametrize("name", GUIDES)
def test_a_users_guide_has_the_places_that_its_parameters_are(name, tmp_path):
    """A natural step then leaves every item with coordinate ascent's precision given the users."""
    constraint, sample, how = GUIDES[name]
    model, data = some_ratings(8, 5, 30, rank=2)
    method = made(tmp_path, constraint, sample)
    state = method.init(torch.Generator().manual_seed(0), model, data)
    if how is None:
        assert not state.natural and not state.places and state.rates
        with pytest.raises(InputError, match="mine cannot take natural steps: these need a q that is Gaussian"):
            method.init(torch.Generator(), model, data, steps="natural")
        return
    assert state.places == {f"{s}_{x}": (s, w) for s in "UV" for x, w in (("a", "mean"), ("b", how))}
    state, info = method.step(torch.Generator(), state, model, data)
    q = method.expect(state, model)
    if how != "root":
        items = sides(model, data)[1]
        best = coordinate_ascent.update(items, model, q["U_mean"], q["U_var"], "torch")
        torch.testing.assert_close(q["V_var"], best.spread, rtol=1e-9, atol=0)
    assert info.kind == "lower bound"


@pytest.mark.parametrize("what, covariance", [("guide_full_covariance_pyro", "row"), (str(EXAMPLE), "entry")])
def test_defaults_end_at_the_optimum(what, covariance):
    """Coordinate ascent's from the same start, of the same family; the user's guide as well as ours."""
    model, data = some_ratings(8, 6, 30, rank=2)
    best = coordinate_ascent.init(torch.Generator().manual_seed(0), model, data, covariance=covariance, engine="torch")
    method = load.method("factorization", what)
    state = method.init(torch.Generator().manual_seed(0), model, data)
    for _ in range(60):
        best, top = coordinate_ascent.step(torch.Generator(), best, model, data)
        state, info = method.step(torch.Generator(), state, model, data)
    assert state.natural and info.elbo == pytest.approx(top.elbo, abs=0.01)


@pytest.mark.parametrize("name", ["low_rank", "conditional", "flow"])
def test_other_guides_take_adams_steps(name):
    model, data = some_ratings(8, 6, 30, rank=2)
    assert not load.method("factorization", f"guide_{name}_pyro").init(torch.Generator(), model, data).natural
