"""`seconds` is the work of inference: what is compiled or loaded meanwhile is `loading`, and on no step's clock."""

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from errors import Interrupted
from inference import load, loading
from inference.drive import drive
from inference.job import Plan
from inference.result import Result
from models.grid import GridMRF

COMPILES = '''"""A kernel compiled anew for every height of image."""
import torch
from numba import njit

@njit
def total(sizes):
    return sum(sizes)

def transition(rng, latents, model, data):
    total((1,) * model.shape[0])
    return {"labels": torch.randint(model.shape[2], model.shape[:2], generator=rng)}
'''

# Every method on shapes that take different kernels. The clock jumps by a day whenever numba lets go of its lock, so
# a step that waited for it and counts that is a day long; and what a step imports is written down.
EVERYTHING = '''
import sys, time
from dataclasses import replace
import json
import torch
from numba.core import event

jumped, real = [0.0], time.perf_counter
time.perf_counter = lambda: real() + jumped[0]

class Jump(event.Listener):
    def on_start(self, e): pass
    def on_end(self, e): jumped[0] += 86400.0

event.register("numba:compiler_lock", Jump())
from inference import load
from inference.drive import drive
from inference.job import Plan, generator
from models.grid import GridMRF
from models.ladder import make

def potts(K, strength=1.0):
    image = torch.nn.functional.one_hot(torch.tensor([[0, 1, 0], [1, 1, 0]]), K)
    return GridMRF.potts(image, strength, (1.2 * strength, -0.4 * strength)), None

def tables(K):
    g = torch.Generator().manual_seed(0)
    return GridMRF(*(torch.randn(s, generator=g, dtype=torch.float64)
                     for s in ((2, 3, K), (2, 2, K, K), (1, 3, K, K)))), None

def ratings(words, rank):
    return make(words, 6, 4, rank).small(generator(0, "ratings"))

WORDS = {"loopy_bp": [{"schedule": "sequential"}], "maximum_likelihood": [{"algorithm": "sgd"}],
         "gibbs": [{"schedule": "raster"}], "coordinate_ascent": [{"covariance": "row"}]}
given = {"grid": [potts(2), potts(3), potts(2, 900.0), tables(2), tables(3)],
         "factorization": [ratings("plain", 2), ratings("biases", 1), ratings("noise+hierarchical", 2)]}
told = {}
for kind in given:
    for name in [name for name in load.names(kind) if name in (sys.argv[1:] or [name])]:
        method = load.method(kind, name)
        for k, (model, data) in enumerate(given[kind]):
            for options in [{}, *[o for o in WORDS.get(name, []) if set(o) <= set(method.options)]]:
                imported = []
                def step(rng, state, m, d):
                    before = set(sys.modules)
                    after = method.step(rng, state, m, d)
                    imported.extend((set(sys.modules) - before) if m is model else ())
                    return after
                try:
                    result = drive(replace(method, step=step), model, data, Plan(2, draws=0), options)
                except ValueError:
                    continue  # a model that it refuses
                told[f"{kind}/{name}/{k}/{options}"] = [float(result.seconds.max()), result.loading, imported]
print(json.dumps(told))
'''


@pytest.fixture
def model():
    return GridMRF.potts(torch.eye(2)[torch.tensor([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])], 1.0, (0.5, 0.1))


@pytest.mark.slow
@pytest.mark.parametrize("names", [("strip", "junction_tree_pgmpy", "row_gibbs"),
                                   pytest.param((), marks=pytest.mark.slow, id="all")])
def test_no_step_has_loading_on_its_clock(names):
    """In a process of its own, where nothing is loaded yet."""
    root = Path(load.__file__).parents[1]
    command = [sys.executable, "-c", EVERYTHING, *names]
    told = json.loads(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)
    every = [*load.names("grid"), *load.names("factorization")]
    assert {name.split("/")[1] for name in told} == set(names or every)
    assert not {name: said for name, said in told.items() if said[0] > 3600}, "loading is on the clock"
    assert not {name: said for name, said in told.items() if said[2]}, "imported on the clock"
    assert sum(said[1] for said in told.values()) > 86400, "the clock never jumped: this shows nothing"


def test_what_a_users_kernel_compiles_is_loading(tmp_path, model, monkeypatch):
    (tmp_path / "mine.py").write_text(COMPILES)
    days = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: days[0])
    plain = loading.Loading.on_end

    def on_end(self, event):
        days[0] += 1.0
        plain(self, event)

    monkeypatch.setattr(loading.Loading, "on_end", on_end)
    result = drive(load.method("grid", str(tmp_path / "mine.py")), model, None, Plan(3))
    assert (result.seconds == 0).all() and result.loading >= 1
    assert f"after {result.loading:.2g} s of loading" in repr(result)


def test_loading_adds_up_over_a_resumed_run_and_is_saved(tmp_path, model, monkeypatch):
    monkeypatch.setattr(loading, "rehearse", lambda method, model, options: 4.0)
    method, path = load.method("grid", "gibbs"), tmp_path / "run.npz"
    drive(method, model, None, Plan(2))  # whatever there is to load
    with pytest.raises(Interrupted):
        drive(method, model, None, Plan(6), save_to=path,
              on_step=lambda step, _: os.kill(os.getpid(), signal.SIGINT) if step == 3 else None)
    result = drive(method, model, None, Plan(6), save_to=path)
    assert result.loading == 8.0 and result.seconds.shape == (1, 6)
    assert Result.load(result.save(tmp_path)).loading == 8.0


def test_a_rehearsal_is_not_noticed(model):
    """Neither by the global generators, nor where the small instance is refused, nor twice."""
    method, before = load.method("grid", "gibbs"), torch.get_rng_state()
    loading._tried.clear()
    loading.rehearse(method, model, {"no_such_option": "word"})
    loading.rehearse(method, model, {})
    seen = set(loading._tried)
    loading.rehearse(method, model, {})
    assert len(seen) == 2 and seen == loading._tried and torch.equal(before, torch.get_rng_state())
    assert np.isfinite(drive(method, model, None, Plan(2)).seconds).all()


def test_a_rehearsal_takes_nothing_from_the_global_generators(tmp_path, model):
    """A user's kernel may draw from any of them, and so may whoever called it."""
    (tmp_path / "mine.py").write_text('''"""Draws from everything."""
import random
import numpy as np
import torch
def transition(rng, latents, model, data):
    random.random(), np.random.random(), torch.rand(1)
    return latents
''')

    def states() -> list[object]:
        return [random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()]

    before = states()
    loading.rehearse(load.method("grid", str(tmp_path / "mine.py")), model, {})
    assert states() == before
