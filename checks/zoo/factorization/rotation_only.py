"""U and V are only turned together: that leaves the posterior as it is, and goes nowhere.

Symptom: predictions never change.
"""

from checks.right.factorization.random_rotation import turn

BATCHED = True


def transition(rng, latents, model, data):
    return turn(rng, latents)
