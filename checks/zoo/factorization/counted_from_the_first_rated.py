"""Users are counted from the lowest that has a rating.

Symptom: fine where the first user has ratings; where not, every user gets another's.
"""

from dataclasses import replace

from checks.right.factorization import row_gibbs
from checks.right.factorization.pieces import items, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    side = users(data)
    U = row_gibbs.rows(rng, replace(side, row=side.row - side.row.min()), V, U, model, data)
    return {"U": U, "V": row_gibbs.rows(rng, items(data), U, V, model, data)}
