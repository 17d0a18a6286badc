"""Rating files -> `Ratings`: text in any layout of `rating_layout`, Parquet, MatrixMarket; gzip, bzip2, xz and zip.

Original ids are kept in `user_ids` and `item_ids`; the index tensors are contiguous, in the order of the ids.
1.76M ratings from a gzipped CSV take about two seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data import rating_layout, rating_netflix
from data.rating_encoding import decoded
from data.rating_kinds import TAKES, check_text, refuse_beyond, unpacked
from data.rating_pairs import Scale, to_ratings
from data.rating_sheet import FILE, Sheet, plain
from data.rating_table import from_folder, from_matrix_market, from_parquet
from data.rating_text import cut
from data.rating_triples import Triples
from errors import InputError
from models.ratings import Ratings

FEW = 5  # ratings of which each may well be another user's


@dataclass(frozen=True)
class Reading:
    """How a file is to be read, and who is told what was understood.

    columns       which are the user, the item and the rating, in words, as --columns takes them; None: by their names
    duplicates    of a pair that is rated twice: refuse, last (by time where there is one), or mean
    apart         each of several ranks reads only its own part, where it can (`rating_folder`)
    times         whether the times of the ratings are kept, where there are any
    """

    columns: str | None = None
    duplicates: str = "refuse"
    say: Callable[[str], None] = lambda line: None
    apart: bool = False
    times: bool = False


AS_IT_IS = Reading()


def read_ratings(path: str | Path, scale: Scale | None = None, how: Reading = AS_IT_IS) -> Ratings:
    """The ratings in a file; `scale` is the lowest and highest possible one, if known: others are refused.
    Those of a folder are in the order of users and items."""
    found = to_ratings([read_triples(path, how)], scale, how.duplicates, how.say, how.times)[0]
    return found.in_order() if Path(path).is_dir() else found


def read_triples(path: str | Path, how: Reading = AS_IT_IS, single: bool = False) -> Triples:
    """The triples in a file; `single`: whether every user may have one rating, as in a test set."""
    found = rating_layout.triples(read_sheet(path, how.say), how.columns, how.say)
    if not single:
        check_repeats(found)
    return found


def read_sheet(path: str | Path, say: Callable[[str], None]) -> Sheet:
    """Rows and columns of a file, or of a folder of Parquet files; what kind it is, the bytes themselves say."""
    path = Path(path)
    try:
        if path.is_dir():
            return from_folder(path)
        if path.exists() and not path.is_file():
            raise InputError(f"'{plain(path, FILE)}' is neither a file nor a folder")
        refuse_beyond(plain(path.name, FILE), path.stat().st_size, 2)
        raw = [path.read_bytes()]  # in a list, so that whoever reads it on can let it go
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"there is no file '{plain(path, FILE)}'") from None
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "its name is none"
        raise InputError(f"'{plain(path, FILE)}' cannot be read: {why}") from None
    except MemoryError:
        raise InputError(f"'{plain(path, FILE)}' does not fit into memory") from None
    return sheet_of(plain(path.name, FILE), raw.pop(), say)


def sheet_of(name: str, raw: bytes, say: Callable[[str], None]) -> Sheet:
    """Rows and columns of a file's bytes."""
    inner, raw = unpacked(name, raw)
    if raw.startswith(b"PAR1"):
        return from_parquet(inner, raw)
    refuse_beyond(inner, len(raw), TAKES - 1)
    text, remark = decoded(inner, raw)
    del raw
    if remark:
        say(remark)
    if text.lower().startswith("%%matrixmarket"):
        return from_matrix_market(inner, text)
    check_text(inner, text)
    return rating_netflix.sheet(inner, text) if rating_netflix.is_netflix(text) else cut(inner, text)


def check_repeats(found: Triples) -> None:
    """Errors: InputError where no user has a second rating, as when the users' column is an index."""
    N = len(found.rating)
    if not found.certain and FEW <= N <= len(found.user.words) and len(np.unique(found.user.codes)) == N:
        index = np.array_equal(found.user.codes, np.arange(N)) and found.user[0] in ("0", "1")
        raise once(found, " (they look like the numbers of the rows)" if index else "")


def once(found: Triples, why: str = "") -> InputError:
    return InputError(f"{found.name}: every user has one rating{why}; taken were {found.columns}; if others are meant, "
                      f"{rating_layout.HINT}")
