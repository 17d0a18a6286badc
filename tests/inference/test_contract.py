"""Every registered method through the same checks, on a problem where the answer is enumerated."""

import inspect
import os
import random
import signal
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor

from errors import InputError, Interrupted
from inference import load
from inference.checkpoint import _pack
from inference.drive import drive
from inference.factorization.predictive import Predictive
from inference.job import Plan, generator
from inference.method import Family, Info
from inference.options import choices, option
from models.factorization import Factorization
from models.grid import GridMRF

METHODS = [(model, name) for model in ("grid", "factorization") for name in load.names(model)]


def problem(model: str):
    """A small model and its data; one user and one item of the factorization have no rating."""
    if model == "factorization":
        pairs = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 4, 4]), torch.tensor([0, 1, 2, 0, 3, 1, 2, 3, 0, 2])
        known = Factorization(6, 5, 2, prior_variance=1.5, noise_variance=0.5, pairs=pairs)
        rng = generator(0, "ratings")
        return known, known.simulate(rng, known.prior(rng))
    image = torch.nn.functional.one_hot(torch.tensor([[0, 0, 1], [0, 1, 1]]), 2)
    return GridMRF.potts(image, evidence=0.7, coupling=(0.4, -0.3)), None


def arrays(state) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    _pack(state, found)
    return {name: array.copy() for name, array in found.items()}


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=True) for k in a)


def global_randomness() -> tuple[bytes, str, str]:
    return torch.get_rng_state().numpy().tobytes(), str(np.random.get_state(legacy=False)), repr(random.getstate())


@pytest.fixture(params=METHODS, ids="/".join)
def case(request):
    model, name = request.param
    return load.method(model, name), *problem(model)


def test_same_seed_same_bytes_and_globals_untouched(case):
    method, model, data = case
    before = global_randomness()
    first = drive(method, model, data, Plan(steps=3, draws=5, seed=7))
    assert global_randomness() == before
    torch.rand(3)
    again = drive(method, model, data, Plan(steps=3, draws=5, seed=7))
    assert same(first.draws, again.draws) and same(first.expected, again.expected) and same(first.trace, again.trace)
    other = drive(method, model, data, Plan(steps=3, draws=5, seed=8))
    assert method.family is Family.POINT or not same(first.draws, other.draws), "the seed changes nothing"


def test_state_is_annotated_and_step_leaves_its_input_alone(case):
    method, model, data = case
    rng = generator(0, "contract")
    state = method.init(rng, model, data)
    for _ in range(2):
        assert is_dataclass(state)
        with pytest.raises(FrozenInstanceError):
            setattr(state, fields(state)[0].name, None)
        with jaxtyping.jaxtyped("context"):
            for f in fields(state):
                value, hint = getattr(state, f.name), str(f.type)
                if isinstance(value, Tensor):
                    assert hint != "Tensor", f"{f.name} has no shape in its annotation"
                    owner = next(c for c in type.mro(type(state)) if f.name in inspect.get_annotations(c))
                    names = vars(sys.modules[owner.__module__])
                    assert isinstance(value, eval(hint, names)), f"{f.name} is not a {hint}"
        before = arrays(state)
        new, info = method.step(rng, state, model, data)
        assert same(before, arrays(state)), "step wrote into its input"
        assert isinstance(info, Info)
        state = new


def test_draws_agree_with_expectations(case):
    """Grid: Hoeffding at 1e-6 over the 12 label indicators, counting ten steps of a chain as one free draw.

    Factorization: 300 free draws of 10 predictions, each a sum of products of Gaussians; eight standard errors,
    where the normal tail is 1e-14 and a product's still below 1e-7. Chains have no expectation but their draws'.
    """
    method, model, data = case
    chain, ratings = method.family is Family.MCMC, isinstance(model, Factorization)
    n = (20 if chain else 300) if ratings else 4000 if chain else 1000
    n = 1500 if method.name == "gibbs_pgmpy" else n  # a sweep of it takes 2 ms
    result = drive(method, model, data, Plan(steps=n if chain else 5 if ratings else 20, draws=n))
    drawn = model.quantities({k: torch.from_numpy(v).flatten(0, 1) for k, v in result.draws.items()})
    for name, value in drawn.items():
        if ratings:
            bound = 8 * value.std(0, correction=0).numpy() / np.sqrt(len(value)) + 1e-12
        else:
            bound = np.sqrt(np.log(2 * 12 / 1e-6) / (2 * (n / 10 if chain else n)))
        assert (np.abs(value.mean(0).numpy() - result.expected[name]) <= bound).all()


def test_resumed_equals_uninterrupted(case, tmp_path):
    method, model, data = case
    if method.family is Family.EXACT:
        pytest.skip("one step: there is nothing between to stop at")
    plan = Plan(steps=6, chains=2, warmup=2, draws=4)
    observer = Predictive(model, {"test": data}, method.family, samples=3) if data is not None else None
    whole = drive(method, model, data, plan, observer=observer)
    if whole.steps < 4:
        assert method.family is Family.POINT
        pytest.skip("it is at its fixed point before there is anything to stop at")

    def stop_at_3(step, _):
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    path = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        drive(method, model, data, plan, save_to=path, on_step=stop_at_3, observer=observer)
    resumed = drive(method, model, data, plan, save_to=path, observer=observer)
    assert same(whole.draws, resumed.draws) and same(whole.expected, resumed.expected)
    assert same(whole.trace, resumed.trace)
    with pytest.raises(InputError, match="another run"):
        drive(method, model, data, Plan(steps=6, chains=2, warmup=2, draws=4, seed=1), save_to=path, observer=observer)


def test_options_are_checked(case):
    method, _, _ = case
    with pytest.raises(InputError, match="unknown option"):
        option(method, "no_such_option", 1)
    for name, parameter in method.options.items():
        if choices(parameter.annotation):
            with pytest.raises(InputError, match=f"unknown {name}"):
                option(method, name, "nonsense")
        elif parameter.annotation in (int, float, bool):
            with pytest.raises(InputError, match=name):
                option(method, name, "nonsense")
