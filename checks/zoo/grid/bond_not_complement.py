"""Swendsen-Wang with bonds of probability exp(-delta) instead of 1 - exp(-delta).

Symptom: clusters are too small where the coupling is strong.
"""

from checks.right.grid.swendsen_wang import BOND, bond_probability, bonds, clusters, decoupled, relabel

BATCHED = True


def transition(rng, latents, model, data):
    y = latents["labels"]
    linked = clusters(*bonds(rng, y, 1 - bond_probability(BOND)))
    return {"labels": relabel(rng, y, linked, decoupled(model, BOND), data)}
