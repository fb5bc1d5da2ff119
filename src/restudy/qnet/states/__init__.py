"""Quantum states, gates and channels; nothing here knows of time."""
