"""The loop, results on disk and the loader."""

import numpy as np
import pytest
import torch

from errors import InputError
from inference import checkpoint, load
from inference.drive import drive
from inference.job import Plan
from inference.options import option
from inference.result import Result
from models.grid import GridMRF

MINE = '''"""A walk that says nothing.

More of it.
"""
from dataclasses import dataclass
import torch
FAMILY = "mcmc"

@dataclass(frozen=True)
class State:
    labels: torch.Tensor

def init(rng, model, data, *, stride: int = 1):
    return State(torch.zeros(model.shape[:2], dtype=torch.int64))

def step(rng, state, model, data):
    return State(torch.randint(model.shape[2], model.shape[:2], generator=rng)), {"accept": 1.0}

def draw(rng, state, model):
    return {"labels": state.labels}
'''


@pytest.fixture
def model():
    return GridMRF.potts(torch.eye(3)[torch.tensor([[0, 1], [2, 1]])], 1.0, (0.5, 0.1))


def test_a_users_file_runs_and_comes_back_from_disk(tmp_path, model):
    (tmp_path / "mine.py").write_text(MINE)
    method = load.method("grid", str(tmp_path / "mine.py"))
    assert (method.name, method.by, method.summary) == ("mine", "user", "A walk that says nothing.")
    assert option(method, "stride", "3") == 3
    at_work: list[int] = []
    result = drive(method, model, None, Plan(steps=40, chains=2, warmup=10, thin=3), on_chain=at_work.append)
    assert at_work == [0, 1] * 41  # each chain sets out, and moves 40 times
    assert result.draws["labels"].shape == (2, 10, 2, 2) and result.trace["accept"].shape == (2, 40)
    back = Result.load(result.save(tmp_path / "out"))
    assert np.array_equal(back.draws["labels"], result.draws["labels"])
    assert np.array_equal(back.expected["labels"], result.expected["labels"])
    assert np.array_equal(back.seconds, result.seconds)
    assert back.header() == result.header()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["mine.json", "mine.nc"]
    data = result.to_arviz()
    assert data["expected"]["labels"].dims == ("row", "column", "label")
    assert data["posterior"]["labels"].dims == ("chain", "draw", "row", "column")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.npz"
    checkpoint.save(path, {"x": torch.arange(3)})
    with pytest.raises(TypeError, match="tensors, numbers"):
        checkpoint.save(path, {"x": object()})
    assert checkpoint.load(path)["x"].tolist() == [0, 1, 2]
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


def test_a_damaged_checkpoint_or_result_is_one_sentence(tmp_path, model):
    bad = tmp_path / "bad.npz"
    bad.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(InputError, match="cannot be read"):
        drive(load.method("grid", "brute_force"), model, None, Plan(steps=1), save_to=bad)
    bad.rename(tmp_path / "bad.nc")
    with pytest.raises(InputError, match="not a saved result"):
        Result.load(tmp_path / "bad.nc")
    with pytest.raises(InputError, match="no result at"):
        Result.load(tmp_path / "none.nc")


@pytest.mark.parametrize("text, words", [
    (MINE.replace("def draw", "def drew"), "lacks draw"),
    (MINE.replace('"mcmc"', '"mcmv"'), "did you mean 'mcmc'"),
    ("import torch\n\ndef init(:\n", "line 3: SyntaxError"),
    ("x = 1\ny = 1 / 0\n", "line 2: ZeroDivisionError"),
])
def test_a_wrong_file_is_one_sentence(tmp_path, text, words):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(InputError, match=words):
        load.method("grid", str(tmp_path / "mine.py"))


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(InputError, match="did you mean 'brute_force'"):
        load.method("grid", "brute_farce")
    with pytest.raises(InputError, match="no file"):
        load.method("grid", "absent.py")


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 5, "warmup": 5}, {"steps": 5, "chains": 0},
                                   {"steps": 5, "seed": -1}])
def test_plans_that_cannot_be(wrong):
    with pytest.raises(InputError):
        Plan(**wrong)


@pytest.mark.parametrize(("thin", "kept"), [(1, [4, 5, 6, 7]), (2, [4, 6]), (3, [4, 7])])
def test_draws_are_those_after_the_warm_up(tmp_path, model, thin, kept):
    """A state that counts its steps; an observer is told of each whether it counts."""
    (tmp_path / "mine.py").write_text(MINE.replace("torch.randint(model.shape[2], model.shape[:2], generator=rng)",
                                                   "state.labels + 1"))
    method, told = load.method("grid", str(tmp_path / "mine.py")), []

    class Watch:
        memories = ()

        def start(self):
            return 0

        def finish(self, memories):
            return {}

        def facts(self):
            return {}

        def update(self, memory, draw, warm):
            told.append((int(draw()["labels"][0, 0]), warm))
            return memory, {}

    result = drive(method, model, None, Plan(7, warmup=3, thin=thin), observer=Watch(),
                   record=lambda latents: {"steps": latents["labels"][0, 0]})
    assert result.draws["steps"][0].tolist() == kept
    assert told == [(step, step > 3) for step in range(1, 8)]


def test_the_first_save_waits_until_it_can_be_a_twentieth_of_the_time(tmp_path, model, monkeypatch):
    """What it costs is measured where a part of it is written, if it is more than that."""
    method, saves, measured = load.method("grid", "gibbs"), list[float](), list[float]()
    seconds = checkpoint.seconds

    def slow(path, size):
        measured.append(seconds(path, size))
        return 1e6 * measured[-1]

    monkeypatch.setattr("inference.checkpoint.seconds", slow)
    for part, saved in ((8, False), (10**6, True)):
        monkeypatch.setattr("inference.checkpoint.PART", part)
        drive(method, model, None, Plan(5), save_to=tmp_path / f"{part}.npz", save_every=-1, on_save=saves.append)
        assert bool(saves) == saved == (not measured[-1]) and not list(tmp_path.glob(".*.part"))
