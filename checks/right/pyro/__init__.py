"""Guides written in Pyro."""
