"""What a result says of itself at a prompt and in a notebook."""

from dataclasses import replace

import numpy as np

from inference.result import Result

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


def test_its_html_is_escaped():
    page = replace(ONE, name="<i>&", draws={"<b>": np.zeros(1)})._repr_html_()
    assert "&lt;i&gt;&amp;" in page and "&lt;b&gt; (1,)" in page and "<b>" not in page and "<i>" not in page
