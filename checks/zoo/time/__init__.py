"""The factorization with effects of time."""
