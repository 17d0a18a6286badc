"""The rate of the precision's gamma has the whole sum of the effects' squares, not half of it.

Symptom: the precision of the effects comes out too small, and the effects too large.
"""

from checks.right.time.time_gibbs import check, effects, precision, rest, sides

BATCHED = True


def transition(rng, latents, model, data):
    latents = check(latents, model)
    for cells, place in sides(model, data):
        latents |= effects(rng, latents, model, data, cells, place)
        latents |= precision(rng, latents, cells, half=1.0)
    return rest(rng, latents, model, data)
