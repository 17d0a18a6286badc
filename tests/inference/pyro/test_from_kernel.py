"""Pyro kernels as methods: resumed to the same bytes, globals untouched, wrong kernels named in one sentence."""

import os
import random
import signal
from types import ModuleType

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import HMC, NUTS, RandomWalkKernel
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel

from errors import InputError, Interrupted
from inference import load
from inference.drive import drive
from inference.job import Plan, generator
from inference.pyro import from_kernel
from models.factorization import Factorization


@pytest.fixture(scope="module")
def case():
    rng = torch.Generator().manual_seed(0)
    user, item = (torch.rand(4, 3, generator=rng) < 0.7).nonzero(as_tuple=True)
    model = Factorization(4, 3, 1, prior_variance=1.5, noise_variance=0.8, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng))


def method(kernel):
    return from_kernel.as_method(ModuleType("mine"), kernel, "mine", "user")


class Hamiltonian(HMC):
    def __init__(self, model):
        super().__init__(model, step_size=0.1, num_steps=3)


METHODS = {
    "row_gibbs": lambda: load.method("factorization", "kernel_row_gibbs_pyro"),
    "nuts": lambda: load.method("factorization", "nuts_pyro"),
    "walk": lambda: method(RandomWalkKernel),
    "hmc": lambda: method(Hamiltonian),
}


def interrupt_at(stop):
    def on_step(step, _):
        if step == stop:
            os.kill(os.getpid(), signal.SIGINT)
    return on_step


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name == "nuts")) for name in METHODS])
def test_resumed_equals_uninterrupted_and_globals_stay(case, name, tmp_path):
    model, data = case
    chosen = METHODS[name]()
    options = {"warmup": 30} if "warmup" in chosen.options else {}
    plan = Plan(steps=40, chains=2, warmup=30)
    before = [torch.get_rng_state().tolist(), str(np.random.get_state(legacy=False)), random.getstate()]
    whole = drive(chosen, model, data, plan, options)
    assert before == [torch.get_rng_state().tolist(), str(np.random.get_state(legacy=False)), random.getstate()]
    assert not list(pyro.get_param_store().keys())
    assert whole.draws["U"].shape == (2, 10, 4, 1) and not (whole.draws["U"][0] == whole.draws["U"][1]).all()
    path = tmp_path / "run.npz"
    for stop in (3, 33):  # while the kernel adapts, and after
        path.unlink(missing_ok=True)
        with pytest.raises(Interrupted):
            drive(chosen, model, data, plan, options, save_to=path,
                  on_step=interrupt_at(stop))
        from_kernel._alive.clear()
        resumed = drive(chosen, model, data, plan, options, save_to=path)
        assert all(np.array_equal(whole.draws[s], resumed.draws[s]) for s in "UV")


def test_a_step_from_the_same_state_is_the_same_step(case):
    model, data = case
    nuts = load.method("factorization", "nuts_pyro")
    state = nuts.init(generator(0, "a"), model, data, warmup=5)
    first, again = (nuts.step(generator(1, "b"), state, model, data)[0] for _ in range(2))
    assert torch.equal(first.latents["U"], again.latents["U"])


@pytest.mark.parametrize("name", METHODS)
def test_started_at_given_latents_it_moves_from_there(case, name):
    """A kernel without a tuned step size must do on other data what a chain started there does."""
    model, data = case
    chosen, latents = METHODS[name](), model.prior(generator(3, "latents"))
    state = chosen.start(generator(0, "a"), model, data, latents)
    assert all(torch.equal(state.latents[site], latents[site]) for site in latents)
    other = model.simulate(generator(4, "data"), {s: 3 * x for s, x in latents.items()})
    fresh = chosen.start(generator(0, "a"), model, other, latents)
    moved, expected = (chosen.step(generator(5, "b"), s, model, other)[0].latents["U"] for s in (state, fresh))
    if name in ("row_gibbs", "walk"):  # the others found another step size for the other data
        assert torch.equal(moved, expected)
    assert torch.isfinite(moved).all()


class Still(MCMCKernel):
    """A kernel that stays where it is: the base of wrong ones."""

    initial_params: dict[str, torch.Tensor] = {}  # noqa: RUF012

    def __init__(self, model):
        self.model, self.transforms = model, {}

    def setup(self, warmup_steps, data):
        self.initial_params = {"U": torch.zeros(4, 1).double(), "V": torch.zeros(3, 1).double()}

    def sample(self, params):
        return params


def wrong(change):
    return type("Mine", (Still,), {"sample": lambda self, params: change(params)})


