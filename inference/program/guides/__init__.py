"""Guides: how any of them is made, fitted and looked at."""
