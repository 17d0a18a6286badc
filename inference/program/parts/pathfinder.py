"""Where a chain begins, and how wide the posterior is about there: Pathfinder.

A climb of the log density by L-BFGS passes through the bulk of the posterior on its way to a peak, or to none. At each
of its places u the inverse Hessian H that the climb has learned gives a normal,

    q = N(u + H grad log p(u), H)

and that with the highest ELBO is taken, or Laplace's by exact curvature where its ELBO is higher. Of PATHS climbs one
is chosen with a probability in proportion to exp(ELBO), so that a peak of no weight traps nobody. A draw of its q is
where the chain begins, H its first inverse mass matrix. Zhang, Carpenter, Gelman and Vehtari (2022), "Pathfinder:
parallel quasi-Newton variational inference". Cost: the climbs, DRAWS log densities a place, and 4 D gradients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize

from inference.program.parts.potential import LogDensity, value_and_gradient

PATHS, TRIES = 4, 12  # climbs, and places that they are tried from
STEPS = 300  # of a climb, at most
STEP = 1e-3  # of a difference, in sds
DRAWS = 8  # behind an ELBO
RADIUS = 2.0  # starts are uniform in (-2, 2)
CURVED = 1e-10  # s.y over |y|^2, below which a step says nothing of the curvature


@dataclass(frozen=True)
class Begun:
    """u (D,), and the covariance (D, D) about there."""

    u: np.ndarray
    covariance: np.ndarray


def begin(log_p: LogDensity, size: int, rng: np.random.Generator) -> Begun | None:
    """None where no climb comes to a place with a normal about it."""
    found: list[tuple[float, Begun]] = []
    for _ in range(TRIES):
        best = _best(log_p, *_climb(log_p, rng.uniform(-RADIUS, RADIUS, size)), rng)
        found += [] if best is None else [best]
        if len(found) == PATHS:
            break
    if not found:
        return None
    weights = np.exp([elbo - max(found, key=lambda each: each[0])[0] for elbo, _ in found])
    return found[int(rng.choice(len(found), p=weights / weights.sum()))][1]


def _climb(log_p: LogDensity, start: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The places of a climb, and the gradients there."""
    places: list[np.ndarray] = []
    seen: dict[bytes, np.ndarray] = {}  # gradients, since it goes where it has looked

    def loss(u: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(log_p, u)
        seen[u.tobytes()] = gradient
        fine = np.isfinite(value) and np.isfinite(gradient).all()
        return (-value, -gradient) if fine else (np.inf, np.zeros_like(u))

    with np.errstate(all="ignore"):
        if not np.isfinite(loss(start)[0]):
            return [], []
        optimize.minimize(loss, start, jac=True, method="L-BFGS-B", callback=lambda u: places.append(u.copy()),
                          options={"maxiter": STEPS, "maxcor": 10})
    kept = [start, *places]
    return kept, [seen[u.tobytes()] if u.tobytes() in seen else value_and_gradient(log_p, u)[1] for u in kept]


def _best(log_p: LogDensity, places: list[np.ndarray], gradients: list[np.ndarray], rng: np.random.Generator
          ) -> tuple[float, Begun] | None:
    """The highest ELBO of a climb, and a draw of its normal."""
    found: list[tuple[float, int, Begun]] = []
    H = np.eye(len(places[0])) if places else np.eye(0)
    for k in range(1, len(places)):
        H = _learned(H, places[k] - places[k - 1], gradients[k - 1] - gradients[k], first=k == 1)
        elbo, draws = _elbo(log_p, places[k] + H @ gradients[k], H, rng)
        found += [(elbo, k, Begun(draws[0], H))] if np.isfinite(elbo) else []
    if not found:
        return None
    _, at, best = max(found, key=lambda each: each[0])
    for k in {at, len(places) - 1}:
        exact = _curved(log_p, places[k], best.covariance)
        if exact is not None:
            elbo, draws = _elbo(log_p, places[k] + exact @ gradients[k], exact, rng)
            found += [(elbo, k, Begun(draws[0], exact))] if np.isfinite(elbo) else []
    elbo, _, best = max(found, key=lambda each: each[0])
    return elbo, best


def _curved(log_p: LogDensity, u: np.ndarray, H: np.ndarray) -> np.ndarray | None:
    """The inverse Hessian at u, by differences of the gradient along the axes of H; None where that is no peak."""
    L = np.linalg.cholesky((H + H.T) / 2)
    ahead, behind = (np.array([value_and_gradient(log_p, u + sign * STEP * axis)[1] for axis in L.T])
                     for sign in (1, -1))
    G = (behind - ahead) @ L / (2 * STEP)
    if not np.isfinite(G).all():
        return None
    try:
        M = np.linalg.inv(np.linalg.cholesky((G + G.T) / 2)).T
    except np.linalg.LinAlgError:
        return None
    exact: np.ndarray = L @ M @ (L @ M).T
    return exact


def _learned(H: np.ndarray, s: np.ndarray, y: np.ndarray, first: bool) -> np.ndarray:
    """The inverse Hessian after a step s in which the gradient of -log p changed by y, equation (6.17) of Nocedal and
    Wright."""
    sy, yy = s @ y, y @ y
    if not sy > CURVED * yy or yy == 0:
        return H
    if first:
        H = np.eye(len(s)) * sy / yy
    V = np.eye(len(s)) - np.outer(s, y) / sy
    return V @ H @ V.T + np.outer(s, s) / sy


def _elbo(log_p: LogDensity, mean: np.ndarray, H: np.ndarray, rng: np.random.Generator
          ) -> tuple[float, np.ndarray]:
    """E_q log p + the entropy of q, but for its constant; -inf where q is none."""
    try:
        L = np.linalg.cholesky((H + H.T) / 2)
    except np.linalg.LinAlgError:
        return -np.inf, mean[None]
    draws = mean + rng.standard_normal((DRAWS, len(mean))) @ L.T
    with torch.no_grad():
        values = np.array([float(log_p(torch.from_numpy(u))) for u in draws])
    elbo = values.mean() + np.log(L.diagonal()).sum()
    return (float(elbo), draws) if np.isfinite(elbo) else (-np.inf, draws)
