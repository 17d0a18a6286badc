"""What `--check` says, by its kind: form, another model, square brackets, what is in a file, what a pass excludes."""

import dataclasses
import json

import pytest
import torch

import run
from checks.kernels.kernel import Kernel
from checks.kernels.sensitivity import excluded
from checks.kernels.trial import Trial
from checks.problems.load import problem_set
from checks.verdict import Finding, Outcome, Verdict
from commands.check import show
from errors import InputError
from inference import load
from runs.story import Story
from views import tables

OTHER = {
    "asks": 'def transition(rng, latents, model, data):\n    return {"mu": latents["mu"] + 1}\n',
    "returns": "import torch\ndef transition(rng, latents, model, data):\n    return {'mu': torch.zeros(3)}\n",
    "state": "import torch\nfrom dataclasses import dataclass\nFAMILY = 'mcmc'\n@dataclass(frozen=True)\n"
             "class State:\n    mu: torch.Tensor\ndef init(rng, model, data):\n    return State(torch.zeros(3))\n"
             "def step(rng, state, model, data):\n    return state, None\n"
             "def draw(rng, state, model):\n    return {'mu': state.mu}\n",
    "functions": "import torch\ndef start(rng, model, data):\n    return {'m': torch.zeros(3, dtype=torch.float64)}\n"
                 "def sample(params, noise):\n    return {'mu': params['m'] + noise['mu']}\n"
                 "def log_density(params, latents):\n    return latents['mu'].sum(-1)\n"
                 "def elbo(model, data, params, noise, batch=None):\n    return torch.zeros(())\n",
    "guide": "import torch, pyro, pyro.distributions as dist\ndef guide(data):\n"
             "    pyro.sample('mu', dist.Normal(pyro.param('a', torch.tensor(0.0)), 1.0))\n",
    "kernel": "import torch\nfrom pyro.infer.mcmc.mcmc_kernel import MCMCKernel\nclass K(MCMCKernel):\n"
              "    def __init__(self, model):\n        self.model, self.transforms = model, {}\n"
              "    def setup(self, warmup_steps, *args):\n        self.initial_params = {'mu': torch.zeros(3)}\n"
              "    initial_params = {}\n    def sample(self, params):\n        return params\n",
}


def door(*argv) -> int:
    return run.guarded([str(a) for a in argv])


def written(tmp_path, body):
    path = tmp_path / "mine.py"
    path.write_text(f'"""Mine."""\n{body}')
    return path


