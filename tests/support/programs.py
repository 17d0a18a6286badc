"""Files of Pyro programs, as a user writes them, and what is known of them."""

import math
from pathlib import Path

import torch

from inference import user_file
from models.program import Program
from models.program_file import program_of

HEAD = "import torch, pyro, pyro.distributions as dist\n"
NORMAL = HEAD + '''
def model(y):
    mu = pyro.sample("mu", dist.Normal(1.0, 2.0))
    with pyro.plate("people", len(y)):
        pyro.sample("y", dist.Normal(mu, 0.5), obs=y)

def data():
    return torch.tensor([1.2, 0.3, 2.2, 1.9])
'''
SCHOOLS = HEAD + '''
def model(sigma, y):
    mu = pyro.sample("mu", dist.Normal(0., 5.))
    tau = pyro.sample("tau", dist.HalfNormal(5.))
    with pyro.plate("schools", len(sigma)):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, sigma), obs=y)
    pyro.deterministic("twice", 2 * mu)

def data():
    return torch.tensor([15., 10., 16.]), torch.tensor([28., 8., -3.])
'''
SWITCH = HEAD + '''
def model(y):
    z = pyro.sample("z", dist.Bernoulli(0.3))
    with pyro.plate("n", 3):
        k = pyro.sample("k", dist.Categorical(torch.tensor([.2, .3, .5])))
        pyro.sample("y", dist.Normal(k + 2 * z, 1.), obs=y)

def data():
    return torch.tensor([1.2, 0.3, 2.2])
'''
CHAIN = HEAD + '''
def model(y):
    x = torch.zeros(())
    for t in range(len(y)):
        x = pyro.sample(f"x{t}", dist.Normal(0.8 * x, 1.))
        pyro.sample(f"y{t}", dist.Normal(x, 0.5), obs=y[t])

def data():
    return torch.tensor([0.1, 1.9, 3.3])
'''


def program(folder: Path, text: str) -> Program:
    """Of a file with this text."""
    path = folder / "mine.py"
    path.write_text(text)
    file = user_file.read(str(path))
    return program_of(file.module, path.name, file.code)


def normal_posterior(y: torch.Tensor) -> tuple[float, float, float]:
    """Of NORMAL in closed form: mean, standard deviation, and log p(y) in nats."""
    n, precision = len(y), 1 / 4 + len(y) / 0.25
    mean = (1 / 4 + float(y.sum()) / 0.25) / precision
    covariance = 0.25 * torch.eye(n, dtype=torch.float64) + 4.0
    r = y.double() - 1.0
    log_p = -0.5 * float(r @ torch.linalg.solve(covariance, r) + torch.logdet(covariance)) - n / 2 * math.log(
        2 * math.pi)
    return mean, precision**-0.5, log_p
