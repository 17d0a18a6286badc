"""Potentials of 0, log-potentials of -inf: what each method makes of them, against listing all labellings."""

import math

import pytest
import torch

from data.grid_files import read_grid
from data.grid_written import write_grid
from errors import InputError
from inference import load
from inference.drive import drive
from inference.grid import strip
from inference.grid.parts.constraints import contradicts_itself
from inference.job import Plan
from models.grid import GridMRF
from tests.support import ROOT
from tests.support.mixed_grids import mixed, one_thread  # noqa: F401

CASES = ROOT.parent / "shared" / "cases" / "grid"
SAMPLERS = ("gibbs", "metropolised_gibbs", "row_block_gibbs", "parallel_tempering", "swendsen_wang")
ON_TREES = ("loopy_bp", "tree_reweighted_bp", "structured_mean_field", "strip", "brute_force",
            "variable_elimination_pgmpy", "junction_tree_pgmpy")
POINTS = ("iterated_conditional_modes", "simulated_annealing", "max_product", "trw_s")
FILES = {
    "zero_pair.uai": "MARKOV 2  2 2  1  2 0 1  4 0 3 2 2",
    "sparse.fg": "2\n\n1\n0\n2\n1\n1 2.5\n\n2\n0 1\n2 2\n3\n0 1.0\n1 2.0\n3 4.0\n",
    "comment.uai": "MARKOV # a net\n4 2 2 2 2 6 1 0 1 1 2 0 1 # a pair\n 2 2 3 2 0 2 2 1 3 "
                   "2 1 3 2 2 1 4 4 1 2 3 4 1 5 2 1 4 2 1 1 2 4 1 1 3 1",
    "two_and_three.uai": "MARKOV 3 2 2 3 3 1 0 2 0 1 2 1 2 2 .4 .6 4 .1 .9 .9 .1 6 .2 .3 .5 .8 .1 .2",
}


def run(name, model, steps=40, **options):
    return drive(load.method("grid", name), model, None, Plan(steps, draws=5), options)


