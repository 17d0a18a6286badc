"""Guides and objectives."""