@pytest.mark.parametrize("kernel, message", [
    (wrong(lambda p: p | {"U": p["U"].T}), r"changed the shape of site U from \(4, 1\) to \(1, 4\)"),
    (wrong(lambda p: p | {"V": p["V"].float()}), "changed the dtype of site V from torch.float64 to torch.float32"),
    (wrong(lambda p: p | {"V": p["V"] / 0}), "returned NaN or inf at 3 of 3 entries of site V"),
    (wrong(lambda p: {"U": p["U"]}), "Mine.sample forgets the site V"),
    (wrong(lambda p: p | {"W": p["U"]}), "Mine.sample invents the site W"),
    (wrong(lambda p: None), "returned a NoneType"),
    (wrong(lambda p: p | {"U": 0.0}), "returned a float for site U"),
])
def test_a_wrong_sample_is_named(case, kernel, message):
    model, data = case
    with pytest.raises(InputError, match=message):
        drive(method(kernel), model, data, Plan(steps=2), {"warmup": 0})


def test_a_wrong_kernel_is_named(case):
    model, data = case

    def message(kernel):
        with pytest.raises(InputError) as found:
            method(kernel).init(generator(0, "a"), model, data)
        return str(found.value)

    def bare(self, model):
        self.kept = model

    assert "has no `model`" in message(type("Mine", (Still,), {"__init__": bare}))
    assert "has no `transforms`" in message(type("Mine", (Still,), {"__init__": lambda s, m: setattr(s, "model", m)}))
    assert "cannot be made from a Pyro model alone" in message(
        type("Mine", (Still,), {"__init__": lambda s, model, size: None}))
    assert "NotOne is not a kernel" in message(type("NotOne", (), {"__init__": bare}))
    half = type("Mine", (Still,), {"setup": lambda self, w, data: setattr(self, "initial_params", {
        "U": torch.zeros(4, 1).double()})})
    assert "forgets the site V" in message(half)


def test_a_kernel_in_a_file_by_name_or_alone(case, tmp_path):
    model, data = case
    path = tmp_path / "mine.py"
    path.write_text("from pyro.infer import HMC\n\n\nclass Slow(HMC):\n"
                    "    def __init__(self, model):\n        super().__init__(model, step_size=0.1, num_steps=2)\n")
    for spec, name in ((str(path), "mine"), (f"{path}:Slow", "mine_Slow")):
        chosen = load.method("factorization", spec)
        result = drive(chosen, model, data, Plan(steps=3), {"warmup": 0})
        assert (chosen.name, chosen.by) == (name, "user") and result.draws["U"].shape == (1, 3, 4, 1)
    with pytest.raises(InputError, match=r"unknown guide or kernel in .*mine.py 'Slo': did you mean 'Slow'"):
        load.method("factorization", f"{path}:Slo")
    path.write_text(path.read_text() + "\n\nclass Other(Slow):\n    pass\n")
    with pytest.raises(InputError, match=r"mine.py holds Slow, Other: name one, as in .*mine.py:Slow"):
        load.method("factorization", str(path))


def test_a_function_that_makes_a_kernel(case, tmp_path):
    """By its name, beside the classes and functions that it needs; another one by the user's word."""
    model, data = case
    path = tmp_path / "mine.py"
    path.write_text("from pyro.infer import HMC, NUTS\n\n\nclass Slow(HMC):\n    pass\n\n\n"
                    "def kernel(model):\n    return Slow(model, step_size=0.1, num_steps=2)\n\n\n"
                    "def kernel_matrix(x):\n    return x\n\n\n"
                    "def long_kernel(model):\n    return NUTS(model)\n")
    for spec, name, made in ((str(path), "mine", "Slow"), (f"{path}:kernel", "mine_kernel", "Slow"),
                             (f"{path}:long_kernel", "mine_long_kernel", "NUTS")):
        chosen = load.method("factorization", spec)
        state = chosen.init(generator(0, "a"), model, data, warmup=0)
        assert chosen.name == name and type(from_kernel.kernel_of(state)).__name__ == made
    path.write_text("def kernel_matrix(x):\n    return x\n")
    with pytest.raises(InputError, match="a function `transition`, `guide` or `kernel`"):
        load.method("factorization", str(path))


def test_wrong_options_of_nuts(case):
    model, data = case
    nuts = load.method("factorization", "nuts_pyro")
    for options, message in (({"max_tree_depth": 0}, "max_tree_depth must be at least 1"),
                             ({"target_accept": 1.0}, "target_accept must lie between 0 and 1"),
                             ({"warmup": -1}, "warmup must be at least 0")):
        with pytest.raises(InputError, match=message):
            nuts.init(generator(0, "a"), model, data, **options)
    with pytest.raises(InputError, match="nuts_pyro is for small problems"):
        nuts.init(generator(0, "a"), Factorization(20_000, 3, 2), data)


def test_the_program_or_the_model_as_the_kernel_asks(case):
    model, _ = case
    assert from_kernel._argument(NUTS, model) == model.program
    assert from_kernel._argument(METHODS["row_gibbs"]().module.RowGibbs, model) is model
