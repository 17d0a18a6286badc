"""Gibbs against enumeration and sweeps done by hand from `log_joint`; the compiled engine against its twin."""

import itertools

import pytest
import torch

from errors import InputError
from inference.grid import gibbs
from inference.grid.compiled import gibbs_table as gibbs_table_numba
from inference.grid.parts.single_site import conditional
from models.grid import GridMRF

CPU = torch.device("cpu")
both_engines = pytest.mark.parametrize("engine", ["torch", "compiled"])
both_schedules = pytest.mark.parametrize("schedule", ["checkerboard", "raster"])


def random_grid(shape, scale=1.0, seed=0) -> GridMRF:
    H, W, K = shape
    rng = torch.Generator().manual_seed(seed)
    unary, right, down = (scale * torch.randn(s, generator=rng, dtype=torch.float64)
                          for s in ((H, W, K), (H, W - 1, K, K), (H - 1, W, K, K)))
    return GridMRF(unary, right, down)


def homogeneous_grid(shape, scale=1.0, seed=0) -> GridMRF:
    """Pixels with one label set, none, or all; tables that differ by direction and are not symmetric."""
    H, W, K = shape
    rng = torch.Generator().manual_seed(seed)
    rows = torch.cat([torch.eye(K), torch.zeros(1, K), torch.ones(1, K)])
    right, down = (scale * torch.randn(K, K, generator=rng, dtype=torch.float64) for _ in range(2))
    image = rows[torch.randint(K + 2, (H, W), generator=rng)].to(torch.float64)
    return GridMRF(scale * image, right.expand(H, W - 1, K, K), down.expand(H - 1, W, K, K))


def run(model, data=None, sweeps=1, seed=0, **options):
    rng = torch.Generator().manual_seed(seed)
    state = gibbs.init(rng, model, data, **options)
    for _ in range(sweeps):
        state, _ = gibbs.step(rng, state, model, data)
    return state


def order(H, W, schedule):
    pixels = list(itertools.product(range(H), range(W)))
    return pixels if schedule == "raster" else sorted(pixels, key=lambda ij: sum(ij) % 2)


def by_joint(model, y, i, j):
    """p(y_ij = k | rest) from K values of log_joint."""
    K = model.shape[2]
    each = y.repeat(K, 1, 1)
    each[:, i, j] = torch.arange(K)
    return torch.softmax(model.log_joint({"labels": each}), 0)


def test_noise_is_the_published_splitmix64_stream():
    """First outputs of Vigna's splitmix64.c from seed 1234567, as listed on Rosetta Code."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423,
                 4593380528125082431, 16408922859458223821]
    ours = gibbs.uniforms(1234567, 1, 5, CPU)[0] * 2.0**53
    assert [int(u) for u in ours] == [n >> 11 for n in published]


@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 2, 3), (1, 2, 5)], ids=str)
def test_conditionals_of_every_labelling_against_log_joint(shape):
    model = random_grid(shape)
    y = model.configurations
    ours = torch.stack([conditional(c, model.unary, model.right, model.down) for c in y]).softmax(-1)
    for i, j in itertools.product(range(shape[0]), range(shape[1])):
        each = y.repeat(shape[2], 1, 1, 1)
        each[:, :, i, j] = torch.arange(shape[2])[:, None]
        joint = torch.softmax(model.log_joint({"labels": each}), 0)
        torch.testing.assert_close(ours[:, i, j], joint.T, rtol=1e-13, atol=0)


@both_schedules
def test_a_sweep_leaves_the_posterior_as_it_is(schedule):
    """p T = p, exactly: T is the product of the pixels' transition matrices over all 64 labellings."""
    model = random_grid((2, 3, 2))
    y = model.configurations
    index = {tuple(c.reshape(-1).tolist()): n for n, c in enumerate(y)}
    p = torch.softmax(model.log_joint({"labels": y}), 0)
    conditionals = [torch.softmax(conditional(c, model.unary, model.right, model.down), -1) for c in y]
    after = p
    for i, j in order(2, 3, schedule):
        T = torch.zeros(64, 64, dtype=torch.float64)
        for n, c in enumerate(y):
            probability = conditionals[n][i, j]
            for k in range(2):
                to = c.clone()
                to[i, j] = k
                T[n, index[tuple(to.reshape(-1).tolist())]] = probability[k]
        after = after @ T
    torch.testing.assert_close(after, p, rtol=1e-13, atol=0)


