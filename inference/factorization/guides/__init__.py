"""Pyro guides as methods: what a file may hold, its pre-flight, and what the library's guides share."""
