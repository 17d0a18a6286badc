"""Whatever a mistake may depend on is on some test problem, and what is drawn there is from the joint."""

import math

import pytest
import torch

from checks.problems.coverage import shown, untried
from checks.problems.load import problem_set

SETS = ("grid", "factorization", "ladder", "features", "time", "ordinal")
GEOMETRY = {"an even width", "an odd width", "an even height", "an odd height", "more columns than rows",
            "more rows than columns", "columns that are not at the border", "rows that are not at the border"}


@pytest.mark.parametrize("name", SETS)
def test_everything_on_the_list_is_on_some_problem(name):
    chosen = problem_set(name)
    assert len(chosen.shows) >= 15 and not untried(chosen, chosen.problems())
    assert untried(chosen, []) == list(chosen.shows)


@pytest.mark.parametrize(("form", "all_of"), [
    ("one table for all edges", GEOMETRY | {"two labels", "three labels", "symmetric tables", "asymmetric tables",
                                            "strong coupling", "weak coupling", "an unobserved pixel"}),
    ("tables that differ by site", GEOMETRY | {"two labels", "three labels", "symmetric tables", "asymmetric tables",
                                               "an unobserved pixel"}),
    ("two labels", GEOMETRY | {"one table for all edges", "tables that differ by site", "an unobserved pixel"}),
    ("three labels", GEOMETRY | {"one table for all edges", "tables that differ by site", "an unobserved pixel"}),
    ("symmetric tables", GEOMETRY | {"two labels", "three labels", "an unobserved pixel"}),
])
def test_a_kernel_that_knows_one_form_of_grid_meets_every_shape(form, all_of):
    chosen = problem_set("grid")
    assert all_of.isdisjoint(untried(chosen, [p for p in chosen.problems() if form in shown(chosen, p)]))


@pytest.mark.parametrize(("form", "all_of"), [
    ("rank 2", {"more users than items", "more items than users", "two ratings that are equal",
                "a rating of exactly 0", *(f"the {end} {row} unrated" for end in ("first", "last")
                                           for row in ("user", "item"))}),
    ("rank 1", {"more users than items", "more items than users", "the first user unrated", "every user rated"}),
    ("every user rated", {"rank 1", "rank 2", "rank 3", "more users than items", "more items than users"}),
])
def test_a_kernel_for_some_ratings_meets_every_shape(form, all_of):
    chosen = problem_set("factorization")
    assert all_of.isdisjoint(untried(chosen, [p for p in chosen.problems() if form in shown(chosen, p)]))


@pytest.mark.parametrize("index", range(8))
def test_images_are_drawn_given_the_labels(index):
    """Of all images of one pixel's labels: E[s(y) - E(s | x)] = 0 for s by label, by enumeration of p(y | x). Over
    at most 8 x 27 indicators at 1e-6 (|z| < 6)."""
    problem = problem_set("grid").problems()[index]
    model, n = problem.model, 2000
    latents, images = problem.joint(torch.Generator().manual_seed(index), n)
    y = model.configurations
    prior = model.log_joint({"labels": y})
    evidence = model.evidence * images.flatten(1) @ model.quantities({"labels": y})["labels"].flatten(1).T
    posterior = torch.softmax(prior + evidence, 1)
    exact = posterior @ model.quantities({"labels": y})["labels"].flatten(1)
    off = model.quantities(latents)["labels"].flatten(1) - exact
    assert float((off.mean(0) / off.std(0)).abs().max()) < 6 / math.sqrt(n)


@pytest.mark.parametrize("name", ["factorization", "ladder", "features", "time"])
def test_ratings_that_are_given_leave_the_conditionals_as_they_are(name):
    """Equal ratings, a rating of 0, ratings within a bound: residuals of U and V given them are N(0, 1). Moments at
    n = 5,000; Bonferroni over some 700 functions x 2 at 1e-6 (|z| < 6.5)."""
    rng = torch.Generator().manual_seed(1)
    for problem in problem_set(name).problems()[0 if name in ("features", "time") else 2:]:
        latents, data = problem.joint(rng, 5000)
        for what, x in problem.normal(problem.model, latents, data).items():
            assert abs(float(x.mean())) < 6.5 / math.sqrt(5000), (problem.name, what)
            assert abs(float(x.square().mean()) - 1) < 6.5 * math.sqrt(2 / 5000), (problem.name, what)


def test_start_states_of_the_ladder_are_where_data_would_put_a_chain():
    """On rows of 1e5 the textbook's inverse of a scatter fails. Without a bound on the ratings rows above 3,000 come in
    more than 1 of 1,000 draws; none in 20,000 has probability 2e-9."""
    rng = torch.Generator().manual_seed(2)
    for problem in problem_set("ladder").problems():
        if problem.model.besides:
            latents, data = problem.joint(rng, 20_000)
            assert float(max(x.abs().max() for site, x in latents.items() if "precision" not in site)) < 3000
            assert float((data.rating - problem.model.centre).abs().max()) < 30.0 * problem.model.unit
