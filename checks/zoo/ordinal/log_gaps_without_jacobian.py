"""The log gaps of the thresholds walk, and are accepted by the density of the thresholds.

Symptom: neighbouring thresholds come out too near to each other.
"""

from checks.right.ordinal import ordinal_gibbs as right

BATCHED = True


def transition(rng, latents, model, data):
    latents = right.check(latents, model)
    code, eta = model.codes(data), model.latent_mean(latents, data)
    latents["cutpoints"] = right.thresholds(rng, latents["cutpoints"], eta, code, model, jacobian=False)
    return right.rows(rng, latents, model, data, right.latent(rng, latents["cutpoints"], eta, code))
