"""Is a file of some other model? By the sites that it draws, or asks for, on the first test problem of every set.

    foreign(what, kinds)      # InputError where none of its sites is one of these kinds of model, or nothing

What raises before it has named a site is left to the contract, which says what it raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import torch

from checks.guides.guide import Guide, noise
from checks.problems.load import of_kind, sets
from checks.problems.problem import Problem
from errors import InputError, OtherModel
from inference.job import generator
from inference.method import Latents, Method


class Named(dict[str, torch.Tensor]):
    """Latents, or noise, that keep the names of sites that they were asked for and do not have."""

    def __init__(self, values: Latents, missing: set[str]) -> None:
        super().__init__(values)
        self.missing = missing

    def __missing__(self, site: str) -> torch.Tensor:
        self.missing.add(site)
        raise KeyError(site)


def foreign(what: Method | Guide, kinds: Iterable[str]) -> None:
    """Errors: InputError for one whose sites are none of those that these kinds of model have."""
    first = {kind: of_kind(kind)[0].problems()[0] for kind in dict.fromkeys(s.kind for s in sets().values())}
    asked = [kind for kind in kinds if kind in first]
    its = set().union(*(named(what, first[kind]) for kind in asked))
    if its and its.isdisjoint(set().union(*map(sites, asked))):
        there = " or ".join(f"{', '.join(p.model.sites)} ({of_kind(kind)[0].asked})" for kind, p in first.items())
        raise InputError(f"{what.name} is of another model: its latents are {', '.join(sorted(its))}, and those of the "
                         f"models that --check has test problems for are {there}")


def sites(kind: str) -> set[str]:
    """Of all test problems for a kind of model."""
    return {site for problems in of_kind(kind) for problem in problems.problems() for site in problem.model.sites}


def named(what: Method | Guide, problem: Problem) -> set[str]:
    """The sites that it draws, or asks for in vain, until something does not fit."""
    found: set[str] = set()
    rng = generator(0, "which model")
    latents, data = problem.joint(rng, 1)
    one = problem.one(data, 0)
    with suppress(Exception), seen_by_pyro(what, found):
        if isinstance(what, Guide):
            params = what.start(rng, problem.model, one)
            found |= set(what.sample(params, Named(noise(rng, problem.model, 2), found)))
        else:
            _draw(rng, what, problem, Named({site: x[0] for site, x in latents.items()}, found), one, found)
    return found


def _draw(rng: torch.Generator, method: Method, problem: Problem, latents: Named, data: object, found: set[str]
          ) -> None:
    try:
        state = method.init(rng, problem.model, data)
        if method.start and not method.guide:
            state = method.start(rng, problem.model, data, latents)
    except OtherModel as error:
        found |= set(error.sites)
        return
    if not method.guide:
        if not method.start:
            found |= set(method.draw(rng, state, problem.model))
        found |= set(method.draw(rng, method.step(rng, state, problem.model, data)[0], problem.model))


@contextmanager
def seen_by_pyro(what: Method | Guide, found: set[str]) -> Iterator[None]:
    """The sites that a Pyro guide draws, added at the end, however it comes."""
    if isinstance(what, Guide) or not what.guide:
        yield
        return
    import pyro.poutine as poutine

    with poutine.trace() as traced:
        try:
            yield
        finally:
            found |= {name for name, site in traced.trace.nodes.items() if site["type"] == "sample"
                      and not site["is_observed"] and type(site["fn"]).__name__ != "_Subsample"}
