"""A user's program, at its example's size, as the one problem of a set.

What must hold for it is asked first: it can simulate, its data lie in its arguments, and the density of what it
simulates is that at which it was simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import torch
from torch import Tensor

from checks.kernels.kernel import Kernel
from checks.problems.problem import Features, Problem, ProblemSet
from checks.problems.program import control, features
from checks.problems.program.features import Functions
from checks.problems.program.informed import informed
from errors import InputError
from inference.job import generator
from inference.method import Family, Latents, Method
from models.held import Observed
from models.model import Data
from models.program import Program
from models.sites import stems

LARGEST, ROWS = 200, 400  # numbers, and observed numbers, of an example
ASKED = 20  # replicates whose density is compared
AGREE = 1e-6
TRIED = 3  # replicates


def problems_of(program: Program) -> ProblemSet:
    """The set. Errors: InputError for a program on which nothing can be checked."""
    example = program.small(torch.Generator())[0].simulating()
    check(example)
    rng = generator(0, "the spread of the prior")
    latents, _ = example.joint(rng, 500)
    spread = torch.zeros(0, dtype=torch.float64)
    if example.known.continuous:
        free = torch.func.vmap(example.coordinates.free)({n: latents[n] for n in example.known.continuous})
        spread = (free.quantile(0.84, 0) - free.quantile(0.16, 0)) / 2
    problem: Problem[Program] = Problem(
        f"example of {program.name}", example, example.joint, one, _functions(example), nothing,
        {}, features.coordinates,
        "the data are its arguments after the latents, and have other values in every replicate",
        terms=terms, informed=partial(informed, example),
        control=Kernel(control.method(example, spread)), excuses=excuses(example))
    return ProblemSet(program.name, "program", f"the model of {program.name}", f"--problem {program.name}",
                      lambda: [problem], lambda: problem)


def excuses(example: Program) -> tuple[str, ...]:
    """Known faults of the libraries' draws."""
    return tuple(f"torch's LKJCholesky.sample, which {name} is drawn from, is wrong for 3 and more dimensions"
                 for name, site in (*example.known.latent.items(), *example.known.observed.items())
                 if "corr_cholesky" in str(site.support).lower().replace("corrcholesky", "corr_cholesky")
                 and site.shape[-1] > 2)


def at_once(method: Method, problem: Problem[Program]) -> Method:
    """The method, which promises to move many replicates at once where its code allows that."""
    if method.start is None or method.family is not Family.MCMC:
        return method
    latents, data = problem.joint(generator(0, "at once"), TRIED)
    try:
        state = method.start(torch.Generator(), problem.model, data, latents)
        moved = method.draw(torch.Generator(), method.step(torch.Generator(), state, problem.model, data)[0],
                            problem.model)
        if any(moved[site].shape != x.shape for site, x in latents.items()):
            return method
    except Exception:  # whatever it is that vmap cannot do
        return method
    module = ModuleType(method.module.__name__, method.module.__doc__)
    vars(module).update(vars(method.module), BATCHED=True)
    return replace(method, module=module)


def one(data: Data, r: int) -> Observed:
    return Observed({name: x[r] for name, x in data.items()})


def nothing(program: Program, latents: Latents, data: Data) -> Features:
    return {}


def terms(program: Program, latents: Latents, data: Data) -> dict[str, Tensor]:
    """log p(site | those before it), (n,) each; sites written in a loop are one."""
    one = stems((*program.known.latent, *program.known.observed, *program.known.factors))

    def added(theta: Latents, y: Data) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, x in program.terms(theta, y).items():
            found[one[name]] = found.get(one[name], torch.zeros(())) + x
        return {f"log p({name})": x for name, x in found.items()}

    found: dict[str, Tensor] = program.over(added, latents, data)
    return found


def _functions(example: Program) -> Callable[[Program, Latents, Data], Features]:
    functions = Functions(example)
    return lambda program, latents, data: functions(latents, data)


def check(example: Program) -> None:
    """Errors: InputError, in the order in which one would mend them."""
    known = example.known
    example.joint(torch.Generator().manual_seed(0), 2)
    D, rows = example.coordinates.size + sum(s.size for s in known.discrete.values()), sum(
        s.size for s in known.observed.values())
    if D > LARGEST or rows > ROWS:
        raise InputError(f"the model of {example.name} has {D:,} latent and {rows:,} observed numbers, and to check "
                         f"anything up to {LARGEST} and {ROWS} would do: give the file a function example() that "
                         f"returns smaller arguments; their values do not matter")
    lost = [name for name in known.observed if name not in example.places]
    if lost and not example.simulator:
        raise InputError(f"the data of the site {lost[0]} are no part of the model's arguments (they are copied or "
                         f"worked out on the way), so others cannot be put there: give obs= an argument, or a part of "
                         f"one as y[t] is")
    gap = 0.0 if example.simulator else example.gap(generator(0, "the density at simulation"), ASKED)
    if gap > AGREE:
        raise InputError(f"the model of {example.name} reads its data elsewhere than at obs= (as y[t - 1] of a series "
                         f"does): what it draws is not what its density is of, by {gap:.2g} nats; give the file a "
                         f"function simulate(rng, latents) that returns the data by site")
