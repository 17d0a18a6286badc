"""Ordered levels from end to end: scores by hand, stars that stay on the scale, thumbs, rankings that stay apart."""

from functools import partial

import numpy as np
import pyarrow.csv
import pytest
import torch

import run
from comparison.compare import compare
from errors import InputError
from inference.factorization.scoring import scorer
from inference.method import Family
from inference.result import Result
from models.ordinal import probabilities
from models.ratings import Ratings
from tests.models.test_ordinal import problem

pytestmark = pytest.mark.usefixtures("one_thread")
MODEL = ("--model", "hierarchical+biases+ordinal")


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Stars of 150 users and 40 items by levels and by densities, and thumbs."""
    folder, rng = tmp_path_factory.mktemp("ordinal"), np.random.default_rng(0)
    U, V = rng.normal(size=(150, 2)), rng.normal(size=(40, 2))
    pairs = [(u, i) for u in range(150) for i in rng.choice(40, 20, replace=False)]
    y = np.array([U[u] @ V[i] + rng.normal() for u, i in pairs])
    for name, rating in (("stars", np.digitize(y, [-2, -0.5, 0.2, 1.5]) + 1), ("thumbs", (y > 0).astype(int))):
        (folder / f"{name}.csv").write_text("user,item,rating\n" + "\n".join(
            f"{u},{i},{r}" for (u, i), r in zip(pairs, rating, strict=True)))
    for name, model, scale in (("stars", MODEL[1], "1,5"), ("thumbs", MODEL[1], "0,1"),
                               ("densities", "noise+hierarchical+biases", "1,5")):
        ratings = folder / f"{'thumbs' if name == 'thumbs' else 'stars'}.csv"
        assert door("--problem", 3, "--ratings", ratings, "--scale", scale, "--split", "0.8,0,0.2", "--model", model,
                    "--sweeps", 150, "--chains", 1, "--bare", "--out", folder / name) == 0
    return folder


def result(runs, name):
    return Result.load(runs / name / "ladder_gibbs.nc")


def test_scores_are_those_of_the_draws_by_hand():
    model, data, _, rng = problem()
    drawn = [model.prior(rng) for _ in range(3)]
    watch = scorer(model, {"test": data}, Family.MCMC)
    memory = watch.start()
    for latents in drawn:
        memory, scores = watch.update(memory, partial(dict, latents), True)
    found = watch.finish([memory])
    p = torch.stack([probabilities(model.latent_mean(x, data), x["cutpoints"]) for x in drawn]).mean(0)
    at = p.gather(1, model.codes(data)[:, None])[:, 0]
    mean = p @ model.levels_at
    assert scores["test_nll"] == pytest.approx(-float(at.log().mean())) == float(found["test_nll"])
    assert np.allclose(found["test_log_density"], at.log()) and np.allclose(found["test_mean"], mean)
    assert float(found["test_rmse"]) == pytest.approx(float((data.rating - mean).square().mean().sqrt()))
    below = p.cumsum(1).gather(1, model.codes(data)[:, None])[:, 0] - at
    assert ((found["test_pit"] >= below.numpy() - 1e-12) & (found["test_pit"] <= (below + at).numpy() + 1e-12)).all()
    variance = (p @ model.levels_at**2) - mean**2  # of the mixture: within draws and between
    assert float(found["noise_variance"]) == pytest.approx(float((variance - found["test_spread"] ** 2).mean()))
    odd = Ratings(data.user, data.item, data.rating + 0.5, 7, 5)
    with pytest.raises(InputError, match="none of the levels"):
        scorer(model, {"test": odd}, Family.MCMC)


@pytest.mark.slow
def test_levels_predict_better_than_their_shares(runs):
    """Judge: the entropy of the test ratings under the training shares, and an RMSE as the densities' on the split."""
    for name in ("stars", "thumbs"):
        here = result(runs, name)
        counts, levels = (here.groups["constant_data"][n] for n in ("level_count", "level"))
        test = here.groups["constant_data"]["test_rating"]
        shares = np.log(counts / counts.sum())[np.searchsorted(levels, test)]
        gain = here.expected["test_log_density"] - shares
        assert gain.mean() > 2 * gain.std() / len(gain) ** 0.5
        assert ((here.expected["test_mean"] >= levels[0]) & (here.expected["test_mean"] <= levels[-1])).all()
    both = [float(result(runs, name).expected["test_rmse"]) for name in ("stars", "densities")]
    assert both[0] == pytest.approx(both[1], rel=0.05)


