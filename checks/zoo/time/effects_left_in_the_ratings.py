"""The rows are drawn from the ratings as they are, with the effects of days and periods still in them.

Symptom: rows explain a second time what days and periods explain, and predictions are off by the effects.
"""

from checks.right.time.time_gibbs import check, effects, precision, rest, sides

BATCHED = True


def transition(rng, latents, model, data):
    latents = check(latents, model)
    for cells, place in sides(model, data):
        latents |= effects(rng, latents, model, data, cells, place)
        latents |= precision(rng, latents, cells)
    return rest(rng, latents, model, data, less=0.0)
