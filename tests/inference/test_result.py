"""What a result says of itself at a prompt and in a notebook."""

import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.result import Result, import_arviz
from tests.support import ROOT

ONE = Result("gibbs", "mcmc", "hand", {"x": np.zeros((2, 9, 3))}, {"x": np.zeros(3)}, {}, np.full((2, 9), 0.25),
             -12.5, "lower bound", False, 4, {})


def test_a_result_reads_as_what_it_holds():
    assert repr(ONE).splitlines() == [
        "gibbs         mcmc, by hand: 9 steps of 2 chains, 4.5 s, seed 4",
        "log evidence  -12.5 nats (lower bound)",
        "converged     no",
        "draws         x (2, 9, 3)",
        "expected      x (3,)"]
    bare = replace(ONE, draws={}, log_evidence=None, converged=None, seconds=np.ones((1, 1)))
    assert "1 step, 1 s" in repr(bare) and repr(bare).count("none") == 2 and "not known" in repr(bare)


@pytest.mark.parametrize("seed", [2**63 - 1, 2**63, 10**300])
def test_a_seed_of_any_size_is_saved(tmp_path, seed):
    assert Result.load(replace(ONE, seed=seed).save(tmp_path)).seed == seed


def test_arviz_needs_no_folder_of_its_own(tmp_path):
    """Where HOME is read-only, or a file: it would keep the day there on which it spoke of its next version."""
    (tmp_path / "file").touch()
    words = "from inference.result import import_arviz; assert import_arviz().psislw and import_arviz().from_dict"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("XDG")} | {
        "HOME": str(tmp_path / "file"), "TMPDIR": str(tmp_path / "none")}
    done = subprocess.run([sys.executable, "-c", words], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("draws", [3, 200_000], ids=["small", "packed"])
def test_it_is_read_as_arviz_reads_it(tmp_path, draws):
    """Numbers of any kind and shape, NaN, names of a dim and beside one; by ArviZ's own reader, which is the judge."""
    one = replace(ONE, draws={"x": np.linspace(-1, 1, 2 * draws).reshape(1, draws, 2)},
                  dims={"posterior/x": ("side",), "expected/x": ("side",)},
                  groups={"constant_data": {"flag": np.array(True), "none": np.zeros((0, 2)), "count": np.arange(2)}},
                  expected={"x": np.array([np.nan, -0.0]), "z": np.array(1.5)}, coords={
                      "side": ("side", np.array(["left", "größer"])), "also": ("side", np.array(["007", "7"]))})
    path = one.save(tmp_path)
    theirs, ours = import_arviz().from_netcdf(str(path)), Result.load(path)
    held = {"posterior": ours.draws, "expected": ours.expected, "trace": ours.trace, **ours.groups}
    for group, values in held.items():
        assert {*values} == {*theirs[group].data_vars} - {"seconds"}
        for name, array in values.items():
            assert array.dtype == theirs[group][name].dtype
            np.testing.assert_array_equal(array, theirs[group][name].values)
    assert [*ours.coords] == ["side", "also"]
    for name, (dim, names) in ours.coords.items():
        assert (dim,) == theirs["posterior"][name].dims and [*names] == [*theirs["posterior"][name].values]
    np.testing.assert_array_equal(ours.draws["x"], one.draws["x"])


def test_its_html_is_escaped():
    page = replace(ONE, name="<i>&", draws={"<b>": np.zeros(1)})._repr_html_()
    assert "&lt;i&gt;&amp;" in page and "&lt;b&gt; (1,)" in page and "<b>" not in page and "<i>" not in page


@pytest.mark.parametrize("limit", [10_000, 100_000], ids=["the library's own", "in the arrays"])
def test_what_the_disk_refuses_is_said(tmp_path, limit):
    """A file may have no more than so many bytes: netCDF's error has no number, the disk's has. `x.nc` stays away."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large.*gibbs\.nc"):
            replace(ONE, draws={"x": np.random.default_rng(0).normal(size=(2, 9, 10_000))}).save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [*tmp_path.iterdir()]
    held = (path for path in Path("/proc/self/fd").glob("*") if path.is_symlink())
    assert not any(path.stat().st_size for path in held if str(tmp_path) in os.readlink(path))
