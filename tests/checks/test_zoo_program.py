"""Kernels and guides on models that people write: `checks/right/program/`, and the mistakes of `checks/zoo/program/`.

A right kernel is called wrong with probability 1e-3 at most, at fixed seeds; the full counts are bench/check.py's.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest
import torch
from pyro import poutine

from checks.asked import found
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.own_model import problems_in
from checks.problems.program import features
from checks.verdict import Outcome
from inference import load, user_file
from inference.method import Family, Method
from models import batched
from models.batched import seeded
from models.program_file import program_of
from models.sites import log_prob
from tests.support import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")
SURE = 5.5  # standard errors: a false alarm in 2.6e7


def files(*folder: str) -> list[Path]:
    return [p for p in sorted((ROOT / "checks").joinpath(*folder).glob("[a-z]*.py")) if p.stem != "pieces"]


def own(path: Path) -> dict[str, Method]:
    return load.own("program", user_file.read(str(path)))


RIGHT = [f"{path}:{name}" for path in files("right", "program") for name in own(path)]
WRONG = [path.stem for path in files("zoo", "program")]


def verdict(word: str, *looks: int):
    asked = found(word)
    assert isinstance(asked.what, Method)
    return judge(Kernel(asked.what), asked.problems, looks=looks, budget=300.0, explain=False)


def test_what_the_zoo_holds():
    models = Counter(Path(word.partition(".py:")[0]).stem for word in RIGHT)
    assert len(models) >= 8 and min(models.values()) >= 3
    assert len(WRONG) >= 40 and {m for m in models if any(w.startswith(m) for w in WRONG)} == set(models)
    assert len(files("zoo", "program_guides")) >= 20


@pytest.mark.parametrize("path", [*files("zoo", "program"), *files("zoo", "program_guides")], ids=lambda p: p.stem)
def test_a_mistake_says_what_it_is(path):
    said = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert said.partition("\n")[0].endswith(".") and "\nSymptom: " in said


def test_a_mistake_is_found_by_its_name():
    assert verdict("zoo/schools_variance_as_sd", 500).outcome is Outcome.WRONG


@pytest.mark.slow
@pytest.mark.parametrize("word", RIGHT, ids=lambda word: Path(word).name)
def test_every_right_kernel_passes(word):
    said = verdict(word, 500)
    assert said.outcome is Outcome.RIGHT, said


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_every_mistake_is_found(name):
    assert verdict(f"zoo/{name}", 500, 2000, 8000).outcome is Outcome.WRONG


@pytest.mark.parametrize("name", ["covariance", "votes"])
def test_what_is_fixed_by_a_support_need_not_move(name):
    """The zeros of a Cholesky factor, and the sum of a simplex."""
    model = problems_in(str(ROOT / "checks" / "right" / "program" / f"{name}.py")).problems()[0].model
    draws = features.coordinates(model, model.joint(torch.Generator().manual_seed(1), 50)[0])
    values = torch.stack(list(draws.values()))
    assert len(values) == model.coordinates.size and int(torch.linalg.matrix_rank(torch.cov(values))) == len(values)


def test_functions_of_the_data_alone_are_not_compared():
    """A kernel leaves them as they are, and is not stuck for it."""
    problem = problems_in(str(ROOT / "checks" / "right" / "program" / "local_level.py")).problems()[0]
    latents, data = problem.joint(torch.Generator().manual_seed(1), 20)
    others, _ = problem.joint(torch.Generator().manual_seed(2), 20)
    one, other = (problem.free(problem.model, x, data) for x in (latents, others))
    assert [name for name in one if torch.equal(one[name], other[name])] == []


@pytest.mark.parametrize("path", files("right", "program_guides"), ids=lambda p: p.stem)
def test_the_density_of_a_right_guide_is_that_of_its_draws(path, n=3000):
    """E_q[h / q] = 1 for a density h that is narrower than q."""
    file = user_file.read(str(path))
    assert sum(method.family is not Family.MCMC for method in own(path).values()) >= 3
    program, guide = program_of(file.module, path.name), file.module.guide
    coordinates = program.coordinates

    def drawn(_):
        with poutine.block():
            nodes = poutine.trace(guide).get_trace(*program.arguments.args).nodes
        u = coordinates.free({site: nodes[site]["value"] for site in program.sites})
        return u, coordinates.latents(u)[1], torch.stack([log_prob(nodes[s]).sum() for s in program.sites]).sum()

    with seeded(torch.Generator().manual_seed(1)), torch.no_grad():
        with poutine.block():
            guide(*program.arguments.args)  # its parameters
        shape, log_det, log_q = batched.over(drawn, [torch.zeros(n)], vectorised=True)
        u, log_det, log_q = batched.over(drawn, [torch.zeros(n)], vectorised=True)
    h = torch.distributions.MultivariateNormal(shape.mean(0), 0.6 * torch.cov(shape.mT))
    w = (h.log_prob(u) - log_det - log_q).exp()
    assert abs(float(w.mean()) - 1) < SURE * float(w.std()) / n**0.5


def test_correlations_of_three_numbers_are_alike(n=20_000):
    """By the density with concentration 2 a correlation r of three has E r^2 = 1/6 and E r^4 = 1/16, for r + 1 is
    twice a Beta(5/2, 5/2)."""
    from checks.right.program.covariance_of_three import Correlation

    with seeded(torch.Generator().manual_seed(1)):
        L = Correlation(3, torch.tensor(2.0)).sample((n,))
    C = L @ L.mT
    for i, j in ((1, 0), (2, 0), (2, 1)):
        assert abs(float((C[:, i, j] ** 2).mean()) - 1 / 6) < SURE * (1 / 16 - 1 / 36) ** 0.5 / n**0.5
