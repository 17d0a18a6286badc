"""`import crosscheck`: docs/library.md runs as it stands, and says what the command line says."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch

import crosscheck as cc
import run
from inference.engine import one_thread
from tests.support import ROOT
from tests.support.results import made

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text(), re.DOTALL)


def test_the_lines_of_the_document_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("checks.kernels.judge.LOOKS", (500,))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    known: dict[str, object] = {}
    with one_thread():
        for block in BLOCKS:
            exec(compile(block, "library.md", "exec"), known)
    assert len(BLOCKS) == 9 and "did you mean 'damping'" in capsys.readouterr().out
    exact, fast, chains, fit, gibbs = (known[n] for n in ("exact", "fast", "chains", "fit", "gibbs"))
    assert isinstance(exact, cc.Result) and isinstance(fast, cc.Result) and isinstance(chains, cc.Result)
    assert isinstance(fit, cc.Result) and isinstance(gibbs, cc.Result)
    enumerated = cc.run("brute_force", known["model"] if isinstance(known["model"], cc.GridMRF) else
                        cc.GridMRF.potts(cc.load_image("small"), 1.0, (1.0, 0.2)))
    assert abs(exact.expected["labels"] - enumerated.expected["labels"]).max() < 1e-12
    assert 0 < abs(fast.expected["labels"] - enumerated.expected["labels"]).max() < 0.1
    assert abs(float(fit.expected["test_nll"]) - float(gibbs.expected["test_nll"])) < 0.2
    assert str(known["verdict"]).startswith("transition is right")
    assert (known["again"].expected["labels"] == exact.expected["labels"]).all()  # type: ignore[attr-defined]


@pytest.mark.parametrize("words, call", [
    (["--method", "mean_feild"], lambda model: cc.run("mean_feild", model)),
    (["--method", "mean_field", "--schedule", "checkerbord"],
     lambda model: cc.run("mean_field", model, schedule="checkerbord")),
    (["--method", "mean_field:dampin=0.1"], lambda model: cc.run("mean_field", model, dampin=0.1)),
    (["--method", "mean_field", "--damping", "much"], None),
    (["--method", "absent.py"], lambda model: cc.run("absent.py", model)),
])
def test_the_same_sentences_as_the_command_line(words, call, capsys, tmp_path):
    assert run.guarded(["--problem", "1", "--image", "small", *words, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.removeprefix("error: ").strip()
    if call:
        with pytest.raises(cc.InputError) as error:
            call(cc.GridMRF.potts(cc.load_image("small")))
        assert str(error.value) == said


WRONG: Any = "abc"


@pytest.mark.parametrize("call, sentence", [
    (lambda fit, data: cc.load_ratings(fit), "ratings are read from a file, by its name, not from a Result"),
    (lambda fit, data: cc.split(data, WRONG), "must be three numbers from 0 to 1 that sum to 1, not a, b, c"),
    (lambda fit, data: cc.factorization("plain", 3, 3, rank=WRONG), "the rank must be a whole number, not 'abc'"),
    (lambda fit, data: cc.predict(fit, "u1", "i1"), r"lists of ids, also of one: users=\['u1'\]"),
    (lambda fit, data: cc.run("row_gibbs", cc.Factorization(2, 2, 1), data, steps=2, score=data),
     r'score takes data by name, score=\{"test": ratings\}, not a Ratings'),
])
def test_arguments_of_another_kind_are_a_sentence(call, sentence):
    some = torch.tensor([0, 1])
    data = cc.Ratings(some, some, some.double(), 2, 2)
    with pytest.raises(cc.InputError, match=sentence):
        call(made("fit", "point"), data)


def test_a_run_is_the_command_lines_to_the_byte(tmp_path):
    """The same seed, the same chains."""
    argv = ["--problem", "1", "--image", "small", "--method", "gibbs", "--sweeps", "50", "--chains", "2", "--seed", "3",
            "--bare", "--out", str(tmp_path / "out")]
    assert run.guarded(argv) == 0
    theirs = cc.Result.load(tmp_path / "out" / "gibbs.nc")
    ours = cc.run("gibbs", cc.GridMRF.potts(cc.load_image("small")), steps=50, chains=2, seed=3)
    assert (ours.draws["labels"] == theirs.draws["labels"]).all()


def test_predictions_are_those_of_the_draws():
    """Of one known pair by hand, of the others by whose means they are; and what cannot be."""
    ratings = cc.load_ratings(ROOT / "examples/ratings.csv", say=lambda line: None)
    model = cc.factorization("plain", ratings.num_users, ratings.num_items, rank=2)
    fit = cc.run("row_gibbs", model, ratings, steps=20, chains=1, keep=True)
    ids = ratings.user_ids, ratings.item_ids
    assert ids[0] and ids[1]
    told = cc.predict(fit, [ids[0][3], "nobody"], [ids[1][1], ids[1][1]])
    latents = fit.groups["latents"]
    by_hand = (latents["U"][0, :, 3].astype(float) * latents["V"][0, :, 1]).sum(-1).mean()
    assert told["mean"][0] == pytest.approx(by_hand) and told["by"].tolist() == ["fit", "item mean"]
    with pytest.raises(cc.InputError, match="run it with keep=True"):
        cc.predict(cc.run("row_gibbs", model, ratings, steps=5), [ids[0][0]], [ids[1][0]])
    with pytest.raises(cc.InputError, match="as many of each, not 1 and 2"):
        cc.predict(fit, [1], [1, 2])


def test_predictions_where_each_user_has_a_noise_are_those_of_the_draws():
    """Mean and sd of a known pair by hand, from every latent: the noise is the user's own, in squared rating units."""
    ratings = cc.load_ratings(ROOT / "examples/ratings.csv", say=lambda line: None)
    bare = cc.factorization("noise+noise-per-user", ratings.num_users, ratings.num_items, rank=2)
    model = cc.fitted(bare, ratings)
    fit = cc.run("ladder_gibbs", model, ratings, steps=20, chains=1, keep=True)
    assert isinstance(model, cc.Ladder) and model.unit != 1 and ratings.user_ids and ratings.item_ids
    told = cc.predict(fit, [ratings.user_ids[3]], [ratings.item_ids[1]])
    d = {name: x[0].astype(float) for name, x in fit.groups["latents"].items()}
    mean = model.centre + model.unit * (d["U"][:, 3] * d["V"][:, 1]).sum(-1)
    noise = model.unit**2 / d["precision_user"][:, 3]
    assert told["mean"][0] == pytest.approx(mean.mean())
    assert told["sd"][0] == pytest.approx((mean.var() + noise.mean()) ** 0.5)


