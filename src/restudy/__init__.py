"""Restudy: ten papers on machine learning and HPC, studied again."""

__version__ = "0.1.0"
