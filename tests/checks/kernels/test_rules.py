"""The verdict's rules on numbers worked out by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from checks.budget import Budget, Spent
from checks.kernels import judge as judging
from checks.kernels import reach, score, unless
from checks.kernels.cost import Cost, ended
from checks.kernels.trial import Suspect, confirmed, suspects
from checks.problems.load import problem_set
from checks.verdict import Outcome, Verdict


def compared(z, p):
    return SimpleNamespace(z=torch.tensor(z, dtype=torch.float64), p_values=np.array(p, dtype=float))


def test_a_look_shares_its_level_among_all_scores():
    """Six scores, one of them never compared: 0.05 / 5 = 0.01 for each."""
    nan = float("nan")
    found = suspects(compared([[3.0, -4.0, nan], [0.1, -2.0, 5.0]], [[0.0101, 0.002, nan], [0.9, 0.04, 1e-5]]), 0.05)
    assert [(s.score, s.function, s.sign) for s in found] == [(1, 2, 1.0), (0, 1, -1.0)]  # worst first
    assert found[0].p_value == pytest.approx(5e-5) and found[1].z == -4.0
    assert suspects(compared([[3.0]], [[0.049]]), 0.05)
    assert not suspects(compared([[3.0], [0.0]], [[0.049], [1.0]]), 0.05)


@pytest.mark.parametrize(("z", "p", "told"), [
    (3.0, 0.0038, True), (3.0, 0.0042, False),  # one-sided: half of p, against 0.002
    (-3.0, 1e-9, False),  # the other direction confirms nothing
])
def test_fresh_replicates_must_say_the_same(z, p, told):
    suspect = Suspect(0, 1, 1.0, 1e-4, 4.0)
    assert confirmed(compared([[0.0, z]], [[1.0, p]]), suspect, 0.002) is told
    assert confirmed(compared([[0.0, -z]], [[1.0, p]]), Suspect(0, 1, -1.0, 1e-4, -4.0), 0.002) is told


def spent(monkeypatch, seconds):
    """A clock that stands."""
    monkeypatch.setattr("checks.budget.time.process_time", lambda: float(seconds))


def tried(*replicates, doubted=False):
    return [SimpleNamespace(n=n, doubted=doubted, problem=SimpleNamespace(control=None, brief=k > 1))
            for k, n in enumerate(replicates)]


def batched():
    return SimpleNamespace(batched=True)


@pytest.mark.parametrize(("seconds", "spare", "of", "fits"), [
    (100, 0, (0, 0, 0), 500),  # 3 x 500 at 0.05 s are 75 s
    (60, 0, (0, 0, 0), 300),  # 3 x 300, and 300 that confirm: 60 s
    (60, 10, (0, 0, 0), 250),  # 10 s are gone already
    (0.1, 1, (0, 0, 0), -4),  # spent: no look
    (135, 75, (500, 500, 500), 675),  # at 0.05 s, 60 s are 1,200 more: 3 x 175, and 675 that confirm
])
def test_a_look_is_as_large_as_the_budget_allows(monkeypatch, seconds, spare, of, fits):
    spent(monkeypatch, spare)
    clock = Budget(seconds, started=0.0)
    trials = tried(*of)
    assert Cost(clock, 0.05, trials).room(trials, 2000 if sum(of) else 500) == fits


def test_a_replicate_costs_what_those_of_all_problems_have_cost(monkeypatch):
    """5 x 2,000 in 80 s: 2 x 6,000 more take 96 s, though brief problems take no part in the last look."""
    spent(monkeypatch, 80)
    trials = tried(*[2000] * 5)
    assert Cost(Budget(180.0, started=0.0), tried=trials).room(trials[:2], 8000) == 8000
    assert Cost(Budget(170.0, started=0.0), tried=trials).room(trials[:2], 8000) < 8000


@pytest.mark.parametrize(("of", "outcome", "said"), [
    ((499, 500, 700), Outcome.UNKNOWN, "with nothing off in 499; about "),
    ((99, 500, 700), Outcome.UNKNOWN, "ends before 8,000 replicates; about "),
    ((500, 600, 700), Outcome.RIGHT, "ends before 8,000 replicates; about "),
])
def test_a_pass_needs_the_first_look_of_every_problem(monkeypatch, of, outcome, said):
    spent(monkeypatch, 100)
    kernel = batched()
    verdict = ended(Verdict("mine", Outcome.WRONG, 1e-3), kernel, Cost(Budget(120.0, started=0.0)), tried(*of),
                    judging.LOOKS)
    assert verdict.outcome is outcome and said in (verdict.why or verdict.warnings[0])
    assert "the budget of 120 processor seconds" in (verdict.why or verdict.warnings[0])
    assert ended(Verdict("mine", Outcome.WRONG, 1e-3), kernel, Cost(Budget(120.0, started=0.0)), tried(*of),
                 (500,)).outcome is Outcome.UNKNOWN  # of a single look nothing may be left out


def test_a_budget_that_is_spent_before_a_batched_kernel_is_tried_has_no_room(monkeypatch):
    spent(monkeypatch, 1)
    assert Cost(Budget(0.1, started=0.0)).room(tried(0, 0, 0), 500) == 0


def test_what_could_not_be_confirmed_is_no_pass(monkeypatch):
    """A suspicion, and the budget ends among the fresh replicates that would confirm it."""
    spent(monkeypatch, 100)
    verdict = ended(Verdict("mine", Outcome.WRONG, 1e-3), batched(), Cost(Budget(120.0, started=0.0)),
                    tried(500, 600, 700, doubted=True), judging.LOOKS)
    assert verdict.outcome is Outcome.UNKNOWN
    assert "before fresh replicates could repeat what is suspected" in verdict.why


def test_a_look_leaves_its_doubt_where_the_budget_ends(monkeypatch):
    class Ending(judging.Trial):
        def upto(self, n):
            if self is not first:
                raise Spent
            return None

    monkeypatch.setattr(judging, "Trial", Ending)
    monkeypatch.setattr(judging, "suspects", lambda *_: [Suspect(0, 1, 1.0, 1e-9, 9.0)])
    nothing: Any = None
    first = Ending(torch.Generator(), nothing, nothing)
    with pytest.raises(Spent):
        judging.look(first, 500, 0.01, 0.002)
    assert first.doubted


def test_a_confirmation_uses_no_draw_of_the_first_reference(monkeypatch):
    """Its scores are the same functions, their means are of fresh draws, as many as were asked for."""
    monkeypatch.setattr("checks.kernels.score.PILOT", 500)
    problem, rng = problem_set("grid").problems()[0], torch.Generator().manual_seed(0)
    first = score.learn(rng, problem, 3000)
    again = score.more(rng, first.forgotten(), 2000)
    assert first.forgotten().seen.sum() == 0 and torch.equal(again.edges, first.edges)
    assert bool((again.draws[: len(again.seen)] == 2000).all()) and not torch.equal(again.mean, first.mean)


def test_a_kernel_that_runs_away_keeps_no_combination():
    """Moves of 1e200, whose squares are infinite; and what two entries keep is found whatever their size."""
    x = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    names = [("entry", "a"), ("entry", "b")]
    before = dict(zip(names, torch.zeros_like(x), strict=True))
    assert not reach.combination(before, dict(zip(names, 1e200 * x, strict=True)), "so far")
    kept = dict(zip(names, (1e200 * x[0], -1e200 * x[0]), strict=True))
    assert "FROZEN: a combination of entry a, b" in reach.combination(before, kept, "so far")[0]


@pytest.mark.parametrize("twice", [True, False])
def test_a_control_must_be_rejected_twice(monkeypatch, twice):
    """As a kernel must: one rejection comes by chance in a share `allowed` of the runs of a right model."""
    class Seen:
        scale = SimpleNamespace(names=[("value", "mu")], forgotten=lambda: None)
        rng = kernel = None
        n, problem = 500, SimpleNamespace(control="its control", excuses=())

        def __init__(self, *_):
            pass

        def upto(self, n):
            return "compared"

    monkeypatch.setattr(unless, "Trial", Seen)
    monkeypatch.setattr(unless, "suspects", lambda *_: [Suspect(0, 0, 1.0, 1e-9, 9.0)])
    monkeypatch.setattr(unless, "confirmed", lambda *_: twice)
    trial: Any = Seen()
    assert bool(unless.disagreement(trial, 0.01)) is twice
