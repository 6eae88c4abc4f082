"""Mixtures of domains, and designs that choose the mixtures to train."""
