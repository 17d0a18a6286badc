"""What Problem 3 has run, as its report, its checkpoints and its sentences read it."""

from __future__ import annotations

from dataclasses import dataclass, field

from inference.result import Result


@dataclass
class Study:
    """Everything that was run, by what it is for."""

    main: list[Result] = field(default_factory=list)  # the kernels at --rank
    compared: list[Result] = field(default_factory=list)  # other methods at --rank
    gibbs: dict[tuple[float, int], Result] = field(default_factory=dict)  # (share of the training set, K)
    point: dict[tuple[float, int], Result] = field(default_factory=dict)
    real: dict[int, Result] = field(default_factory=dict)  # K -> plain on real ratings
    ladder: dict[str, Result] = field(default_factory=dict)  # model -> its chain, all on the same ratings
