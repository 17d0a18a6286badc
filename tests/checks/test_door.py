"""The one door: a name, a file, a method or a module to a verdict."""

from pathlib import Path

import pytest

from checks import planted
from checks.door import check, chosen_options, found
from checks.guides.guide import Guide
from checks.right.factorization import row_gibbs
from checks.right.guides import mean_field
from checks.verdict import Finding, Outcome, Verdict
from errors import InputError
from inference import load
from inference.method import Method
from tests.support import ROOT

RIGHT = ROOT / "checks" / "right"
BIASED = '''"""Mine."""
EXACT = False
def transition(rng, latents, model, data):
    return {site: 1.1 * x for site, x in latents.items()}
'''


@pytest.mark.parametrize("what", [
    str(RIGHT / "factorization" / "row_gibbs.py"), RIGHT / "factorization" / "row_gibbs.py", row_gibbs,
    load.method("factorization", str(RIGHT / "factorization" / "row_gibbs.py")),
], ids=["str", "path", "module", "method"])
def test_a_kernel_in_every_form_is_the_same_question(what):
    asked = found(what)
    assert isinstance(asked.what, Method) and asked.problems.name == "factorization"
    assert asked.name.rpartition(".")[2] == "row_gibbs"


def test_names_and_guides():
    assert found(load.method("grid", "gibbs")).problems.name == found("gibbs").problems.name == "grid"
    assert found(load.method("factorization", "ladder_gibbs")).problems.name == "ladder"
    assert found("low_rank").name == "guide_low_rank_pyro" and found("low_rank").problems.name == "factorization"
    assert chosen_options(found("AutoNormal"), {"lr": "0.1"}) == {"guide": "AutoNormal", "lr": 0.1}
    assert isinstance(found(mean_field).what, Guide)
    assert found(Path(ROOT / "examples" / "guide.py")).problems.kind == "factorization"


@pytest.mark.parametrize(("what", "more", "says"), [
    ("mean_field", {}, "say which: a method of Problem 1: .*; a guide of Problem 2 or 3: .*, or guide_mean_f"),
    ("gibbs", {"problems": "ladder"}, "gibbs is a method of Problem 1, not of Problem 2 or 3"),
    ("low_rank", {"kind": "grid"}, "low_rank is a guide of Problem 2 or 3, not of Problem 1"),
    ("gibbs", {"problems": "ladder", "kind": "grid"}, "problems 'ladder' are of Problem 2 or 3, not of Problem 1"),
    ("row_gibs", {}, "did you mean 'row_gibbs'"),
    (mean_field, {"kind": "grid"}, "no guide is fitted"),
    ("maximum_likelihood", {}, "maximum_likelihood gives a point"),
])
def test_what_cannot_be_judged_is_a_sentence(what, more, says):
    with pytest.raises(InputError, match=says):
        found(what, **more)


def test_a_verdict_from_python(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(BIASED)
    verdict = check(file, problems="factorization")
    assert verdict.outcome is Outcome.WRONG and verdict.by_design and "approximate" in repr(verdict)
    with pytest.raises(InputError, match="unknown option of mine 'size'"):
        check(file, problems="factorization", options={"size": 1})
    with pytest.raises(InputError, match="a guide written as functions: it has no options, not lr"):
        check(mean_field, options={"lr": 1})
    with pytest.raises(InputError, match=r"between 0 and 0\.5"):
        check(mean_field, level=2.0)
    with pytest.raises(InputError, match="positive number of seconds, not -1"):
        check(mean_field, budget=-1.0)


def test_planted_mistakes_by_name():
    path = Path(planted.resolved("zoo/stale_u"))
    assert path.is_file() and path.parts[-3:] == ("zoo", "factorization", "stale_u.py")
    assert planted.resolved("row_gibbs") == "row_gibbs" and planted.resolved("mine.py") == "mine.py"
    assert [planted.problem_set(name) for name in ("stale_u", "kl_half", "draws_detached", "evidence_sign",
                                                   "variance_as_sd")] == [*["factorization"] * 3, "grid", "ladder"]
    with pytest.raises(InputError, match="unknown mistake in the zoo 'stale': did you mean 'stale_u'"):
        planted.resolved("zoo/stale")


def test_a_verdict_in_a_notebook():
    verdict = Verdict("mine<b>", Outcome.WRONG, 1e-3)
    assert repr(verdict) == "mine<b> is WRONG"
    verdict.findings = [Finding("x & y", "U", "too large", 0.5, 9.0, 1.0, 0.5, "small")]
    verdict.faults, verdict.implied = ["two\nlines"], ["noise < 1"]
    assert repr(verdict) == "mine<b> is WRONG: two lines"
    shown = verdict._repr_html_()
    assert "mine&lt;b&gt; is WRONG" in shown and "<td>x &amp; y</td>" in shown and "noise &lt; 1" in shown
    assert "mine<b>" not in shown and shown.count("<tr>") == shown.count("</tr>") == 2


def test_what_does_not_fit_on_a_test_problem_is_one_sentence():
    with pytest.raises(InputError, match=r"1,000,000,000 copies would take .* of memory, and .* are free: at most"):
        check("parallel_tempering", options={"copies": "1000000000"}, budget=1)
