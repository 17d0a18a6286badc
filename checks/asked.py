"""What is meant by a name, a file, a method or a module that is to be judged, and on which test problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import torch

from checks import planted
from checks.foreign import foreign
from checks.guides.guide import Guide, is_guide
from checks.problems.load import of_kind, problem_set, sets
from checks.problems.problem import Problem, ProblemSet
from errors import InputError, unknown
from inference import load, user_file
from inference.job import generator
from inference.method import Family, Method
from inference.user_file import UserFile

PROGRAM = "program"  # the kind of model that a user's file declares
SAMPLES = (Family.MCMC, Family.EXACT)

What = str | Path | Method | ModuleType | UserFile


@dataclass(frozen=True)
class Asked:
    """What is judged, on which test problems, and with which options its name stands for."""

    what: Method | Guide
    problems: ProblemSet
    options: Mapping[str, object] = field(default_factory=dict)
    exact: bool = True  # a bias is not by design

    @property
    def name(self) -> str:
        return self.what.name


def judged_kinds() -> list[str]:
    """Kinds of model that there are test problems for; a user's own model is its own."""
    return [kind for kind in load.kinds() if any(s.kind == kind for s in sets().values())]


def everything() -> list[Asked]:
    """Every method the project ships that has a distribution to judge."""
    return [of_method(method, kind, None) for kind, method in judged_methods()]


def judged_methods() -> list[tuple[str, Method]]:
    """They and the kinds of their models."""
    methods = [(kind, load.method(kind, name)) for kind in judged_kinds() for name in load.names(kind)]
    return [(kind, method) for kind, method in methods if method.family is not Family.POINT]


def found(what: What, *, kind: str | None = None, problems: str | ProblemSet | None = None) -> Asked:
    """What is meant, and which test problems it is judged on: `problems`, or some for its kind of model.

    Errors: InputError for a name or file that is none, is two things, or gives no distribution.
    """
    wanted = None if problems is None else problem_set(problems)
    if wanted and kind and wanted.kind != kind:
        raise InputError(f"the test problems '{wanted.name}' are of {wanted.of}, not of {of_kind(kind)[0].of}")
    kind = wanted.kind if wanted else kind
    if isinstance(what, str) and what.startswith("zoo/"):
        its = sets().get(planted.problem_set(what.removeprefix("zoo/")))  # None: the file has a model of its own
        if its:
            wanted = wanted if wanted and wanted.kind == its.kind else its
            kind = its.kind
        what = planted.resolved(what)
    if isinstance(what, Path) or (isinstance(what, str) and user_file.is_file(what)):
        asked = in_file(user_file.read(str(what)), kind, wanted)
    elif isinstance(what, UserFile):
        asked = in_file(what, kind, wanted)
    elif isinstance(what, ModuleType):
        asked = in_file(UserFile(Path(what.__file__ or what.__name__), "", what), kind, wanted)
    elif isinstance(what, str):
        asked = named(what, kind, wanted)
    else:
        ours = [k for k in judged_kinds() if what.by != "user" and what.name in load.names(k)]
        asked = of_method(what, kind or (ours or [fitting(dict.fromkeys(judged_kinds(), what))])[0], wanted)
    if isinstance(asked.what, Method) and asked.problems.kind == PROGRAM and not (
            asked.what.family in SAMPLES or asked.what.guide):
        raise InputError(f"{asked.name} is fitted, and on a model of your own only kernels and guides can be checked: "
                         f"`python run.py --problem FILE.py` compares it with an exact answer, or with chains")
    if isinstance(asked.what, Method) and asked.what.family is Family.POINT:
        word = what if isinstance(what, str) else asked.name
        raise InputError(f"{word} gives a point: there is no distribution to judge")
    return asked


def named(word: str, kind: str | None, wanted: ProblemSet | None) -> Asked:
    """A method of ours, or a guide by its short name, as `--guide` knows it."""
    kinds = [kind] if kind == PROGRAM else judged_kinds()
    meant = {(k, word): "a method" for k in kinds if word in load.names(k)}
    meant |= {(k, load.guides(k)[word]): "a guide" for k in kinds if word in load.guides(k)}
    if not meant:
        raise unknown("method", word, [name for k in kinds for name in (*load.names(k), *load.guides(k))])
    fits = [place for place in meant if kind in (None, place[0])]
    if not fits:
        own, said = next(iter(meant.items()))
        raise InputError(f"{word} is {said} of {of_kind(own[0])[0].of}, not of {of_kind(str(kind))[0].of}")
    if len(fits) > 1:
        told = [f"{meant[k, spec]} of {of_kind(k)[0].of}: {of_kind(k)[0].asked}, in Python problems='{k}'"
                + (f", or {spec}" if spec != word else "") for k, spec in fits]
        raise InputError(f"{word} is more than one thing, say which: {'; '.join(told)}")
    kind, spec = fits[0]
    name, _, options = spec.partition(":")
    return of_method(load.method(kind, name), kind, wanted, dict([options.split("=")] if options else []))


