"""Guides from a user's file: every form they may have, as a method like ours, and at the door."""

import json
import os
import random
import signal
from pathlib import Path
from textwrap import dedent

import numpy as np
import pyro
import pytest
import torch

import run
from errors import InputError, Interrupted
from experiments.problem2 import checkpoints as checkpoints2
from inference import known, load
from inference.drive import drive
from inference.factorization import guide_mean_field_pyro
from inference.factorization.parts.mean_field_elbo import elbo
from inference.job import Plan
from inference.options import choices, option
from runs.options import parse, parse_guide
from tests.support import ROOT
from tests.support.small_ratings import some_ratings

EXAMPLE = ROOT / "examples" / "guide.py"
HEAD = """
import pyro, torch
import pyro.distributions as dist
import pyro.poutine as poutine
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroModule, PyroParam, PyroSample
from torch.distributions import constraints

def normal(site, plate, shape, scale=0.3):
    mean = pyro.param(f"{site}_mean", lambda: torch.randn(shape))
    sd = pyro.param(f"{site}_sd", lambda: torch.full(shape, scale), constraint=constraints.positive)
    with pyro.plate(plate, shape[0]):
        return pyro.sample(site, dist.Normal(mean, sd).to_event(1))

def both(model):
    normal("U", "users", model.sites["U"])
    normal("V", "items", model.sites["V"])
"""
FORMS = {
    "model and data": "def guide(model, data): both(model)",
    "data alone": """
        def guide(data):
            normal("U", "users", (data.num_users, 2))
            normal("V", "items", (data.num_items, 2))
        """,
    "as the program": """
        def guide(ratings, batch_size=None, batch=None):
            assert batch_size is None
            normal("U", "users", (ratings.num_users, 2))
            normal("V", "items", (ratings.num_items, 2))
        """,
    "words": """
        def guide(data, **words):
            assert set(words) <= {"batch"}
            normal("U", "users", (data.num_users, 2))
            normal("V", "items", (data.num_items, 2))
        """,
    "module": """
        class Mine(PyroModule):
            def __init__(self, model):
                super().__init__()
                self.model = [model]
                for site, shape in model.sites.items():
                    setattr(self, f"mean_{site}", PyroParam(torch.randn(shape)))
                    setattr(self, f"sd_{site}", PyroParam(torch.full(shape, 0.3), constraints.positive))
            def forward(self, data, batch_size=None, batch=None):
                for site, plate in (("U", "users"), ("V", "items")):
                    mean, sd = getattr(self, f"mean_{site}"), getattr(self, f"sd_{site}")
                    with pyro.plate(plate, len(mean)):
                        pyro.sample(site, dist.Normal(mean, sd).to_event(1))
        """,
    "automatic class": """
        class Mine(AutoNormal):
            pass
        """,
    "maker": "def guide(model): return AutoNormal(model.program, init_scale=0.2)",
    "maker of a network": """
        def guide(model, data):
            net = torch.nn.Linear(1, model.rank)
            def q(data):
                pyro.module("net", net)
                with pyro.plate("users", model.num_users):
                    pyro.sample("U", dist.Normal(net(torch.ones(model.num_users, 1)), 0.3).to_event(1))
                normal("V", "items", model.sites["V"])
            return q
        """,
}


@pytest.fixture
def written(tmp_path):
    def write(body: str, name: str = "mine") -> Path:
        path = tmp_path / f"{name}.py"
        path.write_text(HEAD + dedent(body))
        return path
    return write


def loaded(path, name: str = ""):
    return load.method("factorization", f"{path}:{name}" if name else str(path))


@pytest.mark.parametrize("form", [form if form == "maker" else pytest.param(form, marks=pytest.mark.slow)
                                  for form in FORMS])
