"""No option is ignored in silence: each changes what a run leaves behind or says, or is refused in a sentence."""

import hashlib
import json
import re
from dataclasses import fields
from functools import cache
from importlib import import_module

import h5py
import numpy as np
import pytest

import run
from inference.result import OWN
from tests.support import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")

RATINGS = ("--ratings", str(ROOT / "examples/ratings.csv"), "--split", "0.6,0.2,0.2")
SMALL = ("--image", "small", "--sweeps", "4", "--bare")
MADE = ("--image", "flag", "--sweeps", "1", "--bare", "--method", "mean_field")
PATCH = ("--image", str(ROOT / "examples/patch.png"), "--sweeps", "2", "--bare", "--method", "mean_field")
SVI = (*RATINGS, "--method", "elbo_by_hand", "--epochs", "2", "--bare")
GIBBS = (*RATINGS, "--kernel", "row_gibbs", "--sweeps", "6", "--bare")

# What is run, and what is added to it: a difference, or a sentence, must come of it.
ALL = {"out": ("--out", "elsewhere"), "seed": ("--seed", "3"), "data_seed": ("--data-seed", "3"),
       "device": ("--device", "cuda"), "bare": ("--bare",), "notebook": ("--notebook",)}
OF_RATINGS = ALL | {
    "ratings": ("--ratings", "nothing.csv"), "test_ratings": ("--test-ratings", "nothing.csv"),
    "scale": ("--scale", "2,3"), "split": ("--split", "0.5,0,0.5"), "subsample": ("--subsample", "0.5"),
    "recommend": ("--recommend", "1"), "top": ("--top", "2"), "outside": ("--outside", "nowhere"),
    "rank": ("--rank", "3"), "ranks": ("--ranks", "1"), "columns": ("--columns", "user=item,item=user,rating=rating"),
    "duplicates": ("--duplicates", "first"), "noise_variance": ("--noise-variance", "0.3"),
    "prior_variance": ("--prior-variance", "0.3"), "clip": ("--clip",)}
ADDED = {
    "1": ALL | {
        "settings": ("--set", "damping=0.5"), "image": ("--image", "flag"), "labels": ("--labels", "4"),
        "palette": ("--palette", "#000000"), "truth": ("--truth", "nothing.png"), "mask": ("--mask", "nothing.png"),
        "posterior": ("--posterior",), "clamp": ("--clamp", "nothing.npy"), "learn": ("--learn", "nothing.npy"),
        "learn_by": ("--learn-by", "nobody"),
         "unary": ("--unary", "nothing.npy"),
        "conformance": ("--conformance", "nowhere"), "export": ("--export", "image.npy"),
        "evidence": ("--evidence", "1"), "coupling": ("--coupling", "1,0"), "beta": ("--beta", "0.1"),
        "method": ("--method", "gibbs"),
        "schedule": ("--schedule", "sequential"), "damping": ("--damping", "0.5"), "sweeps": ("--sweeps", "3"),
        "chains": ("--chains", "3"), "outside": ("--outside", "nowhere")},
    "2": OF_RATINGS | {
        "settings": ("--set", "lr=0.1"), "method": ("--method", "coordinate_ascent"),
        "guide": ("--guide", "mean_field"), "epochs": ("--epochs", "3"), "batch_size": ("--batch-size", "7"),
        "lr": ("--lr", "0.2"), "recipe": ("--recipe", "reference"), "biases": ("--biases",),
        "samples": ("--samples", "3")},
    "3": OF_RATINGS | {
        "settings": ("--set", "engine=torch"), "kernel": ("--kernel", "entry_gibbs"), "model": ("--model", "noise"),
        "compare": ("--compare", "elbo_by_hand"), "sweeps": ("--sweeps", "5"), "burn_in": ("--burn-in", "3"),
        "thin": ("--thin", "2"), "chains": ("--chains", "3"), "samples": ("--samples", "3"),
        "user_features": ("--user-features", "users.csv"), "item_features": ("--item-features", "items.csv"),
        "no_implicit": ("--no-implicit",), "use_times": ("--use-times",)},
}
BASE = {"1": (*SMALL, "--method", "mean_field"), "2": SVI, "3": GIBBS}
BESIDE = {("1", "seed"): (*SMALL, "--method", "gibbs"), ("1", "data_seed"): MADE, ("1", "labels"): MADE,
          ("1", "palette"): PATCH, ("1", "chains"): (*SMALL, "--method", "gibbs"),
          ("1", "bare"): ("--image", "small", "--method", "mean_field")}
