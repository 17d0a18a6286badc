"""What a notebook calls: run a method, judge it, compare results. The work is done in the rooms below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from checks import door, planted
from checks.verdict import Verdict
from data import ratings as data_ratings
from data.ratings import Split
from errors import InputError, unknown
from inference import load, user_file
from inference.drive import drive
from inference.job import Plan, generator
from inference.method import Family, Method
from inference.options import typed
from inference.result import Result
from models.model import Data, Model
from models.ratings import Ratings
from runs.task import Task, trial

What = str | Path | Method | Callable[..., Any] | type  # a name, a file, or the kernel or guide itself

STEPS = {Family.EXACT: 1, Family.MCMC: 1000, Family.VARIATIONAL: 100, Family.POINT: 100}  # unless others are asked for
CHAINS = 2
PROGRAM = "program"  # a kind of model
TOLERANCE = 1e-9  # of the residual, where a method that improves q or a point stops


def run(what: What, model: Model, data: Data = None, *, steps: int | None = None, chains: int | None = None,
        warmup: int | None = None, seed: int = 0, score: Mapping[str, Data] | None = None,
        save_to: Path | None = None, keep: bool = False, use_times: bool = False,
        options: Mapping[str, Any] | None = None, **more: Any) -> Result:
    """The result of one method on one model.

    what       a method's name (`methods(model.kind)`), a file `mine.py` or `mine.py:Name`, or what such a file holds: a
               function `transition(rng, latents, model, data)`, a Pyro guide, a class of Pyro kernels
    steps      sweeps of every chain, warm-up included (default 1000 for samplers, at most 100 for the others)
    score      data to score every step on, by name: {"test": ratings} gives `result.expected["test_nll"]`
    keep       hold draws of all latents too, thinned, for `predict`
    use_times  score ratings at their own times, where the model has effects of time, and not at any
    options    of the method, as are all further arguments: `run("loopy_bp", model, damping=0.5)`
    Errors: InputError, in the words of the command line, for what there is not or cannot be.
    """
    method = found(what, model.kind)
    data = getattr(model, "data", None) if data is None else data  # a program brings its own
    settings = typed(method, {**(options or {}), **more})
    if score is not None and not isinstance(score, Mapping):
        raise InputError(f'score takes data by name, score={{"test": ratings}}, not a {type(score).__name__}')
    times = {"times": True} if use_times else {}
    scorer = load.scorer(model.kind)(model, score, method.family, **times) if score else None
    keeper = load.keeper(model.kind)(model, data, (score or {}).get("test", model.blank())) if keep else None
    task = Task(method, model, data, plan(method.family, steps, chains, warmup, seed), settings, observer=scorer,
                keeper=keeper)
    trial(task)
    return drive(method, model, data, task.plan, settings, save_to=save_to, observer=scorer,
                 keeper=keeper)


def plan(family: Family, steps: int | None, chains: int | None, warmup: int | None, seed: int) -> Plan:
    """How long, unless it is said."""
    steps = STEPS[family] if steps is None else steps
    if family is not Family.MCMC:
        return Plan(steps, tolerance=TOLERANCE, seed=seed)
    return Plan(steps, CHAINS if chains is None else chains, steps // 5 if warmup is None else warmup, seed=seed)


def found(what: What, kind: str) -> Method:
    """The method that is meant, for that kind of model."""
    if isinstance(what, Method):
        return what
    if isinstance(what, str | Path):
        return load.method(kind, planted.resolved(str(what)))
    return load.of_thing(kind, what)


def check(what: What, problems: Model | str | None = None, *, seed: int = 0, level: float = 1e-3, budget: float = 300.0,
          options: Mapping[str, Any] | None = None, **more: Any) -> Verdict:
    """Is this method right? A verdict with its error probability, found on small problems whose answers are known.

    what      as in `run`; a mistake of the zoo is `zoo/stale_u`
    problems  the test problems to judge it on, "grid", "factorization" or "ladder" (ratings with more learned), or any
              model of the kind it is for; where several could be meant it must be said. A Pyro model of your own
              (`cc.program`) is the test problem itself
    level     the probability that a right method is called wrong
    budget    seconds
    """
    if problems is not None and not isinstance(problems, str) and problems.kind == PROGRAM:
        asked = _on_program(what, problems)
        return door.judged(asked, door.chosen_options(asked, {**(options or {}), **more}), seed=seed, level=level,
                           budget=budget)
    which = {"problems": problems} if problems is None or isinstance(problems, str) else {"kind": problems.kind}
    asked = door.found(what if isinstance(what, str | Path | Method) else user_file.held(what), **which)
    given = door.chosen_options(asked, {**(options or {}), **more})
    return door.judged(asked, given, seed=seed, level=level, budget=budget)


def _on_program(what: What, program: Model) -> door.Asked:
    """What is judged on a Pyro model of the user's own."""
    from checks.own_model import posed  # imports Pyro
    from checks.problems.program.from_program import problems_of
    from models.program import Program

    assert isinstance(program, Program)
    method, problems = posed(found(what, PROGRAM), problems_of(program))
    return door.found(method, problems=problems)


def methods(kind: str | None = None) -> dict[str, str]:
    """Every method for a kind of model ("grid", "factorization"; all of them without it), and what it does."""
    kinds = load.kinds() if kind is None else [kind]
    if kind is not None and kind not in load.kinds():
        raise unknown("kind of model", kind, load.kinds())
    return {name: line for k in kinds for name, line in load.names(k).items()}


def split(ratings: Ratings, fractions: Sequence[float] = (0.8, 0.1, 0.1), *, seed: int = 0) -> Split:
    """Training, validation and test set, at random by `seed`."""
    return data_ratings.split(ratings, fractions, rng=generator(seed, "split"))
