"""Swendsen-Wang whose clusters are relabelled without the image.

Symptom: the picture's regions have the right shapes and arbitrary labels.
"""

from checks.right.grid.swendsen_wang import BOND, bond_probability, bonds, clusters, decoupled, relabel

BATCHED = True


def transition(rng, latents, model, data):
    y = latents["labels"]
    linked = clusters(*bonds(rng, y, bond_probability(BOND)))
    return {"labels": relabel(rng, y, linked, decoupled(model, BOND), 0 * data)}
