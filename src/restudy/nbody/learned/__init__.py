"""Interactions that are learned: from forces, and from orbits alone."""
