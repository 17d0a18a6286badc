"""The tree-reweighted bound against enumeration and the strip recursion; its trees by listing all there are."""

import itertools

import pytest
import torch

from errors import InputError
from inference.grid import strip
from inference.grid import tree_reweighted_bp as trw
from inference.grid.parts import chains, scans, spanning_trees
from inference.method import Kind
from models.grid import GridMRF
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

RNG = torch.Generator()
SHAPES = [(2, 2, 2), (3, 3, 2), (3, 4, 2), (2, 3, 3), (2, 4, 3), (4, 2, 2)]


def run(model, sweeps, **options):
    state = trw.init(RNG, model, None, **options)
    infos = []
    for _ in range(sweeps):
        state, info = trw.step(RNG, state, model, None)
        infos.append(info)
    return state, infos


def log_z(model) -> float:
    return float(torch.logsumexp(model.log_joint({"labels": model.configurations}), 0))


def attractive(H, W, K, scale, seed) -> GridMRF:
    """Equal labels are favoured on every edge, by amounts of its own."""
    rng = torch.Generator().manual_seed(seed)
    unary, *weights = (scale * torch.randn(s, generator=rng, dtype=torch.float64)
                       for s in ((H, W, K), (H, W - 1, 1, 1), (H - 1, W, 1, 1)))
    right, down = (w.abs() * torch.eye(K, dtype=torch.float64) for w in weights)
    return GridMRF(unary, right, down)


@pytest.mark.parametrize("make", [attractive, mixed])
def test_the_bound_holds_at_every_sweep_of_a_hundred_random_grids(make):
    """Converged or not, with combs alone and with trees added on the way; and the reported number is the lowest."""
    for seed in range(100):
        model = make(*SHAPES[seed % len(SHAPES)], scale=(0.2, 1.0, 4.0, 15.0)[seed % 4], seed=seed)
        exact, state = log_z(model), trw.init(RNG, model, None, trees=seed % 3)
        lowest = float("inf")
        for _ in range(6):
            state, info = trw.step(RNG, state, model, None)
            assert info.kind is Kind.UPPER and info.log_evidence is not None
            assert info.log_evidence >= exact - 1e-11 * max(1.0, abs(exact))
            assert info.log_evidence <= lowest
            lowest = info.log_evidence


@pytest.mark.parametrize("noise", [0.0, 1.0, 20.0])
def test_any_messages_give_a_bound(noise):
    for seed in range(10):
        model = mixed(3, 3, 2, 2.0, seed)
        rng = torch.Generator().manual_seed(seed)
        messages = noise * torch.randn(4, 3, 3, 2, generator=rng, dtype=torch.float64)
        messages[0, :, 0] = messages[1, :, -1] = messages[2, 0] = messages[3, -1] = 0
        parents = run(model, 6, trees=1)[0].parents
        assert len(parents) == 1
        for trees in (parents, parents[:0]):
            assert trw.upper_bound(messages, trw.weighted(model, None, trees), trees) >= log_z(model)


@pytest.mark.parametrize("shape", [(1, 9, 3), (9, 1, 2), (1, 1, 4)])
def test_on_a_tree_it_is_exact(shape):
    model = mixed(shape[0], shape[1], shape[2], 2.0)
    state, infos = run(model, 8)
    exact, said = strip.step(RNG, strip.init(RNG, model, None), model, None)
    assert infos[-1].log_evidence == pytest.approx(said.log_evidence, abs=1e-11)
    assert torch.allclose(trw.expect(state, model)["labels"], exact.labels, atol=1e-12)


