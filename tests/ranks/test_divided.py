"""One fit over several ranks is the fit of one process.

Sums over the ranks are added in another order. A sum of 1,040 numbers is then off by at most 1,040 x 1.1e-16 of the
sum of their sizes; a row's solve makes that larger by the condition of its precision, which a test holds below 100; and
each of six sweeps starts from that: 6 x 2 x 100 x 1.2e-13 = 1.4e-10. Allowed are 1e-9 of an array's largest entry, or
of 1.
"""

import dataclasses
import os
import signal
import time

import numpy as np
import pandas as pd
import pytest
import torch

from data.ratings import load_ratings, split
from errors import InputError, Interrupted
from experiments.ratings.tasks import task
from inference.drive import drive
from inference.factorization.compiled.normals import normals
from inference.factorization.parts import stochastic
from inference.factorization.parts.by_row import sides
from inference.factorization.parts.row_conditional import Prior, natural_parameters
from inference.job import Plan
from models.ordinal import fitted as fitted_to
from models.ordinal import named
from ranks import group, watch
from ranks.part import Part, divide
from runs import options
from tests.support.ranks import on_ranks
from tests.support.small_ratings import some_ratings

TOLERANCE = 1e-9
BATCHES = stochastic.batches
USERS, ITEMS = 61, 23
LADDER, ASCENT = "ladder_gibbs noise+hierarchical+biases", "coordinate_ascent:engine=torch biases"
FEW = (LADDER, ASCENT, "ladder_gibbs noise+noise-per-user", "row_gibbs plain", "coordinate_ascent:covariance=row plain",
       "maximum_likelihood biases", "elbo_by_hand biases")
FOLDER = "read from a folder"
SAVED = (LADDER, ASCENT, FOLDER)
MORE = (LADDER, ASCENT, "row_gibbs:engine=torch plain", "coordinate_ascent plain", "maximum_likelihood:map=yes plain",
        "maximum_likelihood:engine=torch biases", "elbo_by_hand:recipe=reference plain")


def tasks(cases):
    """The fits; those by stochastic gradients in one batch of all ratings, as ranks draw batches of their own."""
    stochastic.batches = lambda rng, data, batch_size: (torch.arange(len(data)),)
    _, data = some_ratings(USERS, ITEMS, 1300, rank=3)
    return {case: fit(case, dataclasses.replace(data, scale=(-30.0, 30.0))) for case in cases}


def fit(case, data):
    parts = split(data, (0.8, 0.1, 0.1), rng=torch.Generator().manual_seed(1))
    spec, name = case.split()
    plan = Plan(6, 1, 2, draws=5) if "gibbs" in spec else Plan(6, draws=5)
    return task(options.parse("factorization", spec), named(name, data.num_users, data.num_items, 3), parts, plan,
                predicts=True, joint=True, samples=3)


def write(folder):
    """The ratings as Parquet files, in disorder; all users but one are numbers, and the one is in the last file."""
    _, data = some_ratings(USERS, ITEMS, 1300, rank=3)
    table = pd.DataFrame({"user": data.user, "item": data.item * 3, "rating": data.rating.round(decimals=1)})
    table = table.sample(frac=1, random_state=0).sort_values("user", key=lambda user: user == 7, kind="stable")
    table["user"] = table["user"].astype(str).replace("7", "u7")
    for k, rows in enumerate(range(0, 1300, 260)):
        table[rows : rows + 260].to_parquet(folder / f"part-{k}.parquet", index=False)
    table[1295:].to_parquet(folder.parent / "twice" / "part-9.parquet", index=False)
    for k in range(5):
        (folder.parent / "twice" / f"part-{k}.parquet").write_bytes((folder / f"part-{k}.parquet").read_bytes())


def from_folder(path):
    """The ratings, of which each of several ranks reads its own."""
    return load_ratings(path, scale="-40,40", say=lambda line: None, apart=True)


def fitted(task, **more):
    result = drive(task.method, task.model, task.data, task.plan, task.options, record=task.record,
                   observer=task.observer, keeper=task.keeper, over=group.size(), **more)
    held = {"draws": result.draws, "expected": result.expected, "trace": result.trace, **result.groups}
    return {f"{group}/{name}": x for group, inside in held.items() for name, x in inside.items()}


