"""Whether test ratings lie inside their predictive intervals as often as they should."""

from __future__ import annotations

import numpy as np
import torch

from data.ratings import Split
from experiments.ratings import captions
from inference.result import Result
from runs.run import Run
from views import sampling

LEVEL = 0.9  # of the predictive intervals whose coverage is counted
EDGES = (0, 5, 10, 20, 40, 80, 10**6)  # ratings of a user


def coverage(result: Result, count: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of test ratings inside the central 90% of their predictive distribution, and how many; by bins of `count`.

    count    (test pairs,) training ratings of the user of each
    """
    pit = result.expected["test_pit"]
    inside = np.abs(pit - 0.5) <= LEVEL / 2
    place = np.digitize(count, edges) - 1
    sizes = np.array([(place == b).sum() for b in range(len(edges) - 1)])
    shares = np.array([inside[place == b].mean() if sizes[b] else np.nan for b in range(len(edges) - 1)])
    return shares, sizes


def calibration(this: Run, judge: Result, parts: Split) -> None:
    """The figure and the table."""
    counts = torch.bincount(parts.train.user, minlength=parts.train.num_users)
    count, edges = counts[parts.test.user].cpu().numpy(), np.array(EDGES)
    shares, sizes = coverage(judge, count, edges)
    this.story.figure(sampling.calibration(this.folder, judge, count, edges, shares, sizes, LEVEL),
                      captions.predictions([judge]))
    this.table(f"{judge.name}: test ratings inside their central {100 * LEVEL:.0f}% interval, "
                "by training ratings of the user", ("ratings", "pairs", "inside", "mean PIT"),
                [(sampling.bin_name(edges, b), int(sizes[b]), f"{100 * shares[b]:.1f}%",
                  f"{judge.expected['test_pit'][np.digitize(count, edges) - 1 == b].mean():.3f}")
                 for b in range(len(sizes)) if sizes[b]])
