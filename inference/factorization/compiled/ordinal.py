"""Compiled: the log probability of every rating's level, and a normal number between two thresholds for each.

    log(Phi(high) - Phi(low)), by the tail in which both are small
    y = eta + Phi^-1(Phi(low) + u (Phi(high) - Phi(low)))

Phi by erfc, its inverse by Wichura's AS 241 (1988), right to 1e-16; far down the tail Newton's method on log Phi.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

ROOT2, LOG_ROOT_2PI = math.sqrt(2.0), 0.5 * math.log(2 * math.pi)
TAIL, FARTHEST, NEWTON = -5.0, -36.0, 6  # erfc is a number down to the second
CENTRE = (3.3871328727963666080, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
          4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3)
CENTRE_UNDER = (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
                2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3)
NEAR = (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
        1.27045825245236838258, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4)
NEAR_UNDER = (1.0, 2.05319162663775882187, 1.67638483018380384940, 6.89767334985100004550e-1,
              1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
              1.05075007164441684324e-9)
AWAY = (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 2.96560571828504891230e-1,
        2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7)
AWAY_UNDER = (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
              7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
              2.04426310338993978564e-15)


@njit(inline="always")
def _ratio(x: float, over: tuple[float, ...], under: tuple[float, ...]) -> float:
    a, b = over[7], under[7]
    for k in range(6, -1, -1):
        a, b = a * x + over[k], b * x + under[k]
    return a / b


@njit
def ndtri(p: float) -> float:
    """Phi^-1."""
    q = p - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(0.180625 - q * q, CENTRE, CENTRE_UNDER)
    r = math.sqrt(-math.log(p if q < 0 else 1 - p))
    x = _ratio(r - 1.6, NEAR, NEAR_UNDER) if r <= 5 else _ratio(r - 5, AWAY, AWAY_UNDER)
    return -x if q < 0 else x


@njit
def log_ndtr(x: float) -> float:
    """log Phi, of x below 0."""
    if x > FARTHEST:
        return math.log(0.5 * math.erfc(-x / ROOT2))
    s = 1 / (x * x)
    return -0.5 * x * x - math.log(-x) - LOG_ROOT_2PI + math.log1p(-s * (1 - s * (3 - s * (15 - s * 105))))


@njit
def log_between(low: float, high: float) -> float:
    if low > 0:
        low, high = -high, -low
    if high > TAIL:
        return math.log(0.5 * (math.erfc(-high / ROOT2) - math.erfc(-low / ROOT2)))
    top = log_ndtr(high)
    return top + math.log(-math.expm1(log_ndtr(low) - top))


@njit
def deep(low: float, high: float, u: float) -> float:
    top = log_ndtr(high)
    aim = top + math.log(u + (1 - u) * math.exp(log_ndtr(low) - top))
    z = -math.sqrt(high * high - 2 * (aim - top))
    for _ in range(NEWTON):
        log = log_ndtr(z)
        z -= (log - aim) * math.exp(log + 0.5 * z * z + LOG_ROOT_2PI)
    return z


@njit(nogil=True, cache=True)
def likelihood(first: int, last: int, eta: np.ndarray, code: np.ndarray, edges: np.ndarray, out: np.ndarray) -> None:
    """log P of every rating's level, into out, (N,)."""
    for n in range(first, last):
        k = code[n]
        out[n] = log_between(edges[k] - eta[n], edges[k + 1] - eta[n])


@njit(nogil=True, cache=True)
def between(first: int, last: int, eta: np.ndarray, code: np.ndarray, edges: np.ndarray, u: np.ndarray,
            out: np.ndarray) -> None:
    """y of every rating from u uniform on (0, 1), into out, (N,)."""
    for n in range(first, last):
        low, high, chance = edges[code[n]] - eta[n], edges[code[n] + 1] - eta[n], max(u[n], 2.0**-54)
        flip = low > 0
        if flip:
            low, high = -high, -low
        if high < TAIL:
            z = deep(low, high, chance)
        else:
            a = 0.5 * math.erfc(-low / ROOT2)
            z = ndtri(a + chance * (0.5 * math.erfc(-high / ROOT2) - a))
        z = min(max(z, low), high)
        out[n] = eta[n] - z if flip else eta[n] + z
