"""The rate of the ridge's gamma has the whole sum of the weights' squares, not half of it.

Symptom: the ridge comes out too small, and the weights too large.
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
        latents |= right.ridge(rng, latents, side, scale=2.0)
        latents |= right.hyper(rng, latents, model, side)
    return right.rows(rng, latents, model, data)
