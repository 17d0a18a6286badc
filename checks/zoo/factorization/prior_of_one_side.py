"""V is drawn with half the prior variance: one side's setting was forgotten.

Symptom: V is too short and U too long.
"""

from dataclasses import replace

from checks.right.factorization.pieces import items, users
from checks.right.factorization.row_gibbs import rows

BATCHED = True


def transition(rng, latents, model, data):
    half = replace(model, prior_variance=model.prior_variance / 2)
    U = rows(rng, users(data), latents["V"], latents["U"], model, data)
    return {"U": U, "V": rows(rng, items(data), U, latents["V"], half, data)}
