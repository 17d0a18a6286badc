"""A whole Pyro kernel to start from: elliptical slice sampling. Change it, ask, run:

    python run.py --check examples/mcmc_kernel.py --problem 3
    python run.py --problem 3 --kernel examples/mcmc_kernel.py --kernel row_gibbs --ratings examples/ratings.csv

Let x ~ N(m, S), m and S independent of the other latents, and let w be another draw of that prior. Every point of

    m + (x - m) cos t + (w - m) sin t        0 <= t < 2 pi

has the prior's distribution too, so only the likelihood has a say: t is drawn until L of the point is above u L(x),
u uniform in (0, 1), from a bracket that shrinks towards t = 0, x itself, with every miss. No step size to tune.
Source: Murray, Adams and MacKay, Elliptical slice sampling (2010).
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from pyro import poutine
from pyro.distributions import Normal, TorchDistribution
from pyro.infer.mcmc.mcmc_kernel import MCMCKernel
from pyro.poutine.util import site_is_subsample
from torch import Tensor

from errors import InputError

BATCHED = True  # optional: axes in front of a site's own are replicates, each with an angle of its own


class EllipticalSlice(MCMCKernel):
    """A sample is a move of every latent of the program in turn, given all others."""

    def __init__(self, model: Callable[..., None]) -> None:
        self.model = model  # pyro.infer.MCMC asks for this, the program,
        self.transforms: dict[str, Any] = {}  # and for this, site -> to unconstrained space: where normals are already
        self._start: dict[str, Tensor] = {}
        self._priors: dict[str, TorchDistribution] = {}
        self._moves, self._tries = 0, 0.0

    def setup(self, warmup_steps: int, *args: Any, **kwargs: Any) -> None:
        """A new chain, on what `mcmc.run` was given. There is nothing to adapt while it warms up."""
        self._arguments = args, kwargs
        # Besides latents a trace holds what is observed, and for every plate a site of the indices that it drew.
        latent: dict[str, Any] = {name: site for name, site in self._trace({}).nodes.items()
                  if site["type"] == "sample" and not site["is_observed"] and not site_is_subsample(site)}
        self._priors = {name: site["fn"] for name, site in latent.items()}
        for name, prior in self._priors.items():
            while hasattr(prior, "base_dist"):  # what .to_event() and plates are wrapped around
                prior = prior.base_dist
            if not isinstance(prior, Normal):
                raise InputError(f"EllipticalSlice needs normal priors, and {name} has a {type(prior).__name__}")
        self._start = {name: site["value"] for name, site in latent.items()}

    @property
    def initial_params(self) -> dict[str, Tensor]:
        """Where the chain starts, in unconstrained space: at a draw of the prior, unless it was set."""
        return self._start

    @initial_params.setter
    def initial_params(self, params: dict[str, Tensor]) -> None:
        self._start = params

    def sample(self, params: dict[str, Tensor]) -> dict[str, Tensor]:
        """Where the chain goes from `params`, which stay as they are. Chance is torch's global one, seeded for us."""
        for name in self._priors:
            params = self._move(params, name)
        return params

    def logging(self) -> OrderedDict[str, str]:
        """For the progress bar: numbers or words."""
        return OrderedDict(tries=f"{self._tries / max(self._moves, 1):.1f}")

    def diagnostics(self) -> dict[str, float]:
        """For mcmc.diagnostics(): angles tried for a move."""
        return {"tries": self._tries / max(self._moves, 1)}

    def cleanup(self) -> None:
        """The chain has ended; MCMC may call it twice. Here one would give back memory, or close a file."""

    def _move(self, params: dict[str, Tensor], name: str) -> dict[str, Tensor]:
        x, prior = params[name], self._priors[name]
        replicates = x.shape[: x.ndim - len(prior.shape())]
        x, w = x - prior.mean, prior.sample(replicates) - prior.mean
        level = self._log_likelihood(params, replicates) + torch.rand(replicates).log()
        t = 2 * math.pi * torch.rand(replicates, dtype=x.dtype)
        low, high = t - 2 * math.pi, t
        self._moves, self._tries = self._moves + 1, self._tries + 1
        while True:
            turn = t.reshape(replicates + torch.Size([1] * len(prior.shape())))
            moved = {**params, name: prior.mean + x * turn.cos() + w * turn.sin()}
            missed = self._log_likelihood(moved, replicates) < level
            if not missed.any():
                return moved
            self._tries += float(missed.double().mean())
            low, high = torch.where(missed & (t < 0), t, low), torch.where(missed & (t >= 0), t, high)
            t = torch.where(missed, low + (high - low) * torch.rand(replicates, dtype=x.dtype), t)

    def _log_likelihood(self, params: dict[str, Tensor], replicates: torch.Size) -> Tensor:
        """log p(data | params) of every replicate, in nats: the observed sites that `params` does not hold."""
        trace = self._trace(params)
        trace.compute_log_prob(lambda name, site: site["is_observed"] and name not in params)
        found = [site["log_prob"] for site in trace.nodes.values() if "log_prob" in site]
        return sum((x.reshape(*replicates, -1).sum(-1) for x in found), torch.zeros(replicates))

    def _trace(self, params: dict[str, Tensor]) -> poutine.Trace:
        """The program run once, with `params` as the values of its latents."""
        args, kwargs = self._arguments
        return poutine.trace(poutine.condition(self.model, data=params)).get_trace(*args, **kwargs)
