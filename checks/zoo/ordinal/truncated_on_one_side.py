"""Latent ratings are kept below their upper threshold, and not above their lower one.

Symptom: high levels pull as little as low ones, and predictions are too low.
"""

from checks.right.ordinal import ordinal_gibbs as right

BATCHED = True


def transition(rng, latents, model, data):
    latents = right.check(latents, model)
    code, eta = model.codes(data), model.latent_mean(latents, data)
    latents["cutpoints"] = right.thresholds(rng, latents["cutpoints"], eta, code, model)
    return right.rows(rng, latents, model, data, right.latent(rng, latents["cutpoints"], eta, code, above=False))
