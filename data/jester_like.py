"""A made-up set of the size and kind of Jester's: 63,978 users, 150 items, about 1.76M ratings from 1 to 5.

    activity      n_i = round(17.6 exp(N(0, 1))), at least 1, at most 140          (mean 27, median 18)
    who rates what    n_i items without replacement, drawn by popularity w_j = exp(N(0, 0.8^2))
    rating        round(3.1 + a_i + c_j + sum_k s_k x_ik y_jk + N(0, 0.775^2)), clipped to 1..5
                  a_i ~ N(0, 0.45^2), c_j ~ N(0, 0.3^2), x_ik, y_jk ~ N(0, 1), s = 0.5 .. 0.13 falling

What is rated does not depend on the rating (missing at random), so a held-out set is a fair judge. The falling
strengths s make each further factor worth less than the one before; beyond the sixth there is only noise.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from errors import InputError
from models.ratings import Ratings

NUM_USERS, NUM_ITEMS = 63_978, 150
MEDIAN_ACTIVITY, MAX_ACTIVITY = 17.6, 140
POPULARITY_SD = 0.8
MEAN, USER_SD, ITEM_SD, NOISE_SD = 3.1, 0.45, 0.3, 0.775
STRENGTHS = (0.5, 0.34, 0.27, 0.22, 0.17, 0.13)


def jester_like(seed: int = 0, cache: str | Path | None = None) -> Ratings:
    """The made-up set of this seed, made in a second or two, kept in the folder `cache` (None: the user's) and
    read back from there. The same seed and version of torch give the same bytes; a damaged copy is made again.
    """
    if not 0 <= seed < 2**63:
        raise InputError(f"the seed of a made-up set must lie between 0 and 2^63 - 1, not {seed}")
    path = (Path(cache) if cache else cache_folder()) / f"jester-like-{seed}-{fingerprint()}.npz"
    arrays = read_cached(path)
    if arrays is None:
        arrays = make(torch.Generator().manual_seed(seed))
        write_cached(path, arrays)
    activity, item, rating = (torch.from_numpy(a.astype(np.int64)) for a in arrays)
    return Ratings(
        user=torch.arange(NUM_USERS).repeat_interleave(activity), item=item, rating=rating.double(),
        num_users=NUM_USERS, num_items=NUM_ITEMS, scale=(1.0, 5.0),
        user_ids=range(1, NUM_USERS + 1), item_ids=range(1, NUM_ITEMS + 1),
    )


def make(rng: torch.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratings per user, and item and rating of each, ordered by user and item."""
    user, item = rated_pairs(rng)
    taste = torch.randn(NUM_USERS, len(STRENGTHS), generator=rng) * torch.tensor(STRENGTHS)
    flavour = torch.randn(NUM_ITEMS, len(STRENGTHS), generator=rng)
    user_bias = USER_SD * torch.randn(NUM_USERS, generator=rng)
    item_bias = ITEM_SD * torch.randn(NUM_ITEMS, generator=rng)
    noise = NOISE_SD * torch.randn(len(user), generator=rng)
    opinion = MEAN + user_bias[user] + item_bias[item] + (taste[user] * flavour[item]).sum(-1) + noise
    activity = torch.bincount(user, minlength=NUM_USERS)
    stars = opinion.round().clamp(1, 5)
    return activity.numpy().astype(np.uint8), item.numpy().astype(np.uint8), stars.numpy().astype(np.uint8)


def rated_pairs(rng: torch.Generator) -> tuple[Int64[Tensor, "N"], Int64[Tensor, "N"]]:
    """(user, item) of every rating, ordered by both."""
    activity = (MEDIAN_ACTIVITY * torch.randn(NUM_USERS, generator=rng).exp()).round().clamp(1, MAX_ACTIVITY).long()
    popularity = (POPULARITY_SD * torch.randn(NUM_ITEMS, generator=rng)).exp()
    user, item = draw_items(rng, activity, popularity).nonzero(as_tuple=True)
    return user, item


def draw_items(
    rng: torch.Generator, count: Int64[Tensor, "users"], weight: Float32[Tensor, "items"],
) -> Bool[Tensor, "users items"]:
    """Which items each user rates: `count[i]` of them, one after the other without replacement, each with a
    probability in proportion to its weight.

    That is an exponential race: the n first of the arrival times E_j / w_j, E_j ~ Exp(1).
    """
    race = -torch.rand(len(count), len(weight), generator=rng).neg_().log1p_() / weight
    arrivals = torch.from_numpy(np.sort(race.numpy(), -1))  # ten times as fast as torch's sort of short rows
    last = arrivals.gather(1, count[:, None] - 1)
    return race <= last


def cache_folder() -> Path:
    """Where downloads and made-up sets are kept: the user's cache, which XDG_CACHE_HOME moves on Linux."""
    import pooch

    return Path(pooch.os_cache("crosscheck"))


def fingerprint() -> str:
    """Changes with this file and with torch, so that a copy made by another recipe is never read."""
    return hashlib.sha256(Path(__file__).read_bytes() + torch.__version__.encode()).hexdigest()[:12]


def read_cached(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The arrays of `make`, or None where there is no copy or a damaged one (the archive carries checksums)."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            activity, item, rating = stored["activity"], stored["item"], stored["rating"]
    except Exception:  # NumPy and zipfile, which say nowhere what they raise for a damaged file
        return None
    sound = len(activity) == NUM_USERS and activity.sum(dtype=np.int64) == len(item) == len(rating)
    return (activity, item, rating) if sound else None


def write_cached(path: Path, arrays: tuple[np.ndarray, np.ndarray, np.ndarray]) -> bool:
    """Written under a temporary name, then renamed. False where it cannot be written, as the copy only saves time."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = file.name
            np.savez(file, activity=arrays[0], item=arrays[1], rating=arrays[2])
        os.replace(temporary, path)
    except OSError:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        return False
    return True
