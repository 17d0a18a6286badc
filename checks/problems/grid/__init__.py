"""Grids small enough to list every labelling."""
