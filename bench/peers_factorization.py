"""Other people's software on the same ratings. Each function gives None where its library is not installed."""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np

from models.factorization import Factorization
from models.ratings import Ratings

if TYPE_CHECKING:
    import jax
    from scipy.sparse import coo_matrix, csr_matrix


@dataclass
class Course:
    """How a fit went: after each step the seconds so far, scoring not counted, and the test RMSE."""

    seconds: list[float] = field(default_factory=list)
    rmse: list[float] = field(default_factory=list)
    draws: list[np.ndarray] = field(default_factory=list)  # of samplers: each step's own predictions of the test set

    def reach(self, rmse: float) -> float | None:
        """Seconds until the RMSE was at most this; None if it never was."""
        return next((s for s, r in zip(self.seconds, self.rmse, strict=True) if r <= rmse), None)

    @property
    def step(self) -> float:
        """Median seconds of a step; the first, which may compile, is left out."""
        return float(np.median(np.diff(self.seconds))) if len(self.seconds) > 1 else self.seconds[0]


class Machine(Protocol):
    """A factorization machine of myFM's: intercept, weights and factors of its columns."""

    w0: float
    w: np.ndarray
    V: np.ndarray


class Watch:
    """A clock that stands still while something is scored."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.course, self.clock = Course(), clock
        self.passed, self.started = 0.0, clock()

    def score(self, rmse: Callable[[], float]) -> None:
        self.passed += self.clock() - self.started
        self.course.seconds.append(self.passed)
        self.course.rmse.append(rmse())
        self.started = self.clock()


def root_mean_square(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(error**2)))


def sparse(data: Ratings) -> coo_matrix:
    import scipy.sparse

    return scipy.sparse.coo_matrix((data.rating.numpy(), (data.user.numpy(), data.item.numpy())),
                                   shape=(data.num_users, data.num_items))


def smurff_gibbs(train: Ratings, test: Ratings, rank: int, sweeps: int, threads: int = 2, keep: bool = False
                 ) -> Course | None:
    """SMURFF's BPMF: Gibbs with Normal-Wishart priors in C++, noise variance 1, its own scoring of the test set."""
    if not find_spec("smurff"):
        return None
    import smurff

    session = smurff.BPMFSession(sparse(train).tocsr(), Ytest=sparse(test), num_latent=rank, burnin=1, nsamples=sweeps,
                                 num_threads=threads, seed=0, verbose=0)
    session.init()
    watch = Watch()
    for _ in range(sweeps):
        session.step()
        watch.score(session.getRmseAvg)
        if keep:
            found = {tuple(item.coords): item.pred_1sample for item in session.getTestPredictions()}
            pairs = zip(test.user.tolist(), test.item.tolist(), strict=True)
            watch.course.draws.append(np.array([found[pair] for pair in pairs]))
            watch.started = time.perf_counter()
    return watch.course


def myfm_fit(train: Ratings, test: Ratings, rank: int, sweeps: int, kind: str = "VariationalFMRegressor"
             ) -> Course | None:
    """myFM's factorization machine on one-hot users and items, with biases and learned noise: variational, or Gibbs."""
    if not find_spec("myfm"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import myfm
    import scipy.sparse

    users = train.num_users

    def one_hot(data: Ratings) -> csr_matrix:
        n = len(data)
        columns = np.stack([data.user.numpy(), users + data.item.numpy()], 1).ravel()
        return scipy.sparse.csr_matrix((np.ones(2 * n), columns, 2 * np.arange(n + 1)),
                                       shape=(n, users + data.num_items))

    watch, total = Watch(), np.zeros(len(test))
    i, j, rating = test.user.numpy(), users + test.item.numpy(), test.rating.numpy()

    def callback(step: int, fm: Machine, *_: object) -> tuple[bool, None]:
        nonlocal total
        prediction = fm.w0 + fm.w[i] + fm.w[j] + (fm.V[i] * fm.V[j]).sum(1)
        watch.course.draws.append(prediction)
        total = prediction if kind.startswith("Variational") else total + (prediction - total) / (step + 1)
        watch.score(lambda: root_mean_square(rating - total))
        return False, None

    X = one_hot(train)
    watch.started = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
        getattr(myfm, kind)(rank=rank).fit(X, train.rating.numpy(), n_iter=sweeps, callback=callback,
                                           group_shapes=[users, train.num_items])
    return watch.course


def numpyro_svi(train: Ratings, test: Ratings, model: Factorization, start: dict[str, np.ndarray], epochs: int,
                batch_size: int, lr: float, decay: float, double: bool = True,
                clock: Callable[[], float] = time.perf_counter,
                score: Callable[[dict[str, np.ndarray]], None] = lambda params: None) -> Course | None:
    """The same guide, start, batches and schedule in NumPyro, compiled by JAX; its own default is single precision.
    `score` is shown the parameters of every epoch, while the clock stands still."""
    if not find_spec("numpyro"):
        return None
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import SVI, TraceMeanField_ELBO

    numpyro.enable_x64(double)
    shapes, N = model.sites, len(train)
    plates = {"U": "users", "V": "items"}
    user, item, rating = (jnp.asarray(x.numpy()) for x in (*train.pairs, train.rating))
    parts = -(-N // batch_size)
    steps_an_epoch, batch = parts, N // parts  # equal parts, so that JAX compiles one shape

    def program(index: jax.Array) -> None:
        sd = model.prior_variance**0.5
        rows = {}
        for site, shape in shapes.items():
            with numpyro.plate(plates[site], shape[0]):
                rows[site] = numpyro.sample(site, dist.Normal(0.0, sd).expand([model.rank]).to_event(1))
        with numpyro.plate("ratings", N, subsample_size=batch):
            mean = (rows["U"][user[index]] * rows["V"][item[index]]).sum(-1)
            numpyro.sample("r", dist.Normal(mean, model.noise_variance**0.5), obs=rating[index])

    def guide(index: jax.Array) -> None:
        for site, shape in shapes.items():
            mean = numpyro.param(f"{site}_mean", jnp.asarray(start[f"{site}_mean"]))
            log_variance = numpyro.param(f"{site}_log_variance", jnp.asarray(start[f"{site}_log_variance"]))
            with numpyro.plate(plates[site], shape[0]):
                numpyro.sample(site, dist.Normal(mean, jnp.exp(0.5 * log_variance)).to_event(1))

    adam = numpyro.optim.Adam(lambda step: lr * decay ** (step // steps_an_epoch))
    svi = SVI(program, guide, adam, TraceMeanField_ELBO())
    order = np.random.default_rng(0)
    state = svi.init(jax.random.PRNGKey(0), jnp.arange(batch))
    update = jax.jit(svi.update)
    jax.block_until_ready(update(state, jnp.arange(batch)))  # compiles
    i, j, truth = test.user.numpy(), test.item.numpy(), test.rating.numpy()
    watch = Watch(clock)
    for _ in range(epochs):
        shuffled = order.permutation(N)
        for k in range(steps_an_epoch):
            state, _ = update(state, jnp.asarray(shuffled[k * batch:(k + 1) * batch]))
        params = jax.block_until_ready(svi.get_params(state))
        mean = {site: np.asarray(params[f"{site}_mean"]) for site in shapes}

        def scored(params: dict[str, np.ndarray] = params, mean: dict[str, np.ndarray] = mean) -> float:
            score(params)
            return root_mean_square(truth - (mean["U"][i] * mean["V"][j]).sum(1))

        watch.score(scored)
    return watch.course
