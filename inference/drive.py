"""The one loop that runs every method: chains, steps, draws, progress, checkpoints.

The same seed gives the same bytes, on any number of threads, stopped and resumed or not: everything that a step
depends on (states, generators, draws kept, trace) is in the checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from errors import Interrupted
from inference import checkpoint, finite, shards
from inference import latents as kept_latents
from inference.interrupt import PATIENCE, finish_step_first, telling
from inference.job import Job, Observer, Plan, Run, generator, lost
from inference.latents import Keeper
from inference.method import Family, Kind, Latents, Method
from inference.options import typed
from inference.result import Result
from inference.threads import torch_on_one_thread
from models.model import Data, Model
from ranks import group

if TYPE_CHECKING:
    from inference.loading import Loading

KEPT_BYTES = 2**26  # of draws, all chains together; longer runs are thinned
CONVERGED = 1e-8  # a residual that counts as a fixed point


@torch_on_one_thread()
def drive(method: Method, model: Model, data: Data, plan: Plan, options: Mapping[str, Any] | None = None, *,
          save_to: Path | None = None, save_every: float = 5.0,
          on_step: Callable[[int, Mapping[str, float]], None] | None = None,
          on_save: Callable[[float], None] | None = None, on_chain: Callable[[int], None] = lambda chain: None,
          record: Callable[[Latents], Latents] = lambda latents: latents, observer: Observer | None = None,
          keeper: Keeper | None = None, over: int = 1) -> Result:
    """Run `method` to the end of `plan` and return its Result.

    save_to   a file to save to every `save_every` seconds, or so seldom that it is a twentieth of the time, and to go
              on from when it exists; `on_save` is told how long it took
    on_chain  is told which chain is about to begin, or to move
    record    what to keep of a draw
    keeper    somebody for whom all of it is kept, thinned as `inference/latents.py` says
    over      so many ranks, all of which call this; the first has the result (inference/shards.py)
    Errors: Interrupted after Ctrl-C, KeyboardInterrupt where the step did not end; InputError for options and inputs
    that the method refuses.
    """
    from inference.loading import rehearse, watched  # imports numba, which listing has no use for

    device = torch.device(model.device)
    rngs, observer_rngs = (
        [generator(plan.seed, f"{method.name}/{role}/{chain}", device) for chain in range(plan.chains)]
        for role in ("method", "observer"))
    job = Job(method, model, data, plan, typed(method, options or {}), record, observer, rngs, observer_rngs,
              keeper)
    if over > 1:
        job = shards.divided(job)
    run = shards.begun(save_to, job, device) or _start(job, on_chain)
    steps = 1 if method.family is Family.EXACT else plan.steps
    size = sum(_bytes(x) for state in run.states for _, x in finite.tensors(state))
    saved, cost = time.monotonic(), checkpoint.seconds(save_to, size) if save_to else 0.0
    kept = run.step
    with telling(lambda: lost(job, run.step, kept)), finish_step_first() as stop, watched() as loading:
        run.loading += rehearse(method, model, job.options)
        while run.step < steps and not run.words.get("fixed"):
            with stop.within(_grace(run, over)):
                _advance(run, job, loading, on_chain)
            if on_step:
                on_step(run.step, run.trace[-1][0])
            if run.step == steps:
                break
            due = save_to is not None and time.monotonic() - saved > max(save_every, 20 * cost)
            due, signum = _agreed(due, stop.signum, over)
            if save_to and (due or signum):
                started = time.monotonic()
                shards.save(save_to, run, job)
                saved, kept = time.monotonic(), run.step
                cost = saved - started
                if on_save:
                    on_save(cost)
            if signum:
                raise Interrupted(f"{method.name} stopped after sweep {run.step} of {steps}", signum)
    return _finish(run, job)


def _grace(run: Run, over: int) -> float:
    """Seconds that a step may take after Ctrl-C: twice what the last one took. Ranks wait for one another."""
    return math.inf if over > 1 else PATIENCE + 2 * sum(run.seconds[-1] if run.seconds else [])


def _agreed(due: bool, signum: int, over: int) -> tuple[bool, int]:
    """Whether to save, as the first rank's clock says, and the signal by which any of them was asked to stop."""
    if over == 1:
        return due, signum
    first, asked = group.most(due and group.rank() == 0, signum)
    return bool(first), asked


def _start(job: Job, on_chain: Callable[[int], None]) -> Run:
    states = []
    for chain, rng in enumerate(job.rngs):
        on_chain(chain)
        with finite.arithmetic(job, "at the start"):
            states.append(job.method.init(rng, job.model, job.data, **job.options))
    memories = [job.observer.start() for _ in job.rngs] if job.observer else []
    return Run(states, memories, {}, [], [], {}, {})


def _advance(run: Run, job: Job, loading: Loading, on_chain: Callable[[int], None]) -> None:
    """One step of every chain; what was loaded in it is no work of inference."""
    method, plan = job.method, job.plan
    warm = run.step >= plan.warmup
    if run.step == plan.warmup > 0 and method.warm:
        run.states = [method.warm(state) for state in run.states]
    row, seconds = [], []
    for chain, rng in enumerate(job.rngs):
        on_chain(chain)
        started, before = time.perf_counter(), loading.seconds
        with finite.arithmetic(job, f"in step {run.step + 1}"):
            run.states[chain], info = method.step(rng, run.states[chain], job.model, job.data)
        loaded = loading.seconds - before
        seconds.append(time.perf_counter() - started - loaded)
        run.loading += loaded
        row.append(_numbers(info, run.words))
        if job.observer:
            draw = partial(method.draw, job.observer_rngs[chain], run.states[chain], job.model)
            run.memories[chain], scores = job.observer.update(run.memories[chain], draw, warm)
            row[-1].update(scores)
        finite.check(row[-1], job, f"after step {run.step + 1}")
        finite.check(run.states[chain], job, f"after step {run.step + 1}", infinite=True)  # "the best so far", say
    run.trace.append(row)
    run.seconds.append(seconds)
    if method.family is Family.MCMC:
        if warm:
            _keep(run, job, run.step - plan.warmup - 1)
    elif all("residual" in r and r["residual"] <= plan.tolerance for r in row):
        run.words.update(fixed=True, converged=True)


