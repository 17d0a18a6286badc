"""The precision of the rows is drawn as if it said nothing of the features' weights.

Symptom: the rows' precision is too uncertain, and does not follow the weights.
"""

from checks.right.features import features_gibbs as right

BATCHED = True


def transition(rng, latents, model, data):
    latents = right.check(latents, model)
    if model.noise:
        error = (data.rating - model.quantities(latents, data.pairs)["prediction"]).square().sum(-1)
        latents["sigma2"] = right.draw_variance(rng, error, data)
    for side in "UV":
        latents |= right.weights(rng, latents, model, side)
        latents |= right.ridge(rng, latents, side)
        latents |= right.hyper(rng, latents, model, side, weighed=False)
    return right.rows(rng, latents, model, data)
