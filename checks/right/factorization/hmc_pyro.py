"""Pyro's own Hamiltonian Monte Carlo: three leapfrog steps, nothing adapted."""

from pyro.infer import HMC


def kernel(model):
    return HMC(model, step_size=0.1, num_steps=3, adapt_step_size=False, adapt_mass_matrix=False)
