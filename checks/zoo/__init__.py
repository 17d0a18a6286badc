"""Planted mistakes, one a file: each differs from a right kernel by the mistake it is named for."""
