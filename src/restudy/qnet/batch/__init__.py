"""Executors of many runs at once, on arrays."""