def hard(H, W, K, seed, pairs=True, share=0.2) -> GridMRF:
    """Some potentials of 0, but never all labels of a pixel; one labelling is always possible."""
    model, rng = mixed(H, W, K, seed=seed), torch.Generator().manual_seed(seed)
    y = torch.randint(K, (H, W), generator=rng)

    def punched(table: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        return table.masked_fill((torch.rand(table.shape, generator=rng) < share) & ~kept, -math.inf)

    one = torch.nn.functional.one_hot(y, K).bool()
    unary = punched(model.unary, one)
    if not pairs:
        return GridMRF(unary, model.right, model.down)
    return GridMRF(unary, punched(model.right, one[:, :-1, :, None] & one[:, 1:, None]),
                   punched(model.down, one[:-1, :, :, None] & one[1:, :, None]))


def listed(model) -> tuple[float, torch.Tensor, float]:
    """log Z, the marginals and the largest log p~, from all labellings."""
    log_p = model.log_joint({"labels": model.configurations})
    y = torch.nn.functional.one_hot(model.configurations, model.shape[2])
    return (float(torch.logsumexp(log_p, 0)), (torch.softmax(log_p, 0)[:, None, None, None] * y).sum(0),
            float(log_p.max()))


@pytest.mark.parametrize("name", ["strip", "brute_force", "variable_elimination_pgmpy"])
@pytest.mark.parametrize("file, log_z, marginals", [
    ("zero_pair.uai", math.log(7), [(0, 1, 4 / 7), (1, 1, 5 / 7)]),
    ("sparse.fg", math.log(15), [(0, 1, 1.0), (1, 1, 2 / 3)]),
    ("comment.uai", 6.184149, []),
    ("two_and_three.uai", 0.041142, [(2, 0, 0.43378), (2, 1, 0.20729), (2, 2, 0.35893), (0, 2, 0.0)]),
])
def test_files_with_zeros_comments_and_labels_of_different_number(tmp_path, name, file, log_z, marginals):
    (tmp_path / file).write_text(FILES[file])
    for path in (tmp_path / file, CASES / file):
        if not path.exists():
            continue  # the same, as others have written it
        result = run(name, read_grid(path))
        assert result.log_evidence == pytest.approx(log_z, abs=5e-7)
        flat = result.expected["labels"].reshape(-1, result.expected["labels"].shape[-1])
        for pixel, label, p in marginals:
            assert flat[pixel, label] == pytest.approx(p, abs=5e-6) and (p > 0 or flat[pixel, label] == 0)


@pytest.mark.parametrize("engine", ["compiled", "torch"])
@pytest.mark.parametrize("pairs", [True, False])
def test_the_strip_recursion_by_listing(engine, pairs):
    for seed, (H, W, K) in enumerate([(3, 3, 2), (2, 4, 3), (4, 2, 2), (1, 5, 3), (3, 4, 2)]):
        model = hard(H, W, K, seed, pairs)
        log_z, marginals, most = listed(model)
        result = run("strip", model, engine=engine)
        assert result.log_evidence == pytest.approx(log_z, abs=1e-9)
        found = torch.from_numpy(result.expected["labels"])
        assert torch.allclose(found, marginals, atol=1e-9) and (found[marginals == 0] == 0).all()
        assert float(model.log_joint({"labels": strip.map_estimate(model, engine=engine)})) == pytest.approx(most)
        for y in result.draws["labels"][0]:
            assert model.log_joint({"labels": torch.from_numpy(y)}) > -math.inf


@pytest.mark.parametrize("name", ON_TREES)
@pytest.mark.parametrize("seed", range(3))
def test_exact_on_a_chain(name, seed):
    model = hard(1, 6, 3, seed)
    log_z, marginals, _ = listed(model)
    result = run(name, model)
    assert result.log_evidence == pytest.approx(log_z, abs=1e-7)
    assert torch.allclose(torch.from_numpy(result.expected["labels"]), marginals, atol=1e-8)


@pytest.mark.parametrize("name", POINTS)
def test_the_most_probable_labelling(name):
    """Possible, and on a chain the best of all where the method promises that."""
    for seed in range(4):
        model = hard(1, 6, 3, seed)
        _, _, most = listed(model)
        result = run(name, model)
        found = result.final("objective")
        assert found is None or found <= most + 1e-9
        if name in ("max_product", "trw_s"):
            assert found == pytest.approx(most, abs=1e-9)


def test_bounds_hold_with_constraints():
    for seed in range(6):
        model = hard(3, 3, 2, seed)
        log_z, _, most = listed(model)
        assert (run("tree_reweighted_bp", model).log_evidence or 0.0) >= log_z - 1e-8
        assert (run("trw_s", model).final("dual_bound") or 0.0) >= most - 1e-8
        model = hard(3, 3, 2, seed, pairs=False)
        log_z = listed(model)[0]
        lower = [run(name, model).log_evidence for name in ("mean_field", "structured_mean_field")]
        assert all(found is not None and found <= log_z + 1e-8 for found in lower)


@pytest.mark.parametrize("name", [name if name in ("gibbs", "swendsen_wang") else pytest.param(
    name, marks=pytest.mark.slow) for name in SAMPLERS])
def test_samplers_take_forbidden_labels_of_pixels(name):
    """Hoeffding at 1e-6 over 18 indicators, ten sweeps counting as one free draw; the forbidden are never drawn."""
    model = hard(2, 3, 3, 1, pairs=False)
    _, marginals, _ = listed(model)
    result = drive(load.method("grid", name), model, None, Plan(4000, warmup=50, seed=3))
    assert (torch.from_numpy(result.expected["labels"]) - marginals).abs().max() < math.sqrt(
        math.log(2 * 18 / 1e-6) / (2 * 395))
    drawn = torch.from_numpy(result.draws["labels"]).flatten(0, 1)
    assert (model.log_joint({"labels": drawn}) > -math.inf).all()


@pytest.mark.parametrize("name", [*SAMPLERS, "mean_field", "structured_mean_field", "annealed_importance_sampling",
                                  "gibbs_pgmpy"])
def test_who_cannot_have_forbidden_pairs_says_which(name):
    model = mixed(2, 3, 2)
    model.down[0, 2, 1, 1] = -math.inf
    with pytest.raises(InputError, match=f"{name} cannot have potentials of 0 between neighbours, as that of 'down' at "
                                         "row 0, column 2: .*: use the method 'strip', or 'loopy_bp'"):
        run(name, model)


@pytest.mark.parametrize("name", [*ON_TREES[:2], *ON_TREES[3:], *POINTS, "generalised_bp", "loopy_bp:sequential",
                                  "loopy_bp:residual", "loopy_bp:torch", "min_cut", "roof_duality", "alpha_expansion",
                                  "integer_programming"])
@pytest.mark.parametrize("frustrated", [False, True])
def test_a_contradiction_is_a_sentence(name, frustrated):
    """Along a line, and in a loop of which no two neighbours see anything wrong: unequal, equal, equal, equal."""
    equal = torch.tensor([[0.0, -math.inf], [-math.inf, 0.0]]).double()
    unary, right, down = torch.zeros(2, 2, 2).double(), equal.repeat(2, 1, 1, 1), equal.repeat(1, 2, 1, 1)
    if frustrated:
        right[1, 0] = equal.flip(0)
    else:
        unary[0, 0, 1] = unary[1, 1, 0] = -math.inf
    name, _, word = name.partition(":")
    options = {} if not word else {"engine" if word == "torch" else "schedule": word}
    with pytest.raises(InputError, match=r"no labelling is possible \(Z = 0\): the potentials of 0 contradict"):
        run(name, GridMRF(unary, right, down), **options)


@pytest.mark.parametrize("H, W, K, share", [(3, 3, 2, 0.4), (2, 5, 2, 0.45), (1, 6, 3, 0.6), (2, 3, 3, 0.6),
                                            (2, 4, 3, 0.55), (5, 1, 2, 0.5), (2, 2, 4, 0.7)])
def test_what_is_possible_is_never_refused_and_what_is_not_always(H, W, K, share):
    found = set()
    for seed in range(60):
        rng = torch.Generator().manual_seed(seed)
        tables = [torch.zeros(shape).double().masked_fill(torch.rand(shape, generator=rng) < s, -math.inf)
                  for shape, s in (((H, W, K), share / 4), ((H, W - 1, K, K), share), ((H - 1, W, K, K), share))]
        if any((table.flatten(2) == -math.inf).all(-1).any() for table in tables if table.numel()):
            continue  # refused by the place
        model = GridMRF(tables[0], tables[1], tables[2])
        impossible = listed(model)[0] == -math.inf
        assert contradicts_itself(model) == impossible
        found.add(impossible)
    assert found == {True, False}


def test_one_table_for_all_edges_may_contradict_itself_too():
    """Three labels, each followed by the next, to the right and below; two pixels are known, four steps apart."""
    following = torch.full((3, 3), -math.inf).double()
    following[torch.arange(3), (torch.arange(3) + 1) % 3] = 0.0
    for last, wrong in ((1, False), (2, True)):
        clamped = torch.full((3, 5), -1)
        clamped[0, 0], clamped[0, 4] = 0, last
        model = GridMRF(torch.zeros(3, 5, 3).double(), following.expand(3, 4, 3, 3), following.expand(2, 5, 3, 3))
        assert contradicts_itself(model.clamped(clamped)) == wrong


def test_nothing_possible_at_one_place_is_said_of_that_place():
    model = mixed(2, 3, 2)
    model.unary[1, 2] = -math.inf
    with pytest.raises(InputError, match=r"Z = 0\): every entry of the grid's 'unary' table at row 1, column 2"):
        GridMRF(model.unary, model.right, model.down)
    with pytest.raises(InputError, match="finite, or -inf where something is impossible; 1 of them"):
        GridMRF(mixed(2, 3, 2).unary, model.right.index_fill(3, torch.tensor(0), 0.0).where(
            torch.arange(2 * 2 * 4).reshape(2, 2, 2, 2) > 0, math.inf), model.down)


def test_constraints_stay_when_a_grid_is_scaled_or_written(tmp_path):
    model = hard(2, 3, 2, 4)
    cold = model.scaled(0.0)
    assert torch.equal(cold.unary == -math.inf, model.unary == -math.inf) and not cold.unary.isnan().any()
    write_grid(tmp_path / "a.uai", model)
    again = read_grid(tmp_path / "a.uai")
    assert listed(again)[0] == pytest.approx(listed(model)[0], abs=1e-12)
