"""`examples/posteriordb/` against posteriordb's reference draws, by Stan's people (https://github.com/stan-dev/posteriordb).

Every mean and sd lies within 4 Monte Carlo standard errors, ours and the reference's together. 38 numbers of 7
posteriors, two questions each: were the errors normal, one of the 76 would fail by chance with probability at most
76 x 6.3e-5 = 0.5%. Seeds are fixed.
"""

import gzip
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from inference import load, user_file
from inference.diagnostics import ess
from inference.drive import drive
from inference.job import Plan
from inference.program.parts.moments import WEIGHTS, sd_of
from models.program import Program
from models.program_file import program_of
from tests.support import OUTSIDE, ROOT

FOLDER = OUTSIDE / "posteriordb"
WITHIN = 4.0  # Monte Carlo standard errors
CHAINS = 2
pytestmark = [pytest.mark.usefixtures("one_thread"),
              pytest.mark.skipif(not FOLDER.is_dir(), reason="needs posteriordb of the shared data")]


@dataclass(frozen=True)
class Moments:
    """Of one number: mean and sd, and the standard error of each."""

    mean: float
    sd: float
    mean_error: float
    sd_error: float

    def agree(self, other: "Moments") -> bool:
        return (abs(self.mean - other.mean) < WITHIN * np.hypot(self.mean_error, other.mean_error)
                and abs(self.sd - other.sd) < WITHIN * np.hypot(self.sd_error, other.sd_error))


@pytest.fixture(autouse=True)
def where_the_data_are(monkeypatch):
    monkeypatch.setenv("POSTERIORDB", str(FOLDER))


def program(name: str) -> Program:
    file = user_file.read(str(ROOT / "examples" / "posteriordb" / f"{name}.py"))
    return program_of(file.module, file.path.name, file.code)


def references(name: str) -> dict[str, Moments]:
    """The errors of the sds by the kurtosis of the draws, at the effective size that those of the means have."""
    said, found = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes())), {}
    for number, its in said["reference"].items():
        draws = np.array(said["draws"][number])
        kurtosis = ((draws - draws.mean()) ** 4).mean() / draws.var() ** 2
        share = its["mcse_mean"] / its["sd"]
        of_sd = its["sd"] * share * ((kurtosis - 1) / 4) ** 0.5
        found[number] = Moments(its["mean"], its["sd"], its["mcse_mean"], of_sd)
    return found


def sampled(model: Program, steps: int, **options) -> dict[str, Moments]:
    """By NUTS, of every number of every site and deterministic site, named as Stan does: theta[1]."""
    result = drive(load.method("program", "nuts_pyro"), model, model.data, Plan(steps, CHAINS, steps // 2, seed=1),
                   {"warmup": steps // 2, **options})
    quantities = model.quantities({site: torch.from_numpy(x) for site, x in result.draws.items()})
    return {stan(name, at): moments(x.numpy()[(..., *at)]) for name, x in quantities.items()
            for at in np.ndindex(*x.shape[2:])}


def stan(name: str, at: tuple[int, ...]) -> str:
    return name + (f"[{','.join(str(i + 1) for i in at)}]" if at else "")


def moments(draws: np.ndarray) -> Moments:
    """Of (chain, draw)."""
    squares, sd = (draws - draws.mean()) ** 2, draws.std()
    effective, of_squares = (float(ess(x[..., None], "mean")[0]) for x in (draws, squares))
    return Moments(draws.mean(), sd, sd / effective**0.5, squares.std() / of_squares**0.5 / (2 * sd))


def off(found: dict[str, Moments], wanted: dict[str, Moments]) -> list[str]:
    assert wanted.keys() <= found.keys()
    return [name for name, moment in wanted.items() if not found[name].agree(moment)]


@pytest.mark.slow
def test_nuts_on_a_gaussian_process():
    assert not off(sampled(program("gp_regr"), 160), references("gp_regr"))


@pytest.mark.parametrize("name", ["kidscore_momiq", *(
    pytest.param(x, marks=pytest.mark.slow) for x in ("low_dim_gauss_mix", "arK", "gp_regr", "garch11"))])
def test_importance_sampling(name):
    """The error of a sd as if the number were normal, times 2."""
    model = program(name)
    found = drive(load.method("program", "importance_sampling"), model, model.data, Plan(5, seed=1)).expected
    weights = torch.softmax(torch.from_numpy(found[WEIGHTS]), 0)
    share = float((weights**2).sum().sqrt())  # 1 / sqrt of the effective number of draws
    drawn = {stan(site, at): Moments(float(found[site][at]), sd := float(found[sd_of(site)][at]), sd * share,
                                     1.4 * sd * share)
             for site, shape in model.sites.items() for at in np.ndindex(*shape)}
    assert not off(drawn, {name: its for name, its in references(name).items() if name in drawn})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "reference", "steps"), [
    ("eight_schools", "eight_schools_noncentered", 800), ("kidscore_momiq", "kidscore_momiq", 500),
    ("low_dim_gauss_mix", "low_dim_gauss_mix", 400), ("garch11", "garch11", 500), ("hmm_example", "hmm_example", 400),
    ("arK", "arK", 500), ("gp_regr", "gp_regr", 600)])
def test_nuts(name, reference, steps):
    assert not off(sampled(program(name), steps), references(reference))


def test_both_forms_of_the_eight_schools_are_one_model():
    """The density of theta = mu + tau z is that of z over |d theta / dz| = tau^8."""
    centred, other = program("eight_schools_centred"), program("eight_schools")
    latents = other.prior(torch.Generator().manual_seed(1))
    theta = latents["mu"] + latents["tau"] * latents["z"]
    moved = {"mu": latents["mu"], "tau": latents["tau"], "theta": theta}
    difference = other.log_joint(latents, other.data) - centred.log_joint(moved, centred.data)
    assert abs(float(difference) - 8 * float(latents["tau"].log())) < 1e-9


def test_the_garch_recursion_is_the_loop():
    model, at = program("garch11"), torch.Generator().manual_seed(2)
    latents = model.prior(at)
    mu, alpha0, alpha1 = latents["mu"], latents["alpha0"], latents["alpha1"]
    beta1, y = latents["part"] * (1 - alpha1), model.data["y"]
    variance, total = 0.5**2, 0.0
    for t in range(len(y)):
        variance = variance if t == 0 else alpha0 + alpha1 * (y[t - 1] - mu) ** 2 + beta1 * variance
        total += float(torch.distributions.Normal(mu, variance**0.5).log_prob(y[t]))
    prior = float((2 * (1 - alpha1)).log())
    assert abs(float(model.log_joint(latents, model.data)) - total - prior) < 1e-8


def test_the_states_of_the_hidden_chain_are_summed():
    model = program("hmm_example")
    latents = model.prior(torch.Generator().manual_seed(3))
    log_p, y = torch.stack([latents["theta1"], latents["theta2"]]).log(), model.arguments.args[0]
    log_y = torch.distributions.Normal(latents["mu"], 1.0).log_prob(y[:, None])
    forward = log_y[0]
    for t in range(1, len(y)):
        forward = (forward[:, None] + log_p).logsumexp(0) + log_y[t]
    prior = torch.distributions.Normal(torch.tensor([3.0, 10.0]), 1.0).log_prob(latents["mu"]).sum()
    assert abs(float(model.log_joint(latents, model.data) - forward.logsumexp(0) - prior)) < 1e-8