def test_the_ladders_names_are_the_command_lines():
    ratings = cc.load_ratings(ROOT / "examples/ratings.csv", say=lambda line: None)
    sizes = ratings.num_users, ratings.num_items
    model = cc.factorization("hierarchical+biases+features+ordinal", *sizes, rank=1)
    assert isinstance(model, cc.Ladder) and {"hierarchical", "implicit", "levels"} <= {f.name for f in fields(model)}
    with pytest.raises(cc.InputError, match="did you mean 'features'"):
        cc.factorization("hierarchical+feature", *sizes, rank=1)
    with pytest.raises(cc.InputError, match=r"crosscheck\.fitted"):
        cc.run("ladder_gibbs", model, ratings, steps=2)


def test_it_is_imported_without_the_slow_libraries():
    program = "import sys, crosscheck; sys.exit(any(m in sys.modules for m in ('pyro', 'pgmpy', 'matplotlib')))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60).returncode == 0


def test_every_public_name_is_there():
    assert not [name for name in cc.__all__ if not hasattr(cc, name)]
    for kind in ("grid", "factorization"):
        assert {p.stem for p in Path(ROOT / "inference" / kind).glob("*.py")} > set(cc.methods(kind)) > {"prior"} - {
            "prior"}


def test_models_and_ratings_are_a_line_to_read():
    model = cc.GridMRF.potts(cc.load_image("small"))
    ratings = cc.load_ratings(ROOT / "examples" / "ratings.csv", say=lambda line: None)
    said = [repr(model), repr(ratings), repr(cc.split(ratings)), repr(cc.factorization("plain", 9, 8, 2))]
    assert said[0] == "GridMRF(3 x 3, 2 labels, one table)" and "by 100 users of 20 items" in said[1]
    assert all("tensor" not in line and len(line) < 300 for line in said)


