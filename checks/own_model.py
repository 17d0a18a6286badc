"""What a user's file holds beside a model of its own, and that model as the test problem. Imports Pyro."""

from __future__ import annotations

from types import ModuleType

import torch

from checks.problems.problem import ProblemSet
from checks.problems.program.from_program import at_once, problems_of
from checks.problems.program.marginal import Marginal
from errors import InputError
from inference import load, user_file
from inference.method import Family, Method
from inference.program.parts import guided
from inference.program.parts.guided import in_pyro
from inference.user_file import UserFile
from models.program import Program
from models.program_file import program_of


def problems_in(word: str) -> ProblemSet:
    """The model in a file as a set of one test problem."""
    file = user_file.read(word)
    return problems_of(program_of(file.module, file.path.name, file.code))


def without_discrete(guide: Method, problems: ProblemSet) -> ProblemSet:
    """The problem of a guide that leaves the model's discrete sites to be summed out. Errors: InputError for one that
    draws them."""
    program = problems.problems()[0].model
    rng = torch.Generator().manual_seed(0)
    with in_pyro(rng):
        drawn = {site for site in guided.sites(guide.guide, program) if site in program.known.discrete}
    if drawn:
        raise InputError(f"{guide.name} draws {', '.join(sorted(drawn))}, which is discrete, and only guides of "
                         f"continuous sites can be checked: leave it out of the guide and mark it "
                         f"infer={{\"enumerate\": \"parallel\"}} in the model, as TraceEnum_ELBO wants it; or compare "
                         f"it with an exact answer, or with chains, by --problem")
    return problems_of(Marginal.of(program))


def held(file: UserFile, wanted: ProblemSet | None, module: ModuleType | None = None) -> tuple[Method, ProblemSet]:
    """The kernel, transition or guide that is meant, named or the only one, and the problem it is judged on: of the
    file, or of a module that is at hand."""
    here = problems_of(program_of(module, file.path.name)) if module and not wanted else None
    problems = wanted or here or problems_in(str(file.path))
    methods = load.own(Program.kind, file).values()
    if not methods:
        raise InputError(f"{file.path} holds a model and nothing to check: add a function `kernel(model)` that makes a "
                         f"Pyro kernel, or a function `transition(latents, *arguments)`, or a guide; or name a "
                         f"method of ours, as in --check nuts_pyro --problem {file.path}")
    kernels = [method for method in methods if method.family is Family.MCMC]
    alone = not file.wanted and len(kernels) == 1
    return posed(kernels[0] if alone else load.in_file(Program.kind, file), problems)


def posed(method: Method, problems: ProblemSet) -> tuple[Method, ProblemSet]:
    """A kernel that moves many replicates at once, where its code allows that; a guide on what it is a guide of."""
    problem = problems.problems()[0]
    if method.guide and problem.model.known.discrete:
        return method, without_discrete(method, problems)
    return at_once(method, problem), problems
