"""Standard normal noise on the CPU, several times as fast as torch's: Box and Muller on a counter.

    z_2p, z_2p+1 = sqrt(-2 log u) (cos, sin)(2 pi v),    u, v = splitmix64(key + 2p), splitmix64(key + 2p + 1)

`key` is drawn from the generator once a call, so the same seed gives the same bytes whatever the number
of threads. log, sin and cos are polynomials, exact to rounding, because LLVM can put those into vector
registers and calls it cannot.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from torch import Tensor

from inference.threads import over_rows
from ranks.part import WHOLE, Part

GAMMA = np.uint64(0x9E3779B97F4A7C15)
FACT = [(-1) ** (k // 2) / math.factorial(k) for k in range(17)]  # of the series of sin (odd) and cos (even)
C0, S1, C2, S3, C4, S5, C6, S7, C8, S9, C10, S11, C12, S13, C14, S15, C16 = FACT


def normals(rng: torch.Generator, *shape: int, part: Part = WHOLE) -> Tensor:
    """N(0, 1) noise in float64 on the generator's device; torch's own where that is not the CPU. Rows of the users of
    a `part` have what they have in all users' noise, whatever the number of ranks."""
    if rng.device.type != "cpu":
        return part.own(torch.randn((part.total(shape[0]), *shape[1:]) if shape else shape, generator=rng,
                                    dtype=torch.float64, device=rng.device))
    key = np.uint64(int(torch.randint(2**63 - 1, (), generator=rng)))
    if part.divided:
        return _rows(key, part, shape)
    half = -(-math.prod(shape) // 2)
    noise = np.empty(2 * half)
    over_rows(_fill, half, key, noise[:half], noise[half:])
    return torch.from_numpy(noise)[: math.prod(shape)].view(shape)


def _rows(key: np.uint64, part: Part, shape: tuple[int, ...]) -> Tensor:
    """The rows of a part: of all users' noise the first half is cosines and the second half sines."""
    width, count = math.prod(shape[1:]), math.prod(shape)
    half, first = -(-part.bounds[-1] * width // 2), part.users.start * width
    n = min(max(half - first, 0), count)
    noise, unused = np.empty(count), np.empty(count)
    over_rows(_fill, n, _ahead(key, first), noise[:n], unused[:n])
    over_rows(_fill, count - n, _ahead(key, first + n - half), unused[n:], noise[n:])
    return torch.from_numpy(noise).view(shape)


def _ahead(key: np.uint64, pairs: int) -> np.uint64:
    """The key of which pair 0 is that pair of `key`."""
    return np.uint64((int(key) + 2 * pairs * int(GAMMA)) % 2**64)


@njit(inline="always")
def _mix(x: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(inline="always")
def _log(x: np.float64) -> np.float64:
    """log x = e log 2 + 2 artanh((m - 1) / (m + 1)), x = 2^e m, m within a factor sqrt 2 of 1."""
    bits = np.float64(x).view(np.int64)
    m = np.int64((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)
    big = m > math.sqrt(2.0)
    e = np.float64((bits >> 52) - 1023) + (1.0 if big else 0.0)
    m = 0.5 * m if big else m
    s = (m - 1) / (m + 1)
    g = s * s
    p = 1 / 19 * g + 1 / 17
    p = (((((((p * g + 1 / 15) * g + 1 / 13) * g + 1 / 11) * g + 1 / 9) * g + 1 / 7) * g + 1 / 5) * g + 1 / 3) * g + 1.0
    return e * math.log(2.0) + 2.0 * s * p


@njit(nogil=True, cache=True, error_model="numpy")
def _fill(first: int, last: int, key: np.uint64, cosines: np.ndarray, sines: np.ndarray) -> None:
    """Pairs first .. last: r cos to one array, r sin to the other."""
    cosines, sines = cosines[first:last], sines[first:last]
    for p in range(last - first):  # from 0, so that LLVM knows the index is not negative
        at = key + np.uint64(2 * (p + first)) * GAMMA
        u = np.float64(np.int64(_mix(at) >> np.uint64(11)) + 1) * 2.0**-53  # in (0, 1]
        turn = np.float64(np.int64(_mix(at + GAMMA) >> np.uint64(11))) * 2.0**-51  # in [0, 4): quarter turns
        r = math.sqrt(-2.0 * _log(u))
        quarter = np.int64(turn + 0.5)
        x = (turn - np.float64(quarter)) * (math.pi / 2)  # within an eighth of 0
        g = x * x
        s = x * (((((((S15 * g + S13) * g + S11) * g + S9) * g + S7) * g + S5) * g + S3) * g + S1)
        c = (((((((C16 * g + C14) * g + C12) * g + C10) * g + C8) * g + C6) * g + C4) * g + C2) * g + C0
        odd = (quarter & 1) == 1
        cos, sin = (s if odd else c), (c if odd else s)
        cosines[p] = -r * cos if ((quarter + 1) & 2) != 0 else r * cos
        sines[p] = -r * sin if (quarter & 2) != 0 else r * sin
