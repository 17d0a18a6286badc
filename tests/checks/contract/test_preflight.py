"""The pre-flight of a user's file: every fault a sentence that says what, where and what to write instead."""

import re
import time
from dataclasses import replace

import pytest
import torch

from checks.contract.preflight import at_size, preflight
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.verdict import Outcome
from errors import InputError
from inference import load
from inference.job import generator
from models.factorization import Factorization
from models.grid import GridMRF
from models.ladder import make
from run import guarded

MODEL = Factorization(5000, 90, 3)
IMAGE = GridMRF.potts(torch.zeros(200, 200, 2), 1.0, (0.4, 0.1))

HEAD = '''"""Mine."""
from dataclasses import dataclass, replace
import torch
from inference.method import Info
FAMILY = "mcmc"
@dataclass(frozen=True)
class State:
    U: torch.Tensor
    V: torch.Tensor
def init(rng, model, data):
    return State(**model.prior(rng))
def step(rng, state, model, data):
    return replace(state, U=state.U + torch.randn(state.U.shape, generator=rng, dtype=torch.float64)), Info(accept=0.5)
def draw(rng, state, model):
    return {"U": state.U, "V": state.V}
'''
TRANSITION = "import torch\ndef transition(rng, latents, model, data):\n    U, V = latents['U'], latents['V']\n"
PYRO = '''"""Mine."""
from collections import OrderedDict
import torch
from pyro.infer import HMC
class Mine(HMC):
    def __init__(self, model):
        super().__init__(model, step_size=0.1, num_steps=2)
'''
STEP = "def step(rng, state, model, data):\n"
DRAW = "def draw(rng, state, model):\n"
FAULTS = {
    "raises": (TRANSITION + "    return {'U': U @ V, 'V': V}\n", r"raised RuntimeError \(mine.py, line 4\)"),
    "shape": (TRANSITION + "    return {'U': U.T, 'V': V}\n",
              r"returns U of shape \(2, 6\); the model's is \(6, 2\): keep the shape of model.sites"),
    "dtype": (TRANSITION + "    return {'U': U.float(), 'V': V}\n", "write dtype=torch.float64 where"),
    "site": (TRANSITION + "    return {'U': U}\n", "returns U; the latents are U, V: return a dict"),
    "none": (TRANSITION + "    pass\n", "returns NoneType for the latents: return a dict, site -> tensor, with U, V"),
    "nan": (TRANSITION + "    return {'U': U, 'V': (V - 1e9).sqrt()}\n", "returns V with numbers that are not finite"),
    "seed": (TRANSITION + "    return {'U': torch.randn_like(U), 'V': V}\n", r"global .* generator=rng"),
    "forked": (TRANSITION + "    with torch.random.fork_rng():\n        return {'U': torch.randn_like(U), 'V': V}\n",
               "same seed gives other draws: .* give every draw generator=rng"),
    "ratings": (TRANSITION + "    data.rating.sub_(3)\n    return {'U': U, 'V': V}\n",
                r"writes into the data's rating, which it was given: work on a copy, as rating.clone\(\)"),
    "in place": (TRANSITION + "    U.add_(1)\n    return {'U': U, 'V': V}\n",
                 r"step writes into the State's position U, which it was given: make a new State"),
    "alone": (HEAD + STEP + "    return state\n", "step returns a State: .* write `return state, Info"),
    "float info": (HEAD + STEP + "    return state, 0.5\n", "step returns a float in the place of its Info"),
    "long info": (HEAD + STEP + "    return state, Info(accept=torch.ones(3))\n",
                  r"the Info's accept is a tensor of shape \(3,\): it must be one number"),
    "word info": (HEAD + STEP + "    return state, {'speed': 'fast'}\n", "the Info's speed is a str"),
    "dict state": (HEAD + "def init(rng, model, data):\n    return model.prior(rng)\n",
                   "init returns a dict: a State is a dataclass"),
    "generator": (HEAD.replace("    V: torch.Tensor\n", "    V: torch.Tensor\n    rng: object = None\n") +
                  "def init(rng, model, data):\n    return State(**model.prior(rng), rng=rng)\n",
                  "State cannot be saved, .* not Generator"),
    "elsewhere": (HEAD + "from inference.factorization.row_gibbs import State as S\ndel State\n"
                  "def init(rng, model, data):\n    import inference.factorization.row_gibbs as r\n"
                  "    return r.State(**model.prior(rng), engine='torch')\ndel S\n",
                  "State is a State, which is not defined in the file"),
    "draw": (HEAD + DRAW + "    return state.U\n", "returns Tensor for the latents"),
    "expect": (HEAD + "def expect(state, model):\n    return {'U_mean': state.U / 0}\n", "expect returns numbers that"),
    "no model": (PYRO + "from pyro.infer.mcmc.mcmc_kernel import MCMCKernel\ndel Mine\nclass Bare(MCMCKernel):\n"
                 "    def __init__(self, model):\n        self.transforms = {}\n"
                 "    def sample(self, params):\n        return params\n", "Bare has no `model`"),
    "logging": (PYRO + "    def logging(self):\n        return OrderedDict(step=torch.ones(1))\n",
                r"Mine.logging\(\) cannot be written as JSON .* return an OrderedDict of words"),
    "sample": (PYRO + "    def sample(self, params):\n        return {'U': params['U']}\n", "forgets the site V"),
}
REFUSED_AT_ONCE = {"no model"}  # by the kernel's own init, on the real model


