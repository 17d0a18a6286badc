"""The scorer against torch's log-mean-exp over draws that are kept, and against closed forms."""

import math
import sys
from functools import partial

import numpy as np
import pytest
import torch

from errors import InputError
from inference import bits as bits_numba
from inference import checkpoint
from inference.drive import drive
from inference.factorization import predictive
from inference.factorization.compiled import predictive as kernel
from inference.factorization.predictive import Predictive
from inference.job import Plan, generator
from inference.method import Family, Info, Method
from models.factorization import Factorization
from models.ladder import make
from models.ratings import Ratings

USERS, ITEMS = 40, 9


def some_ratings(n: int, seed: int = 0, ordered: bool = True) -> Ratings:
    rng = generator(seed, "ratings")
    pair = torch.randperm(USERS * ITEMS, generator=rng)[:n]
    pair = pair.sort().values if ordered else pair
    return Ratings(pair // ITEMS, pair % ITEMS, 3 + torch.randn(n, generator=rng, dtype=torch.float64), USERS, ITEMS)


def some_draws(model: Factorization, count: int, spread: float = 0.3, **more) -> list:
    rng = generator(1, "draws")
    return [{site: spread * value for site, value in model.prior(rng).items()} | {k: f(rng) for k, f in more.items()}
            for _ in range(count)]


def log_densities(model, ratings, draws) -> torch.Tensor:
    """log N(r | prediction, s), (draws, pairs), straight from torch.distributions."""
    found = []
    for latents in draws:
        mean = model.quantities(latents, ratings.pairs)["prediction"]
        sd = math.sqrt(latents.get("sigma2", model.noise_variance))
        found.append(torch.distributions.Normal(mean, sd).log_prob(ratings.rating))
    return torch.stack(found)


def mean_nll(logs: torch.Tensor) -> float:
    return float(math.log(len(logs)) - logs.logsumexp(0).mean())


def run(observer: Predictive, draws: list, warm_from: int = 0):
    memory, said = observer.start(), []
    supply = iter(draws)
    for t in range(len(draws)):
        memory, scores = observer.update(memory, partial(next, supply), t >= warm_from)
        said.append(scores)
    return memory, said


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("rank", [1, 2, 3, 7])
@pytest.mark.parametrize("ordered", [True, False])
def test_running_scores_equal_log_mean_exp_of_all_draws(engine, rank, ordered):
    model = Factorization(USERS, ITEMS, rank, noise_variance=0.8)
    sets = {"train": some_ratings(300, 0, ordered), "test": some_ratings(60, 1, ordered)}
    draws = some_draws(model, 12)
    observer = Predictive(model, sets, Family.MCMC, engine=engine)
    memory, said = run(observer, draws, warm_from=5)
    for t, scores in enumerate(said):
        since = draws[: t + 1] if t < 5 else draws[5 : t + 1]
        for name, ratings in sets.items():
            logs = log_densities(model, ratings, since)
            assert scores[f"{name}_nll"] == pytest.approx(mean_nll(logs), rel=1e-13)
            assert scores[f"{name}_nll_last"] == pytest.approx(-float(logs[-1].mean()), rel=1e-13)
    answer = observer.finish([memory])
    predictions = torch.stack([model.quantities(d, sets["test"].pairs)["prediction"] for d in draws[5:]])
    assert answer["test_nll"] == pytest.approx(said[-1]["test_nll"], rel=1e-13)
    assert answer["test_mean"] == pytest.approx(predictions.mean(0).numpy(), abs=1e-12)
    assert answer["test_spread"] == pytest.approx(predictions.std(0, correction=0).numpy(), abs=1e-7)
    pit = torch.distributions.Normal(predictions, math.sqrt(0.8)).cdf(sets["test"].rating).mean(0)
    assert answer["test_pit"] == pytest.approx(pit.numpy(), abs=1e-12)
    logs = log_densities(model, sets["test"], draws[5:])
    assert answer["test_log_density"] == pytest.approx((logs.logsumexp(0) - math.log(7)).numpy(), rel=1e-12)
    rmse = (sets["test"].rating - predictions.mean(0)).square().mean().sqrt()
    assert said[-1]["test_rmse"] == pytest.approx(float(rmse), rel=1e-12)
    assert "train_rmse" not in said[-1] and answer["noise_variance"] == pytest.approx(0.8)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_nothing_underflows(engine):
    """Predictions far off: densities down to exp(-1e5) on their own, next to good ones, before and after them."""
    model = Factorization(USERS, ITEMS, 2)
    ratings = some_ratings(360)
    draws = [d for pair in zip(some_draws(model, 4, 20.0), some_draws(model, 4, 0.4), strict=True) for d in pair]
    far = log_densities(model, ratings, draws[:1])
    assert (far < -745).any() and (far > -500).any(), "the test needs some that underflow and some that do not"
    observer = Predictive(model, {"train": ratings}, Family.MCMC, engine=engine)
    for order in (draws, draws[::-1]):
        _, said = run(observer, order)
        for t, scores in enumerate(said):
            exact = mean_nll(log_densities(model, ratings, order[: t + 1]))
            assert scores["train_nll"] == pytest.approx(exact, rel=1e-13)


class Uneven(Factorization):
    """A noise variance and an effect for every rating, by draw."""

    def noise_of(self, latents, at=None):
        spread = latents["U"][:, 0].square()
        return 1.0 if at is None else 0.3 + spread.index_select(0, at.user)

    def effects(self, latents, at):
        return latents["V"].sum(1).index_select(0, at.item) + 0.1 * at.rating


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("spread", [0.3, 30.0])
def test_what_a_pair_has_of_its_own(engine, ordered, spread):
    """Variances of each rating, and effects beyond the product; densities that underflow where the spread is large."""
    model, test = Uneven(USERS, ITEMS, 3), some_ratings(300, 0, ordered)
    draws = some_draws(model, 8, spread)
    observer = Predictive(model, {"test": test}, Family.MCMC, engine=engine)
    memory, said = run(observer, draws)
    mean = torch.stack([model.quantities(d, test.pairs)["prediction"] + model.effects(d, test) for d in draws])
    variance = torch.stack([model.noise_of(d, test) for d in draws])
    normal = torch.distributions.Normal(mean, variance.sqrt())
    logs = normal.log_prob(test.rating)
    assert (logs < -745).any() == (spread > 1)
    for t, scores in enumerate(said):
        assert scores["test_nll"] == pytest.approx(mean_nll(logs[: t + 1]), rel=1e-12)
        assert scores["test_nll_last"] == pytest.approx(-float(logs[t].mean()), rel=1e-12)
    answer = observer.finish([memory])
    assert answer["test_mean"] == pytest.approx(mean.mean(0).numpy(), abs=1e-12 * spread**2)
    assert answer["test_pit"] == pytest.approx(normal.cdf(test.rating).mean(0).numpy(), abs=1e-12)
    assert answer["test_noise"] == pytest.approx(variance.mean(0).numpy(), rel=1e-12)
    assert answer["test_log_density"] == pytest.approx((logs.logsumexp(0) - math.log(8)).numpy(), rel=1e-12)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
def test_a_nan_is_seen(engine):
    model = Factorization(USERS, ITEMS, 2)
    draws = some_draws(model, 2)
    draws[1]["U"][3, 1] = math.nan
    _, said = run(Predictive(model, {"train": some_ratings(360)}, Family.MCMC, engine=engine), draws)
    assert math.isfinite(said[0]["train_nll"]) and math.isnan(said[1]["train_nll"])
    assert math.isnan(said[1]["train_nll_last"])


def test_the_density_is_that_of_a_student_when_the_variance_is_drawn():
    """K = 1, u v = m known, sigma2 ~ InverseGamma(a, b): the mean density tends to Student's t, 2a degrees.

    The mean of 5,000 terms; Hoeffding at 1e-6 on a density below 0.242 / 0.3 = 0.81, the most that a normal has
    0.3 from its mean: within 0.81 sqrt(log(2e6) / 10,000) = 0.031. With the variance's mean it would be 0.056 off.
    """
    a, b = 3.0, 2.0
    model = make("noise", 1, 1, 1)
    one = torch.ones(1, 1, dtype=torch.float64)
    gamma = torch.distributions.Gamma(a, b)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        draws = [{"U": one, "V": 2 * one, "sigma2": 1 / gamma.sample().double()} for _ in range(5_000)]
    ratings = Ratings(torch.tensor([0]), torch.tensor([0]), torch.tensor([2.3], dtype=torch.float64), 1, 1)
    memory, said = run(Predictive(model, {"test": ratings}, Family.MCMC), draws)
    student = torch.distributions.StudentT(2 * a, 2.0, math.sqrt(b / a)).log_prob(ratings.rating)
    assert math.exp(-said[-1]["test_nll"]) == pytest.approx(math.exp(student), abs=0.031)
    logs = log_densities(model, ratings, draws)
    assert said[-1]["test_nll"] == pytest.approx(mean_nll(logs), rel=1e-12)


def test_closed_form_of_a_gaussian_prediction():
    """v = 1 known and u ~ N(m, s^2): r ~ N(m, s^2 + noise). One variational step with 4,000 samples on 200 users;
    their average NLL has standard error below 0.002, the test allows 5 of them (false alarm < 1e-6)."""

    def init(rng, model, data):
        return torch.full((200, 1), 0.5, dtype=torch.float64)

    def draw(rng, mean, model):
        noise = torch.randn(mean.shape, generator=rng, dtype=torch.float64)
        return {"U": mean + 0.7 * noise, "V": torch.ones(1, 1, dtype=torch.float64)}

    known = Method("known", Family.VARIATIONAL, "hand", sys.modules[__name__],
                   init=init, step=lambda rng, state, model, data: (state, Info()), draw=draw)
    ratings = Ratings(torch.arange(200), torch.zeros(200, dtype=torch.int64),
                      torch.linspace(-2, 3, 200, dtype=torch.float64), 200, 1)
    model = Factorization(200, 1, 1, noise_variance=0.6)
    exact = torch.distributions.Normal(0.5, math.sqrt(0.7**2 + 0.6))
    for engine in ("compiled", "torch"):
        observer = Predictive(model, {"test": ratings}, Family.VARIATIONAL, samples=4000, engine=engine)
        result = drive(known, model, ratings, Plan(1, draws=1), observer=observer)
        assert result.final("test_nll") == pytest.approx(-float(exact.log_prob(ratings.rating).mean()), abs=0.01)
        assert result.expected["test_pit"] == pytest.approx(exact.cdf(ratings.rating).numpy(), abs=0.05)
        assert result.expected["test_spread"] == pytest.approx(np.full(200, 0.7), abs=0.06)
        assert "test_nll_last" not in result.trace


def test_chains_are_pooled_and_memory_survives_the_disk(tmp_path):
    model = Factorization(USERS, ITEMS, 2)
    sets = {"train": some_ratings(300), "validation": some_ratings(0), "test": some_ratings(50, 1, False)}
    draws = some_draws(model, 8)
    observer = Predictive(model, sets, Family.MCMC, ask=(torch.zeros(ITEMS, dtype=torch.int64), torch.arange(ITEMS)))
    memories = []
    for chain in (draws[:4], draws[4:]):
        memory, _ = run(observer, chain)
        checkpoint.save(tmp_path / "m.npz", memory)
        memories.append(checkpoint.load(tmp_path / "m.npz", (predictive.Memory, predictive.Moments)))
    answer = observer.finish(memories)
    for name in ("train", "test"):
        assert answer[f"{name}_nll"] == pytest.approx(mean_nll(log_densities(model, sets[name], draws)), rel=1e-12)
    asked = torch.stack([model.quantities(d, observer.detailed["ask"].pairs)["prediction"] for d in draws])
    assert answer["ask_mean"] == pytest.approx(asked.mean(0).numpy())
    assert "validation_nll" not in answer and "ask_pit" not in answer


def test_the_same_bytes_with_one_thread_and_two():
    model = Factorization(USERS, ITEMS, 3)
    pair = torch.arange(30 * kernel.BLOCK + 17) % (USERS * ITEMS)  # enough for several blocks a thread
    ratings = Ratings(pair // ITEMS, pair % ITEMS, 1.0 + pair.double() % 5, USERS, ITEMS)
    threads, said = torch.get_num_threads(), []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            said.append(run(Predictive(model, {"train": ratings}, Family.MCMC), some_draws(model, 3))[1])
    finally:
        torch.set_num_threads(threads)
    assert said[0] == said[1]


def test_a_stack_of_draws_is_the_draws_one_by_one(monkeypatch):
    model = Factorization(USERS, ITEMS, 2)
    draws, sets = some_draws(model, 10), {"train": some_ratings(360)}
    expected = mean_nll(log_densities(model, sets["train"], draws))
    for most in (1, 4, 10):
        monkeypatch.setattr(predictive, "STACK", most * 2 * (USERS + ITEMS))
        observer = Predictive(model, sets, Family.VARIATIONAL, samples=10)
        _, scores = observer.update(observer.start(), partial(next, iter(draws)), True)
        assert scores["train_nll"] == pytest.approx(expected, rel=1e-13)


def test_the_exponential():
    from numba import njit

    @njit
    def each(x, out):
        for n in range(len(x)):
            out[n] = bits_numba.exp(x[n])

    x = np.linspace(kernel.FLOOR - 9, 700, 100_003)
    out = np.empty_like(x)
    each(x, out)
    assert np.abs(out / np.exp(x) - 1).max() < 1e-15


def test_its_logarithm():
    from numba import njit

    @njit
    def each(x, out):
        for n in range(len(x)):
            out[n] = bits_numba.log(x[n])

    for x in (np.exp(np.linspace(-700, 700, 100_003)), np.linspace(0.5, 2, 100_003)):
        out, right = np.empty_like(x), np.log(x)
        each(x, out)
        assert np.all(np.abs(out - right) <= 5e-16 * np.maximum(np.abs(right), 1))


def test_bad_input():
    model = Factorization(USERS, ITEMS, 2)
    with pytest.raises(InputError, match="samples from q"):
        Predictive(model, {}, Family.VARIATIONAL, samples=0)
    with pytest.raises(InputError, match="runs on the CPU, not on cuda"):
        Predictive(Factorization(USERS, ITEMS, 2, device="cuda"), {}, Family.MCMC, engine="compiled")
