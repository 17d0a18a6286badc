"""What a user's file holds, as methods."""

import os

import pytest
import torch

from errors import InputError
from inference import load, user_file
from inference.program import own
from inference.pyro import from_kernel
from tests.support.programs import NORMAL, program

HELD = NORMAL + '''
from pyro.infer import HMC
from pyro.infer.autoguide import AutoNormal

def hmc_kernel(model):
    return HMC(model, num_steps=3)

def my_guide(y):
    pyro.sample("mu", dist.Normal(pyro.param("m", torch.tensor(0.)), 1.))

auto_guide = AutoNormal(model)

def transition(latents, y):
    return {"mu": latents["mu"] + y.sum() * 0 + torch.randn(())}
'''


def held(folder):
    model = program(folder, HELD)
    return model, own.methods(user_file.read(str(folder / "mine.py")))


def test_everything_is_found_by_name(tmp_path):
    _, found = held(tmp_path)
    assert {name: (m.name, str(m.family)) for name, m in found.items()} == {
        "hmc_kernel": ("mine_hmc_kernel", "mcmc"), "my_guide": ("mine_my_guide", "variational"),
        "auto_guide": ("mine_auto_guide", "variational"), "transition": ("mine_transition", "mcmc")}
    assert load.method("program", f"{tmp_path}/mine.py:transition").code
    with pytest.raises(InputError, match="holds hmc_kernel, my_guide, auto_guide, transition: name one"):
        load.method("program", f"{tmp_path}/mine.py")


def test_a_kernel_started_at_latents_is_tuned_as_after_its_warm_up(tmp_path):
    model, found = held(tmp_path)
    start = found["hmc_kernel"].start
    assert start
    states = [start(torch.Generator().manual_seed(s), model, model.data, {"mu": torch.tensor(x).double()})
              for s, x in ((1, 0.3), (2, -4.0))]
    kernels = [kernel for state in states if (kernel := from_kernel.kernel_of(state))]
    sizes = [kernel.step_size for kernel in kernels]
    masses = [next(iter(kernel.inverse_mass_matrix.values())) for kernel in kernels]
    assert sizes[0] == sizes[1] != 1.0 and torch.equal(*masses) and float(masses[0].squeeze()) != 1.0


def test_many_replicates_are_moved_at_once_each_by_its_own_numbers(tmp_path):
    model, found = held(tmp_path)
    latents, data = model.joint(torch.Generator().manual_seed(0), 6)
    method = found["transition"]
    assert method.start
    state = method.start(torch.Generator(), model, data, latents)
    moved = method.draw(torch.Generator(), method.step(torch.Generator(), state, model, data)[0], model)["mu"]
    assert moved.shape == (6,) and len((moved - latents["mu"]).unique()) == 6


def test_a_file_that_changes_within_a_second_is_read_anew(tmp_path):
    """Python's own cache of compiled files looks at seconds and sizes only."""
    path = tmp_path / "mine.py"
    for value in (1, 2):
        path.write_text(f"VALUE = {value}\n")
        os.utime(path, (10**9, 10**9))
        assert value == user_file.read(str(path)).module.VALUE