def mine(tmp_path, body, model="factorization"):
    path = tmp_path / "mine.py"
    path.write_text(body)
    return load.method(model, str(path))


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_a_sentence(tmp_path, name):
    body, message = FAULTS[name]
    method = mine(tmp_path, body)
    with pytest.raises(InputError, match=message) as found:
        preflight(method, {}, Factorization(9, 8, 2))
        method.init(generator(0, "real"), *MODEL.small(torch.Generator().manual_seed(0)))
    assert str(found.value).count("\n") == 0
    assert name in REFUSED_AT_ONCE or str(found.value).startswith("mine")


@pytest.mark.parametrize("body", [HEAD, TRANSITION + "    return {'U': 1 * U, 'V': V}\n", PYRO], ids=["a", "b", "c"])
def test_nothing_is_said_of_a_file_without_fault(tmp_path, body):
    method = mine(tmp_path, body)
    before = torch.get_rng_state()
    preflight(method, {}, MODEL)
    assert torch.equal(before, torch.get_rng_state())


def test_it_is_quick_and_the_users_options_are_used(tmp_path):
    """Two seconds are allowed; most of what it takes is Pyro's import, done here already."""
    method = mine(tmp_path, TRANSITION.replace("data)", "data, *, size: float = 1.0)") +
                  "    return {'U': U / size, 'V': V}\n")
    started = time.perf_counter()
    preflight(method, {"size": 2.0}, MODEL)
    assert time.perf_counter() - started < 2
    with pytest.raises(InputError, match="not finite"):
        preflight(method, {"size": 0.0}, MODEL)


def test_what_refuses_the_small_problem_is_left_to_the_real_one(tmp_path):
    method = mine(tmp_path, "from errors import InputError\n" + TRANSITION +
                  "    raise InputError('ten items at least')\n")
    preflight(method, {}, MODEL)


@pytest.mark.parametrize("body, message", [
    ("def transition(rng, latents, model, data):\n    return {'labels': latents['labels'] + 2}\n",
     r"returns labels outside 0..1: "),
    ("def transition(rng, latents, model, data):\n    return {'labels': latents['labels'].double()}\n",
     "returns labels as torch.float64; it was given torch.int64"),
    ("def transition(rng, latents, model, data):\n    return latents\n", None),
])
def test_grids(tmp_path, body, message):
    method = mine(tmp_path, '"""Mine."""\n' + body, "grid")
    if message is None:
        preflight(method, {}, IMAGE)
        return
    with pytest.raises(InputError, match=message):
        preflight(method, {}, IMAGE)


