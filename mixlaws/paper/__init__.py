"""The figures and tables of Data Mixing Laws (arXiv:2403.16952), from its published losses."""