def _numbers(info: Any, words: dict[str, Any]) -> dict[str, float]:
    """The numbers of an Info (or of a dict that plays its part); its words go to `words`."""
    said = asdict(info) if is_dataclass(info) and not isinstance(info, type) else dict(info or {})
    for word in ("kind", "converged", "oscillating"):
        value = said.pop(word, None)
        if value is not None:
            words[word] = str(Kind(value)) if word == "kind" else bool(value)
    if said.get("residual") == float("inf"):
        del said["residual"]  # nothing to compare with yet
    return {name: float(value) for name, value in said.items() if value is not None}


def _keep(run: Run, job: Job, index: int) -> None:
    """Append draw number `index` of every chain, if thinning keeps it, and all its latents if their own does."""
    due = not run.draws or not index % run.thin
    whole = job.keeper is not None and (not run.latents or not index % run.apart)
    if not due and not whole:
        return
    each = [job.method.draw(rng, state, job.model) for rng, state in zip(job.rngs, run.states, strict=True)]
    if whole:
        run.latents.append([kept_latents.light(shards.whole_latents(latents, job)) for latents in each])
        sizes = [_bytes(t) for t in run.latents[0][0].values()]
        run.apart = group.first(lambda: kept_latents.every(sizes, _draws(job), len(each)), among=job.part.divided)
    if due:
        recorded = [job.record(_seen(job, latents)) for latents in each]
        kept = {site: torch.stack([latents[site].detach().cpu() for latents in recorded]) for site in recorded[0]}
        if not run.draws:
            run.thin = max(job.plan.thin, -(-sum(map(_bytes, kept.values())) * _draws(job) // KEPT_BYTES))
        for site, value in kept.items():
            run.draws.setdefault(site, []).append(value)


def _seen(job: Job, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is found, of the things that a user knows, where the model works on others (`models.folded`)."""
    seen: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = getattr(job.model, "seen", None)
    return found if seen is None else seen(found)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _draws(job: Job) -> int:
    """How many a chain has to keep, or are made from q."""
    if job.method.family is Family.POINT:
        return 1
    return job.plan.steps - job.plan.warmup if job.method.family is Family.MCMC else job.plan.draws


def _finish(run: Run, job: Job) -> Result:
    if job.whole is not None:
        run = shards.whole(run, job)
        if group.rank():
            return Result.of_another_rank(job.method.name)
        job = job.whole
    method, plan = job.method, job.plan
    if method.family is not Family.MCMC:
        for index in range(_draws(job)):
            run.thin = 1
            if index * sum(_bytes(kept[0]) for kept in run.draws.values()) >= KEPT_BYTES:
                break
            _keep(run, job, index)
    draws = {site: torch.stack(values, 1).numpy() for site, values in run.draws.items()}
    names = dict.fromkeys(name for row in run.trace for chain in row for name in chain)
    trace = {name: np.array([[chain.get(name, np.nan) for chain in row] for row in run.trace]).T for name in names}
    expected = _expected(run, job, draws)
    if job.observer:
        expected.update(job.observer.finish(run.memories))
    groups = _groups(run, job)
    finite.check([expected, draws, *groups.values()], job, f"after step {run.step}, the last")
    evidence = trace.get("log_evidence")
    converged = run.words.get("converged")
    if converged is None and method.family is Family.VARIATIONAL and "residual" in trace:
        converged = bool(trace["residual"][:, -1].max() <= CONVERGED)
    return Result(
        name=method.name, family=str(method.family), by=method.by, draws=draws,
        expected=expected, trace=trace, seconds=np.array(run.seconds).T, loading=run.loading,
        log_evidence=None if evidence is None else float(evidence[:, -1].mean()),
        log_evidence_kind=run.words.get("kind"), converged=converged,
        seed=plan.seed, options=dict(job.options), dims=job.model.dims,
        groups=groups,
        coords={k: v for part in (job.data, job.observer, job.keeper) for k, v in getattr(part, "coords", {}).items()},
        facts={"chains": plan.chains, "warmup": plan.warmup, "thin": run.thin, "device": str(job.rngs[0].device),
               "oscillating": run.words.get("oscillating", False),
               **job.facts})


def _groups(run: Run, job: Job) -> dict[str, dict[str, np.ndarray]]:
    """The kept latents, and what their keeper makes of them."""
    if job.keeper is None or not run.latents:
        return {}
    latents = kept_latents.stacked(run.latents)
    rng = generator(job.plan.seed, f"{job.method.name}/keeper")
    return kept_latents.named({"latents": latents} | dict(job.keeper.groups(rng, latents)))


def _expected(run: Run, job: Job, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The method's own expectations, else the mean of the model's quantities over the draws; over chains."""
    said = [job.method.expect(state, job.model) for state in run.states] if job.method.expect else []
    each = [_seen(job, expected) for expected in said if expected is not None]
    if each:
        return {k: torch.stack([e[k].detach().cpu() for e in each]).mean(0).numpy() for k in each[0]}
    if set(draws) != set(job.model.sites):
        return {}  # something else was kept of the draws
    tensors = {site: torch.from_numpy(value).flatten(0, 1).to(job.model.device) for site, value in draws.items()}
    return {k: v.mean(0).cpu().numpy() for k, v in job.model.quantities(tensors).items()}
