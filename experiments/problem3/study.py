"""What Problem 3 has run, as its report, its checkpoints and its sentences read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.ratings import Ratings, Split
from inference.result import Result

ByShare = Mapping[tuple[float, int], Result]  # (share of the training set, K)


@dataclass(frozen=True)
class Study:
    """Everything that was run, by what it is for."""

    rank: int
    parts: Split
    small: Ratings  # the share of the training set
    main: Sequence[Result]  # the kernels at --rank
    compared: Sequence[Result]  # other methods at --rank
    gibbs: ByShare
    point: ByShare
    real: Mapping[int, Result]  # K -> plain on real ratings
    ladder: Mapping[str, Result]  # model -> its chain, all on the same real ratings
