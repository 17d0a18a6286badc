"""Every method on another device than the CPU: one that is not there (`tests/support/elsewhere.py`), or that which the
environment variable CROSSCHECK_DEVICE names, as `bench/device.sh` does. One method of each way of working is quick."""

import os
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch

import run
from errors import InputError
from inference import checkpoint, load
from inference.drive import drive
from inference.factorization.predictive import Predictive
from inference.job import Plan, generator
from inference.method import Family
from models.ordinal import fitted, named
from tests.inference.test_contract import METHODS, problem
from tests.support.elsewhere import DEVICE, elsewhere

NAMED = os.environ.get("CROSSCHECK_DEVICE")
HERE = torch.device("cpu")
QUICK = ("gibbs", "loopy_bp", "max_product", "mean_field", "min_cut", "parallel_tempering", "swendsen_wang",
         "coordinate_ascent", "elbo_by_hand", "guide_mean_field_pyro", "maximum_likelihood", "random_walk", "row_gibbs")
REFUSED = ("swendsen_wang", "trw_s")  # and they say so
SURE = ("maximum_likelihood",)  # they draw nothing, as the methods on grids are that are no samplers, but these
DRAWN = ("annealed_importance_sampling", "perfect_sampling", "simulated_annealing")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def there():
    if NAMED is None:
        with elsewhere():
            yield DEVICE
    elif NAMED.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip(f"CROSSCHECK_DEVICE is {NAMED}, and there is no CUDA device here")
    else:
        yield torch.device(NAMED)


def fit(kind, name, device, model=None, data=None, **options):
    method = load.method(kind, name)
    if model is None:
        model, data = problem(kind)
    if kind == "grid":  # of no two labellings alike
        noise = torch.rand(2, 3, 2, generator=generator(0, "unary"), dtype=torch.float64)
        model = replace(model, unary=model.unary + noise)
    model, data = model.to(device), None if data is None else data.to(device)
    observer = Predictive(model, {"test": data}, method.family, samples=3) if data is not None else None
    return drive(method, model, data, Plan(3, draws=2, seed=7), options, observer=observer)


@pytest.mark.parametrize("kind, name", [pytest.param(*method, id="/".join(method), marks=(
    [] if method[1] in QUICK else pytest.mark.slow)) for method in METHODS])
def test_a_method(kind, name, there):
    """It ends, with finite numbers, and those of the CPU where nothing is drawn; or it says that it cannot."""
    if name in REFUSED and there.type != "cpu":
        with pytest.raises(InputError, match=str(there.type)):
            fit(kind, name, there)
        return
    result = fit(kind, name, there)
    assert result.facts["device"].startswith(there.type)
    assert all(np.isfinite(x).all() for x in (*result.expected.values(), *result.draws.values()))
    if (kind == "grid" and result.family != Family.MCMC and name not in DRAWN) or name in SURE:
        here = fit(kind, name, HERE)
        for what, found in result.expected.items():
            assert np.allclose(found, here.expected[what], rtol=0, atol=1e-9), what


@pytest.mark.parametrize("name", ["noise+hierarchical+biases", "ordinal+biases", *(
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("noise+noise-per-user", "noise+hierarchical+features", "noise+biases+time"))])
def test_a_model(name, there):
    """What is learned besides U and V."""
    model, data = named(name, 6, 4, 2).small(generator(0, "small"))
    result = fit("factorization", "ladder_gibbs", there, fitted(model, data), data)
    assert all(np.isfinite(x).all() for x in (*result.expected.values(), *result.draws.values()))


def test_a_state_is_saved_and_read(there, tmp_path):
    """Where it was: on the device, and without it, its tensors on the CPU."""
    x = torch.arange(3.0, device=there)
    checkpoint.save(tmp_path / "x.npz", {"x": x})
    assert checkpoint.load(tmp_path / "x.npz", (), there)["x"].device.type == there.type
    assert torch.equal(checkpoint.load(tmp_path / "x.npz")["x"], x.cpu())


@pytest.mark.slow
@pytest.mark.parametrize("argv", [
    "--problem 1 --image small --method mean_field --method loopy_bp --method gibbs --sweeps 4",
    "--problem 2 --ratings examples/ratings.csv --bare --epochs 2 --method coordinate_ascent",
    "--problem 3 --ratings examples/ratings.csv --bare --sweeps 3 --kernel row_gibbs"])
def test_a_run(argv, there, tmp_path):
    """The door, figures and tables included."""
    with mock.patch("torch.cuda.is_available", lambda: True), mock.patch("torch.cuda.device_count", lambda: 1):
        assert run.guarded([*argv.split(), "--device", there.type, "--out", str(tmp_path / "out")]) == 0
