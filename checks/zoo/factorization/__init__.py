"""Factorizations."""
