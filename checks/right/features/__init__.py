"""The factorization with features."""