def test_a_file_for_the_other_model_is_told_what_it_was_given(tmp_path):
    head = "def transition(rng, latents, model, data):\n"
    with pytest.raises(InputError, match=r"'NoneType' .*; it was given a grid, latents labels .* and data None"):
        preflight(mine(tmp_path, head + "    return data.user\n"), {}, IMAGE)
    with pytest.raises(InputError, match="'labels'; it was given a factorization, latents U, V, and the ratings"):
        preflight(mine(tmp_path, head + "    return latents['labels']\n"), {}, MODEL)
    with pytest.raises(InputError, match="Mine needs a Pyro program, and a GridMRF has none: write a function trans"):
        mine(tmp_path, PYRO, "grid").init(generator(0, "a"), IMAGE, None)


def test_a_transition_starts_on_an_image_of_any_size(tmp_path):
    method = mine(tmp_path, "def transition(rng, latents, model, data):\n    return latents\n", "grid")
    labels = method.draw(generator(0, "a"), method.init(generator(0, "a"), IMAGE, None), IMAGE)["labels"]
    assert labels.shape == (200, 200) and set(labels.unique().tolist()) == {0, 1}


def test_a_sampler_of_fewer_sites_than_the_model_has_is_refused(tmp_path):
    model = make("noise+biases", 6, 4, 2)
    method, ladder = mine(tmp_path, HEAD.replace("**model.prior(rng)", "*map(model.prior(rng).get, 'UV')")), \
        load.method("factorization", "ladder_gibbs")
    for size in (model, model.small(torch.Generator().manual_seed(0))[0]):
        with pytest.raises(InputError, match="mine does not fit this model: it returns U, V; the latents are U, V, "
                                             "item_bias, sigma2, user_bias"):
            at_size(method, method.init(generator(0, "a"), size, None), size)
    small, data = model.small(torch.Generator().manual_seed(0))
    at_size(ladder, ladder.init(generator(0, "a"), small, data), small)
    with pytest.raises(InputError, match="mine: it returns U, V; the latents are"):
        preflight(method, {}, model)
    with pytest.raises(InputError, match="mine: sigma2 never moves, in 20 steps, and this model learns it"):
        preflight(mine(tmp_path, TRANSITION + "    return latents | {'U': 1 * U}\n"), {}, make("noise", 6, 4, 2))
    preflight(replace(ladder, by="user"), {}, model)


@pytest.mark.parametrize("wild, message", [
    ("x * 1e9", r"it runs away: . reaches .*e\+09 within 3 steps"),
    ("x / 0", r"numbers that are not finite in \d+ of \d+ replicates, \d steps on"),
])
def test_what_goes_astray_in_few_replicates_is_a_finding_of_check(tmp_path, wild, message):
    """The pre-flight has no chance to see it; the judge must not fall over it."""
    method = mine(tmp_path, "import torch\nBATCHED = True\ndef transition(rng, latents, model, data):\n"
                  "    n = latents['U'].shape[0]\n    some = torch.rand(n, 1, 1, generator=rng) < 0.01\n"
                  f"    return {{site: x.where(~some, {wild}) for site, x in latents.items()}}\n")
    verdict = judge(Kernel(method), "factorization", seed=1, looks=(100,))
    assert verdict.outcome is Outcome.WRONG and re.search(message, verdict.headline), verdict.headline


def test_at_the_door_before_anything_is_written(tmp_path, capsys):
    ratings = tmp_path / "ratings.csv"
    lines = [f"{i},{j},{1 + (i + j) % 5}" for i in range(8) for j in range(5)]
    ratings.write_text("\n".join(["user,item,rating", *lines]))
    mine(tmp_path, FAULTS["shape"][0])
    words = ["--ratings", str(ratings), "--out", str(tmp_path / "out"), "--bare"]
    for more in (["--problem", "3", "--kernel", str(tmp_path / "mine.py")],
                 ["--problem", "2", "--method", str(tmp_path / "mine.py")]):
        assert guarded(more + words) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: mine: it returns U of shape") and said.count("\n") == 1
    mine(tmp_path,
         "def transition(rng, latents, model, data):\n    return {'labels': -1 - latents['labels']}\n", "grid")
    assert guarded(["--problem", "1", "--image", "small", "--method", str(tmp_path / "mine.py"),
                    "--out", str(tmp_path / "out")]) == 2
    assert "mine: it returns labels outside 0..1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
