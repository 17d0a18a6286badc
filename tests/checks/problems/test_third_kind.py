"""A kind of model that nothing in the project knows: its set of test problems is all that the door asks for.

    theta ~ N(0, I),  x | theta ~ N(theta, 0.5 I):   theta | x ~ N(x / 1.5, I / 3)
"""

import re
from dataclasses import dataclass

import pytest
import torch

from checks.door import check
from checks.problems.problem import Problem, ProblemSet
from checks.verdict import Outcome
from models.densities import log_normal

KERNEL = '''"""Mine."""
import torch
BATCHED = True
def transition(rng, latents, model, data):
    noise = torch.randn(latents["theta"].shape, generator=rng, dtype=torch.float64)
    return {{"theta": {mean} + {sd} * noise}}
'''


@dataclass(frozen=True)
class Means:
    """The model above, as far as a check of kernels asks."""

    variance: float = 0.5
    kind = "means"
    sites = {"theta": (3,)}  # noqa: RUF012
    labels = dict[str, int]()  # noqa: RUF012
    besides = ()

    def log_joint(self, latents, data):
        theta = latents["theta"]
        return log_normal(theta, 0.0, 1.0).sum(-1) + log_normal(data, theta, self.variance).sum(-1)


def joint(rng, n):
    theta, noise = torch.randn(2, n, 3, generator=rng, dtype=torch.float64)
    return {"theta": theta}, theta + 0.5**0.5 * noise


def free(model, latents, data):
    return {("log joint", "everything"): model.log_joint(latents, data), ("sum", "theta"): latents["theta"].sum(-1)}


def coordinates(model, latents):
    return {("entry", f"theta[{k}]"): latents["theta"][:, k] for k in range(3)}


PROBLEM: Problem = Problem("3 means", Means(), joint, lambda data, r: data[r], free, lambda *_: {},  # type: ignore[type-var]
                           {"variance": lambda factor: Means(0.5 * factor)}, coordinates, "the data are x")
SET = ProblemSet("means", "means", "means", "--problem means", lambda: [PROBLEM], lambda: PROBLEM)


@pytest.mark.parametrize(("mean", "sd", "says"), [
    ("data / (1 + model.variance)", "(model.variance / (1 + model.variance)) ** 0.5", "is right"),
    ("data / (1 + model.variance)", "0.8", "is WRONG: log joint of everything is too small"),
    ("0 * data", "1.0", "does not use the data it is given.*; the data are x"),
    ("latents['theta']", "0.0", "cannot tell whether mine is right: nothing moved in 8,000 replicates of 3 steps"),
])
def test_kernels_on_another_kind_of_model(tmp_path, monkeypatch, mean, sd, says):
    monkeypatch.setattr("checks.kernels.judge.LOOKS", (1000, 8000))
    (tmp_path / "mine.py").write_text(KERNEL.format(mean=mean, sd=sd))
    verdict = check(tmp_path / "mine.py", problems=SET, seed=1)
    expected = {"is right": Outcome.RIGHT, "cannot tell": Outcome.UNKNOWN}.get(says[:11], Outcome.WRONG)
    assert verdict.outcome is expected
    assert re.search(says, verdict.headline), verdict.headline
    assert says != "is right" or verdict.excluded["variance"] < 0.3
