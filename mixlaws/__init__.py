"""Data mixing laws: which domains to train a language model on, and how sure one can be."""

__version__ = "0.1.0"
