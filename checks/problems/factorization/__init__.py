"""Factorizations of ratings, the plain model."""
