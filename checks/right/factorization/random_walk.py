"""Random walk Metropolis as in `inference/factorization/random_walk.py`, with a step that suits the test problems."""

from inference.factorization.random_walk import walk

BATCHED = True
STEP = 0.15


def transition(rng, latents, model, data):
    return walk(rng, latents, model, data, STEP, moves=4)[0]
