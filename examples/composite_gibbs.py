"""Gibbs by blocks on a model of your own: the year in which coal mines became safer. Change it, and run:

    python examples/composite_gibbs.py

Disasters are Poisson with the rate `early` before the year and `late` from then on. Given the year the rates are Gamma,
a conditional of three lines. Given the rates the year may be any of them, and DiscreteGibbs draws it with nothing to
write. The rates can be integrated out, so p(year | counts) is known, and is printed beside.
Data: Jarrett, A note on the intervals between coal-mining disasters (1979), the years 1871 to 1910.
"""

import sys
from pathlib import Path

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import MCMC
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # not needed once the project is installed
from inference.pyro.gibbs import DiscreteGibbs, Gibbs

FIRST = 1871
COUNTS = torch.tensor([5, 3, 1, 4, 4, 1, 5, 5, 3, 4, 2, 5, 2, 2, 3, 4, 2, 1, 3, 2,
                       2, 1, 1, 1, 1, 3, 0, 0, 1, 0, 1, 1, 0, 0, 3, 1, 0, 3, 2, 2])


def model(counts: Tensor) -> None:
    early = pyro.sample("early", dist.Gamma(2.0, 1.0))
    late = pyro.sample("late", dist.Gamma(2.0, 1.0))
    year = pyro.sample("year", dist.Categorical(torch.ones(len(counts))))
    with pyro.plate("years", len(counts)):
        pyro.sample("disasters", dist.Poisson(torch.where(torch.arange(len(counts)) < year, early, late)), obs=counts)


def draw_rates(values: dict[str, Tensor], counts: Tensor) -> dict[str, Tensor]:
    """Gamma(2 + disasters, 1 + years), before the year and from then on."""
    before = torch.arange(len(counts)) < values["year"]
    return {name: dist.Gamma(2.0 + counts[years].sum(), 1.0 + years.sum()).sample()
            for name, years in (("early", before), ("late", ~before))}


def exact(counts: Tensor) -> Tensor:
    """p(year | counts): for each part Gamma(2 + disasters) / (1 + years)^(2 + disasters)."""
    log = []
    for year in range(len(counts)):
        sums = torch.stack([counts[:year].sum(), counts[year:].sum()]) + 2.0
        spans = torch.tensor([1.0 + year, 1.0 + len(counts) - year])
        log.append((torch.lgamma(sums) - sums * spans.log()).sum())
    return torch.stack(log).softmax(0)


if __name__ == "__main__":
    pyro.set_rng_seed(1)
    kernel = Gibbs(model, [(draw_rates, ["early", "late"]), (DiscreteGibbs(modified=True), "year")])
    mcmc = MCMC(kernel, num_samples=300, warmup_steps=20, disable_progbar=True)
    mcmc.run(COUNTS)
    share = torch.bincount(mcmc.get_samples()["year"].long(), minlength=len(COUNTS)) / 300
    for year, p in enumerate(exact(COUNTS)):
        if p > 0.02:
            print(f"{FIRST + year}   drawn {share[year]:.2f}   exact {p:.2f}")
