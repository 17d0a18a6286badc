"""Row-wise Gibbs as a Pyro kernel: runs under pyro.infer.MCMC and StreamingMCMC, the sweep is `row_gibbs`.

    kernel = RowGibbs(model)                                 # a models.Factorization
    mcmc = MCMC(kernel, num_samples=100, warmup_steps=50)    # or StreamingMCMC, which keeps no draws
    mcmc.run(data)                                           # a models.factorization.Ratings

U and V are known only up to rotation, so their R-hat says nothing. `save_params=["prediction", "log_joint"]` saves
what can be diagnosed instead: u_i . v_j at the model's `pairs`, (pairs,), and log p(U, V, r), a number in nats.
Cost of a sample: as `row_gibbs`; `log_joint` one more pass over the ratings.
"""

from __future__ import annotations

import multiprocessing
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from torch import Tensor
from torch.distributions import Transform

from errors import InputError, unknown
from inference.engine import Engine
from inference.factorization import row_gibbs
from inference.generators import global_one
from inference.job import generator
from inference.method import Family, Info, Latents
from inference.pyro import from_kernel
from inference.pyro.from_kernel import State, draw
from inference.pyro.kernel_memory import same_kind
from models.factorization import Factorization
from models.ratings import Ratings

FAMILY = Family.MCMC
T = TypeVar("T")
DERIVED = ("log_joint", "prediction")

__all__ = ["FAMILY", "RowGibbs", "State", "draw", "init", "start", "step"]


class RowGibbs(MCMCKernel):
    """All of U given V, then all of V given U.

    engine    compiled or torch, as for `row_gibbs`
    seed      None: from torch's global randomness, like every Pyro kernel. Then chains drawn in one process and
              chains drawn in several differ, for Pyro seeds them differently. A number: chain c is the same
              bytes either way.
    """

    def __init__(self, model: Factorization, engine: Engine = "auto", seed: int | None = None) -> None:
        if not isinstance(model, Factorization):
            raise InputError(f"RowGibbs samples a models.factorization.Factorization, not a {type(model).__name__}")
        self.factorization, self.engine, self.seed = model, engine, seed
        self.model = model.program  # MCMC asks for both
        self.transforms: dict[str, Transform] = {}  # U and V are unconstrained
        self._chains = self._sweeps = 0
        self._stream: Tensor | None = None  # our generator between two samples, where there is a seed
        self._start: dict[str, Tensor] | None = None
        self._initial: dict[str, Tensor] | None = None
        self._last: dict[str, Tensor] | None = None
        self._saved: list[str] | None = None

    def setup(self, warmup_steps: int, *args: object, **kwargs: object) -> None:
        """A new chain. There is nothing to adapt, so warm-up sweeps are sweeps like any other."""
        if len(args) != 1 or kwargs or not isinstance(args[0], Ratings):
            raise InputError("RowGibbs is run on one argument, the ratings: mcmc.run(data), data being Ratings")
        self.data: Ratings = args[0]
        self._sweeps = 0
        if self.seed is not None:
            process = multiprocessing.current_process().name  # Pyro calls its workers by the number of the chain
            chain = int(process) if process.isdigit() else self._chains
            self._stream = generator(self.seed, f"RowGibbs/{chain}", self.factorization.device).get_state()
        self._chains += 1
        state = self._with_rng(lambda rng: row_gibbs.init(rng, self.factorization, self.data, engine=self.engine))
        self._engine = state.engine
        self._initial = self._with_derived(self._start or {"U": state.U, "V": state.V})

    def sample(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """The next U and V; `params` is left as it is."""
        state = row_gibbs.State(params["U"], params["V"], self._engine)
        new, _ = self._with_rng(lambda rng: row_gibbs.step(rng, state, self.factorization, self.data))
        sample = {"U": new.U, "V": new.V}
        fault = same_kind("RowGibbs", {site: params[site] for site in sample}, sample)
        if fault:
            raise InputError(fault)
        self._sweeps += 1
        return self._with_derived(sample)

    @property
    def initial_params(self) -> dict[str, Tensor] | None:
        return self._initial

    @initial_params.setter
    def initial_params(self, params: dict[str, Tensor]) -> None:
        """Where the next chain starts."""
        sites = self.factorization.sites
        for site, shape in sites.items():
            if site not in params:
                raise InputError(f"initial_params lacks the site {site}: it must hold {', '.join(sites)}")
            if params[site].shape != shape:
                raise InputError(f"initial_params of site {site} has the shape {tuple(params[site].shape)}: it must be "
                                 f"{shape}, with the chains in front where there are several")
            if not bool(torch.isfinite(params[site]).all()):
                raise InputError(f"initial_params of site {site} holds NaN or inf")
        self._start = {site: params[site].detach().to(self.factorization.device, torch.float64) for site in sites}
        self._initial = self._with_derived(self._start)

    @property
    def save_params(self) -> list[str]:
        if self._saved is None:
            raise AttributeError("save_params")  # so that MCMC takes all of initial_params
        return self._saved

    @save_params.setter
    def save_params(self, names: Sequence[str]) -> None:
        """Sorted, because MCMC cuts its draws up in that order, whatever order it was given."""
        known = (*self.factorization.sites, *DERIVED)
        for name in names:
            if name not in known:
                raise unknown("name in save_params", name, known)
        if "prediction" in names and self.factorization.pairs is None:
            raise InputError("save_params holds 'prediction', and the model has no `pairs` to predict at: "
                             "make it with pairs=(user, item)")
        self._saved = sorted(set(names))

    def logging(self) -> OrderedDict[str, str]:
        """For the progress bar: the log joint, if it is computed anyway."""
        return OrderedDict((name, f"{float(x):.8g}") for name, x in (self._last or {}).items() if name == "log_joint")

    def diagnostics(self) -> dict[str, int | list[int]]:
        """`divergences`, samples in which a kernel diverged, is what `az.from_pyro` asks for: none can here."""
        return {"sweeps": self._sweeps, "divergences": []}

    def cleanup(self) -> None:
        """MCMC calls it once or twice a chain, and sets the next chain's start afterwards."""
        self._start = None

    def _with_derived(self, sample: dict[str, Tensor]) -> dict[str, Tensor]:
        for name in self._saved or ():
            if name == "log_joint":
                sample = {**sample, name: self.factorization.log_joint(sample, self.data)}
            elif name == "prediction":
                sample = {**sample, name: self.factorization.quantities(sample)[name]}
        self._last = sample
        return sample

    def _with_rng(self, what: Callable[[torch.Generator], T]) -> T:
        """what(generator): the global one, or ours, kept as a tensor between two samples."""
        if self._stream is None:
            return what(global_one(self.factorization.device))
        rng = torch.Generator(self.factorization.device)
        rng.set_state(self._stream)
        result = what(rng)
        self._stream = rng.get_state()
        return result


def init(rng: torch.Generator, model: Factorization, data: Ratings, *, engine: Engine = "auto") -> State:
    """A draw from the prior."""
    return from_kernel.begin(rng, model, data, lambda model: RowGibbs(model, engine))


def start(rng: torch.Generator, model: Factorization, data: Ratings, latents: Latents, *,
          engine: Engine = "auto") -> State:
    return from_kernel.begin(rng, model, data, lambda model: RowGibbs(model, engine), latents=latents)


def step(rng: torch.Generator, state: State, model: Factorization, data: Ratings) -> tuple[State, Info]:
    return from_kernel.advance(rng, state, model, data, RowGibbs)
