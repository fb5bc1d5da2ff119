"""Interactions that are learned: the paper's network, pairs of bodies, fields around a star."""
