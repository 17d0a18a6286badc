"""After a sweep U alone is turned by a random rotation.

Symptom: predictions have nothing to do with the ratings.
"""

from checks.right.factorization import row_gibbs
from checks.right.factorization.random_rotation import turn

BATCHED = True


def transition(rng, latents, model, data):
    return turn(rng, row_gibbs.transition(rng, latents, model, data), sites=("U",))
