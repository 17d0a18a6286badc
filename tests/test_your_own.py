"""`examples/` as they stand, and docs/your-own.md: its file and its mistakes."""

import json
import re

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import MCMC

from checks.door import found
from checks.kernels.judge import judge
from checks.kernels.kernel import Kernel
from checks.verdict import Outcome
from data.ratings import load_ratings
from errors import InputError
from inference import load, user_file
from inference.drive import drive
from inference.job import Plan
from models.factorization import Factorization
from run import guarded
from runs.options import parse
from tests.support import ROOT

EXAMPLES = ROOT / "examples"
CHECKED = [("factorization", "kernel.py"), ("factorization", "mcmc_kernel.py"), ("grid", "grid_transition.py")]
LESSON = (ROOT / "docs" / "your-own.md").read_text()
KERNEL, *MENDED, _, SHORT = re.findall(r"```python\n(.*?)```", LESSON, re.S)  # and how to refuse
MENDS = tuple(zip(("torch.randn_like(old)", "-squares / model.noise_variance"), map(str.strip, MENDED), strict=True))


pytestmark = pytest.mark.usefixtures("one_reference", "one_thread", "undrawn")


@pytest.fixture
def lesson(tmp_path):
    """The file of the lesson after so many mends."""
    def write(mends: int) -> str:
        body = KERNEL
        for old, new in MENDS[:mends]:
            assert f"`{old}` write" in LESSON and body.count(old) == 1
            body = body.replace(old, new)
        (tmp_path / "mine.py").write_text(body)
        return str(tmp_path / "mine.py")
    return write


def door(*words) -> int:
    return guarded([str(word) for word in words])


def small(out, *words) -> int:
    return door(*words, "--ratings", EXAMPLES / "ratings.csv", "--split", "0.8,0,0.2", "--bare", "--out", out)


def test_the_first_mistake_stops_before_anything_is_written(lesson, tmp_path, capsys):
    assert small(tmp_path / "out", "--problem", "3", "--kernel", lesson(0)) == 2
    said = capsys.readouterr().err
    assert said in LESSON and not (tmp_path / "out").exists()


def test_the_second_is_found_and_the_mended_kernel_is_right(lesson):
    """The verdict of the lesson's own seed, and 500 replicates of the mended one (a false alarm: 1e-3, fixed seed)."""
    verdict = judge(Kernel(load.method("factorization", lesson(1))), "factorization", seed=0)
    assert verdict.outcome is Outcome.WRONG
    assert any("squared error of all ratings is too small" in str(finding) for finding in verdict.findings)
    assert sum("as if the noise variance were" in line for line in verdict.implied) == 2
    mended = Kernel(load.method("factorization", lesson(2)))
    again = judge(mended, "factorization", seed=0, looks=(500,), explain=False)
    assert again.outcome is Outcome.RIGHT


def test_the_mended_file_is_the_example_in_other_words(lesson):
    """Same seed, same bytes."""
    data = load_ratings(EXAMPLES / "ratings.csv")
    model = Factorization(data.num_users, data.num_items, 2)
    ours, theirs = (load.method("factorization", file) for file in (lesson(2), str(EXAMPLES / "kernel.py")))
    latents = model.prior(torch.Generator().manual_seed(0))
    drawn = [method.module.transition(torch.Generator().manual_seed(1), latents, model, data)["V"]
             for method in (ours, theirs)]
    torch.testing.assert_close(drawn[0], drawn[1], rtol=1e-12, atol=1e-12)


def test_a_kernel_beside_ours_and_compared(lesson, tmp_path, capsys):
    """The lesson's last commands, shorter."""
    out = tmp_path / "mine-run"
    assert small(out, "--problem", "3", "--kernel", lesson(2), "--kernel", "row_gibbs", "--sweeps", "40") == 0
    assert door("compare", out, "--out", tmp_path / "compared") == 0
    said = capsys.readouterr().out
    assert "mine" in said and "row_gibbs" in said and "ESS/s" in said


def test_the_pyro_kernel_of_the_lesson_by_name(tmp_path):
    (tmp_path / "mine.py").write_text(SHORT)
    out = tmp_path / "out"
    kernel = f"{tmp_path / 'mine.py'}:Short"
    assert small(out, "--problem", "3", "--kernel", kernel, "--sweeps", "4", "--chains", "1") == 0
    assert (out / "mine_Short.nc").exists()
    for file in (kernel, str(EXAMPLES / "kernel.py")):  # any Pyro program would do for the one, any sites for the other
        assert found(file).problems.name == "factorization"


@pytest.mark.parametrize("words", [("--set", "size=0.5"), ()])
def test_the_example_kernel_with_an_option(tmp_path, words):
    spec = f"{EXAMPLES / 'kernel.py'}" + ("" if words else ":size=0.5")
    out = tmp_path / "out"
    assert small(out, "--problem", "3", "--kernel", spec, "--sweeps", "5", *words) == 0
    assert json.loads(next(out.glob("kernel*.json")).read_text())["options"] == {"size": 0.5}


