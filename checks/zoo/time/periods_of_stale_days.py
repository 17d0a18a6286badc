"""Periods are drawn given the days of the sweep before, not given the new ones.

Symptom: a user's days and an item's periods are less tied to each other than they should be.
"""

from checks.right.time.time_gibbs import check, effects, precision, rest, sides

BATCHED = True


def transition(rng, latents, model, data):
    latents = check(latents, model)
    days, periods = sides(model, data)
    new = effects(rng, latents, model, data, *days) | effects(rng, latents, model, data, *periods)
    latents |= new
    for cells, _ in (days, periods):
        latents |= precision(rng, latents, cells)
    return rest(rng, latents, model, data)
