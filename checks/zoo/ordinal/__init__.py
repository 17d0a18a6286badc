"""Factorizations of ratings that are ordered levels."""
