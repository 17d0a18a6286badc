"""The items' rows weigh every rating alike, at the typical noise, whoever gave it.

Symptom: steady users count too little in what is learned of items, noisy ones too much.
"""

from checks.right.ladder.noise_per_user_gibbs import draw_precisions, draw_typical, sweep

BATCHED = True


def transition(rng, latents, model, data):
    w = draw_precisions(rng, latents, model, data)
    return sweep(rng, {**latents, "precision_user": w, "sigma2": draw_typical(rng, w)}, model, data, weighted=("U",))
