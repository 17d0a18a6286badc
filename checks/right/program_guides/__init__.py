"""Guides that are right, for models that people write."""