def stopped(task, path):
    """It is asked to stop after three sweeps, by a signal that the last rank gets, and is saved."""
    def stop(step, said):
        if step == 3 and group.rank() == group.size() - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="after sweep 3"):
        fitted(task, save_to=path, on_step=stop)


def work(folder, cases):
    """On the first rank all fits, and two that go on with what one process saved; on every rank what is refused."""
    watch.SILENT, watch.BEAT = 1.0, 0.2
    every, apart = tasks(cases), from_folder(folder / "parquet")
    assert apart.scattered and len(apart) < 1300
    every[FOLDER] = fit(LADDER, apart)
    found = {case: fitted(each) for case, each in every.items()}
    for case in SAVED:
        mine = folder / f"{case}.{group.size()}"
        if group.rank() == 0:
            mine.write_bytes((folder / f"{case}.one").read_bytes())
        found[f"{case}, resumed"] = fitted(every[case], save_to=mine)
    for case in (LADDER, FOLDER):
        stopped(every[case], folder / f"stopped {case}.{group.size()}")
    told = apart.user_ids, apart.item_ids, every[FOLDER].identity
    return (found if group.rank() == 0 else None), refused(every[LADDER], folder), told, bereft()


def refused(base, folder):
    """What is said of a method that has to have all users, of a model likewise, of ranks with different data, and of a
    rating that another file repeats."""
    other, said = base.data.take(torch.arange(len(base.data) - group.rank())), []
    for change in ({"method": options.parse("factorization", "random_walk").method},
                   {"model": fitted_to(named("hierarchical+features", USERS, ITEMS, 2), base.data)}, {"data": other}):
        with pytest.raises(InputError) as error:
            fitted(dataclasses.replace(base, **change))
        said.append(str(error.value))
    with pytest.raises(InputError) as error:
        from_folder(folder / "twice")
    return [*said, str(error.value)]


def bereft():
    """The last rank is killed, and the others are in a sum: what they say, and after how many seconds."""
    group.total(torch.ones(1))
    if group.rank() == group.size() - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    started = time.monotonic()
    with pytest.raises(group.Lost) as error:
        group.total(torch.ones(1))
    return str(error.value), time.monotonic() - started


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The fits of one process, and a folder with what it saved of two of them half way."""
    folder, kept = tmp_path_factory.mktemp("ranks"), stochastic.batches
    for name in ("parquet", "twice"):
        (folder / name).mkdir()
    write(folder / "parquet")
    try:
        every = tasks(FEW)
        every[FOLDER] = fit(LADDER, from_folder(folder / "parquet"))
        found = {case: fitted(each) for case, each in every.items()}
        for case in SAVED:
            stopped(every[case], folder / f"{case}.one")
            found[f"{case}, resumed"] = found[case]
        yield folder, every, found
    finally:
        stochastic.batches = kept


@pytest.fixture(scope="module")
def three(one):
    return on_ranks((3,), work, one[0], one[0], FEW)[3]


def same(found, judge):
    assert found.keys() == judge.keys()
    for name, x in judge.items():
        size = max(1.0, float(np.abs(x).max(initial=0.0)))
        np.testing.assert_allclose(found[name], x, rtol=0, atol=TOLERANCE * size, err_msg=name)


def test_a_fit_over_three_ranks_is_that_of_one_and_goes_on_with_what_one_saved(one, three):
    found = three[0][0]
    assert len(found) == len(FEW) + 1 + len(SAVED)
    for case, arrays in found.items():
        same(arrays, one[2][case])


def test_one_process_goes_on_with_what_three_ranks_saved(one, three):
    folder, every, found = one
    for case in (LADDER, FOLDER):
        same(fitted(every[case], save_to=folder / f"stopped {case}.3"), found[case])


def test_ranks_that_read_their_own_part_of_a_folder_agree_on_ids_and_on_what_it_is(one, three):
    task = one[1][FOLDER]
    assert three[0][2] == (task.data.user_ids, task.data.item_ids, task.identity)
    assert "u7" in task.data.user_ids and task.data.user_ids[1] == "1"  # text, as one of them is
    assert three[1][2][2] == task.identity


def test_what_is_not_divided_is_refused_alike_on_every_rank(three):
    method, model, data, twice = three[0][1]
    assert method.startswith("random_walk needs all users in one process: run it without torchrun")
    assert model.startswith("ladder_gibbs does not divide a model with ridge_U, weights_U")
    assert data.startswith("rank 1 differs from rank 0 in the data 'train'")
    assert twice.startswith("twice: user u7 rates item") and "5 rating(s) repeat a pair" in twice
    assert three[1][1] == three[0][1]


def test_a_rank_that_is_killed_is_named_by_the_others(three):
    assert three[2] is None
    for said, seconds in (three[0][3], three[1][3]):
        assert said.startswith("rank 2 cannot be reached any more, and the run ends") and seconds < 10


@pytest.mark.slow
def test_a_fit_over_two_or_four_ranks_is_that_of_one(one):
    for ranks, cases in ((2, FEW), (4, MORE)):
        judge = one[2] | {case: fitted(each) for case, each in tasks(set(cases) - set(FEW)).items()}
        for case, arrays in on_ranks((ranks,), work, one[0], one[0], cases)[ranks][0][0].items():
            same(arrays, judge[case])


def climbed():
    """The bound that is reached by stochastic gradients, in batches of every rank's own."""
    found = tasks(("elbo_by_hand plain",))["elbo_by_hand plain"]
    stochastic.batches = BATCHES
    result = fitted(dataclasses.replace(found, plan=Plan(30, draws=5)))
    return result["trace/elbo"][0, -1] if group.rank() == 0 else None


