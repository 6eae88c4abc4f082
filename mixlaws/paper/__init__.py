"""Reproduce the figures and tables of Data Mixing Laws (arXiv:2403.16952) from published losses."""
