"""Swendsen-Wang whose clusters still feel the coupling that made the bonds.

Symptom: neighbouring clusters agree too much: regions are too smooth.
"""

from checks.right.grid.swendsen_wang import BOND, bond_probability, bonds, clusters, relabel

BATCHED = True


def transition(rng, latents, model, data):
    y = latents["labels"]
    linked = clusters(*bonds(rng, y, bond_probability(BOND)))
    return {"labels": relabel(rng, y, linked, model, data)}
