"""Is a guide right? Density, samples, objective and gradients, and its fit."""
