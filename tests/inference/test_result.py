"""What a result says of itself at a prompt and in a notebook."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from inference.result import Result
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


def test_its_html_is_escaped():
    page = replace(ONE, name="<i>&", draws={"<b>": np.zeros(1)})._repr_html_()
    assert "&lt;i&gt;&amp;" in page and "&lt;b&gt; (1,)" in page and "<b>" not in page and "<i>" not in page
