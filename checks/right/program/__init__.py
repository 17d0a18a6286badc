"""Models that people write, each with kernels that are right."""
