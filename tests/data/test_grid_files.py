"""UAI and libDAI files: variable order, layout, round trips and other people's answers."""

import itertools
import math

import numpy as np
import pytest
import torch

from data.grid_files import read_grid, read_marginals
from data.grid_written import write_grid
from data.images import load_image
from errors import InputError
from models.grid import GridMRF
from tests.support import OUTSIDE

SHARED = OUTSIDE
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="other people's grids are not beside the project")


def write(path, text):
    path.write_text(text)
    return path


def joint(model):
    """Unnormalised probabilities of all labellings, one axis a pixel."""
    H, W, K = model.shape
    return torch.exp(model.log_joint({"labels": model.configurations})).reshape([K] * (H * W))


PAIR = {
    "last fastest": ("a.uai", "MARKOV 2  3 3  1  2 0 1  9  11 12 13 21 22 23 31 32 33"),
    "last fastest, reversed": ("a.uai", "MARKOV 2  3 3  1  2 1 0  9  11 21 31 12 22 32 13 23 33"),
    "first fastest": ("a.fg", "1\n\n2\n0 1\n3 3\n9\n0 11\n1 21\n2 31\n3 12\n4 22\n5 32\n6 13\n7 23\n8 33\n"),
    "first fastest, reversed": ("a.fg", "1\n\n2\n1 0\n3 3\n9\n0 11\n1 12\n2 13\n3 21\n4 22\n5 23\n6 31\n7 32\n8 33\n"),
    "entries shuffled": ("a.fg", "1\n\n2\n1 0\n3 3\n9\n8 33\n1 12\n2 13\n3 21\n7 32\n5 23\n6 31\n4 22\n0 11\n"),
}


@pytest.mark.parametrize("name, text", PAIR.values(), ids=PAIR)
def test_order_of_the_variables_of_a_table(tmp_path, name, text):
    """All five say: the factor of x0 = a, x1 = b is (a+1)(b+1) read as two digits."""
    model = read_grid(write(tmp_path / name, text))
    assert model.shape == (1, 2, 3)
    torch.testing.assert_close(joint(model), torch.tensor([[11.0, 12, 13], [21, 22, 23], [31, 32, 33]],
                                                          dtype=torch.float64))


def random_factors(H, W, K, seed):
    """Factors of a grid, shuffled, scopes in either order, some scopes twice, single and constant ones too."""
    rng = np.random.default_rng(seed)
    sites = np.arange(H * W).reshape(H, W)
    scopes = [[int(v)] for v in rng.choice(H * W, 3)]
    edges = list(zip(sites[:, :-1].flat, sites[:, 1:].flat, strict=True))
    edges += zip(sites[:-1].flat, sites[1:].flat, strict=True)
    scopes += [[int(v) for v in rng.permutation(e)] for e in edges + edges[:2]] + [[]]
    rng.shuffle(scopes)
    return [(scope, rng.uniform(0.1, 3.0, K ** len(scope)) * 10.0 ** rng.integers(-6, 6)) for scope in scopes]


@pytest.mark.parametrize("kind", ["uai", "fg"])
@pytest.mark.parametrize("H, W, K", [(1, 1, 2), (1, 5, 2), (2, 2, 2), (3, 2, 3), (2, 3, 3), (4, 3, 2)])
def test_every_labelling_has_the_product_of_its_factors(tmp_path, kind, H, W, K):
    factors = random_factors(H, W, K, seed=H * 10 + W)
    if kind == "uai":
        text = f"MARKOV\n{H * W}\n{' '.join([str(K)] * (H * W))}\n{len(factors)}\n"
        text += "".join(f"{len(scope)}\t{' '.join(map(str, scope))}\n" for scope, _ in factors)
        text += "".join(f"\n{len(table)}\n " + "\n\t".join(f"{x:.17g}" for x in table) for _, table in factors)
    else:
        factors += [([v], np.ones(K)) for v in range(H * W)]  # a variable of a .fg file is one that a factor has
        text = f"# a comment\n{len(factors)}\n"
        for scope, table in factors:
            states = " ".join([str(K)] * len(scope))
            text += f"\n{len(scope)} # so many\n{' '.join(map(str, scope))}\n{states}\n{len(table)}\n"
            text += "".join(f"{i}   {x:.17g}\n" for i, x in enumerate(table))
    model = read_grid(write(tmp_path / f"a.{kind}", text))
    assert model.shape == (H, W, K)
    for x in itertools.product(range(K), repeat=H * W):
        log_p = 0.0
        for scope, table in factors:
            digits = [x[v] for v in scope] if kind == "uai" else [x[v] for v in scope][::-1]
            log_p += math.log(table[int("".join(map(str, digits)) or "0", K)])
        assert float(model.log_joint({"labels": torch.tensor(x).reshape(H, W)})) == pytest.approx(log_p, abs=1e-9)


def test_missing_factors_are_one(tmp_path):
    """Variables 0 to 3 with only the edge 1-3: a 2 x 2 grid, all else independent and uniform."""
    model = read_grid(write(tmp_path / "a.uai", "MARKOV 4 2 2 2 2 1 2 1 3 4 1 2 3 4"))
    assert model.shape == (2, 2, 2)
    expected = torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float64)[None, :, None, :].expand(2, 2, 2, 2)
    torch.testing.assert_close(joint(model), expected)


