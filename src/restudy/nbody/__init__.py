"""Planetary systems followed by symplectic integrators, after arXiv:2111.15631."""