GRID = cc.GridMRF.potts(cc.load_image("small"))
RATINGS = cc.load_ratings(ROOT / "examples" / "ratings.csv", say=lambda line: None)
FACTORIZATION = cc.Factorization(RATINGS.num_users, RATINGS.num_items, 2)


@pytest.mark.parametrize("call, words", [
    (lambda: cc.run("gibbs", GRID, RATINGS), "observed through an image of shape"),
    (lambda: cc.run("row_gibbs", FACTORIZATION), "observed through ratings, .* not through a NoneType"),
    (lambda: cc.run("row_gibbs", FACTORIZATION, cc.load_image("small")), "not through a tensor of shape"),
    (lambda: cc.run("row_gibbs", cc.Factorization(3, 2, 1), RATINGS), "make the model from the ratings' sizes"),
    (lambda: cc.run("gibbs", GRID, score={"test": RATINGS}), "no predictive score"),
    (lambda: cc.run("gibbs", GRID, steps=2.5), "steps must be a whole number, not 2.5"),  # type: ignore[arg-type]
    (lambda: cc.run(3, GRID), "3 is nothing to infer with"),  # type: ignore[arg-type]
    (lambda: cc.compare([3]), "3 is not a result"),  # type: ignore[list-item]
    (lambda: cc.methods("grit"), "did you mean 'grid'"),
    (lambda: cc.check("mean_field"), "more than one thing"),
    (lambda: cc.check("maximum_likelihood"), "no distribution to judge"),
    (lambda: cc.check("gibbs", FACTORIZATION), "is a method of Problem 1"),
])
def test_what_cannot_be_is_a_sentence(call, words):
    with pytest.raises(cc.InputError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


class Walk:
    """A transition that is an object."""

    def __call__(self, rng, latents, model, data):
        return latents


@pytest.mark.parametrize("thing, name", [(Walk(), "Walk"), (lambda rng, latents, model, data: latents, "lambda")])
def test_whatever_can_be_called_is_a_kernel(thing, name):
    assert cc.run(thing, GRID, steps=5).name == name


def test_a_program_of_ones_own_has_its_closed_form_evidence(tmp_path):
    """y = m 1 + e, m ~ N(0, 10^2), e ~ N(0, I): log N(y; 0, I + 100 1 1')."""
    def heights(y):
        mean = pyro.sample("mean", dist.Normal(0.0, 10.0))
        with pyro.plate("person", len(y)):
            pyro.sample("y", dist.Normal(mean, 1.0), obs=y)

    y = torch.tensor([1.2, 0.3, 2.1], dtype=torch.float64)
    exact = cc.run("quadrature", cc.program(heights, (y,)))
    wide = torch.distributions.MultivariateNormal(torch.zeros(3, dtype=torch.float64), torch.eye(3).double() + 100.0)
    assert exact.log_evidence == pytest.approx(float(wide.log_prob(y)), abs=1e-6)
    draws, names = cc.numbers([exact])
    assert names == ["mean"] and draws["quadrature"].shape[-1] == 1
    picture = cc.figures.forest(draws, names, [0], None)
    assert picture and "alt=" in picture._repr_html_()
    assert picture.save(tmp_path / "forest.png").read_bytes().startswith(b"\x89PNG")


def test_code_is_that_of_the_library():
    shown = cc.code("loopy_bp", "bp_message")
    assert str(shown).startswith("def bp_message(") and shown.where == "inference.grid.loopy_bp.bp_message"
    assert "bp_message" in shown._repr_html_()
    with pytest.raises(cc.InputError, match="did you mean 'bp_message'"):
        cc.code("loopy_bp", "bp_mesage")