@pytest.mark.parametrize("form", OTHER)
@pytest.mark.parametrize("asked", [[], ["--problem", "3"]], ids=["found out", "asked"])
def test_a_file_of_another_model_is_told_so(tmp_path, capsys, form, asked):
    assert door("--check", written(tmp_path, OTHER[form]), *asked, "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "is of another model: its latents are mu, and" in said and "labels (--problem 1 (grids))" in said
    assert not (tmp_path / "out").exists()


def test_a_run_is_told_of_another_model_too(tmp_path):
    model = load.method("factorization", str(written(tmp_path, OTHER["kernel"])))
    problem = problem_set("factorization").problems()[0]
    data = problem.one(problem.joint(torch.Generator().manual_seed(0), 1)[1], 0)
    with pytest.raises(InputError, match="K is of another model: its sites are mu, and this model's are U, V"):
        model.init(torch.Generator(), problem.model, data)


def test_faults_of_form_are_not_wrong_and_have_no_figure(tmp_path, capsys):
    plate = ("import torch, pyro, pyro.distributions as dist\nfrom models.factorization import Factorization\n"
             "def guide(model):\n    for site, shape in model.sites.items():\n"
             "        m = pyro.param(site + '_m', lambda: torch.zeros(shape, dtype=torch.float64))\n"
             "        pyro.sample(site, dist.Normal(m, 1.0).to_event(1))\n")
    for k, body in enumerate((plate, "def transition(rng, latents, model, data):\n    latents['U'] += 1\n"
                                     "    return latents\n")):
        out = tmp_path / str(k)
        assert door("--check", written(tmp_path, body), "--problem", "3", "--out", out) == 2
        said = capsys.readouterr().out
        assert "cannot be judged: " in said and "WRONG" not in said and "probability" not in said
        assert "figures" not in said and "check.json and report.html are in" in said
        assert {path.name for path in out.iterdir() if "check" in path.name} == {"check.json", "check.journal.npz"}
        assert json.loads((out / "check.json").read_text())["outcome"] == "cannot be judged"


@pytest.mark.parametrize(("body", "says"), [
    ("def transition(rng, latents, model, data):\n    return latents\n", "it holds a function `transition`, which"),
    ("def guide_of_rows(data):\n    pass\n", "known are guide_of_rows"),
    ("x = 1\n", "it holds no guide and no kernel"),
])
def test_a_name_that_is_not_in_a_file(tmp_path, capsys, body, says):
    assert door("--check", f"{written(tmp_path, body)}:nosuch") == 2
    said = capsys.readouterr().err
    assert says in said and "none'" not in said and "nosuch" in said


def test_the_transition_may_be_named(tmp_path):
    file = written(tmp_path, "def transition(rng, latents, model, data):\n    return latents\n")
    assert load.method("grid", f"{file}:transition").family == "mcmc"


def test_square_brackets_of_a_user_are_printed_as_they_are(capsys, tmp_path):
    verdict = Verdict("mine[a]", Outcome.WRONG, 1e-3, faults=["E_q[p0 / q] [/] is off", "x[red]y"])
    verdict.findings = [Finding("E_q[p0 / q]", "U[bold]", "too large", 1.0, 9.0, 1.0, 0.5, "[dim]small")]
    verdict.implied, verdict.warnings = ["i[p]"], ["w[/p]"]
    verdict.nearest = [("stale_u", 0.9, "rows[blue]")]
    verdict.tested = [{"problem": "a[b]c", "replicates": 1, "functions": 1}]
    verdict.excluded = {"x[i]": 0.1}
    show(Story(tables.console(), tmp_path, "check"), verdict)
    said = capsys.readouterr().out
    for text in ("mine[a] is WRONG: E_q[p0 / q] [/] is off", "x[red]y", "U[bold]", "i[p]", "note: w[/p]", "rows[blue]",
                 "a[b]c", "x[i] off by 10%"):
        assert text in said
    assert "[bold]head" in tables.Table("t[b]", ("[bold]head",), [("c",)]).text()


def test_a_varied_coupling_keeps_one_table_and_a_kernel_of_one_table_is_measured(tmp_path):
    """With tables c times as strong everything else is as it was; a kernel that asks for `model.pair` takes it."""
    for problem in problem_set("grid").problems():
        model = problem.model
        changed = problem.changed["coupling"](1.5)
        assert (changed.pair is None) == (model.pair is None)
        assert torch.equal(changed.right, 1.5 * model.right) and torch.equal(changed.down, 1.5 * model.down)
        assert torch.equal(changed.unary, model.unary) and changed.evidence == model.evidence
    body = ("from checks.right.grid import raster_gibbs\nBATCHED = True\n"
            "def transition(rng, latents, model, data):\n"
            "    assert model.pair is not None, 'one table'\n"
            "    return raster_gibbs.transition(rng, latents, model, data)\n")
    kernel = Kernel(load.method("grid", str(written(tmp_path, body))))
    rng = torch.Generator().manual_seed(0)
    trial = Trial(rng, kernel, problem_set("grid").problems()[0])
    trial.upto(500)
    assert excluded(rng, kernel, [trial], 0.01)["coupling"] < 0.5


def test_what_cannot_be_varied_is_left_out_of_what_a_pass_excludes(tmp_path):
    body = ("from checks.right.grid import raster_gibbs\nBATCHED = True\n"
            "def transition(rng, latents, model, data):\n"
            "    assert model.evidence == 1.0, 'evidence 1 only'\n"
            "    return raster_gibbs.transition(rng, latents, model, data)\n")
    kernel = Kernel(load.method("grid", str(written(tmp_path, body))))
    rng = torch.Generator().manual_seed(0)
    trial = Trial(rng, kernel, problem_set("grid").problems()[0])
    trial.upto(500)
    found = excluded(rng, kernel, [trial], 0.01)
    assert "evidence" not in found and "coupling" in found
    weak = dataclasses.replace(Verdict("m", Outcome.RIGHT, 1e-3), excluded={"a": float("inf"), "b": 0.2})
    assert weak.exclusion == ("would have been found (9 times in 10): b off by 20% or more; a change of 50% in a was "
                              "not seen in a short run")


def test_the_help_of_check_lists_its_options(capsys):
    with pytest.raises(SystemExit) as end:
        run.guarded(["--check", "--help"])
    assert end.value.code == 0 and "--budget" in capsys.readouterr().out