@both_engines
@both_schedules
@pytest.mark.parametrize("shape", [(2, 3, 3), (3, 4, 2), (1, 5, 4), (4, 1, 2), (1, 1, 2)], ids=str)
def test_sweeps_by_hand(shape, schedule, engine):
    """Pixel by pixel in the schedule's order: label = how many cumulated probabilities its uniform reaches."""
    model = random_grid(shape)
    H, W, K = shape
    rng = torch.Generator().manual_seed(4)
    state = gibbs.init(rng, model, None, schedule=schedule, engine=engine)
    y, sums = state.labels.to(torch.int64), torch.zeros(H, W, K, dtype=torch.float64)
    for _ in range(5):
        twin = rng.clone_state()
        u = gibbs.uniforms(int(torch.randint(-(2**63), 2**63 - 1, (1,), generator=twin)), H, W, CPU)
        for i, j in order(H, W, schedule):
            probability = by_joint(model, y, i, j)
            y[i, j] = int((u[i, j] >= probability.cumsum(0)[:-1]).sum())
            sums[i, j] += probability
        state, _ = gibbs.step(rng, state, model, None)
        assert torch.equal(gibbs.draw(rng, state, model)["labels"].to(torch.int64), y)
    torch.testing.assert_close(gibbs.expect(state, model)["labels"], sums / 5, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("shape, schedule", [
    ((31, 30, 2), "checkerboard"), ((30, 51, 3), "checkerboard"), ((1, 500, 2), "checkerboard"),
    ((400, 1, 2), "checkerboard"), ((65, 63, 4), "checkerboard"), ((18, 19, 2), "raster"),
], ids=str)
def test_the_tables_draw_what_the_twin_draws(shape, schedule):
    model = homogeneous_grid(shape)
    assert gibbs_table_numba.make_table(model, None) is not None
    ours, twin = (run(model, sweeps=3 if schedule == "checkerboard" else 1, schedule=schedule, engine=engine)
                  for engine in ("compiled", "torch"))
    assert torch.equal(ours.labels, twin.labels)
    torch.testing.assert_close(ours.sums, twin.sums, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("model", [
    random_grid((20, 20, 2)), homogeneous_grid((9, 9, 2)), homogeneous_grid((60, 60, 6)),
    GridMRF(random_grid((40, 40, 2)).unary, torch.eye(2).double().expand(40, 39, 2, 2),
            torch.eye(2).double().expand(39, 40, 2, 2)),
], ids=["tables by site", "fewer pixels than cases", "many labels", "a field for every pixel"])
def test_where_there_is_no_table(model):
    assert gibbs_table_numba.make_table(model, None) is None
    ours, twin = (run(model, sweeps=2, engine=engine) for engine in ("compiled", "torch"))
    assert torch.equal(ours.labels, twin.labels)
    torch.testing.assert_close(ours.sums, twin.sums, rtol=1e-12, atol=1e-15)


def test_a_changed_image_is_seen():
    """The table is remembered with the image it was made for: another image, or the same one overwritten, counts."""
    model = GridMRF.potts(torch.zeros(25, 25, 2), 1.5, (0.5, 0.0))
    rng = torch.Generator().manual_seed(3)
    images = [torch.nn.functional.one_hot(torch.randint(2, (25, 25), generator=rng), 2).double() for _ in range(3)]
    for data in (images[0], images[1], None, images[0], images[0].copy_(images[2])):
        ours, twin = (run(model, data, engine=engine) for engine in ("compiled", "torch"))
        assert torch.equal(ours.labels, twin.labels)


@pytest.mark.parametrize("schedule", ["checkerboard", pytest.param("raster", marks=pytest.mark.slow)])
def test_rao_blackwell_marginals_are_right(schedule):
    """200 free chains of 50 sweeps, 20 of warm-up: |t| > 6 at one of 9 pixels has probability below 1e-6.

    The coupling of 0.2 contracts any start by 4 tanh(0.1) = 0.4 a sweep, so 20 sweeps leave 1e-8 of it.
    """
    image = torch.nn.functional.one_hot(torch.tensor([[0, 0, 1], [0, 1, 1], [1, 0, 1]]), 2)
    model = GridMRF.potts(image, 0.6, (0.2, 0.0))
    p = torch.softmax(model.log_joint({"labels": model.configurations}), 0)
    exact = torch.einsum("n,nij->ij", p, model.configurations.double())
    means = []
    for seed in range(200):
        rng = torch.Generator().manual_seed(seed)
        state = gibbs.init(rng, model, None, schedule=schedule)
        for sweep in range(70):
            if sweep == 20:
                state = gibbs.warm(state)
            state, _ = gibbs.step(rng, state, model, None)
        assert state.count == 50
        means.append(gibbs.expect(state, model)["labels"])
    mean = torch.stack(means)
    torch.testing.assert_close(mean.sum(-1), torch.ones(200, 3, 3, dtype=torch.float64))
    t = (mean[..., 1].mean(0) - exact) / (mean[..., 1].std(0) / 200**0.5)
    assert float(t.abs().max()) < 6
    assert float(mean[..., 1].std(0).max()) < 0.02


@both_engines
@both_schedules
@pytest.mark.parametrize("model", [
    random_grid((4, 5, 3), 1e4), homogeneous_grid((20, 17, 2), 1e4)], ids=["tables by site", "one table"])
def test_strong_potentials_stay_numbers(model, schedule, engine):
    state = run(model, sweeps=3 if schedule == "checkerboard" else 1, schedule=schedule, engine=engine)
    marginals = gibbs.expect(state, model)["labels"]
    assert bool(((marginals >= 0) & (marginals <= 1)).all())
    torch.testing.assert_close(marginals.sum(-1), torch.ones(model.shape[:2], dtype=torch.float64))
    assert int(state.labels.max()) < model.shape[2]


def test_chains_start_apart():
    """Of 60 starts, each of the two constant images and noise is seen; one is missed with probability 1e-10."""
    model = homogeneous_grid((8, 8, 2))
    starts = {tuple(run(model, sweeps=0, seed=seed).labels.unique().tolist()) for seed in range(60)}
    assert starts == {(0,), (1,), (0, 1)}


def test_before_the_first_sweep_the_marginals_are_the_labels():
    model = homogeneous_grid((3, 4, 3))
    state = run(model, sweeps=0)
    assert torch.equal(gibbs.expect(state, model)["labels"].argmax(-1), state.labels.to(torch.int64))
    assert torch.equal(gibbs.expect(gibbs.warm(run(model)), model)["labels"].sum(-1), torch.ones(3, 4).double())


@pytest.mark.parametrize("options, words", [
    ({"schedule": "chequerboard"}, "unknown schedule of gibbs .* did you mean 'checkerboard'"),
    ({"engine": "fortran"}, "unknown engine of gibbs"),
])
def test_wrong_options_are_one_sentence(options, words):
    with pytest.raises(InputError, match=words):
        run(random_grid((2, 2, 2)), **options)


def test_more_labels_than_a_byte_holds_are_refused():
    with pytest.raises(InputError, match="at most 256 labels, not 257"):
        run(GridMRF.potts(torch.zeros(1, 2, 257)))
