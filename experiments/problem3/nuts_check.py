"""Gibbs against NUTS on a small problem: do two samplers that share no code agree within Monte Carlo error?

Both give means of the prediction and of its square at every pair. Each chain is cut into 20 batches; the difference of
the means over its standard error from the batches is Student's t with at least 19 degrees of freedom. All of the 20
scores must stay below 9.5: with both samplers right one goes beyond with probability 1.2e-8, any of them with 2.4e-7.
"""

from __future__ import annotations

import numpy as np
import torch

from inference import load
from inference.drive import drive
from inference.job import Plan, generator
from models.factorization import Factorization
from models.ratings import Ratings

BATCHES = 20
LIMIT = 9.5
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2))
PLANS = {"row_gibbs": Plan(8200, 1, 200), "nuts_pyro": Plan(600, 1, 200)}


def small() -> tuple[Factorization, Ratings]:
    """Four users, three items, ten ratings, one factor."""
    rng = generator(0, "nuts")
    user, item = torch.tensor(PAIRS).T.contiguous()
    model = Factorization(4, 3, 1, prior_variance=1.5, noise_variance=0.6, pairs=(user, item))
    return model, model.simulate(rng, model.prior(rng))


def largest_score(seed: int = 0) -> float:
    """The largest |t| over pairs and moments."""
    model, data = small()
    found = []
    for name, plan in PLANS.items():
        options = {"warmup": plan.warmup} if name == "nuts_pyro" else {}
        result = drive(load.method("factorization", name), model, data, Plan(plan.steps, 1, plan.warmup, seed=seed),
                       options, record=model.quantities)
        found.append(batch_moments(result.draws["prediction"][0]))
    (a, va), (b, vb) = found
    return float(np.max(np.abs(a - b) / np.sqrt(va + vb)))


def batch_moments(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of x and x^2 over the draws (draw, pair), and the squared standard errors from the batches."""
    values = np.concatenate([draws, draws**2], 1)
    batches = values.reshape(BATCHES, -1, values.shape[1]).mean(1)
    return batches.mean(0), batches.var(0, ddof=1) / BATCHES