LONG = {("2", "bare"), ("3", "bare")}  # whole runs, which other tests make


def door(capsys, folder, *words) -> tuple:
    """What a run leaves behind: its exit status, what it says, its files, the arrays of its results."""
    out = folder / "out"
    status = run.guarded([*words, *([] if "--out" in words or "--export" in words else ["--out", str(out)])])
    said = capsys.readouterr()
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    results = [digest(path) for path in sorted(folder.rglob("*.nc"))]
    timed = r"Loading.*\n|[\d.]+ s\b|/\S+|(?s:(Comparison at|K = \d+;).*?\n\n)"  # tables of scores have seconds too
    return status, re.sub(timed, "", said.out), said.err, files, results


def digest(path) -> str:
    """Of a result's options and of its arrays but the seconds."""
    with h5py.File(path) as file:
        found = hashlib.sha256(json.dumps(json.loads(file.attrs["header"])["options"]).encode())
        for group in OWN:
            for name in sorted(file[group].keys() - {"seconds"}):
                array = file[group][name][()]
                found.update(f"{name}{np.shape(array)}".encode() + np.asarray(array).tobytes())
    return found.hexdigest()


@cache
def requests():
    return {problem: import_module(f"experiments.problem{problem}.request").Request for problem in run.PROBLEMS}


def without(words, flag) -> list[str]:
    """Words without an option and its value."""
    if flag not in words or flag == "--method":
        return list(words)
    at = words.index(flag)
    return [*words[:at], *words[at + 2:]]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What words leave behind without the option, once for all that are added to them."""
    made = {}

    def found(capsys, *words) -> tuple:
        if words not in made:
            made[words] = door(capsys, tmp_path_factory.mktemp("before"), *words)
        return made[words]
    return found


EACH = [(problem, f.name) for problem, made in requests().items() for f in fields(made) if f.metadata]


@pytest.mark.parametrize(("problem", "name"), [each for each in EACH if each not in LONG])
def test_an_option_has_an_effect_or_a_sentence(problem, name, plain, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    base, added = BESIDE.get((problem, name), BASE[problem]), ADDED[problem][name]
    before = plain(capsys, "--problem", problem, *base)
    changed = door(capsys, tmp_path, "--problem", problem, *without(base, added[0]), *added)
    assert before[0] == 0 and changed[0] in (0, 2)
    assert changed != before
    assert bool(changed[2]) == (changed[0] == 2) and "Traceback" not in changed[2]


@pytest.mark.parametrize("problem", BASE)
def test_the_same_words_leave_the_same(problem, tmp_path, capsys):
    """Or any option would seem to have an effect."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    words = ("--problem", problem, *BASE[problem])
    assert door(capsys, one, *words) == door(capsys, two, *words)


