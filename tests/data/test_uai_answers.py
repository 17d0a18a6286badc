"""What goes with a grid of others: marginals and evidence in both of their forms, .gz, and what we write for others."""

import gzip
import itertools

import numpy as np
import pytest
import torch

from data.grid_files import read_evidence, read_grid, read_marginals, stem
from data.grid_written import write_grid, write_marginals
from errors import InputError
from models.grid import GridMRF, pair_table
from tests.support.mixed_grids import mixed


@pytest.mark.parametrize(("text", "rows"), [
    ("MAR\n2 2 .25 .75 2 1 0", [[0.25, 0.75], [1, 0]]),
    ("MAR\n1\n2 2 .25 .75 2 1 0", [[0.25, 0.75], [1, 0]]),
    ("MAR\n1 2 .25 .75", [[0.25, 0.75]]),
    ("MAR\n1 1 2 .25 .75  # one sample, one variable", [[0.25, 0.75]]),
    ("MAR\n2 2 .25 .75 3 .5 .25 .25", [[0.25, 0.75, 0], [0.5, 0.25, 0.25]])])
def test_marginals_with_and_without_the_number_of_samples(tmp_path, text, rows):
    (tmp_path / "a.MAR").write_text(text)
    assert read_marginals(tmp_path / "a.MAR").tolist() == rows


@pytest.mark.parametrize("text", ["2 1 0 5 1", "1\n2 1 0 5 1", "1 2\n5 1  # the last\n1 0"])
def test_evidence_with_and_without_the_number_of_samples(tmp_path, text):
    (tmp_path / "a.evid").write_text(text)
    known = read_evidence(tmp_path / "a.evid", mixed(2, 3, 2))
    assert known.tolist() == [[-1, 0, -1], [-1, -1, 1]]


@pytest.mark.parametrize(("text", "words"), [
    ("1 6 0", "variable 6 is 0, but the grid has 6"), ("1 0 2", "of 2 states"), ("2 1 0 1 1", "known to be 0 and 1"),
    ("2 1 1 0 1 1 0 1", "2 samples of evidence"), ("2 1 0", "cut short"), ("1 0 1 3 4", "'3' follows")])
def test_wrong_evidence(tmp_path, text, words):
    (tmp_path / "a.evid").write_text(text)
    with pytest.raises(InputError) as error:
        read_evidence(tmp_path / "a.evid", mixed(2, 3, 2))
    assert words in str(error.value)


def test_a_gz_is_what_is_in_it(tmp_path):
    model = mixed(3, 3, 2)
    write_grid(tmp_path / "a.uai", model)
    (tmp_path / "a.uai.gz").write_bytes(gzip.compress((tmp_path / "a.uai").read_bytes()))
    assert torch.equal(read_grid(tmp_path / "a.uai.gz").right, read_grid(tmp_path / "a.uai").right)
    assert stem(tmp_path / "a.uai.gz") == stem(tmp_path / "a.uai") == "a"
    (tmp_path / "b.uai.gz").write_bytes((tmp_path / "a.uai.gz").read_bytes()[:-20])
    (tmp_path / "c.uai.gz").write_bytes(gzip.compress(b" " * 10**8))
    for name, words in (("b.uai.gz", "cannot be unpacked"), ("c.uai.gz", "unpack it first")):
        with pytest.raises(InputError, match=words):
            read_grid(tmp_path / name)


@pytest.mark.parametrize("name", ["a.uai", "a.fg"])
@pytest.mark.parametrize("K", [2, 3])
def test_what_is_written_is_the_same_model(tmp_path, name, K):
    """Tables by site and not symmetric, a hard constraint, against every labelling."""
    model = mixed(2, 3, K).clamped(torch.tensor([[1, -1, -1], [-1, -1, 0]]))
    write_grid(tmp_path / name, model)
    y = {"labels": model.configurations}
    torch.testing.assert_close(read_grid(tmp_path / name).log_joint(y), model.log_joint(y), rtol=0, atol=1e-12)


def test_marginals_that_are_written_come_back(tmp_path):
    found = np.random.default_rng(0).dirichlet(np.ones(3), (2, 4))
    write_marginals(tmp_path / "a.MAR", found)
    assert np.array_equal(read_marginals(tmp_path / "a.MAR"), found.reshape(8, 3))


def test_pgmpy_reads_what_we_write(tmp_path):
    """The same probabilities of every labelling, small numbers too, whose exponents pgmpy cannot read."""
    readwrite = pytest.importorskip("pgmpy.readwrite")
    model = GridMRF.potts(torch.eye(2)[torch.tensor([[0, 1], [1, 1]])], 3.0, (1.0, -16.0))
    write_grid(tmp_path / "a.uai", model)
    tables = readwrite.UAIReader(str(tmp_path / "a.uai")).tables
    for labels in itertools.product(range(2), repeat=4):
        product = 1.0
        for scope, values in tables:
            at = tuple(labels[int(variable.removeprefix("var_"))] for variable in scope)
            product *= np.array(values, dtype=float).reshape([2] * len(scope))[at]
        log_p = float(model.log_joint({"labels": torch.tensor(labels).reshape(2, 2)}))
        assert np.log(product) == pytest.approx(log_p, abs=1e-12)


def test_pyagrum_reads_what_we_write(tmp_path):
    """And has the marginals of enumeration by its own exact inference, of symmetric tables: pyAgrum 3.3.1 reads a table
    with its first variable fastest, where the format, and pgmpy, have the last."""
    pyagrum = pytest.importorskip("pyagrum")
    pair = pair_table((1.0, -2.0, 0.5), 3)
    model = GridMRF(mixed(2, 3, 3).unary, pair.expand(2, 2, 3, 3), pair.expand(1, 3, 3, 3))
    write_grid(tmp_path / "a.uai", model)
    inference = pyagrum.ShaferShenoyMRFInference(pyagrum.loadMRF(str(tmp_path / "a.uai")))
    inference.makeInference()
    y = {"labels": model.configurations}
    exact = (torch.softmax(model.log_joint(y), 0)[:, None, None, None] * model.quantities(y)["labels"]).sum(0)
    found = [inference.posterior(pixel).toarray() for pixel in range(6)]
    np.testing.assert_allclose(np.reshape(found, exact.shape), exact, atol=1e-9)
