"""Problem 3 at the door, on a small file of ratings."""

import json

import numpy as np
import pytest
import torch

from data.ratings import Ratings
from experiments.problem3 import checkpoints as checkpoints3
from experiments.problem3 import main, measures
from experiments.problem3 import words as words3
from experiments.problem3.request import Request
from inference.result import Result
from run import guarded
from runs.options import parse


@pytest.fixture(autouse=True)
def no_nuts(monkeypatch):
    """Its own test runs it; here it would only take long."""
    monkeypatch.setattr(checkpoints3.nuts_check, "largest_score", lambda: 0.0)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """300 ratings of 30 users and 12 items, with two factors in them."""
    rng = torch.Generator().manual_seed(0)
    U, V = (torch.randn(n, 2, generator=rng) for n in (30, 12))
    pairs = (torch.rand(30, 12, generator=rng) < 0.85).nonzero()
    rating = (3 + (U[pairs[:, 0]] * V[pairs[:, 1]]).sum(1) + 0.5 * torch.randn(len(pairs), generator=rng)).clamp(1, 5)
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    path.write_text("user,item,rating\n" + "".join(
        f"{100 + i},{j},{r:.3f}\n" for (i, j), r in zip(pairs.tolist(), rating.tolist(), strict=True)))
    return path


def problem3(file, out, *more):
    words = ["--problem", "3", "--ratings", str(file), "--split", "0.8,0.1,0.1", "--out", str(out),
             *([] if "--sweeps" in more else ["--sweeps", "20"]),
             *([] if {"--model", "--compare"} & set(more) else ["--compare", "coordinate_ascent"]), *more]
    return guarded(words)


@pytest.fixture(scope="module")
def finished(file, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints3.nuts_check, "largest_score", lambda: 0.0)
        patch.setattr(Request, "reference", True)  # as if these were the reference's ratings
        code = problem3(file, out, "--ranks", "1,3")
    return code, out