def test_the_two_sorts_of_nll_are_never_in_one_ranking(runs, tmp_path, capsys):
    found = compare([runs / "stars", runs / "densities"])
    assert [row.standing.place for row in found.rows] == [1, 1] and len({row.saved.target for row in found.rows}) == 2
    assert any("ranked apart" in sentence for sentence in found.sentences) and not found.take_away
    assert not any("ranked apart" in s for s in compare([runs / "stars"]).sentences)
    with pytest.raises(InputError, match="different data"):
        compare([runs / "stars", runs / "thumbs"])


def test_predictions_are_levels(runs, tmp_path, capsys):
    """The run's own again, and intervals between levels, of somebody unknown and of new users too."""
    here = result(runs, "stars")
    users, items = (here.coords[f"test_{side}"][1] for side in ("user", "item"))
    (tmp_path / "p.csv").write_text("user,item\n" + "\n".join(f"{u},{i}" for u, i in zip(users, items, strict=True)))
    assert door("predict", runs / "stars", "--pairs", tmp_path / "p.csv", "--out", tmp_path / "o.csv") == 0
    table = pyarrow.csv.read_csv(tmp_path / "o.csv")
    (tmp_path / "q.csv").write_text(f"user,item\nnobody,nothing\nnobody,{items[0]}\n{users[0]},nothing\n")
    assert door("predict", runs / "stars", "--pairs", tmp_path / "q.csv", "--out", tmp_path / "u.csv") == 0
    unknown = pyarrow.csv.read_csv(tmp_path / "u.csv")
    assert {*unknown["low"].to_pylist(), *unknown["high"].to_pylist()} <= {1, 2, 3, 4, 5}
    assert np.abs(table["mean"].to_numpy() - here.expected["test_mean"]).max() < 1e-4
    p = np.array([table[f"p_{k}"].to_numpy() for k in range(1, 6)])
    assert np.allclose(p.sum(0), 1, atol=1e-5) and set(table["low"].to_pylist()) <= {1, 2, 3, 4, 5}
    inside = ((np.arange(1, 6)[:, None] >= table["low"].to_numpy()) & (np.arange(1, 6)[:, None]
                                                                      <= table["high"].to_numpy()))
    assert ((p * inside).sum(0) > 0.9 - 1e-5).all()
    assert door("predict", runs / "thumbs", "--recommend", "all", "--top", 2, "--out", tmp_path / "r.csv") == 0
    (tmp_path / "new.csv").write_text("user,item,rating\nann,1,5\n")
    assert door("predict", runs / "stars", "--new-users", tmp_path / "new.csv", "--recommend", "all", "--out",
                tmp_path / "n.csv") == 0
    assert "their factors drawn given each draw of the items" in capsys.readouterr().out
    new = pyarrow.csv.read_csv(tmp_path / "n.csv")
    means = new["mean"].to_numpy()
    assert {*new["low"].to_pylist(), *new["high"].to_pylist()} <= {1, 2, 3, 4, 5} and (np.diff(means) <= 1e-6).all()
    (tmp_path / "new.csv").write_text("user,item,rating\nann,1,2.5\n")
    assert door("predict", runs / "stars", "--new-users", tmp_path / "new.csv", "--recommend", "all", "--out",
                tmp_path / "m.csv") == 2
    assert "2.5, which is none of the levels" in capsys.readouterr().err


def test_arviz_has_log_probabilities(runs):
    import arviz as az

    fit = az.from_netcdf(runs / "stars" / "ladder_gibbs.nc")
    assert np.isfinite(az.loo(fit).elpd_loo) and float(fit.log_likelihood["r"].max()) <= 0
    assert set(np.unique(fit.posterior_predictive["r"])) <= {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("more", "why"), [
    (("--clip",), "--clip would change nothing"), (("--ranks", "2"), "--ranks would change nothing"),
    (("--kernel", "row_gibbs"), "take ladder_gibbs"), (("--noise-variance", "2"), "leave noise out"),
    (("--model", "noise+ordinal"), "leave noise out"),
])
def test_what_cannot_be_is_a_sentence(runs, tmp_path, more, why, capsys):
    words = () if "--model" in more else MODEL
    assert door("--problem", 3, "--ratings", runs / "stars.csv", "--scale", "1,5", *words, *more, "--out",
                tmp_path / "o") == 2
    said = capsys.readouterr().err
    assert why in said and said.count("\n") == 1 and not (tmp_path / "o").exists()
