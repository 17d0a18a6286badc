"""V is never updated.

Symptom: every chain has another answer; V stands still.
"""

from checks.right.factorization.pieces import users
from checks.right.factorization.row_gibbs import rows

BATCHED = True


def transition(rng, latents, model, data):
    return {"U": rows(rng, users(data), latents["V"], latents["U"], model, data), "V": latents["V"]}
