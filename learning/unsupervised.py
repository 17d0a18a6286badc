"""Evidence and coupling of Potts denoising from a noisy image alone: expectations by belief propagation.

With the truth y hidden, log p(x) has the slopes (Fisher's identity; generalised EM, a step of Newton's kind at a time)

    d / dE = E[R | x] - n c,    d / dJ = E[S | x] - E_J[S],    R = how many pixels are as seen,  c = e^E / (e^E + K - 1)

The expectations given x are those of loopy BP's beliefs of pixels and pairs, whose messages live on from step to step;
E_J[S] is that of the persistent chains of `contrastive_divergence`. The covariance of the two answers is

    I^-1 + I^-1 diag(0, m^2) I^-1,    I = diag(n c (1 - c), var_J(S)) - d(E[R | x], E[S | x]) / d(E, J)

(T. Louis, JRSS B 44 (1982) 226, whose missing information is here BP's linear response), m the chains' error of E_J[S].
What BP gets wrong is not in it: near and beyond the transition, or with little evidence, expect more.
Cost of a step: a sweep of BP and one of all chains.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64, Int64

from errors import InputError
from inference import load
from learning.contrastive_divergence import CHAINS, PIXELS, equal, sweep, variance
from learning.potts import STRONGEST, UNKNOWN, Learned
from models.grid import GridMRF

STEPS, FIRST, SETTLED = 600, 20, 100  # SETTLED: sweeps of BP at the answer, for its response
START = (1.5, 0.5)  # nats
APART = 1e-3  # nats


class Beliefs:
    """BP on the image, at weights that change a little at a time."""

    def __init__(self, observed: Int64[np.ndarray, "H W"], K: int) -> None:
        seen = torch.from_numpy(observed)
        self.image = torch.nn.functional.one_hot(seen.clamp(min=0), K).double() * (seen != UNKNOWN)[..., None]
        self.bp = load.method("grid", "loopy_bp")
        self.state = self.bp.init(torch.Generator(), self.model(*START), self.image, track=False)

    def model(self, E: float, J: float) -> GridMRF:
        return GridMRF.potts(torch.zeros_like(self.image), E, J * torch.eye(self.image.shape[2], dtype=torch.float64))

    def moments(self, E: float, J: float, sweeps: int = 1) -> Float64[np.ndarray, "2"]:
        """E[R | x] and E[S | x]."""
        model = self.model(E, J)
        for _ in range(sweeps):
            self.state, _ = self.bp.step(torch.Generator(), self.state, model, self.image)
        pairs = self.bp.module.pair_beliefs(self.state, model)
        same = sum(float(table.diagonal(dim1=-2, dim2=-1).sum()) for table in pairs.values())
        return np.array([float((self.bp.module.beliefs(self.state) * self.image).sum()), same])


def by_em(observed: Int64[np.ndarray, "H W"], K: int, seed: int = 0) -> tuple[Learned, Learned]:
    """Evidence and coupling. Errors: InputError where the image alone does not tell them."""
    rng, beliefs, weights = np.random.default_rng(seed), Beliefs(observed, K), np.array(START)
    refuse_unless(len(np.unique(observed[observed != UNKNOWN])) > 1)
    n, count = int((observed != UNKNOWN).sum()), int(np.clip(PIXELS // observed.size, *CHAINS))
    y = rng.integers(0, K, (count, *observed.shape))
    path, seen = np.empty((STEPS, 2)), np.empty((STEPS, count))
    for t in range(STEPS):
        y = sweep(rng, y, weights[1], K)
        path[t], seen[t] = weights, equal(y)
        given = beliefs.moments(*weights)
        if t >= FIRST:
            slope = given - (n * share(weights[0], K), seen[t].mean())
            known = n * share(weights[0], K) * (1 - share(weights[0], K)), variance(seen[t // 2 : t + 1])
            weights = weights + np.clip(slope / known, -0.5, 0.5) / (t - FIRST + 1) ** 0.6
            refuse_unless(bool((abs(weights) < STRONGEST).all()))
    late, answer = seen[STEPS // 2 :], path[STEPS // 2 :].mean(0)
    errors = standard_errors(beliefs, answer, n, K, variance(late), float(late.mean(0).std(ddof=1)) / count**0.5)
    E, J = (Learned(float(v), float(e), "EM with belief propagation") for v, e in zip(answer, errors, strict=True))
    return E, J


def share(E: float, K: int) -> float:
    """c, of the pixels that are as in the truth."""
    return float(1 / (1 + (K - 1) * np.exp(-E)))


def standard_errors(beliefs: Beliefs, answer: Float64[np.ndarray, "2"], n: int, K: int, V: float, chains: float
                    ) -> Float64[np.ndarray, "2"]:
    """Of E and J. Errors: InputError where the information is not positive definite."""
    response = np.empty((2, 2))
    for k, step in enumerate(APART * np.eye(2)):
        up, down = (beliefs.moments(float(E), float(J), SETTLED) for E, J in (answer + step, answer - step))
        response[:, k] = (up - down) / (2 * APART)
    c = share(answer[0], K)
    information = np.diag([n * c * (1 - c), V]) - (response + response.T) / 2
    refuse_unless(bool(np.linalg.eigvalsh(information)[0] > 0))
    inverse = np.linalg.inv(information)
    return np.sqrt(np.diag(inverse + inverse @ np.diag([0.0, chains**2]) @ inverse))


def refuse_unless(told: bool) -> None:
    if not told:
        raise InputError("the image alone does not tell its evidence and coupling: learn them with --learn TRUTH")
