"""Losses: what was measured, by our own runs or by anyone's."""