@pytest.mark.parametrize(("words", "sentence"), [
    ("--problem 1 --image grid.uai --evidence 3", "--evidence would change nothing: grid.uai is a whole model"),
    ("--problem 1 --image grid.fg --coupling 3,1", "--coupling would change nothing"),
    ("--problem 1 --image grid.uai --labels 3", "--labels would change nothing"),
    ("--problem 1 --image grid.uai --palette #000000 #ffffff", "--palette would change nothing"),
    ("--problem 1 --image grid.uai --data-seed 1", "--data-seed would change nothing"),
    ("--problem 1 --method strip --sweeps 30", "--sweeps would change nothing: an exact method takes one step"),
    ("--problem 1 --method mean_field --chains 4", "--chains would change nothing"),
    ("--problem 1 --method strip --damping 0.1", "--damping is of no use to strip"),
    ("--problem 1 --export a.npy --method strip", "--method would change nothing: --export writes the image and stops"),
    ("--problem 1 --export a.npy --image flag --evidence 3", "--evidence would change nothing: an image has no"),
    ("--problem 1 --export a.png --image flag --beta 0.3", "--beta would change nothing"),
    ("--problem 2 --top 10", "--top would change nothing: it is how many --recommend USER lists"),
    ("--problem 2 --scale 1,5", "--scale would change nothing: jester-like"),
    ("--problem 2 --method maximum_likelihood --samples 5", "--samples would change nothing: a point has no draws"),
    ("--problem 3 --model noise --noise-variance 2", "--noise-variance would change nothing: the model learns its"),
    ("--problem 3 --model hierarchical --prior-variance 2", "--prior-variance would change nothing: the model learns"),
    ("--problem 3 --model noise+biases --prior-variance 2", "--prior-variance would change nothing: where the noise"),
    ("--problem 3 --bare --ranks 1", "--ranks would change nothing: --bare leaves out further ranks"),
    ("--problem 3 --model noise --compare coordinate_ascent", "--compare would change nothing"),
    ("--problem 3 --compare none --samples 7", "--samples would change nothing"),
    ("--problem 2 --jobs 2", "--jobs is how many runs of a --sweep go at a time"),
    ("--problem 2 --cluster tcp://127.0.0.1:1", "--cluster is who runs the cells of a --sweep"),
    ("--problem 2 --top 3 --sweep rank=1,2", "--top would change nothing"),
    ("--problem 1 --image small --sweep method=strip,brute_force --sweeps 3", "--sweeps would change nothing"),
    ("--list gibbs --problem 1", "leave out --problem"),
    ("--check all --problem 1", "leave out --problem"),
    ("--problem 2 --recommend 1 --recommend 2", "--recommend is given twice; `python run.py --problem 2 --help`"),
    ("--problem 1 --evid 3", "--evid 3; did you mean --evidence? `python run.py --problem 1 --help`"),
    ("--problem 1 --rank 3", "unrecognized arguments: --rank 3; `python run.py --problem 1 --help` lists"),
    ("compare --by evidense x.nc", "(choose from "),
    ("compare --by evidence --by test_nll x.nc", "--by is given twice; `python run.py compare --help` lists"),
    ("--check row_gibbs --budget x", "invalid float value: 'x'; `python run.py --check --help` lists"),
    ("--check row_gibbs --budgett 3", "did you mean --budget?"),
    ("--check", "`python run.py --check --help` lists"),
])
def test_what_would_be_ignored_is_refused(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run.guarded(words.split()) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "why"), [
    ("--problem 1 --method gibbs", "its checkpoints are of generalised_bp, loopy_bp, mean_field, strip"),
    ("--problem 1 --image small --bare", "--bare leaves out the checkpoints"),
    ("--problem 2 --method elbo_by_hand", "its checkpoints are of coordinate_ascent"),
    ("--problem 3 --bare", "--bare leaves out the checkpoints"),
])
def test_answers_of_others_that_nobody_would_read_are_refused(words, why, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fg").mkdir()
    (tmp_path / "fg" / "testfast.fg").touch()
    (tmp_path / "jester-5k.csv.gz").touch()
    assert run.guarded([*words.split(), "--outside", "."]) == 2
    assert f"--outside would change nothing: {why}" in capsys.readouterr().err


def test_an_option_that_one_run_of_a_sweep_takes_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run.guarded(["--problem", "1", "--image", "small", "--sweeps", "3", "--jobs", "1", "--out", "out", "--sweep",
                        "method=strip,gibbs:schedule=raster"]) == 0


def test_a_negative_number_is_a_value(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "--problem 1 --image small --method strip --bare --out out --evidence -1e3 --coupling -1e1,2.5 --beta -.5"
    assert run.guarded(words.split()) == 0, capsys.readouterr().err


@pytest.mark.parametrize("words", ["--check --help", "compare --help", "--problem 1 --help", "--help"])
def test_help_is_help(words, capsys):
    with pytest.raises(SystemExit, match="0"):
        run.guarded(words.split())
    assert "usage" in capsys.readouterr().out
