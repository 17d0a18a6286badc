"""The numbers of a verdict, against others worked out by hand: z, p, coverage, order, what a pass excludes."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from checks.guides import judge as guides
from checks.guides.questions import Mean
from checks.kernels import sensitivity
from checks.kernels.statistic import Compared, compare
from checks.problems.factorization import implied as of_ratings
from checks.problems.factorization.coverage import SHOWS
from checks.problems.factorization.replicates import Replicates
from checks.problems.grid import features as of_grids
from checks.verdict import Outcome, Verdict
from models.factorization import Factorization
from models.grid import GridMRF


def rows(*values: float) -> torch.Tensor:
    """Scores (2, 1, n) of one function, of where it lies and how far out alike."""
    return torch.tensor(values, dtype=torch.float64).expand(2, 1, -1)


def scale(mean=0.0, variance=1.0, draws=100.0, rarest=1.0) -> Any:
    return SimpleNamespace(**{k: torch.full((2, 1), x, dtype=torch.float64) for k, x in
                              (("mean", mean), ("variance", variance), ("draws", draws))},
                           rarest=torch.full((1,), rarest, dtype=torch.float64))


def test_p_values_are_two_sided():
    """Of Student's t with one degree of freedom P(|t| > 1) = 1/2, P(|t| > sqrt 3) = 1/3; without a z it is 1."""
    z = torch.tensor([[1.0, -(3**0.5)], [-1.0, torch.nan]])
    assert Compared(z, z, z, 3).p_values.ravel() == pytest.approx([1 / 2, 1 / 3, 1 / 2, 1])


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_z_of_a_mean_by_hand(beta):
    """x and u are +-1 and orthogonal; y = beta x + (1 - beta) u + 0.3 keeps beta of x and is off by 0.3."""
    x, u = rows(*[1.0, -1.0, 1.0, -1.0] * 25), rows(*[1.0, 1.0, -1.0, -1.0] * 25)
    found = compare(x, beta * x + (1 - beta) * u + 0.3, scale())
    square = (1 - beta) ** 2
    assert found.kept.ravel().tolist() == pytest.approx([beta] * 2) and found.n == 100
    assert found.d.ravel().tolist() == pytest.approx([0.3] * 2)
    assert found.z.ravel().tolist() == pytest.approx([0.3 / (square / 98 + square / 100) ** 0.5] * 2)
    assert bool(compare(x, u, scale(rarest=0.24)).z.isnan().all()), "24 replicates off the commonest value"


def test_a_pass_is_as_good_as_its_fewest_replicates():
    tested: Any = [{"problem": name, "replicates": n, "functions": 9} for name, n in (("a", 8000), ("b", 500))]
    assert Verdict("gibbs", Outcome.RIGHT, 1e-3, tested=tested, refused=1).headline == (
        "gibbs is right, as far as 500 to 8,000 replicates on each of 2 problems can tell; it refuses 1 other")


def test_what_a_pass_excludes_is_the_least_that_any_problem_finds(monkeypatch):
    trials: Any = [SimpleNamespace(scale=SimpleNamespace(names=["f"]), problem=SimpleNamespace(changed={"noise": size}))
                   for size in (0.3, 0.1, 0.2, None)]
    monkeypatch.setattr(sensitivity, "_size", lambda rng, kernel, trial, changed, needed: changed)
    assert sensitivity.excluded(torch.Generator(), None, trials, 1e-3) == {"noise": 0.1}  # type: ignore[arg-type]


def test_coverage_is_of_90_percent_intervals():
    """The draws of each quantity are 0, 1, .. 100, whose central 90% are 5..95."""
    model: Any = SimpleNamespace(quantities=lambda latents: latents)
    draws = {"x": torch.arange(101.0).double()[:, None].expand(-1, 4)}
    _, covered = guides.quality(model, torch.zeros(101).double(), draws, {"x": torch.tensor([4.0, 6.0, 94.0, 96.0])})
    assert covered == 0.5


def test_the_worst_question_of_a_guide_comes_first(monkeypatch):
    """Means of 1, -3 and 0 among differences that scatter by about 1; the last is no finding."""
    scatter = torch.tensor([1.0, -1.0] * 200).double()
    asked = [Mean("q", name, mean + scatter, 1.0) for name, mean in (("near", 1.0), ("far", -3.0), ("right", 0.0))]
    monkeypatch.setattr(guides, "questions", lambda *_: asked)
    where: Any = SimpleNamespace(name="a problem", model=None, joint=lambda rng, n: ({}, None), one=lambda *_: None,
                                 answers=True)
    verdict, guide = Verdict("mine", Outcome.WRONG, 1e-3), SimpleNamespace(samples=(400,))
    guides._ask(torch.Generator(), guide, where, verdict)  # type: ignore[arg-type]
    assert [(f.where, f.direction, f.mean) for f in verdict.findings] == [("far", "too small", -3.0),
                                                                         ("near", "too large", 1.0)]
    assert verdict.tested == [{"problem": "a problem", "replicates": 400, "functions": 3, "unit": "samples"}]


USER, ITEM = torch.tensor([0, 2, 2, 2]), torch.tensor([0, 0, 1, 2])
DATA = Replicates(USER, ITEM, torch.tensor([[0.0, 1.0, 2.0, 3.0]]).double(), 3, 4)


def test_what_a_set_of_ratings_can_show():
    """Users with 1, 0 and 3 ratings, items with 2, 1, 1 and 0; rank 2."""
    assert {name for name, has in SHOWS.items() if has(Factorization(3, 4, 2, 5.0, 1.0), DATA)} == {
        "rank 2", "more items than users", "a user in the middle unrated", "a user with one rating",
        "a user with fewer ratings than the rank", "a user with more ratings than the rank", "the last item unrated",
        "an item with one rating", "an item with fewer ratings than the rank", "ratings in the order of the users",
        "a rating of exactly 0", "noise smaller than the prior's spread"}


def test_what_a_kernel_of_ratings_seems_to_have_used(monkeypatch):
    """Log factors of the noise and of the prior, and a relative change of the means."""
    at, error = torch.tensor([0.5, 0.0, 0.1]).double(), torch.full((3,), 1e-3).double()
    monkeypatch.setattr(of_ratings, "loss", lambda *_: None)
    monkeypatch.setattr(of_ratings, "fitted", lambda loss, start: (at, error))
    latents = {"U": torch.zeros(1, 3, 2), "V": torch.zeros(1, 4, 2)}
    said = of_ratings.implied(Factorization(3, 4, 2, 5.0, 1.0), latents, DATA)
    assert said == [f"{site} is sampled as if {what}" for site in "UV" for what in (
        "the noise variance were 1.6; you passed 1", "its conditional means were 1.1 times as long")]


def test_what_a_kernel_of_images_seems_to_have_used(monkeypatch):
    """The evidence once and a half, everything else as it was passed."""
    at, error = torch.tensor([1.5, 1.0, 1.0, 1.0, 1.0]).double(), torch.full((5,), 1e-3).double()
    monkeypatch.setattr(of_grids, "fitted", lambda loss, start: (at, error))
    model = GridMRF.potts(torch.zeros(2, 2, 2), 1.0, (1.0, 0.0))
    labels = torch.zeros(1, 2, 2, dtype=torch.int64)
    said = of_grids.implied(model, {"labels": labels}, torch.zeros(1, 2, 2, 2).double())
    assert said == ["it samples as if the evidence were 1.50 times what you passed"]
