"""Mistakes in guides for models of one's own: each breaks what is so of every right guide."""
