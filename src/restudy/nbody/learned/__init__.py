"""Learned interactions: the paper's network, and those that know more than it does."""
