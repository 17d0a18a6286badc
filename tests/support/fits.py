"""A fit to ratings as a run of Problem 2 makes it."""

from dataclasses import replace

from data.ratings import Split
from experiments.ratings import tasks
from models.factorization import Factorization
from runs import options
from runs.task import Task


def fit_task(spec: str, parts: Split, rank: int, *, epochs: int, samples: int, seed: int = 0, chains: int = 1) -> Task:
    fit = options.parse("factorization", spec)
    plan = replace(tasks.plan(fit.method, epochs, seed), chains=chains)
    model = Factorization(parts.train.num_users, parts.train.num_items, rank)
    return tasks.task(fit, model, parts, plan, samples=samples)
