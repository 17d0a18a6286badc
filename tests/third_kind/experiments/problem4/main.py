"""Problem 4: coins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from models.coins import Coins

from inference.job import Plan, generator
from runs import options, request
from runs.options import Fit
from runs.request import option
from runs.run import begun
from runs.runner import running
from runs.task import Task, trial
from views import tables


@dataclass(frozen=True, kw_only=True)
class Request(request.Request):
    problem: ClassVar[str] = "4"
    kind: ClassVar[str] = "coins"
    method: tuple[str, ...] = option((), "a method", group="the methods")

    def chosen(self) -> list[Fit]:
        return [options.parse("coins", spec) for spec in self.method or ("conjugate", "independence")]


def run(request: Request) -> int:
    console, model, rng = tables.console(), Coins(), generator(request.seed_of_data, "coins")
    heads = model.simulate(rng, {"p": torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)})
    tasks = [Task(fit.method, model, heads, Plan(200, seed=request.seed), fit.options) for fit in request.chosen()]
    for task in tasks:
        trial(task)
    with begun(request, console) as this, running(this.folder, console) as runner:
        return this.bare([runner(task) for task in tasks])
