"""The typical noise of the users has one degree of freedom a user where their precisions have four.

Symptom: the typical variance comes out too small, and few users' ratings pull their own noise towards it.
"""

from checks.right.ladder.noise_per_user_gibbs import draw_precisions, draw_typical, sweep

BATCHED = True


def transition(rng, latents, model, data):
    w = draw_precisions(rng, latents, model, data)
    return sweep(rng, {**latents, "precision_user": w, "sigma2": draw_typical(rng, w, alike=1.0)}, model, data)
