"""Swendsen-Wang with bonds of probability 1 - exp(-2 delta), the formula for spins of -1 and 1.

Symptom: clusters are too large and regions too smooth.
"""

from checks.right.grid.swendsen_wang import BOND, bond_probability, bonds, clusters, decoupled, relabel

BATCHED = True


def transition(rng, latents, model, data):
    y = latents["labels"]
    linked = clusters(*bonds(rng, y, bond_probability(2 * BOND)))
    return {"labels": relabel(rng, y, linked, decoupled(model, BOND), data)}
