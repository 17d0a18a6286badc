"""One run over several ranks (`ranks/`): of a job every rank has the part of its users, and the first has the whole.

A method can be divided if its module says which tensors of its State have a row a user, `USERS = ("U",)`: its step then
works on a part of the model and the data, and sums over the ranks (`Part.sum`) what it needs of all. What is saved is
the whole, so that a run goes on with any number of ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from errors import InputError
from inference.job import Job, Run, resume
from inference.job import save as job_save
from inference.method import Latents, Method
from models.model import Data, Model
from ranks import group
from ranks.part import Part, divide


def part(method: Method, model: Model, data: Data) -> Part:
    """This rank's; if it has read only its own data, that of these. Errors: InputError for what cannot be divided."""
    if not hasattr(model, "of"):
        raise InputError(f"{method.name} has no users to be divided among ranks: run it without torchrun")
    if not hasattr(method.module, "USERS"):
        raise InputError(f"{method.name} needs all users in one process: run it without torchrun, or take row_gibbs, "
                         f"ladder_gibbs, coordinate_ascent, maximum_likelihood or elbo_by_hand")
    ratings: Any = data
    if ratings.scattered:
        return ratings.part
    return divide(torch.bincount(ratings.user, minlength=ratings.num_users).tolist(), group.size(), group.rank())


def agree(identity: Mapping[str, str]) -> None:
    """Errors: InputError where a rank has been given something else than the first."""
    first, *others = group.everyone(dict(identity))
    for rank, found in enumerate(others, 1):
        if other := [name for name in first if found.get(name) != first[name]]:
            raise InputError(f"rank {rank} differs from rank 0 in {', '.join(other)}: give all ranks the same words, "
                             f"files and program")


def divided(job: Job) -> Job:
    """A rank's own part of a job. Errors: InputError for what cannot be divided."""
    agree(job.facts["identity"])
    own, model, data, observer, record = part(job.method, job.model, job.data), *map(
        _divisible, (job.model, job.data, job.observer, job.record))
    return replace(job, model=model.of(own), data=data.of(own), observer=observer.of(own), record=record.of(own),
                   whole=job)


def _divisible(value: object) -> Any:
    if not hasattr(value, "of"):
        raise InputError(f"a run over several ranks needs a scorer and a record that can be divided, not {value!r}")
    return value


def begun(save_to: Path | None, job: Job, device: torch.device) -> Run | None:
    """What was saved, whether by one rank or by several; None where nothing was."""
    of = job.whole or job
    if of is job:
        return resume(save_to, job, device) if save_to and save_to.exists() else None
    found: list[Run] = []

    def read() -> bool:
        if save_to and save_to.exists():
            found.append(resume(save_to, of, device))
        return bool(found)

    if not group.first(read):
        return None
    run: Run = group.each(lambda rank: _of(found[0], job, rank))
    for role, rngs in (("method", job.rngs), ("observer", job.observer_rngs)):
        for rng, state in zip(rngs, run.generators[role], strict=True):
            rng.set_state(state.cpu())
    return run


def _of(run: Run, job: Job, rank: int) -> Run:
    """A rank's part of a whole run."""
    own = replace(job.part, rank=rank)
    observer: Any = job.whole.observer if job.whole else None
    return replace(run, states=[_mapped(state, job.method, own.own) for state in run.states],
                   memories=[observer.memory_of(memory, own) for memory in run.memories],
                   latents=run.latents if rank == 0 else [[{} for _ in row] for row in run.latents])


def whole(run: Run, job: Job) -> Run:
    """On the first rank the whole run; on the others nothing of use."""
    if job.whole is None:
        return run
    observer: Any = job.whole.observer
    return replace(run, states=[_mapped(state, job.method, lambda x: group.to_first(x, job.part.bounds))
                                for state in run.states],
                   memories=[observer.whole(memory, job.part) for memory in run.memories])


def save(path: Path, run: Run, job: Job) -> None:
    """The whole run, by the first rank."""
    found = whole(run, job)
    if group.rank() == 0 or job.whole is None:
        job_save(path, found, job.whole or job)


def whole_latents(latents: Latents, job: Job) -> Latents:
    """On the first rank those of all users; on the others none."""
    if job.whole is None:
        return latents
    model: Any = job.model
    found = {site: group.to_first(x, job.part.bounds) if model.part_of(site).divided else x
             for site, x in latents.items()}
    return {} if group.rank() else found


def _mapped(value: Any, method: Method, change: Callable[[Tensor], Tensor], name: str = "") -> Any:
    """A state, its tensors with a row a user changed."""
    if isinstance(value, Tensor):
        return change(value) if name in method.module.USERS else value
    if isinstance(value, dict):
        return {key: _mapped(inner, method, change, key) for key, inner in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _mapped(getattr(value, f.name), method, change, f.name)
                                 for f in fields(value)})
    return value
