"""Protocols: what nodes do, as generators."""
