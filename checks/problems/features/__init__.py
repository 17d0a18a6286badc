"""Factorizations whose rows' prior means depend on features."""
