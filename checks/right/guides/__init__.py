"""Guides and their objectives, for the factorization."""
