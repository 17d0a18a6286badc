"""V is drawn given the U of the sweep before (both sides from the old state).

Symptom: training error is too large; the chain samples two unrelated fits in turn.
"""

from checks.right.factorization.pieces import items, users
from checks.right.factorization.row_gibbs import rows

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    return {"U": rows(rng, users(data), V, U, model, data), "V": rows(rng, items(data), U, V, model, data)}
