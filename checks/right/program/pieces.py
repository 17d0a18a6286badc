"""Right parts of kernels for any Pyro model, a replicate at a time: the mistakes of the zoo change one of them.

    log p(u, data) = sum_sites w log p(site | those before) + log |det dx / du|,    x = T(u), w = 1
"""

import torch
from pyro import poutine
from torch.distributions import biject_to

from models.sites import kind, log_prob


class Target:
    """The log density of a model at its arguments, of the continuous sites without constraints."""

    def __init__(self, model, *args, weights=None, jacobian=1.0):
        self.model, self.args, self.weights, self.jacobian = model, args, weights or {}, jacobian
        self.to = {}

    def nodes(self, latents):
        found = poutine.trace(poutine.condition(self.model, data=latents)).get_trace(*self.args).nodes
        return {name: site for name, site in found.items() if kind(site) in ("latent", "observed", "factor")}

    def split(self, latents):
        """u of the continuous sites, and the discrete ones as they are."""
        supports = {name: site["fn"].support for name, site in self.nodes(latents).items() if name in latents}
        self.to = {name: biject_to(support) for name, support in supports.items() if not support.is_discrete}
        return ({name: to.inv(latents[name]) for name, to in self.to.items()},
                {name: x for name, x in latents.items() if name not in self.to})

    def latents(self, u):
        return {name: self.to[name](x) for name, x in u.items()}

    def at(self, latents):
        """log p(latents, data)."""
        return sum(self.weights.get(name, 1.0) * log_prob(site).sum() for name, site in self.nodes(latents).items())

    def __call__(self, u, held):
        x = self.latents(u)
        log_det = sum(self.to[name].log_abs_det_jacobian(u[name], x[name]).sum() for name in u)
        return self.at({**x, **held}) + self.jacobian * log_det


def metropolis(gap):
    return torch.rand(()).log() < gap


def chosen(yes, new, old):
    return {name: torch.where(yes, new[name], x) for name, x in old.items()}


def walk(target, latents, scale=0.6, sweeps=4, accept=metropolis):
    """Metropolis, a site at a time."""
    u, held = target.split(latents)
    for _ in range(sweeps):
        for name in u:
            new = {**u, name: u[name] + scale * torch.rand(()) * torch.randn_like(u[name])}
            u = chosen(accept(target(new, held) - target(u, held)), new, u)
    return {**latents, **target.latents(u), **held}


def hmc(target, latents, step=0.15, leaps=8, accept=metropolis, last_kick=0.5):
    """A Hamiltonian path, with fresh momenta."""
    u, held = target.split(latents)
    gradient = torch.func.grad(lambda x: target(x, held))
    start = {name: torch.randn_like(x) for name, x in u.items()}
    p, new, g = start, u, gradient(u)
    for k in range(leaps):
        p = {name: p[name] + 0.5 * step * g[name] for name in u}
        new = {name: new[name] + step * p[name] for name in u}
        g = gradient(new)
        p = {name: p[name] + (0.5 if k < leaps - 1 else last_kick) * step * g[name] for name in u}
    energy = sum((start[name] ** 2).sum() - (p[name] ** 2).sum() for name in u) / 2
    yes = accept(target(new, held) - target(u, held) + energy)
    return {**latents, **target.latents(chosen(yes, new, u)), **held}


def mala(target, latents, step=0.2, accept=metropolis, back=1.0):
    """Langevin proposals u + step^2 g / 2 + step z; `back` weighs the density of the way back."""
    u, held = target.split(latents)
    gradient = torch.func.grad(lambda x: target(x, held))

    def drift(x):
        return {name: x[name] + step**2 / 2 * g for name, g in gradient(x).items()}

    for _ in range(3):
        mean = drift(u)
        new = {name: m + step * torch.randn_like(m) for name, m in mean.items()}
        there = drift(new)
        ratio = sum(((new[name] - mean[name]) ** 2).sum() - ((u[name] - there[name]) ** 2).sum() for name in u)
        yes = accept(target(new, held) - target(u, held) + back * ratio / (2 * step**2))
        u = chosen(yes, new, u)
    return {**latents, **target.latents(u), **held}


def gibbs(target, latents, site, values, power=1.0):
    """Every entry of a discrete site in turn, given everything else."""
    z = latents[site]
    for k in range(z.numel()):
        here = (torch.arange(z.numel()) == k).reshape(z.shape)
        log_p = torch.stack([target.at({**latents, site: torch.where(here, value, z)}) for value in values])
        z = torch.where(here, values[drawn(power * log_p)], z)
        latents = {**latents, site: z}
    return latents


def drawn(log_p):
    """A number with these log probabilities, which need not add up: Gumbel's largest."""
    gumbel = -(-torch.rand(log_p.shape).log()).log()
    return (log_p + gumbel).argmax(-1)


def flip(target, latents, site, values, accept=metropolis):
    """Metropolis of every entry of a discrete site: another value, each as likely."""
    z, K = latents[site], len(values)
    for k in range(z.numel()):
        here = (torch.arange(z.numel()) == k).reshape(z.shape)
        new = torch.where(here, (z + torch.randint(1, K, ())) % K, z)
        yes = accept(target.at({**latents, site: new}) - target.at({**latents, site: z}))
        z = torch.where(yes, new, z)
    return {**latents, site: z}