@pytest.mark.parametrize("trees", [0, 3])
def test_a_fixed_point_is_where_the_bound_is_least(trees):
    """Its gradient by the messages vanishes, and there pair beliefs sum to the beliefs of their pixels."""
    model = mixed(3, 4, 2)
    state, infos = run(model, 70, trees=trees)
    assert infos[-1].converged and infos[-1].residual < 1e-12
    grid = trw.weighted(model, None, state.parents)
    b, (right, _) = grid.beliefs(state.messages), grid.edges(state.messages)
    tau = torch.softmax((right + b[:, :-1, :, None] + b[:, 1:, None]).flatten(2), -1).reshape(right.shape)
    assert torch.allclose(tau.sum(-1), torch.softmax(b, -1)[:, :-1], atol=1e-10)
    assert torch.allclose(tau.sum(-2), torch.softmax(b, -1)[:, 1:], atol=1e-10)
    lowest = trw.upper_bound(state.messages, grid, state.parents)
    for seed in range(20):
        noise = torch.randn(state.messages.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert trw.upper_bound(state.messages + 1e-3 * noise, grid, state.parents) > lowest


def test_trees_tighten_the_bound():
    """By half or more on these grids of mixed signs, where the combs' is loose."""
    for seed in range(2):
        model = mixed(4, 4, 2, seed=seed)
        combs, more = (run(model, 35, trees=n)[1][-1].log_evidence - log_z(model) for n in (0, 5))
        assert 0 < more < 0.6 * combs


def test_the_weights_are_the_trees():
    """rho counts edges: it adds up to H W - 1, the edges of a tree; every edge is held by some comb."""
    model = mixed(4, 5, 2)
    state, _ = run(model, 40, trees=5)
    assert len(state.parents) == 5
    grid = trw.weighted(model, None, state.parents)
    assert float(grid.rho_right.sum() + grid.rho_down.sum()) == pytest.approx(4 * 5 - 1)
    assert min(grid.rho_right.min(), grid.rho_down.min()) > 0 and max(grid.rho_right.max(), grid.rho_down.max()) <= 1


def spanning_trees_of(H, W):
    """All of them, by listing: sets of H W - 1 edges that connect every pixel."""
    at = torch.arange(H * W).reshape(H, W)
    edges = [(int(a), int(b)) for a, b in zip(torch.cat([at[:, :-1].flatten(), at[:-1].flatten()]),
                                              torch.cat([at[:, 1:].flatten(), at[1:].flatten()]), strict=True)]
    for some in itertools.combinations(edges, H * W - 1):
        reached = {0}
        for _ in range(H * W):
            reached |= {b for a, b in some if a in reached} | {a for a, b in some if b in reached}
        if len(reached) == H * W:
            yield set(some)


@pytest.mark.parametrize("H, W", [(2, 3), (3, 2), (3, 3), (1, 4), (4, 1)])
def test_the_heaviest_tree_and_its_log_z_by_listing(H, W):
    model = mixed(H, W, 2, seed=3)
    rng = torch.Generator().manual_seed(H * 10 + W)
    right, down = (torch.rand(s, generator=rng, dtype=torch.float64) for s in ((H, W - 1), (H - 1, W)))

    def weight(tree):
        return sum(float(right[a // W, a % W] if b - a == 1 and W > 1 else down[a // W, a % W]) for a, b in tree)

    parent = spanning_trees.heaviest(right, down)
    tree = {(min(v, p), max(v, p)) for v, p in enumerate(parent.tolist()) if p >= 0}
    assert weight(tree) == pytest.approx(max(map(weight, spanning_trees_of(H, W))))
    on_right, on_down = spanning_trees.counts(parent[None], H, W)
    assert float(on_right.sum() + on_down.sum()) == H * W - 1 and weight(tree) == pytest.approx(
        float((on_right * right).sum() + (on_down * down).sum()))
    alone = GridMRF(model.unary, model.right * on_right[..., None, None], model.down * on_down[..., None, None])
    found = spanning_trees.log_z(parent, model.unary, model.right, model.down)
    assert float(found) == pytest.approx(log_z(alone), abs=1e-12)


def test_messages_only_move_potentials_between_pixels_and_edges():
    """sum of b and rho psi is log p~ for any labelling, up to one constant."""
    model = mixed(3, 4, 3)
    state, _ = run(model, 7, trees=1)
    grid = trw.weighted(model, None, state.parents)
    right, down = grid.edges(state.messages)
    moved = GridMRF(grid.beliefs(state.messages), grid.rho_right[..., None, None] * right,
                    grid.rho_down[..., None, None] * down)
    y = torch.randint(3, (50, 3, 4), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(moved.log_joint({"labels": y}), model.log_joint({"labels": y}), atol=1e-11)


def test_a_sweep_is_a_fixed_point_of_the_formula():
    model = mixed(3, 3, 3)
    state, infos = run(model, 200, trees=0)
    grid, lam = trw.weighted(model, None, state.parents), state.messages
    b = grid.beliefs(lam)
    sent = torch.logsumexp((b[1, 0] - lam[1, 1, 0])[:, None] + model.right[1, 0] / (0.5 + 0.5 / 3), 0)
    assert torch.allclose(sent - sent[0], lam[0, 1, 1], atol=1e-9)
    assert scans.turned(scans.turned(lam)).equal(lam)


def test_bad_options_are_refused():
    model = mixed(2, 2, 2)
    with pytest.raises(InputError, match="0 or more, not -1"):
        trw.init(RNG, model, None, trees=-1)
    with pytest.raises(InputError, match="below 1, not 1"):
        trw.init(RNG, model, None, damping=1.0)


def test_the_compiled_parts_are_the_formulas(monkeypatch):
    """The same sweeps, bounds and trees in torch, with tables that are views and tables that are not."""
    one_table = GridMRF.potts(torch.eye(2)[torch.zeros(3, 4).long()])
    for model in (mixed(4, 5, 3), mixed(1, 6, 2), mixed(5, 1, 2), one_table):
        fast, said = run(model, 12, trees=2, damping=0.1)
        with monkeypatch.context() as patched:
            for part in (chains, scans):
                patched.setattr(part, "compiled", lambda *_: False)
            slow, told = run(model, 12, trees=2, damping=0.1)
        assert fast.parents.equal(slow.parents) and torch.allclose(fast.messages, slow.messages, atol=1e-11)
        for a, b in zip(said, told, strict=True):
            assert a.log_evidence == pytest.approx(b.log_evidence, abs=1e-10)
            assert a.residual == pytest.approx(b.residual, abs=1e-10)
