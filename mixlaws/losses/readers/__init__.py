"""Readers of losses that others published."""