def test_every_form_of_guide_is_fitted_and_resumed(form, written, tmp_path):
    """The same bytes stopped or not; nothing of Pyro's, torch's, numpy's and Python's globals is left changed."""
    model, data = some_ratings(8, 5, 30, rank=2)
    method = loaded(written(FORMS[form]))
    plan = Plan(steps=5, chains=2, draws=4)
    globals_ = torch.get_rng_state().tolist(), str(np.random.get_state(legacy=False)), random.getstate()
    whole = drive(method, model, data, plan)
    assert globals_ == (torch.get_rng_state().tolist(), str(np.random.get_state(legacy=False)), random.getstate())
    assert not list(pyro.get_param_store().keys()) and torch.get_default_dtype() == torch.float32
    assert whole.draws["U"].shape == (2, 4, 8, 2) and whole.draws["V"].dtype == np.float64
    assert np.isfinite(whole.trace["elbo"]).all() and whole.expected["prediction"].shape == (30,)
    assert whole.trace["elbo"][0, 0] != whole.trace["elbo"][0, -1] != whole.trace["elbo"][1, -1]

    def stop_at_3(step, _):
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    again = loaded(written(FORMS[form], "again"))
    again = type(again)(**vars(again) | {"name": method.name})
    with pytest.raises(Interrupted):
        drive(method, model, data, plan, save_to=tmp_path / "run.npz", on_step=stop_at_3)
    resumed = drive(again, model, data, plan, save_to=tmp_path / "run.npz")  # as a new process would
    assert all(np.array_equal(whole.draws[s], resumed.draws[s]) for s in "UV")
    assert np.array_equal(whole.trace["elbo"], resumed.trace["elbo"])


@pytest.mark.parametrize("form", FORMS)
def test_the_preflight_lets_right_guides_pass(form, written):
    model, data = some_ratings(8, 5, 30, rank=2)
    method, rng = loaded(written(FORMS[form])), torch.Generator().manual_seed(0)
    assert method.preflight
    method.preflight(rng, method.init(rng, model, data), model, data)


def test_a_users_mean_field_is_ours_to_the_bit(written):
    """The same parameters, start and rates as guide_mean_field_pyro: Adam, batches, noise and the ELBO are the same."""
    model, data = some_ratings(12, 6, 60, rank=2)
    theirs = loaded(written("""
        from inference.factorization.parts import stochastic
        RATES = {"V_mean": 0.5}
        def guide(model, data):
            for site, plate in (("U", "users"), ("V", "items")):
                mean = pyro.param(f"{site}_mean", torch.zeros(model.sites[site]))
                log_variance = pyro.param(f"{site}_log_variance", torch.zeros(model.sites[site]))
                with pyro.plate(plate, len(mean)):
                    pyro.sample(site, dist.Normal(mean, torch.exp(0.5 * log_variance)).to_event(1))
        def start(rng, model, data):
            return stochastic.init(torch.Generator().manual_seed(5), model, data).params
        """))
    a = guide_mean_field_pyro.init(torch.Generator().manual_seed(5), model, data, steps="adam")
    b = theirs.init(torch.Generator(), model, data, steps="adam")
    rngs = [torch.Generator().manual_seed(1) for _ in range(2)]
    for _ in range(3):
        a, said = guide_mean_field_pyro.step(rngs[0], a, model, data)
        b, also = theirs.step(rngs[1], b, model, data)
    assert all(torch.equal(a.params[name], b.params[name]) for name in a.params)
    assert said.elbo == pytest.approx(also.elbo, rel=1e-12) and said.kind == also.kind == "lower bound"


def test_the_reported_elbo_is_that_of_the_draws_moments(written):
    """Closed form, from q's own parameters; and the loop's expectations are those of the same moments."""
    model, data = some_ratings(8, 5, 30, rank=2)
    method, rng = loaded(EXAMPLE), torch.Generator().manual_seed(0)
    state = method.init(rng, model, data, sd=0.2)
    state, info = method.step(rng, state, model, data)
    moments = {s: (state.params[f"{s}_mean"], state.params[f"{s}_scale"].exp() ** 2) for s in "UV"}
    assert info.elbo == pytest.approx(float(elbo(model, data, moments)), rel=1e-12) and info.kind == "lower bound"
    found = method.expect(state, model)
    assert torch.allclose(found["U_var"], moments["U"][1]) and torch.allclose(found["V_mean"], moments["V"][0])


def test_options_are_the_keyword_only_arguments(written):
    model, data = some_ratings(8, 5, 30, rank=2)
    method = loaded(EXAMPLE)
    assert list(method.options) == ["steps", "lr", "batch_size", "sd"] and option(method, "sd", "0.25") == 0.25
    with pytest.raises(InputError, match="option sd of guide must be a number, not 'wide'"):
        option(method, "sd", "wide")
    state = method.init(torch.Generator(), model, data, sd=0.25)
    assert torch.allclose(state.params["U_scale"].exp(), torch.tensor(0.25).double())
    fit = parse("factorization", f"{EXAMPLE}:sd=0.3,lr=0.05")
    assert fit.options == {"sd": 0.3, "lr": 0.05} and fit.method.name == "guide_0.3_0.05"


