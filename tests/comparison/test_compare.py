"""The comparison of saved results against numbers computed from them by hand, and what it refuses."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import run
from comparison import figures, measures, ranking, reading, saved
from comparison.compare import compare
from data.ratings import Split, split
from errors import InputError
from inference.diagnostics import ess, least_ess, rhat, worst_rhat
from inference.drive import drive
from inference.job import Plan, generator
from inference.load import method
from inference.result import Result, import_arviz
from models.grid import GridMRF
from tests.support.fits import fit_task
from tests.support.results import made
from tests.support.small_ratings import jester_in_small

pytestmark = pytest.mark.usefixtures("undrawn")


def door(*argv: object) -> int:
    return run.guarded([str(a) for a in argv])


def fitted(folder, spec, parts, rank=2, epochs=12, seed=0, chains=1):
    task = fit_task(spec, parts, rank, epochs=epochs, samples=10, seed=seed, chains=chains)
    return drive(task.method, task.model, task.data, task.plan, task.options, observer=task.observer,
                 record=task.record).save(folder)


@pytest.fixture(scope="module")
def parts() -> Split:
    return split(jester_in_small(60, 12, 500)[1], (0.8, 0.1, 0.1), rng=generator(0, "split"))


@pytest.fixture(scope="module")
def runs(parts, tmp_path_factory):
    """Two fits and chains of K = 2, and a fit of K = 1, in folders of their own."""
    root = tmp_path_factory.mktemp("runs")
    fitted(root / "one", "coordinate_ascent", parts)
    fitted(root / "one", "row_gibbs", parts, epochs=100, chains=2)
    fitted(root / "short", "row_gibbs", parts, epochs=40, seed=1)
    fitted(root / "rank1", "coordinate_ascent", parts, rank=1)
    return root


@pytest.fixture(scope="module")
def grids(tmp_path_factory):
    """The 3 x 3 image, coupled weakly, by an exact, an approximate and a sampling method."""
    root = tmp_path_factory.mktemp("grids")
    model = GridMRF.potts(torch.eye(2)[torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 1]])], 10.0, (10.0, 2.0)).scaled(0.1)
    for name, plan in (("brute_force", Plan(1)), ("mean_field", Plan(30)), ("gibbs", Plan(600, 2, 100, seed=4))):
        drive(method("grid", name), model, None, plan).save(root)
    return root


def rows_of(*paths, **options):
    results, _ = reading.read(paths)
    saved.check(results)
    return {row.label: row.to_json() for row in ranking.ranked(results, **options)}


def test_scores_are_those_of_the_results(runs):
    rows = rows_of(runs / "one", runs / "rank1")
    assert list(rows) == sorted(rows, key=lambda n: rows[n]["test_nll"])
    assert [r["place"] for r in rows.values()] == [1, 2, 3]
    best = Result.load(next(iter(rows.values()))["path"])
    for row in rows.values():
        r = Result.load(row["path"])
        for name in ("train_nll", "test_nll", "test_rmse"):
            assert row[name] == float(r.expected[name])
        assert row["test_nll"] == pytest.approx(-r.expected["test_log_density"].mean(), rel=1e-12)
        assert row["seconds"] == pytest.approx(r.seconds.sum())
        gap = best.expected["test_log_density"] - r.expected["test_log_density"]
        assert row["gap"] == pytest.approx(row["test_nll"] - float(best.expected["test_nll"]), abs=1e-12)
        assert row["gap_error"] == pytest.approx(gap.std(ddof=1) / len(gap) ** 0.5)
    assert rows["coordinate_ascent, K=1"]["evidence"] == Result.load(
        runs / "rank1" / "coordinate_ascent.nc").trace["elbo"][0, -1]


def test_effective_samples_and_agreement_are_arvizs(runs):
    """z against the longest chains, from ArviZ's own Monte Carlo standard errors."""
    az = import_arviz()
    rows = rows_of(runs / "one", runs / "short")
    judge = Result.load(runs / "one" / "row_gibbs.nc")
    data = az.convert_to_dataset({"x": judge.draws["prediction"]})
    long = next(r for r in rows.values() if r["path"] == str(runs / "one" / "row_gibbs.nc"))
    assert {r["reference"] for r in rows.values()} == {long["label"]} and long["z"] is None
    assert long["ess_per_second"] == pytest.approx(float(az.ess(data)["x"].min()) / judge.seconds.sum())
    assert long["rhat"] == pytest.approx(float(az.rhat(data)["x"].max()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        error = az.mcse(data, method="mean")["x"].values
    fit = Result.load(runs / "one" / "coordinate_ascent.nc")
    difference = fit.expected["prediction"][:256] - judge.draws["prediction"].mean((0, 1))
    row = next(r for r in rows.values() if r["name"] == "coordinate_ascent")
    assert row["z"] == pytest.approx(np.sqrt(((difference / error) ** 2).mean()), rel=0.01)
    sd = judge.draws["prediction"].std((0, 1))
    assert row["sds"] == pytest.approx(np.sqrt(((difference / sd) ** 2).mean()))
    assert np.isnan(ess(np.ones((2, 9, 3)))).all()


def test_time_to_a_quality_is_when_the_trace_gets_there(runs):
    result = Result.load(runs / "short" / "row_gibbs.nc")
    nll, seconds = result.trace["test_nll"][0], np.cumsum(result.seconds[0])
    rows = rows_of(runs / "short" / "row_gibbs.nc", quality=float(nll[9]))
    first = next(t for t in range(len(nll)) if all(later <= nll[9] for later in nll[t:]))
    assert next(iter(rows.values()))["seconds_to_quality"] == pytest.approx(seconds[first])
    assert next(iter(rows_of(runs / "short", quality=-9.0).values()))["seconds_to_quality"] is None
    best = next(iter(rows_of(runs / "short").values()))
    assert best["quality"] == pytest.approx(1.01 * best["test_nll"])


def test_grids_are_judged_by_the_exact_result(grids):
    rows = rows_of(grids)
    exact = Result.load(grids / "brute_force.nc")
    assert next(iter(rows)) == "brute_force" and rows["mean_field"]["reference"] == "brute_force"
    for name in ("mean_field", "gibbs"):
        r = Result.load(grids / f"{name}.nc")
        error = np.abs(r.expected["labels"] - exact.expected["labels"])
        assert rows[name]["max_error"] == error.max() and rows[name]["mean_error"] == pytest.approx(error.mean())
    bound = Result.load(grids / "mean_field.nc").log_evidence
    assert bound and exact.log_evidence
    assert rows["mean_field"]["evidence_error"] == pytest.approx(bound - exact.log_evidence)
    # Right chains: however the pixels go together, the root mean square is above 4.9 with probability below 1e-6.
    assert 0 < rows["gibbs"]["z"] < 4.9
    assert rows["brute_force"]["seconds_to_quality"] == rows["brute_force"]["seconds"]
    assert rows["mean_field"]["seconds_to_quality"] is None  # its worst marginal is off by more than 0.01


def test_exact_methods_are_not_ranked_by_rounding():
    """Two of them, 4e-15 apart, share the first place, whatever their names; mean field is third."""
    import crosscheck as cc

    model = cc.GridMRF.potts(cc.load_image("small"), evidence=1.0, coupling=(1.0, 0.2))
    rows = cc.compare([cc.run(name, model) for name in ("strip", "mean_field", "brute_force")]).rows
    places = {row.result.name: row.standing.place for row in rows}
    assert places == {"brute_force": 1, "strip": 1, "mean_field": 3}
    errors = {row.result.name: row.agreement.max_error for row in rows}
    assert errors["strip"] != errors["brute_force"]


def test_chains_of_another_distribution_are_seen(grids, tmp_path):
    """The chains' own labels turned round: far from exact in standard errors, and never at the quality."""
    r = Result.load(grids / "gibbs.nc")
    replace(r, name="turned", draws={"labels": 1 - r.draws["labels"]},
            expected={"labels": r.expected["labels"][..., ::-1]}).save(tmp_path)
    replace(r, name="stuck", draws={"labels": 0 * r.draws["labels"]}).save(tmp_path)
    rows = rows_of(grids, tmp_path)
    for name in ("turned", "stuck"):
        assert rows[name]["z"] > 10 > measures.DISAGREES and rows[name]["seconds_to_quality"] is None


def test_the_door_leaves_a_table_figures_and_json(runs, tmp_path, capsys):
    out = tmp_path / "out"
    assert door("compare", runs / "one", runs / "rank1" / "coordinate_ascent.nc", "--out", out) == 0
    said = capsys.readouterr().out
    assert "coordinate_ascent, K=1" in said and "is not ranked" in said and "predicts the 50 test ratings best" in said
    assert {p.name for p in out.iterdir()} == {
        "run.json", "comparison.json", "report.json", "report.html",
        *(f"{name}.{kind}" for name in ("comparison", "quality") for kind in ("png", "svg"))}
    stored = json.loads((out / "comparison.json").read_text())
    assert len(stored["results"]) == 3 and stored["command"].startswith("python run.py compare ")
    assert all(r["data"]["train"]["ratings"] == 400 for r in stored["results"])


def test_evidence_is_ranked_within_one_model(parts, runs, tmp_path):
    fitted(tmp_path, "coordinate_ascent:covariance=row", parts)
    rows = rows_of(tmp_path, runs / "one", by="evidence")
    assert [(r["name"], r["place"]) for r in rows.values()] == [
        ("coordinate_ascent_row", 1), ("coordinate_ascent", 2), ("row_gibbs", None)]


def test_what_cannot_be_ranked_is_refused_in_a_sentence(parts, runs, grids, tmp_path, monkeypatch, capsys):
    less = Split(parts.train.take(torch.arange(300)), parts.validation, parts.test)
    other = Split(parts.train, parts.test, parts.validation)
    fitted(tmp_path / "less", "coordinate_ascent", less, epochs=2)
    fitted(tmp_path / "test", "coordinate_ascent", other, epochs=2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "some.txt").write_text("x")
    monkeypatch.chdir(tmp_path)
    for argv, words in (
        ((runs / "one", "less"), "different data (the train set: 400 ratings, "),
        ((runs / "one", "test"), "different data (the test set: 50 ratings, "),
        ((runs / "one", grids), "different problems (factorization and grid)"),
        ((runs / "one", runs / "rank1", "--by", "evidence"), "different models (rank 2 and 1)"),
        ((grids / "gibbs.nc", "--by", "test_nll"), "none of the results has a finite test NLL"),
        ((runs / "one", "--quality", "nan"), "--quality must be a finite number"),
        (("empty",), "holds no saved result"),
        (("absent.nc",), "no result at absent.nc"),
        (("some.txt",), "is not a saved result"),
        ((), "the following arguments are required: RESULT"),
    ):
        assert door("compare", *argv) == 2
        error = capsys.readouterr().err
        assert words in error and error.startswith("error: ") and error.count("\n") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"less", "test", "empty", "some.txt"}


def test_a_fit_that_diverged_is_shown_and_not_ranked(runs, tmp_path):
    r = Result.load(runs / "one" / "coordinate_ascent.nc")
    bad = {n: np.full_like(v, np.nan) for n, v in r.expected.items()}
    for name, expected in (("diverged", bad), ("burst", {**r.expected, "test_nll": np.array(np.inf)})):
        replace(r, name=name, expected=expected).save(tmp_path)
    rows = rows_of(tmp_path, runs / "one")
    assert [r["place"] for r in rows.values()] == [1, 2, None, None]
    assert list(rows)[2:] == ["burst", "diverged"] and np.isfinite([r["quality"] for r in rows.values()]).all()
    assert door("compare", tmp_path, runs / "one", "--out", tmp_path / "out") == 0
    assert "NaN" not in (tmp_path / "out" / "comparison.json").read_text()


def test_a_result_without_its_facts_is_refused(runs, tmp_path, capsys):
    r = Result.load(runs / "one" / "coordinate_ascent.nc")
    path = replace(r, facts={"chains": 1, "warmup": 0, "thin": 1}).save(tmp_path)
    assert door("compare", path, "--out", tmp_path / "out") == 2
    assert "an older version wrote it" in capsys.readouterr().err


def test_of_a_run_with_other_data_below_it_the_main_results_are_taken(runs, parts, tmp_path):
    fitted(tmp_path, "coordinate_ascent", parts, epochs=2)
    fitted(tmp_path / "rank1", "coordinate_ascent", parts, rank=1, epochs=2)
    part = Split(parts.train.take(torch.arange(99)), parts.validation, parts.test)
    fitted(tmp_path / "part", "coordinate_ascent", part, epochs=2)
    results, left = reading.read([tmp_path])
    assert [s.label for s in results] == ["coordinate_ascent, K=2", "coordinate_ascent, K=1"]
    assert len(left) == 1 and "part/coordinate_ascent.nc" in left[0]


def test_labels_say_every_rung():
    """Also those that are no yes or no in the model's facts."""
    models: list[dict[str, object]] = [{"noise": True, "noise_per_user": True, "biases": False},
                                       {"hierarchical": True, "levels": [1.0, 2.0]}, {"noise": True, "calendar": "0a"}]
    facts = [{"problem": "factorization", "model": {"rank": 2} | model} for model in models]
    results = [saved.Saved(None, made("g", facts=each)) for each in facts]
    assert [s.label for s in reading.labelled(results)] == ["g, noise+noise-per-user", "g, hierarchical+ordinal",
                                                            "g, noise+time"]


def test_bands_are_means_and_extremes_over_seeds():
    points = [("m", {"rank": str(K), "seed": str(s), "model": w}, 10 * K + s)
              for K in (1, 2, 10) for s in (0, 1, 5) for w in ("plain", "biases")]
    assert figures.axes_of([settings for _, settings, _ in points]) == ("rank", ["model"])
    assert figures.bands(points, "rank", ["model"]) == {
        f"m, model={w}": {str(K): (10 * K + 2, 10 * K, 10 * K + 5) for K in (1, 2, 10)} for w in ("plain", "biases")}


def test_results_of_one_name_are_told_apart_by_their_folders():
    paths = [Path("a/rank1/x.nc"), Path("b/rank1/x.nc"), Path("b/rank2/x.nc")]
    assert reading.endings(paths) == ["a/rank1", "b/rank1", "b/rank2"]
    assert reading.endings(paths[1:]) == ["rank1", "rank2"]
    assert reading.endings([Path("a/x.nc"), Path("a/x_2.nc")]) == ["a/x", "a/x_2"]


def test_results_in_memory_are_compared_as_the_saved_ones_are(grids, tmp_path):
    files = [grids / f"{name}.nc" for name in ("brute_force", "mean_field", "gibbs")]
    saved_ones, loaded = compare(files), compare([Result.load(path) for path in files])
    assert [r.to_json() | {"path": None} for r in saved_ones.rows] == [r.to_json() for r in loaded.rows]
    assert loaded.sentences == saved_ones.sentences and repr(loaded) == repr(saved_ones)
    assert compare([grids]).rows[0].label == "brute_force" and repr(compare(str(grids))) == repr(compare([grids]))
    twice = compare([Result.load(files[1]), Result.load(files[1])])
    assert [r.label for r in twice.rows] == ["mean_field (1)", "mean_field (2)"]
    out = loaded.save(tmp_path / "new" / "folder")
    assert {p.name for p in out.iterdir()} == {
        "comparison.json", "comparison.png", "comparison.svg", "report.json", "report.html"}
    assert json.loads((out / "comparison.json").read_text())["command"] is None


def test_a_comparison_reads_as_its_table_and_in_html_everything_is_escaped(grids):
    one, two = Result.load(grids / "gibbs.nc"), replace(Result.load(grids / "gibbs.nc"), name="<b>[red]&")
    found = compare([one, two, grids / "brute_force.nc"])
    lines = repr(found).splitlines()
    assert lines[0].startswith("3 x 3 grid, 2 labels; ranked by max_error")
    assert sum("<b>[red]&" in line for line in lines) >= 2 and "\x1b" not in repr(found)
    page = found._repr_html_()
    assert "&lt;b&gt;[red]&amp;" in page and "<b>" not in page and page.count("<table>") == 2


def third_kind(name, family, draws, seconds, **more) -> Result:
    """A result of a model with two sites of its own, without ratings and without labels."""
    facts = {"problem": "program", "model": {"class": "Program"}, "data": {"data": {"fingerprint": "f"}},
             "chains": len(seconds), "warmup": 0} | more
    expected = {site: value.mean((0, 1)) for site, value in draws.items()}
    return Result(name, family, "hand", draws, expected, {}, seconds, None, None, None, 0, {}, facts=facts)


def test_a_third_kind_of_model_is_ranked_by_agreement_or_by_seconds(tmp_path):
    rng = np.random.default_rng(0)
    draws = {n: rng.normal(size=(2, 500, k)) for n, k in (("a", 1), ("b", 2))}
    long = third_kind("long", "mcmc", draws, np.full((2, 500), 0.1))
    short = third_kind("short", "mcmc", {n: rng.normal(size=(1, 100, k)) for n, k in (("a", 1), ("b", 2))},
                       np.full((1, 100), 0.1))
    off = third_kind("off", "variational", {n: rng.normal(2.0, size=(1, 100, k)) for n, k in (("a", 1), ("b", 2))},
                     np.full((1, 1), 0.1))
    found = compare([off, long, short])
    assert [(r.label, r.standing.place) for r in found.rows] == [("short", 1), ("off", 2), ("long", None)]
    assert {r.agreement.reference for r in found.rows} == {"long"} and found.rows[0].standing.ranked_by == "sds"
    x = np.concatenate([draws["a"], draws["b"]], -1)
    far = np.concatenate([off.expected["a"], off.expected["b"]]) - x.mean((0, 1))
    assert found.rows[1].agreement.sds == pytest.approx(np.sqrt((far**2 / x.var((0, 1))).mean()))
    assert any(line.startswith("off: not the posterior of the reference") for line in found.sentences)
    assert repr(found).replace("\n", " ").startswith("Program; ranked by sds; seconds in all place   result ")
    assert found.rows[0].to_json()["quality"] is None
    found.save(tmp_path)
    bare = [third_kind(name, "variational", {}, np.full((1, 1), t)) for name, t in (("slow", 0.2), ("fast", 0.1))]
    assert [r.label for r in compare(bare).rows] == ["fast", "slow"]
    with pytest.raises(InputError, match="unknown measure to rank by 'nll': did you mean 'test_nll'"):
        compare(bare, by="nll")
    with pytest.raises(InputError, match=r"of different data \(the data: f; and g\)"):
        compare([long, third_kind("other", "mcmc", draws, long.seconds, data={"data": {"fingerprint": "g"}})])


def test_rhat_and_ess_are_arvizs_column_by_column():
    """The last column stands still: it has neither, unless it is said what it counts for."""
    az = import_arviz()
    draws = np.random.default_rng(1).normal(size=(3, 50, 4)) + np.array([0, 0, 1, 0]) * np.arange(3)[:, None, None]
    draws[..., 3] = 7
    expected = az.rhat(az.convert_to_dataset({"x": draws[..., :3]}))["x"].values
    assert np.array_equal(rhat(draws)[:3], expected) and np.isnan(rhat(draws)[3])
    assert worst_rhat(draws) == expected.max() > 1.1 and worst_rhat(draws[:1]) is None
    for which in ("bulk", "tail", "mean"):
        expected = az.ess(az.convert_to_dataset({"x": draws[..., :3]}), method=which)["x"].values
        assert np.array_equal(ess(draws, which)[:3], expected)
        assert least_ess(draws, which) == expected.min() and ess(draws, which, still=150)[3] == 150
    assert worst_rhat(draws[..., 3:]) is None and least_ess(draws[..., 3:]) is None
    assert worst_rhat(draws[:, :3]) is None and least_ess(draws[:, :3]) is None
