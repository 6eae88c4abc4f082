"""Losses measured by our own runs or published by others."""
