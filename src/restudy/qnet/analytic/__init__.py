"""Closed forms that the simulator is checked against."""
