"""The real Jester ratings (Dataset 2: 1.76M ratings of 150 jokes, -10 to 10), fetched on request.

The checksum is the one that OmniRec publishes for this archive (ISG-Siegen/OmniRec, its Jester loader, for the
copy of 2025-04-09 at the Internet Archive). It was taken from there and has not been compared with a download
of our own. Where it does not fit, nothing is used: the file may have been changed, and a person must look.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from data.jester_like import cache_folder
from data.rating_matrix import JESTER_SCALE
from errors import InputError
from models.ratings import Ratings

FILE = "jester_dataset_2.zip"
SHA256 = "5c2b9fb8346fc132ac1be6a9264fef9a6d153da68f3201839ac25c19f9a59a09"
SOURCES = (
    "https://eigentaste.berkeley.edu/dataset/archive/",
    "https://web.archive.org/web/20250409222630id_/https://eigentaste.berkeley.edu/dataset/archive/",
)
TERMS = (
    "Jester, Ken Goldberg, AUTOLab, UC Berkeley: freely available for research use when acknowledged with\n"
    "  Eigentaste: A Constant Time Collaborative Filtering Algorithm. Ken Goldberg, Theresa Roeder, Dhruv Gupta,\n"
    "  and Chris Perkins. Information Retrieval, 4(2), 133-151. July 2001.\n"
    "The authors ask as a courtesy for a message to goldberg@berkeley.edu from whoever uses the data."
)


def download_jester(
    base_url: str | None = None,
    sha256: str = SHA256,
    cache: str | Path | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """The archive in the folder `cache` (None: the user's), fetched from `base_url` (None: each of SOURCES in turn)
    unless a copy with the right checksum is there. `say` is given the terms of use before anything is fetched.
    """
    import pooch
    import requests

    folder = Path(cache) if cache else cache_folder()
    kept = folder / FILE
    if kept.is_file() and pooch.file_hash(str(kept)) == sha256:
        return kept
    say(TERMS)
    failures = []
    for base in (base_url,) if base_url else SOURCES:
        try:
            return Path(pooch.retrieve(base.rstrip("/") + "/" + FILE, known_hash=f"sha256:{sha256}", fname=FILE,
                                       path=folder, downloader=pooch.HTTPDownloader(timeout=30)))
        except requests.HTTPError as error:
            failures.append(f"{base} answers {error}")
        except requests.RequestException as error:
            failures.append(f"{base} cannot be reached ({type(error).__name__})")
        except ValueError:  # pooch's for a checksum that differs; it has deleted what it fetched
            failures.append(f"{base} sends a file whose SHA-256 is not {sha256[:12]}...")
        except OSError as error:
            raise InputError(f"the Jester ratings cannot be kept in {folder}: {error.strerror}") from None
    raise InputError(f"the Jester ratings could not be fetched: {'; '.join(failures)}. Try again with a network, give "
                     f"a copy of your own as a file, or use the ratings 'jester-like', which are made here")


def to_stars(ratings: Ratings) -> Ratings:
    """Jester's -10..10 mapped to 1..5 stars: ceil((x + 10) / 4), and 1 for x = -10."""
    low, high = JESTER_SCALE
    if not bool(((ratings.rating >= low) & (ratings.rating <= high)).all()):
        raise InputError(f"only ratings from {low:g} to {high:g} can be mapped to 1 to 5 stars, "
                         f"these reach from {float(ratings.rating.min()):g} to {float(ratings.rating.max()):g}")
    stars = torch.ceil((ratings.rating - low) / 4).clamp(min=1)
    return replace(ratings, rating=stars, scale=(1.0, 5.0))


def looks_like_jester(ratings: Ratings) -> bool:
    """Whether the ratings use more than half of -10..10 on both sides, as no scale of stars or likes does."""
    if not ratings.total:
        return False
    lowest, highest = ratings.range
    return lowest < 0 and (ratings.scale == JESTER_SCALE or (-10 <= lowest < -5 and 5 < highest <= 10))


def parse_scale(text: str) -> tuple[float, float]:
    """'1,5' -> (1.0, 5.0)."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = math.nan
    if not -math.inf < low < high < math.inf:
        raise InputError(f"a scale is 'auto', 'keep', 'jester' or the lowest and highest rating as in 1,5, "
                         f"not '{text}'")
    return low, high