@pytest.mark.slow
def test_stochastic_gradients_over_ranks_climb_to_the_optimum(one, tmp_path):
    """To within 1% of what coordinate ascent reaches, and never beyond it."""
    ascent = tasks(("coordinate_ascent plain",))["coordinate_ascent plain"]
    best = fitted(dataclasses.replace(ascent, plan=Plan(300, draws=5)))["trace/elbo"][0, -1]
    reached = on_ranks((3,), climbed, tmp_path)[3][0]
    assert best - 0.01 * abs(best) < reached <= best + 1e-9 * abs(best)


def test_batches_of_a_part_hold_each_of_its_ratings_once_and_are_as_many_on_every_rank():
    _, data = some_ratings(USERS, ITEMS, 1300)
    counts = torch.bincount(data.user, minlength=USERS).tolist()
    for rank in range(3):
        own = data.of(divide(counts, 3, rank))
        own.__dict__["total"] = len(data)  # which the ranks would sum
        found = BATCHES(torch.Generator().manual_seed(0), own, 100)
        assert len(found) == 13 and torch.equal(torch.cat(found).sort().values, torch.arange(len(own)))


def test_the_condition_of_rows_is_what_the_tolerance_says(one):
    """The precisions of all rows, in the middle of a chain."""
    task, draw = one[1]["row_gibbs plain"], one[2]["row_gibbs plain"]
    for rows, other in zip(sides(task.model, task.data), "VU", strict=True):
        table = torch.from_numpy(draw[f"latents/{other}"][0, 0]).double()
        for _, precision, _ in natural_parameters(rows, table, Prior.of(task.model), 1.0):
            assert float(torch.linalg.cond(precision).max()) < 100


@pytest.mark.parametrize("users, width, ranks", ((7, 3, 2), (7, 3, 7), (1, 1, 1), (64, 2, 5), (30_011, 3, 4)))
def test_a_part_has_its_users_rows_of_everybodys_noise(users, width, ranks):
    whole = normals(torch.Generator().manual_seed(3), users, width)
    for rank in range(ranks):
        part = divide([1] * users, ranks, rank)
        own = normals(torch.Generator().manual_seed(3), len(range(users)[part.users]), width, part=part)
        assert torch.equal(own, whole[part.users])


def test_every_user_is_in_one_part_and_the_work_is_even():
    count = np.random.default_rng(0).geometric(0.02, 1000)
    parts = [divide(count, 4, rank) for rank in range(4)]
    assert [i for part in parts for i in range(1000)[part.users]] == list(range(1000))
    assert max(abs(count[part.users].sum() / count.sum() - 1 / 4) for part in parts) < 0.02
    assert divide([10**6, 0, 0, 0], 4, 0).bounds == (0, 1, 2, 3, 4)  # and everybody has a user
    with pytest.raises(InputError, match="5 ranks are more than the 4 users"):
        divide([1] * 4, 5, 0)


def test_one_rank_has_everything_as_it_is():
    x = torch.ones(3)
    assert Part().sum(x) is x and Part().own(x) is x and Part().count(3) == 3 and not Part().divided
