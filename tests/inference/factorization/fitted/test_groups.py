"""What a saved fit holds, and that ArviZ can use it: of chains, and of draws from q."""

import warnings
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from scipy import stats

from inference import load
from inference.drive import drive
from inference.factorization.fitted.groups import OBSERVED, Holding
from inference.job import Plan
from inference.latents import BYTES, DRAWS, LEAST, every
from inference.result import Result, import_arviz
from models.factorization import Factorization
from models.ladder import make, standardised
from models.ratings import Ratings

matplotlib.use("Agg")
USERS, ITEMS = 60, 12


@pytest.fixture(scope="module")
def parts() -> tuple[Ratings, Ratings]:
    rng = np.random.default_rng(0)
    pairs = rng.permutation(USERS * ITEMS)[:400]
    rating = np.clip(np.round(3 + rng.normal(size=USERS)[pairs // ITEMS] * 0.5 + rng.normal(size=400)), 1, 5)
    every = Ratings(torch.from_numpy(pairs // ITEMS), torch.from_numpy(pairs % ITEMS), torch.from_numpy(rating), USERS,
                    ITEMS, user_ids=[f"u{i}" for i in range(USERS)])
    return every.take(torch.arange(350)), every.take(torch.arange(350, 400))


@pytest.fixture(scope="module")
def saved(parts, tmp_path_factory) -> dict[str, Result]:
    """A chain and a q, saved and read again."""
    train, test = parts
    folder, found = tmp_path_factory.mktemp("saved"), {}
    for name, model, plan in (("ladder_gibbs", standardised(
            make("noise+hierarchical+biases", USERS, ITEMS, 2), train), Plan(30, 2, 10)),
                              ("coordinate_ascent", Factorization(USERS, ITEMS, 2), Plan(20, draws=50))):
        model = replace(model, pairs=test.pairs)
        result = drive(load.method("factorization", name), model, train, plan, record=model.quantities,
                       keeper=Holding(model, train, test))
        found[name] = Result.load(result.save(folder))
        for group, values in result.groups.items():
            for variable, array in values.items():
                assert np.array_equal(found[name].groups[group][variable], array), (group, variable)
    return found


def test_arviz_can_use_it(saved):
    az = import_arviz()
    idata = {name: result.to_arviz() for name, result in saved.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for each in idata.values():
            assert np.isfinite(az.loo(each).elpd_loo)
            assert az.plot_ppc(each, num_pp_samples=5) is not None
            assert len(az.plot_trace(each, var_names=["prediction"], coords={"pair": [0, 1]}))
            assert az.summary(each, var_names=["prediction"]).shape[0] == 50
            assert {"inference_library", "sampling_time"} <= each.posterior.attrs.keys()
        table = az.compare(idata)
    matplotlib.pyplot.close("all")
    assert set(table.index) == set(saved)


def test_likelihood_and_replicates_are_the_models(saved, parts):
    """By the formula, in NumPy, from the latents as they are in the file; replicates by their z, to five standard
    errors of a mean and a variance of so many (6e-7 each)."""
    train = parts[0]
    for result in saved.values():
        kept = {site: v.astype(float) for site, v in result.groups["latents"].items()}
        u, i = train.user.numpy(), train.item.numpy()
        mean = (kept["U"][:, :, u] * kept["V"][:, :, i]).sum(-1)
        if "user_bias" in kept:
            mean = mean + kept["user_bias"][:, :, u] + kept["item_bias"][:, :, i]
        centre, unit = (float(result.groups["constant_data"][n]) for n in ("centre", "unit"))
        mean = centre + unit * mean
        sd = unit * (np.sqrt(kept["sigma2"])[..., None] if "sigma2" in kept else np.ones((1, 1, 1)))
        r = result.groups["observed_data"]["r"]
        assert np.array_equal(r, train.rating.numpy())
        assert np.allclose(result.groups["log_likelihood"]["r"], stats.norm(mean, sd).logpdf(r), atol=1e-4)
        z = (result.groups["posterior_predictive"]["r"] - mean) / sd
        assert abs(z.mean()) < 5 / z.size**0.5 and abs(z.var() - 1) < 5 * (2 / z.size) ** 0.5


def test_ids_and_counts_are_there(saved, parts):
    train = parts[0]
    for result in saved.values():
        assert result.coords["user"][1].tolist() == [f"u{i}" for i in range(USERS)]
        assert result.coords["item"][1].tolist() == list(range(ITEMS))
        assert result.coords["rating_user"][1].tolist() == [f"u{i}" for i in train.user.tolist()]
        held = result.groups["constant_data"]
        assert np.array_equal(held["user_count"], np.bincount(train.user, minlength=USERS))
        ends = np.concatenate([[0], np.cumsum(held["user_count"])])
        for user in (0, 17, 59):
            assert held["rated_item"][ends[user]:ends[user + 1]].tolist() == sorted(
                train.item[train.user == user].tolist())
        assert held["level"].tolist() == [1, 2, 3, 4, 5] and held["level_count"].sum() == 350


def test_sizes_are_bounded():
    """So many draws of so many bytes, whatever the ratings; and so many observed ratings."""
    for size in (10, 10**4, 10**6, 10**8):
        for draws, chains in ((80, 2), (1000, 4), (100, 1)):
            kept = -(-draws // every([size], draws, chains)) * chains
            assert kept <= DRAWS + chains and (kept * size <= BYTES + chains * size or kept <= LEAST + chains)
    n = 3456
    train = Ratings(torch.arange(n), torch.zeros(n, dtype=torch.int64), torch.ones(n, dtype=torch.float64), n, 1)
    assert len(Holding(Factorization(n, 1, 1), train, train).observed) <= OBSERVED


def test_a_fit_that_is_resumed_has_the_same_latents(parts, tmp_path):
    from errors import Interrupted

    train, test = parts
    model = Factorization(USERS, ITEMS, 2)
    method, plan = load.method("factorization", "row_gibbs"), Plan(300, 2, 20)
    keeper = Holding(model, train, test)
    whole = drive(method, model, train, plan, record=lambda _: {"x": torch.zeros(1)}, keeper=keeper)

    def stop(step: int, _: object) -> None:
        if step == 150:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        drive(method, model, train, plan, record=lambda _: {"x": torch.zeros(1)}, keeper=keeper,
              save_to=tmp_path / "a.npz", on_step=stop)
    again = drive(method, model, train, plan, record=lambda _: {"x": torch.zeros(1)}, keeper=keeper,
                  save_to=tmp_path / "a.npz")
    for group, values in whole.groups.items():
        for name, array in values.items():
            assert np.array_equal(again.groups[group][name], array), (group, name)
    assert whole.groups["latents"]["U"].shape[:2] == (2, 94)
