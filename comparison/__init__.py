"""Saved results beside each other: read, measured, ranked, and said in words."""
