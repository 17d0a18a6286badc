"""Nearest mistakes: the likeness by hand, nothing below 0.9, nothing of another kind, the zoo itself."""

import math

import pytest
import torch

from checks.kernels import nearest as module
from checks.kernels.kernel import Kernel
from checks.kernels.nearest import LARGE, LEAST, bent, known, likeness, nearest
from checks.kernels.trial import Trial
from checks.planted import mistakes
from checks.problems.load import problem_set, sets
from inference import load
from inference.engine import one_thread
from tests.support import ROOT

ELSEWHERE = ("hamiltonian", "langevin", "walk")


@pytest.fixture(autouse=True)
def quickly():
    with one_thread():
        yield


def named(path, kind="factorization", n=500, seed=4):
    kernel = Kernel(load.method("grid" if kind == "grid" else "factorization", str(path)))
    trials = [Trial(torch.Generator().manual_seed(seed), kernel, p) for p in problem_set(kind).problems()[:2]]
    for trial in trials:
        trial.upto(n)
    return nearest(trials)


def test_likeness_by_hand():
    assert bent([LARGE, 0, -LARGE]).tolist() == pytest.approx([math.tanh(1), 0, -math.tanh(1)])
    x = torch.tensor([3.0, 4.0])
    assert likeness(x, 2 * x) == pytest.approx(1) and likeness(x, -x) == pytest.approx(-1)
    assert likeness(x, torch.tensor([5.0, 0.0])) == pytest.approx(0.6) and likeness(x, 0 * x) == 0


def test_signatures_are_of_the_problems_and_mistakes_that_there_are():
    """Run `python bench/check.py --signatures` where this fails."""
    problems = {p.name: p for s in sets().values() for p in s.problems()}
    assert set(problem_set("grid").problems()[k].name for k in (0, 1)) <= set(known()) <= set(problems)
    assert all(name in mistakes() for of in known().values() for name in of)


@pytest.mark.parametrize(("name", "kind"), [("walk_greedy", "factorization"), ("stale_u", "factorization"),
                                            ("prior_of_one_side", "factorization"), ("evidence_twice", "grid")])
def test_a_mistake_of_the_zoo_is_its_own_nearest(name, kind):
    found = named(ROOT / "checks" / "zoo" / kind / f"{name}.py", kind)
    assert found[0][0] == name and all(like > LEAST >= 0.85 for _, like, _ in found)


def test_the_same_numbers_of_another_kind_are_not_named(monkeypatch):
    made = Trial(torch.Generator().manual_seed(0), Kernel(load.method("factorization", str(
        ROOT / "checks" / "zoo" / "factorization" / "stale_u.py"))), problem_set("factorization").problems()[0])
    made.upto(1000)
    assert nearest([made])[0][0] == "stale_u"
    own = module.signature(made.upto(1000))
    monkeypatch.setattr(module, "signature", lambda _: {"kept": own["kept"] + 50, "z": own["z"]})
    assert "stale_u" not in [name for name, _, _ in nearest([made])]


DROPS = '''"""Gibbs without one rating."""
from dataclasses import replace
from checks.right.factorization import row_gibbs
BATCHED = True
def transition(rng, latents, model, data):
    keep = [k for k in range(len(data.user)) if k != {k}]
    data = replace(data, user=data.user[keep], item=data.item[keep], rating=data.rating[..., keep])
    return row_gibbs.transition(rng, latents, model, data)
'''


@pytest.mark.parametrize("k", [0, 3, 7])
def test_gibbs_that_drops_a_rating_is_not_like_a_walk(tmp_path, k):
    path = tmp_path / "mine.py"
    path.write_text(DROPS.format(k=k))
    assert not any(name.startswith(ELSEWHERE) for name, _, _ in named(path, n=1000))


def test_a_right_kernel_looks_like_nothing():
    assert not named(ROOT / "checks" / "right" / "factorization" / "row_gibbs.py")
