"""Wisdom-Holman integration of one system in compiled code, as fast as WHFast or faster."""

from __future__ import annotations