def test_the_example_method_climbs_to_the_mode(tmp_path):
    """Its objective never falls, and ends where alternating least squares with the prior does."""
    data = load_ratings(EXAMPLES / "ratings.csv")
    model = Factorization(data.num_users, data.num_items, 2)
    climbed = drive(load.method("factorization", str(EXAMPLES / "method.py")), model, data, Plan(3000))
    fit = parse("factorization", "maximum_likelihood:map=true")
    best = drive(fit.method, model, data, Plan(3000, tolerance=1e-12), fit.options)
    objective = climbed.trace["objective"][0]
    assert (np.diff(objective) > -1e-9 * abs(objective[-1])).all()
    assert objective[-1] == pytest.approx(best.trace["objective"][0, -1], rel=1e-6)
    assert small(tmp_path / "out", "--problem", "2", "--method", EXAMPLES / "method.py", "--epochs", "3") == 0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "file"), CHECKED)
def test_the_example_kernels_are_right(kind, file):
    verdict = judge(Kernel(load.method(kind, str(EXAMPLES / file))), kind, seed=0)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


@pytest.mark.parametrize(("kind", "file"), CHECKED[1:])
def test_the_other_example_kernels_at_a_small_size(kind, file):
    verdict = judge(Kernel(load.method(kind, str(EXAMPLES / file))), kind, seed=0, looks=(500,), explain=False)
    assert verdict.outcome is Outcome.RIGHT, verdict.headline


def test_a_kernel_of_images_that_reads_the_unary_is_wrong(tmp_path):
    """As the lesson says."""
    body = (EXAMPLES / "grid_transition.py").read_text()
    assert body.count("field = model.field(data)") == 1
    (tmp_path / "mine.py").write_text(body.replace("field = model.field(data)", "field = model.unary"))
    verdict = judge(Kernel(load.method("grid", str(tmp_path / "mine.py"))), "grid", seed=0)
    assert verdict.outcome is Outcome.WRONG


@pytest.mark.slow
def test_the_example_mcmc_kernel_on_another_program():
    """A mean with a normal prior: its posterior is closed form. The plate's site of indices is no latent."""
    data, n, kernel = torch.tensor([0.3, 1.9, 1.1, 2.4]).double(), 4, example_kernel()

    def program(data):
        zero = data.new_zeros(())
        mean = pyro.sample("mean", dist.Normal(zero + 1, zero + 2))
        with pyro.plate("data", n, subsample_size=n) as index:
            pyro.sample("x", dist.Normal(mean, zero + 1), obs=data[index])

    pyro.set_rng_seed(0)
    mcmc = MCMC(kernel(program), num_samples=2000, warmup_steps=50, disable_progbar=True)
    mcmc.run(data)
    draws = mcmc.get_samples()
    assert list(draws) == ["mean"]
    variance = 1 / (1 / 4 + n)
    mean = variance * (1 / 4 + float(data.sum()))
    assert float(draws["mean"].mean()) == pytest.approx(mean, abs=5 * variance**0.5 / 30)  # of 2,000, some 900 count
    assert float(draws["mean"].var()) == pytest.approx(variance, rel=0.2)


def test_the_example_mcmc_kernel_refuses_a_prior_that_is_not_normal():
    kernel = example_kernel()(lambda data: pyro.sample("rate", dist.Exponential(data.new_ones(()))))
    with pytest.raises(InputError, match="needs normal priors, and rate has a Exponential"):
        kernel.setup(0, torch.zeros(1))


def example_kernel():
    return user_file.read(str(EXAMPLES / "mcmc_kernel.py")).kernels["EllipticalSlice"]


@pytest.mark.parametrize(("body", "why"), [
    ("def transition(latents): ...", r"transition\(rng, latents, model, data\), and here takes \(latents\): too many"),
    ("def transition(rng, latents, model, data, *, size): ...", "missing a required argument: 'size'"),
    ("FAMILY = 'mcmc'\ndef init(rng, model, data): ...\ndef step(rng, state): ...\ndef draw(rng, state, model): ...",
     r"step is called as step\(rng, state, model, data\)"),
])
def test_functions_that_take_something_else_are_refused(tmp_path, body, why):
    (tmp_path / "mine.py").write_text(body)
    with pytest.raises(InputError, match=why):
        load.method("factorization", str(tmp_path / "mine.py"))


def test_what_else_a_file_with_a_transition_holds_is_its_own_affair(tmp_path):
    (tmp_path / "mine.py").write_text("def draw(x): ...\ndef transition(rng, latents, model, data): return latents\n")
    assert load.method("factorization", str(tmp_path / "mine.py")).by == "user"


def test_a_file_that_holds_neither(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(InputError, match=r"mine holds nothing to infer with: .* lacks init, step, draw, FAMILY"):
        load.method("factorization", str(tmp_path / "mine.py"))
