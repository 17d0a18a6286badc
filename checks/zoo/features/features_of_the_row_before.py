"""Every row's prior mean has the features of the row before it.

Symptom: rows keep to the features of their neighbours.
"""

from dataclasses import replace

from checks.right.features import features_gibbs as right

BATCHED = True


def transition(rng, latents, model, data):
    right.check(latents, model)
    shifted = replace(model, user_features=model.user_features.roll(1, 0), item_features=model.item_features.roll(1, 0))
    return right.transition(rng, latents, shifted, data)
