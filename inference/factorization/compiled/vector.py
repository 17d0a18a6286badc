"""Where `inference.vector` was: numba's caches of older checkouts name it, and are read before they are thrown away."""

from inference.vector import Vector

__all__ = ["Vector"]