def test_a_file_may_hold_several(written):
    path = written("""
        def wide_guide(model, data): both(model)
        def narrow_guide(model, data): both(model)
        """)
    with pytest.raises(InputError, match=r"holds wide_guide, narrow_guide: name one, as in .*py:wide_guide"):
        loaded(path)
    assert loaded(path, "narrow_guide").name == "mine_narrow_guide"
    with pytest.raises(InputError, match=r"unknown guide or kernel .*'thin_guide': did you mean"):
        loaded(path, "thin_guide")
    assert parse("factorization", f"{path}:wide_guide:lr=0.05").options == {"lr": 0.05}


def test_guides_by_name(written):
    fit = parse_guide("factorization", "low_rank:columns=2")
    assert fit.name == "guide_low_rank_pyro_2" and fit.options == {"columns": 2}
    fit = parse_guide("factorization", "AutoLowRankMultivariateNormal:lr=0.2")
    assert fit.options == {"guide": "AutoLowRankMultivariateNormal", "lr": 0.2}
    assert parse_guide("factorization", f"{EXAMPLE}:guide:lr=0.1").options == {"lr": 0.1}
    with pytest.raises(InputError, match="unknown guide 'AutoNorml': did you mean 'AutoNormal'"):
        parse_guide("factorization", "AutoNorml")
    automatic = load.method("factorization", "svi_auto_pyro").options["guide"]
    assert choices(automatic.annotation) == known.AUTOMATIC


@pytest.mark.usefixtures("undrawn")
def test_a_swap_at_the_door(tmp_path, capsys, monkeypatch):
    """The example as it stands, beside ours, by one command; --set reaches whoever has the option."""
    monkeypatch.setattr(checkpoints2, "SAMPLES", 100)
    rng = np.random.default_rng(0)
    stars = tmp_path / "stars.csv"
    stars.write_text("user,item,rating\n" + "".join(
        f"{i},{j},{rng.integers(1, 6)}\n" for i in range(40) for j in rng.permutation(8)[:5]))
    common = ["--problem", "2", "--ratings", str(stars), "--scale", "1,5", "--split", "0.8,0.1,0.1", "--samples", "5"]
    out = tmp_path / "out"
    assert run.guarded([*common, "--guide", str(EXAMPLE), "--guide", "mean_field", "--set", "sd=0.2", "--set",
                        "lr=0.02", "--epochs", "2", "--out", str(out)]) == 0
    lines = json.loads((out / "summary.json").read_text())["methods"]
    assert [line["name"] for line in lines] == ["guide", "guide_mean_field_pyro"]
    options = [json.loads((out / f"{line['name']}.json").read_text())["options"] for line in lines]
    assert options == [{"lr": 0.02, "sd": 0.2}, {"lr": 0.02}]
    broken = tmp_path / "broken.py"
    broken.write_text(EXAMPLE.read_text().replace(".to_event(1)", ""))
    for argv, said in (
        (["--guide", str(broken)], "add .to_event(1)"),
        (["--guide", "mean_field", "--set", "sd=0.2"], "--set sd is of no use to guide_mean_field_pyro: the options"),
        (["--guide", "mean_field", "--set", "sd"], "--set takes OPTION=VALUE"),
        (["--guide", "nothing_like_it"], "unknown guide 'nothing_like_it'"),
    ):
        assert run.guarded([*common, *argv, "--out", str(tmp_path / "no")]) == 2
        said_ = capsys.readouterr().err
        assert said in said_ and len(said_.splitlines()) == 1 and not (tmp_path / "no").exists()


def test_the_list_shows_guides_and_their_options(capsys):
    assert run.guarded(["--list"]) == 0
    assert "low_rank" in (said := capsys.readouterr().out) and "AutoMultivariateNormal" in said
    for name, word in (("low_rank", "columns"), ("AutoDelta", "guide"), (str(EXAMPLE), "sd")):
        assert run.guarded(["--list", name]) == 0
        assert word in capsys.readouterr().out