def test_everything_is_there(finished):
    code, out = finished
    summary = json.loads((out / "summary.json").read_text())
    failed = [c["what"] for c in summary["checkpoints"] if not c["passed"]]
    assert code in (0, 1) and not [what for what in failed if "NLL" not in what]  # thirty users prove nothing
    assert {"3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "cross"} == {c["id"] for c in summary["checkpoints"]}
    assert summary["problem"] == 3 and summary["seed"] == 0
    main = {m["name"]: m for m in summary["methods"][:3]}
    assert list(main) == ["row_gibbs", "kernel_row_gibbs_pyro", "coordinate_ascent"]
    for m in main.values():
        assert all(np.isfinite(m[n]) for n in ("test_nll", "test_rmse", "seconds"))
    assert np.isfinite(main["row_gibbs"]["train_nll"])
    assert main["row_gibbs"]["rhat"] > 0.9 and main["row_gibbs"]["ess_bulk"] > 1 and main["row_gibbs"]["ess_tail"] > 1
    assert {(m["name"], m["rank"], m["share"]) for m in summary["methods"][3:]} == {
        (name, K, share) for name in ("row_gibbs", "maximum_likelihood") for K in (1, 3) for share in (1.0, 0.1)}
    assert {p.name for p in out.glob("*.png")} == {"sweeps.png", "ranks_train.png", "ranks_test.png",
                                                   "overfitting.png", "calibration.png", "crosscheck.png", "chains.png",
                                                   "data.png", "items.png"}
    result = Result.load(out / "row_gibbs.nc")
    assert result.trace["train_nll"].shape == (2, 20) and result.draws["prediction"].shape[:2] == (2, 16)
    assert "U" not in result.draws


def test_log_joint_of_kept_draws_is_the_models(file):
    """Thinned and after burn-in: the prior's part from the draws, the likelihood's from the scorer."""
    from data.ratings import Split, load_ratings
    from inference.drive import drive
    from inference.job import Plan
    from models.factorization import Factorization

    ratings = load_ratings(file)
    nothing = ratings.take(torch.arange(0))
    model = Factorization(ratings.num_users, ratings.num_items, 2)
    fit = parse("factorization", "row_gibbs")
    task = main.scored(fit, model, Split(ratings, nothing, nothing), Plan(13, 2, 4, 3, seed=1))

    def run(record):
        return drive(task.method, task.model, task.data, task.plan, task.options, observer=task.observer, record=record)

    kept = run(lambda latents: {"joint": model.log_joint(latents, ratings)}).draws["joint"]
    assert measures.log_joint(run(task.record), len(ratings)) == pytest.approx(kept, rel=1e-9)


@pytest.mark.usefixtures("undrawn")
def test_a_kernel_from_a_file_runs_beside_ours(file, tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("from inference.factorization import row_gibbs\n\n"
                    "def transition(rng, latents, model, data):\n"
                    "    state = row_gibbs.State(latents['U'], latents['V'], 'torch')\n"
                    "    new, _ = row_gibbs.step(rng, state, model, data)\n"
                    "    return {'U': new.U, 'V': new.V}\n")
    out = tmp_path / "run"
    problem3(file, out, "--kernel", "row_gibbs:engine=torch", "--kernel", str(mine), "--ranks", "none",
             "--chains", "1", "--burn-in", "5")
    methods = json.loads((out / "summary.json").read_text())["methods"]
    assert [m["name"] for m in methods] == ["row_gibbs_torch", "mine", "coordinate_ascent"]
    assert methods[1]["rhat"] is None and methods[1]["ess_bulk"] > 1


@pytest.mark.usefixtures("undrawn")
def test_the_model_by_name(file, tmp_path):
    out = tmp_path / "run"
    problem3(file, out, "--model", "noise+hierarchical+biases", "--ranks", "2,3", "--sweeps", "12", "--chains", "1")
    methods = json.loads((out / "summary.json").read_text())["methods"]
    assert [m["name"] for m in methods[:2]] == ["ladder_gibbs", "ladder_gibbs"]
    noise = Result.load(out / "ladder_gibbs.nc").expected["noise_variance"]
    assert 0 < noise < 5 and noise != 1


@pytest.mark.parametrize("more, message", [
    (("--kernel", "row_gibs"), "did you mean 'row_gibbs'"),
    (("--kernel", "coordinate_ascent"), "is not a sampler (its family is variational)"),
    (("--ranks", "0-3"), "--ranks must be at least 1, not '0-3'"),
    (("--ranks", "1-x"), "--ranks must be like 1-10 or 1,2,5, or none"),
    (("--ranks", "1-13"), "the rank must lie between 1 and the number of items, 12, not 13"),
    (("--rank", "13"), "the rank must lie between 1 and the number of items, 12, not 13"),
    (("--burn-in", "20"), "--burn-in must lie between 0 and the sweeps, 20, not 20"),
    (("--chains", "0"), "chains must be at least 1"),
    (("--model", "hierarchic"), "unknown rung of the model 'hierarchic': did you mean 'hierarchical'"),
    (("--compare", "svi"), "unknown method 'svi'"),
    (("--device", "tpu"), "--device must be cpu or cuda"),
])
def test_wrong_arguments_are_one_sentence(file, tmp_path, capsys, more, message):
    assert problem3(file, tmp_path / "run", *more) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_real_split_is_a_tenth():
    n = 10_000
    ratings = Ratings(torch.arange(n), torch.zeros(n, dtype=torch.int64), torch.zeros(n).double(), n, 1)
    parts = checkpoints3.real_split(ratings)
    assert len(parts.train) + len(parts.test) == n and abs(len(parts.test) / n - 0.1) < 0.02


def test_harm_is_of_the_last():
    assert checkpoints3.harm([3.0, 1.0, 1.5]) == 0.5 and checkpoints3.harm([3.0, 1.0]) == 0.0
    assert words3.nats(123456.0) == "1.2e+05"
