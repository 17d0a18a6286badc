"""The thresholds are moved given the level above each rating, as where levels are counted from one.

Symptom: thresholds lie too low.
"""

from checks.right.ordinal import ordinal_gibbs as right

BATCHED = True


def transition(rng, latents, model, data):
    latents = right.check(latents, model)
    code, eta = model.codes(data), model.latent_mean(latents, data)
    above = (code + 1).clamp(max=len(model.levels) - 1)
    latents["cutpoints"] = right.thresholds(rng, latents["cutpoints"], eta, above, model)
    return right.rows(rng, latents, model, data, right.latent(rng, latents["cutpoints"], eta, code))