def in_file(file: UserFile, kind: str | None, wanted: ProblemSet | None) -> Asked:
    """What a user's file holds, for the kind of model that it runs on: its own, if it has one."""
    exact = getattr(file.module, "EXACT", True)
    if declares_model(file) and (kind is None or (wanted and wanted.kind == PROGRAM)):
        from checks.own_model import held  # imports Pyro

        return Asked(*held(file, wanted), exact=exact)
    if not file.wanted and is_guide(file.module):
        kinds = [k for k in judged_kinds() if load.guides(k) and kind in (None, k)]
        if len(kinds) != 1:
            raise undecided(file.name, "guides are fitted for both" if kinds else "no guide is fitted for that one")
        guide = Guide.of(file.module, file.name)
        foreign(guide, kinds)
        return Asked(guide, wanted or of_kind(kinds[0])[0], exact=exact)
    methods: dict[str, Method] = {}
    refused: list[str] = []
    for k in [kind] if kind else judged_kinds():
        try:
            methods[k] = load.in_file(k, file)
        except InputError as error:
            refused.append(str(error))
    if not methods:
        raise InputError("; ".join(dict.fromkeys(refused)))
    foreign(next(iter(methods.values())), methods)
    kind = next(iter(methods)) if len(methods) == 1 else fitting(methods)
    return of_method(methods[kind], kind, wanted)


def declares_model(file: UserFile) -> bool:
    """Whether it has a model of its own, or means to: `data()` is of nothing else."""
    return any(callable(getattr(file.module, name, None)) for name in ("model", "data")) and not hasattr(
        file.module, "FAMILY")


def of_method(method: Method, kind: str, wanted: ProblemSet | None, options: Mapping[str, object] | None = None
              ) -> Asked:
    """With its test problems. Ours where more is learned, if it learns it; a file's kernel, which may just hand on
    what it does not know, where it is asked to be or is at home."""
    if not wanted:
        wanted, *richer = known = of_kind(kind)
        if richer and method.family is Family.MCMC:
            main = [s for s in known if not s.apart]
            order = (main if method.by == "user" else main[::-1]) + [s for s in known if s.apart]
            wanted = next((s for s in order if trouble(method, s) is None), wanted)
    return Asked(method, wanted, options or {}, getattr(method.module, "EXACT", True))


def fitting(methods: Mapping[str, Method]) -> str:
    """The only kind of model on whose test problems its method takes a step. Errors: InputError if there is none."""
    troubles = {s: trouble(methods[s.kind], s) for s in sets().values() if s.kind in methods}
    fits = list(dict.fromkeys(s.kind for s, why in troubles.items() if why is None))
    if len(fits) != 1:
        why = "runs on both models" if fits else "; ".join(f"{s.name}: {said}" for s, said in troubles.items())
        raise undecided(next(iter(methods.values())).name, why)
    return fits[0]


def undecided(name: str, why: str) -> InputError:
    plain = [s for s in sets().values() if not s.richer]
    return InputError(f"say which model {name} is for, {' or '.join(s.asked for s in plain)}, in Python problems="
                      f"{' or '.join(repr(s.name) for s in plain)} ({why})")


def trouble(method: Method, problems: ProblemSet) -> str | None:
    """Why the method does not take a step on the first of the problems, or None if it takes one on any of them."""
    first = None
    for problem in problems.problems():
        if problem.model.besides or not problems.richer:  # a plain problem says nothing of a richer model
            why = of_problem(method, problem)
            if why is None:
                return None
            first = first or why
    return first


def of_problem(method: Method, problem: Problem) -> str | None:
    """Why the method does not take a step on this problem, or None."""
    rng = generator(0, "which model")
    latents, data = problem.joint(rng, 1)
    besides = problem.model.besides
    try:
        state = method.init(rng, problem.model, problem.one(data, 0))
        first = method.draw(rng, state, problem.model) if besides else {}
        state, _ = method.step(rng, state, problem.model, problem.one(data, 0))
        drawn = method.draw(rng, state, problem.model)
        if set(drawn) != set(latents):
            return f"it draws {', '.join(drawn)}"
        still = [site for site in first if site in besides and torch.equal(first[site], drawn[site])]
    except Exception as error:  # whatever it is that does not fit this model, the other may fit
        return f"{type(error).__name__}: {error}"
    return f"it leaves {', '.join(still)} alone" if still else None  # handed through by a kernel for a plainer model