@needs_shared
def test_libdai_grid_has_libdais_exact_answers():
    """ln Z and p(x = 0) of libDAI's testfast.fg, by its junction tree (4 digits), see shared/data/README.md."""
    model = read_grid(SHARED / "fg" / "testfast.fg")
    p = joint(model)
    assert model.shape == (4, 4, 2) and math.log(p.sum()) == pytest.approx(14.328233281, abs=5e-10)
    ours = [float(p.select(v, 0).sum() / p.sum()) for v in range(16)]
    assert ours == pytest.approx([0.3500, 0.6447, 0.4997, 0.3049, 0.3699, 0.6401, 0.5793, 0.5437,
                                  0.2800, 0.7083, 0.5776, 0.5375, 0.3542, 0.9038, 0.2408, 0.6910], abs=5.1e-5)


@needs_shared
def test_uai_grid_has_the_competitions_marginals():
    """A 10 x 10 grid by the transfer matrix of whole rows, all 2^10 states of a row at once."""
    model = read_grid(SHARED / "uai" / "grid-12.uai")
    assert model.shape == (10, 10, 2)
    states = torch.arange(1024)[:, None] >> torch.arange(9, -1, -1) & 1
    within = [sum(model.unary[i, j, states[:, j]] for j in range(10))
              + sum(model.right[i, j, states[:, j], states[:, j + 1]] for j in range(9)) for i in range(10)]
    between = [sum(model.down[i, j][states[:, j][:, None], states[:, j]] for j in range(10)) for i in range(9)]
    above, below = [torch.zeros(1024, dtype=torch.float64)], [torch.zeros(1024, dtype=torch.float64)]
    for i in range(9):
        above.append(torch.logsumexp((above[i] + within[i])[:, None] + between[i], 0))
        below.insert(0, torch.logsumexp((below[0] + within[9 - i]) + between[8 - i], 1))
    log_Z = torch.logsumexp(above[9] + within[9], 0)
    assert float(log_Z) == pytest.approx(697.8812, abs=5e-5)
    rows = [torch.exp(above[i] + within[i] + below[i] - log_Z) for i in range(10)]
    p1 = torch.stack([row @ states.double() for row in rows]).reshape(-1)
    torch.testing.assert_close(read_marginals(SHARED / "uai" / "grid-12.uai.MAR")[:, 1], p1, rtol=0, atol=1.1e-6)


@needs_shared
@pytest.mark.parametrize("name", ["grid-15", "grid-16"])
def test_larger_uai_grids_are_20_by_20(name):
    assert read_grid(SHARED / "uai" / f"{name}.uai").shape == (20, 20, 2)
    assert read_marginals(SHARED / "uai" / f"{name}.uai.MAR").shape == (400, 2)


@pytest.mark.parametrize("H, W, K", [(1, 1, 2), (1, 4, 3), (4, 1, 3), (2, 2, 2), (3, 3, 2)])
def test_what_is_written_reads_back(tmp_path, H, W, K):
    rng = torch.Generator().manual_seed(H + W)
    unary, right, down = (torch.randn(s, generator=rng, dtype=torch.float64) * 5
                          for s in ((H, W, K), (H, W - 1, K, K), (H - 1, W, K, K)))
    model = GridMRF(unary, right, down)
    assert write_grid(tmp_path / "a.uai", model) == 0.0
    back = read_grid(tmp_path / "a.uai")
    torch.testing.assert_close(joint(back).log().reshape(-1), joint(model).log().reshape(-1), rtol=0, atol=1e-12)


def test_an_image_is_written_with_its_evidence_and_stays_homogeneous(tmp_path):
    image = load_image("small")
    model = GridMRF.potts(image)
    write_grid(tmp_path / "a.uai", model)
    write_grid(tmp_path / "b.uai", GridMRF.potts(torch.zeros(3, 3, 2)), image)
    assert (tmp_path / "a.uai").read_text() == (tmp_path / "b.uai").read_text()
    back = read_grid(tmp_path / "a.uai")
    assert back.pair is not None and back.right.untyped_storage().nbytes() == 4 * 8
    torch.testing.assert_close(joint(back), joint(model), rtol=1e-12, atol=0)
    assert math.log(joint(back).sum()) == pytest.approx(186.00257856088436, rel=1e-13)  # the reference's


def test_potentials_that_exp_cannot_hold_are_shifted_by_the_scale_returned(tmp_path):
    model = GridMRF.potts(load_image("small"), evidence=100.0, coupling=[[1e4, 9990.0], [9990.0, 1e4 - 3]])
    scale = write_grid(tmp_path / "a.uai", model)
    assert scale == 12 * 1e4
    back = read_grid(tmp_path / "a.uai")
    y = {"labels": model.configurations}
    torch.testing.assert_close(back.log_joint(y) + scale, model.log_joint(y), rtol=1e-14, atol=0)
    with pytest.raises(InputError, match="'right' table at row 0, column 0 spans 9998 nats"):
        write_grid(tmp_path / "a.uai", GridMRF.potts(load_image("small"), coupling=(1e4, 2.0)))
    with pytest.raises(InputError, match="cannot be written"):
        write_grid(tmp_path / "no" / "a.uai", model)
    with pytest.raises(InputError, match=r"written as \.uai"):
        write_grid(tmp_path / "a.txt", model)


def test_byte_order_mark_and_carriage_returns_are_white_space(tmp_path):
    text = "MARKOV  2 2 2  1 2 0 1  4 1 2 3 4".replace("  ", "\r\n").replace("3 4", "3e+00 4.E-05")
    (tmp_path / "a.uai").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert float(read_grid(tmp_path / "a.uai").right[0, 0, 1, 1]) == pytest.approx(math.log(4e-5))


def test_marginals_are_read_in_order(tmp_path):
    path = write(tmp_path / "a.uai.MAR", "MAR\n2 2 0.25 0.75\n2 1 0")
    assert read_marginals(path).tolist() == [[0.25, 0.75], [1, 0]]
