"""The ratings are taken to come in the order of the users.

Symptom: fine on a table that was sorted; on any other users get each other's ratings.
"""

from dataclasses import replace

from checks.right.factorization import row_gibbs
from checks.right.factorization.pieces import items, users

BATCHED = True


def transition(rng, latents, model, data):
    U, V = latents["U"], latents["V"]
    side = users(data)
    U = row_gibbs.rows(rng, replace(side, row=side.row.sort().values), V, U, model, data)
    return {"U": U, "V": row_gibbs.rows(rng, items(data), U, V, model, data)}
